"""`Simulator`: a rollout as a layer of other people's JAX models."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput, nearest
from ..systems import Number, ReactionDiffusion
from ..systems.grid import Grid
from .motion import sample_axes
from .rollout import ENGINES, Engine, check_parameter_shapes, rollout
from .steppers import find_stepper


class Simulator(eqx.Module):
    """A reaction–diffusion system that moves states by `steps` steps: cₙ₊₁ = cₙ + dt (D∇²c + R(c; θ)).

    An Equinox module. Its leaves are the system's parameters, as arrays, so `eqx.filter_grad` and an optimiser train
    them like weights; freeze them with `eqx.partition`, or override them at the call by what a network puts out.
    Everything else is static. Works under jit, grad, jacfwd, jacrev and vmap; a batch goes over the cores.

    Reverse mode keeps about 3·steps^⅓ states a sample in the native engine, 2√steps in XLA. The native engine has no
    second derivatives (`NotImplementedError`): pass engine="xla" for those. Gradients are exact and may still be of no
    use: 0 where the pattern has died, growing like exp(λ₁t) in a chaotic regime.

    Arguments: as for `rollout`. `dt` beyond `stability_limit` blows up. Raises `BadInput`.
    """

    system: ReactionDiffusion
    grid: Grid = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    dt: float | None = eqx.field(static=True)
    save_every: int | None = eqx.field(static=True)
    stepper: str = eqx.field(static=True)
    engine: Engine = eqx.field(static=True)
    clip: bool = eqx.field(static=True)

    def __init__(
        self,
        system: ReactionDiffusion,
        grid: Grid,
        *,
        steps: int,
        dt: float | None = None,
        save_every: int | None = None,
        stepper: str = "euler",
        engine: Engine = "auto",
        clip: bool = False,
    ):
        check_motion(system, steps, dt, save_every)
        find_stepper(stepper)
        if engine not in ENGINES:
            raise BadInput("engine", f"must be one of {', '.join(ENGINES)}", repr(engine))
        # Python numbers are no leaves to an optimiser.
        self.system = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), system)
        self.grid, self.steps, self.dt, self.save_every = grid, steps, dt, save_every
        self.stepper, self.engine, self.clip = stepper, engine, clip

    def __call__(
        self, state: Float[Array | np.ndarray, "*state"], /, **parameters: Number
    ) -> Float[Array, "*state"] | Float[Array, "*frames"]:
        """The state after `steps` steps, or with `save_every` the frames.

        Arguments: one state (C, H, W) or a batch (M, C, H, W), whose dtype is computed in; `parameters` override the
        system's by name: one number, (M,), kinetic ones also (H, W) or (M, H, W). Returns the shape of the state, or
        (T, C, H, W) and (M, T, C, H, W) frames. Raises `BadInput` for other shapes and unknown names.
        """
        state = jnp.asarray(state)
        check_state_shape(self.system, self.grid, state.shape)
        check_names(self.system, parameters)
        values = {**self.system.values(), **parameters}
        system = self.system.with_values(**{name: jnp.asarray(value, state.dtype) for name, value in values.items()})
        check_parameter_shapes(system, len(state) if state.ndim == 4 else None, self.grid.shape)
        if state.ndim == 3:
            return self._move(system, state)
        return jax.vmap(self._move, in_axes=(sample_axes(system), 0))(system, state)

    def _move(self, system: ReactionDiffusion, state: Array) -> Array:
        return rollout(
            system,
            state,
            steps=self.steps,
            dt=self.dt,
            grid=self.grid,
            save_every=self.save_every,
            stepper=self.stepper,
            engine=self.engine,
            clip=self.clip,
        )


def check_motion(system: object, steps: int, dt: float | None, save_every: int | None) -> None:
    """Raises `BadInput` for what no layer can do, when it is made and not when it is first called."""
    if not isinstance(system, ReactionDiffusion):
        raise BadInput("system", "must be a reaction–diffusion system", type(system).__name__)
    if steps < 1:
        raise BadInput("steps", "must be at least 1", steps)
    if dt is not None and not (dt > 0 and math.isfinite(dt)):
        raise BadInput("dt", "must be positive", dt)
    if save_every is not None and (save_every < 1 or steps % save_every):
        raise BadInput("save_every", f"must divide steps = {steps}", save_every)


def check_state_shape(system: ReactionDiffusion, grid: Grid, shape: tuple[int, ...]) -> None:
    """Raises `BadInput` for a state that is neither (C, H, W) nor (M, C, H, W)."""
    one = (len(system.fields), *grid.shape)
    if len(shape) not in (3, 4) or tuple(shape[-3:]) != one:
        raise BadInput("state", f"must have shape {one}, or one more axis in front for a batch", tuple(shape))


def check_names(system: ReactionDiffusion, parameters) -> None:
    """Raises `BadInput` for a name that is no parameter of the system."""
    for name in parameters:
        if name not in system.parameters():
            raise BadInput(name, f"is no parameter of {system.name}", None, nearest(name, system.parameters()))
