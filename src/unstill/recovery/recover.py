"""`recover`: from pictures to parameters. It looks which fields are seen and takes the road that fits."""

import dataclasses
import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .._errors import BadInput, nearest
from .._types import Status
from ..simulation import Grid
from ..systems import AbstractSystem, ReactionDiffusion, find_system
from .hidden import HiddenResult, recover_hidden
from .result import Estimate, Recovery
from .weak import WeakResult, recover_weak

# Intervals hold where the method's assumptions do: a recovery that ended otherwise keeps its values, without them.
DONE = (Status.CONVERGED, Status.UNIDENTIFIABLE)


@runtime_checkable
class Pictures(Protocol):
    """What `us.load` returns: arrays (M, H, W) by field name, and the grid where it is known."""

    @property
    def fields(self) -> Mapping[str, np.ndarray]: ...

    @property
    def grid(self) -> Grid | None: ...


def recover(
    system: str | type[AbstractSystem],
    pictures: Pictures | Mapping[str, np.ndarray],
    *,
    observe: Sequence[str] | str | None = None,
    grid: Grid | None = None,
    start: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
    noise: Mapping[str, float] | None = None,
    time_step: float | None = None,
    progress: Callable[[Mapping[str, Any]], None] | None = None,
) -> Recovery:
    """Find the parameters, and the fields that are not seen, of a reaction–diffusion system from M unordered pictures.

    All fields seen: the weak form of stationarity, in any regime (`recover_weak`). One field seen: the pattern must be
    steady; the hidden fields are eliminated by an elliptic solve and the fit is refined to the maximum likelihood
    (`recover_hidden`). Values are absolute (gain 1) and the pixel size is `grid.dx`: an unknown gain or pixel size
    leaves fewer combinations determined, and will come as arguments of their own.

    Arguments: the system's name, `file.py:NAME` or class; arrays (M, H, W) or (H, W) by field name, or what `load`
    returns; `observe` takes some of its fields; `grid`, by default the pictures' own, else periodic with dx = 1;
    `start`, where the search starts besides its own starts; `fixed`, known parameters; `noise`, the known absolute
    standard deviation of white noise by field (estimated otherwise); `time_step`, that of the explicit Euler scheme
    behind moving pictures of all fields, 0 for a true flow (estimated otherwise: see `recover_weak`); `progress` is
    called with one dictionary an iteration.

    Returns a `Recovery`; its `status` is `converged`, `unidentifiable`, `moving`, `dead`, `no-fit` or `not-converged`.
    Raises `BadInput`.
    """
    started = clock.perf_counter()
    if time_step is not None and not (np.isfinite(time_step) and time_step >= 0):
        raise BadInput("time_step", "must be 0 or positive", time_step)
    task = check(system, pictures, observe=observe, grid=grid, start=start, fixed=fixed, noise=noise)
    options = {"start": task.start or None, "fixed": task.fixed}
    cls, seen = task.system, task.pictures
    if set(seen) == set(cls.fields):
        states = np.stack([seen[name] for name in cls.fields], 1)
        weak = recover_weak(cls, task.grid, states, noise=task.noise or None, time_step=time_step, **options)
        found = _of_weak(cls, weak, task.fixed, states)
    else:
        ((name, pictures_of_it),) = seen.items()
        level = task.noise.get(name)
        found = _of_hidden(
            recover_hidden(cls, task.grid, name, pictures_of_it, noise=level, progress=progress, **options), name
        )
    return Recovery(
        **found, grid=task.grid, observed=tuple(seen), pictures=seen, seconds=clock.perf_counter() - started
    )


@dataclasses.dataclass(frozen=True)
class Task:
    """A checked call of `recover`; pictures (M, H, W) by field name, in the system's order."""

    system: type[ReactionDiffusion]
    pictures: Mapping[str, np.ndarray]
    grid: Grid
    start: Mapping[str, float]
    fixed: Mapping[str, float]
    noise: Mapping[str, float]


def check(system, pictures, *, observe=None, grid=None, start=None, fixed=None, noise=None) -> Task:
    """The checks of `recover` alone, so that a caller can make them before it replaces older results."""
    cls = _system_class(system)
    arrays, grid = _arrays(pictures, observe, grid, cls)
    if 1 < len(arrays) < len(cls.fields):
        raise BadInput("observe", f"must name one field or all of {', '.join(cls.fields)}", ", ".join(arrays))
    start, fixed = _known(cls, "start", start), _known(cls, "fix", fixed)
    if set(fixed) == set(cls.parameters()):
        raise BadInput("fix", "must leave a parameter to be found")
    return Task(cls, arrays, grid, start, fixed, _noise(noise, arrays))


