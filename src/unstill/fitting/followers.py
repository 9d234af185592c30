"""Hidden fields that follow the seen ones: their own equations, run to rest while the pictures are held still."""

import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput, NumericalFailure
from .._types import Status
from ..simulation import Grid, rollout
from ..simulation.motion import Motion
from ..systems import Number, ReactionDiffusion, parameter

_CHUNK = 100  # steps between two looks
_LONGEST = 20_000
_AT_REST = 1e-10  # change a step, relative to the field's size
_FORGOTTEN = np.log(1e3)  # e-foldings after which a derivative has nearly settled
_SHORTEST_TAIL, _LONGEST_TAIL = 64, 4096
_FINER = 2  # steps of the hidden fields in one of the motion: near the stability limit whole ones swing for ever


@functools.lru_cache(maxsize=32)
def clamped(system_class: type[ReactionDiffusion], observed: tuple[int, ...]) -> type[ReactionDiffusion]:
    """The system of the hidden fields alone: the seen ones become parameters, given cell by cell.

    Being a system like any other it has native kernels, adjoints and tangents, with respect to the pictures too.
    """
    fields = system_class.fields
    seen, hidden = [fields[i] for i in observed], [f for i, f in enumerate(fields) if i not in observed]

    def whole(self) -> ReactionDiffusion:
        return system_class(**system_class.defaults()).with_values(
            **{name: getattr(self, name) for name in system_class.parameters()}
        )

    def kinetics(self, *c):
        given = {**dict(zip(hidden, c, strict=True)), **{f: getattr(self, f) for f in seen}}
        rates = whole(self).kinetics(*(given[f] for f in fields))
        return tuple(rates[fields.index(f)] for f in hidden)

    def rest(self):
        at_rest = whole(self).rest()
        return tuple(at_rest[fields.index(f)] for f in hidden)

    values = {name: (system_class.defaults()[name], info) for name, info in system_class.parameters().items()}
    namespace = {name: parameter(default, (info.low, info.high)) for name, (default, info) in values.items()}
    namespace |= {f: parameter(0.0, (-np.inf, np.inf)) for f in seen}
    annotations = dict.fromkeys(namespace, Number) | dict.fromkeys(("name", "fields", "diffusion"), ClassVar)
    namespace |= {
        "__annotations__": annotations,
        "__module__": __name__,
        "name": f"{system_class.name} with {', '.join(seen)} held",
        "fields": tuple(hidden),
        "diffusion": {f: D for f, D in system_class.diffusion.items() if f in hidden},
        "equations": tuple(e for i, e in enumerate(system_class.equations) if i not in observed),
        "dt": system_class.dt,
        "kinetics": kinetics,
        "rest": rest,
    }
    return type(f"Clamped{system_class.__name__}", (ReactionDiffusion,), namespace)


def held(system: ReactionDiffusion, observed: tuple[int, ...], pictures) -> ReactionDiffusion:
    """The clamped system at these parameters, with pictures (C_obs, …, H, W)."""
    cls = clamped(type(system), observed)
    fields = {type(system).fields[i]: pictures[j] for j, i in enumerate(observed)}
    return cls(**cls.defaults()).with_values(**system.values(), **fields)


def relax(
    system: ReactionDiffusion,
    grid: Grid,
    observed: tuple[int, ...],
    pictures: Float[np.ndarray, "M K H W"],
    *,
    dt: float,
) -> tuple[Float[np.ndarray, "M L H W"], int, int]:
    """The hidden fields at rest beside these pictures, a power of two of steps after which the motion has forgotten
    where it began, and the steps that were run. Steps are of half `dt`: where diffusion is near the stability limit of
    `dt`, whole ones hardly damp the shortest waves, and an optimiser meets a wall that is none of the problem's.

    Raises `NumericalFailure` where they do not come to rest: the hidden field is then not a function of the picture
    (Gray–Scott's v beside a given u is bistable), or the time step is unstable.
    """
    frozen = held(system, observed, np.moveaxis(pictures, 1, 0))
    state = np.stack([np.broadcast_to(np.asarray(c, float), pictures[:, 0].shape) for c in frozen.rest()], 1)
    motion = Motion(
        frozen, grid, state.shape, dt=dt / _FINER, dtype="float64", stepper="euler", engine="auto", clip=False
    )  # fmt: skip
    every, before, steps, rate = np.arange(len(state)), np.inf, 0, 0.0
    while steps < _LONGEST:
        state = motion.advance(state, _CHUNK - 1, every)
        after = motion.advance(state, 1, every)
        steps += _CHUNK
        change = float(np.abs(after - state).max())
        state = after
        if not np.isfinite(change):
            break
        if change <= _AT_REST * max(float(np.abs(state).max()), 1e-300):
            rate = max(rate, np.log(max(before / max(change, 1e-300), 1.0)) / _CHUNK)
            tail = _FORGOTTEN / max(rate, 1e-4)
            size = 2 ** int(np.ceil(np.log2(np.clip(tail, _SHORTEST_TAIL, _LONGEST_TAIL))))
            return np.asarray(state), size, steps
        rate, before = np.log(max(before / change, 1.0)) / _CHUNK if np.isfinite(before) else 0.0, change
    names = ", ".join(frozen.fields)
    raise NumericalFailure(
        Status.BLOW_UP, f"the hidden field {names} does not come to rest beside the pictures in {_LONGEST} steps"
    )


def follow(
    system: ReactionDiffusion,
    grid: Grid,
    observed: tuple[int, ...],
    picture: Float[Array, "K H W"],
    hidden: Float[Array, "L H W"],
    *,
    steps: int,
    dt: float,
) -> Float[Array, "L H W"]:
    """`hidden`, already at rest, after `steps` of half `dt`: it stays, and its derivative by the parameters arises.

    The derivative is the Neumann series of the implicit one: its error falls as exp(−rate · steps · dt / 2).
    """
    if not 0 < len(observed) < len(system.fields):
        raise BadInput("observe", "must leave a field hidden", len(observed))
    return rollout(held(system, observed, picture), hidden, steps=steps, dt=dt / _FINER, grid=grid)


def join(
    observed: tuple[int, ...],
    pictures: Float[Array | np.ndarray, "M K H W"],
    hidden: Float[Array | np.ndarray, "M L H W"],
) -> Float[Array, "M C H W"]:
    """All fields in the system's order."""
    count = pictures.shape[1] + hidden.shape[1]
    rest = [i for i in range(count) if i not in observed]
    order = np.argsort([*observed, *rest])
    return jnp.concatenate([pictures, hidden], 1)[:, order]