def _system_class(system: str | type[AbstractSystem]) -> type[ReactionDiffusion]:
    cls: type[AbstractSystem] = find_system(system) if isinstance(system, str) else system
    if not (isinstance(cls, type) and issubclass(cls, ReactionDiffusion)):
        raise BadInput("system", "must be a reaction–diffusion system", getattr(cls, "name", cls))
    return cls


def _arrays(pictures, observe, grid, cls) -> tuple[dict[str, np.ndarray], Grid]:
    fields = dict(pictures.fields if isinstance(pictures, Pictures) else pictures)
    known = pictures.grid if isinstance(pictures, Pictures) else None
    if isinstance(observe, str):
        observe = [word.strip() for word in observe.split(",")]
    names = tuple(observe) if observe else tuple(name for name in fields if name in cls.fields)
    if not names:
        raise BadInput("observe", f"must name fields of {cls.name}", ", ".join(fields), nearest("", cls.fields))
    for name in names:
        if name not in cls.fields:
            raise BadInput("observe", f"must name fields of {cls.name}", repr(name), nearest(name, cls.fields))
        if name not in fields:
            raise BadInput("observe", "must name fields of the pictures", repr(name), nearest(name, fields))
    chosen = {name: np.asarray(fields[name], float) for name in cls.fields if name in names}
    chosen = {name: array[None] if array.ndim == 2 else array for name, array in chosen.items()}
    shapes = {array.shape for array in chosen.values()}
    if len(shapes) > 1 or any(len(shape) != 3 for shape in shapes):
        raise BadInput("pictures", "must have one shape (M, H, W) for every field", shapes)
    for name, array in chosen.items():
        if not np.isfinite(array).all():
            raise BadInput(
                "pictures", f"must be finite; {name} has {int((~np.isfinite(array)).sum())} values that are not"
            )
    (shape,) = shapes
    grid = grid or known or Grid(shape[1:])
    if tuple(grid.shape) != shape[1:]:
        raise BadInput("grid", f"must have the pictures' shape {shape[1:]}", grid.shape)
    return chosen, grid


def _known(cls, argument: str, values: Mapping[str, float] | None) -> dict[str, float]:
    """Values that name parameters and lie in their ranges."""
    values = {name: float(value) for name, value in (values or {}).items()}
    for name in values:
        if name not in cls.parameters():
            raise BadInput(argument, f"must name parameters of {cls.name}", repr(name), nearest(name, cls.parameters()))
    cls.make(**values)  # raises for a value outside its range
    return values


def _noise(noise: Mapping[str, float] | None, arrays: Mapping[str, Any]) -> dict[str, float]:
    for name, level in (noise or {}).items():
        if name not in arrays:
            raise BadInput("noise", "must name an observed field", repr(name), nearest(name, arrays))
        if not (np.isfinite(level) and level >= 0):
            raise BadInput("noise", "must be 0 or positive", level)
    return dict(noise or {})


def _estimates(cls, values, std, fixed) -> dict[str, Estimate]:
    """One estimate a parameter, in the system's order."""
    found = {}
    for name in cls.parameters():
        value = values.get(name)
        if name in fixed:
            found[name] = Estimate(fixed[name], 0.0, (fixed[name], fixed[name]))
        elif value is None:
            found[name] = Estimate(None)
        elif std.get(name) is None or not np.isfinite(std[name]):
            found[name] = Estimate(float(value))
        else:
            found[name] = Estimate.normal(value, std[name])
    return found


def _of_weak(cls, found: WeakResult, fixed, states: np.ndarray) -> dict[str, Any]:
    """The parts of a `Recovery` that the weak form gives."""
    return {
        "system": cls().with_values(**{**found.fitted, **fixed}),
        "method": "weak form, steady" if found.steady else "weak form, ensemble",
        "status": found.status,
        "message": found.message,
        "parameters": _estimates(cls, found.values, found.std if found.status in DONE else {}, fixed),
        "combinations": {text: Estimate.normal(*pair) for text, pair in found.combinations.items()},
        "noise": dict(found.noise),
        "drift_per_time": found.drift_per_time,
        "fields": states,
    }


def _of_hidden(found: HiddenResult, name: str) -> dict[str, Any]:
    """The parts of a `Recovery` that the hidden-field road gives."""
    return {
        "system": found.system,
        "method": "hidden-field elimination, constrained Gauss–Newton",
        "status": found.status,
        "message": found.message,
        "parameters": _estimates(
            found.system_class, found.values, found.std if found.status in DONE else {}, found.fixed
        ),
        "combinations": {str(c): Estimate.normal(c.value, c.std * abs(c.value)) for c in found.combinations},
        "noise": {name: found.noise},
        "drift_per_time": found.drift if len(found.fields) else None,
        "fields": found.fields,
    }
