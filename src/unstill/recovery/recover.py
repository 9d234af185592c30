"""`recover`: from pictures to parameters. It looks which fields are seen and takes the road that fits."""

import dataclasses
import time as clock
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .._arguments import Names, NonNegative, Values, checked, listed
from .._errors import BadInput, nearest
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Estimate, plain
from .._types import Status
from ..simulation import Grid
from ..systems import AbstractSystem, ReactionDiffusion, find_system
from .hidden import HiddenResult, recover_hidden
from .result import Recovery
from .weak import WeakResult, recover_weak

_ELIMINATION = "hidden-field elimination, constrained Gauss–Newton"
# Intervals hold where the method's assumptions do: a recovery that ended otherwise keeps its values, without them.
DONE = (Status.CONVERGED, Status.UNIDENTIFIABLE)


@runtime_checkable
class Pictures(Protocol):
    """What `us.load` returns: arrays (M, H, W) by field name, and the grid where it is known."""

    @property
    def fields(self) -> Mapping[str, np.ndarray]: ...

    @property
    def grid(self) -> Grid | None: ...


@checked
def recover(
    system: str | type[AbstractSystem],
    pictures: Pictures | Mapping[str, np.ndarray] | np.ndarray,
    *,
    observe: Names | None = None,
    grid: Grid | None = None,
    start: Values | None = None,
    fix: Values | None = None,
    noise: Values | None = None,
    dt: NonNegative | None = None,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Recovery:
    """Find the parameters, and the fields that are not seen, of a reaction–diffusion system from M unordered pictures.

    All fields seen: the weak form of stationarity, in any regime (`recover_weak`). One field seen: the pattern must be
    steady; the hidden fields are eliminated by an elliptic solve and the fit is refined to the maximum likelihood
    (`recover_hidden`). Values are absolute (gain 1) and the pixel size is `grid.dx`: an unknown gain or pixel size
    leaves fewer combinations determined, and will come as arguments of their own.

    Args:
        system: A system's name, file.py:NAME, or a class.
        pictures: Arrays (M, H, W) or (H, W) by field name, what `load` returns, or one array: of all fields
            (M, C, H, W), else of the field that `observe` names, by default v, or the system's last field.
        observe: Fields that are seen, such as v or u,v; one or all (default: all that the pictures hold).
        grid: Cell size `dx` and boundary (default: the pictures' own, else periodic with dx = 1).
        start: Where the search starts, besides its own starts.
        fix: Parameters that are known.
        noise: Known noise: absolute standard deviation by field, as v=0.002 (default: estimated).
        dt: Euler step of the simulation behind moving pictures of all fields, in units of time; 0 for a true flow
            (default: estimated, see `recover_weak`).
        progress: Called with one entry an iteration.
        resume: Keeps the parameters reached, from which the same call goes on.

    Returns a `Recovery`; its `status` is `converged`, `unidentifiable`, `moving`, `dead`, `no-fit` or `not-converged`.
    Raises `BadInput`.
    """
    started, kept = clock.perf_counter(), Memory() if resume is None else resume
    named, told = named_fields(system_class(system), pictures, observe)
    task = check(system, named, observe=observe, grid=grid, start=start, fix=fix, noise=noise)
    options = {"start": {**_reached(task, kept), **task.start} or None, "fix": task.fix}
    cls, seen = task.system, task.pictures
    if set(seen) == set(cls.fields):
        states = np.stack([seen[name] for name in cls.fields], 1)
        weak = recover_weak(cls, task.grid, states, noise=task.noise or None, dt=dt, **options)
        found = _of_weak(cls, weak, task.fix, states)
    else:
        ((name, pictures_of_it),) = seen.items()

        def tell(entry: Mapping[str, Any]) -> None:
            kept.append_log(plain(dict(entry)))
            progress(len(kept.log()), None, entry)

        try:
            hidden = recover_hidden(
                cls, task.grid, name, pictures_of_it, noise=task.noise.get(name), progress=tell, **options
            )
            found = _of_hidden(hidden, name)
        except KeyboardInterrupt:
            if not kept.log():
                raise
            found = _interrupted(task, kept)
    return Recovery(
        **found | {"message": told + found["message"]},
        grid=task.grid, observed=tuple(seen), pictures=seen, seconds=clock.perf_counter() - started,
    )  # fmt: skip


def _reached(task: "Task", kept: AbstractCheckpoint) -> dict[str, float]:
    """The free parameters that an interrupted call logged last, within their ranges."""
    log, infos = kept.log(), task.system.parameters()
    values = log[-1].get("values", {}) if log else {}
    free = {name: float(v) for name, v in values.items() if name in infos and name not in task.fix and v is not None}
    return {name: min(max(value, infos[name].low), infos[name].high) for name, value in free.items()}


def named_fields(cls: type[ReactionDiffusion], pictures: Any, observe: Names | None) -> tuple[Any, str]:
    """One array as pictures by field name, and what was assumed of it, for the message; raises `BadInput`."""
    if not isinstance(pictures, (np.ndarray, list, tuple)) and not hasattr(pictures, "__array__"):
        return pictures, ""
    array, names = np.asarray(pictures), listed(observe)
    if array.ndim == 4 and array.shape[1] == len(cls.fields):
        return {name: array[:, i] for i, name in enumerate(cls.fields)}, ""
    if array.ndim not in (2, 3) or len(names) > 1:
        rule = (
            f"must be an array (H, W) or (M, H, W) of one field, (M, {len(cls.fields)}, H, W) of all, or arrays by name"
        )
        raise BadInput("pictures", rule, array.shape)
    seen = names[0] if names else "v" if "v" in cls.fields else cls.fields[-1]
    return {seen: array}, "" if names else f"taken as {seen} of {cls.name}; "


@dataclasses.dataclass(frozen=True)
class Task:
    """A checked call of `recover`; pictures (M, H, W) by field name, in the system's order."""

    system: type[ReactionDiffusion]
    pictures: Mapping[str, np.ndarray]
    grid: Grid
    start: Mapping[str, float]
    fix: Mapping[str, float]
    noise: Mapping[str, float]


def check(system, pictures, *, observe=None, grid=None, start=None, fix=None, noise=None) -> Task:
    """The checks of `recover` alone, so that a caller can make them before it replaces older results."""
    cls = system_class(system)
    arrays, grid = _arrays(pictures, observe, grid, cls)
    if 1 < len(arrays) < len(cls.fields):
        raise BadInput("observe", f"must name one field or all of {', '.join(cls.fields)}", ", ".join(arrays))
    start, fix = _known(cls, "start", start), _known(cls, "fix", fix)
    if set(fix) == set(cls.parameters()):
        raise BadInput("fix", "must leave a parameter to be found")
    return Task(cls, arrays, grid, start, fix, _noise(noise, arrays))


def system_class(system: str | type[AbstractSystem]) -> type[ReactionDiffusion]:
    cls: type[AbstractSystem] = find_system(system) if isinstance(system, str) else system
    if not (isinstance(cls, type) and issubclass(cls, ReactionDiffusion)):
        raise BadInput("system", "must be a reaction–diffusion system", getattr(cls, "name", cls))
    return cls


def _arrays(pictures, observe, grid, cls) -> tuple[dict[str, np.ndarray], Grid]:
    fields = dict(pictures.fields if isinstance(pictures, Pictures) else pictures)
    known = pictures.grid if isinstance(pictures, Pictures) else None
    names = listed(observe) if observe else tuple(name for name in fields if name in cls.fields)
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


def _estimates(cls, values, std, fix) -> dict[str, Estimate]:
    """One estimate a parameter, in the system's order."""
    found = {}
    for name in cls.parameters():
        value = values.get(name)
        if name in fix:
            found[name] = Estimate.exact(fix[name])
        elif value is None:
            found[name] = Estimate(None)
        elif std.get(name) is None or not np.isfinite(std[name]):
            found[name] = Estimate(float(value))
        else:
            found[name] = Estimate.normal(value, std[name])
    return found


def _interrupted(task: "Task", kept: AbstractCheckpoint) -> dict[str, Any]:
    """The parts of a `Recovery` that was interrupted: the values reached, without intervals."""
    values = _reached(task, kept)
    return {
        "system": task.system().with_values(**{**values, **task.fix}),
        "method": _ELIMINATION,
        "status": Status.INTERRUPTED,
        "message": "interrupted",
        "parameters": _estimates(task.system, values, {}, task.fix),
        "combinations": {},
        "noise": {},
        "drift_per_time": None,
        "fields": np.zeros((0, len(task.system.fields), *task.grid.shape)),
    }


def _of_weak(cls, found: WeakResult, fix, states: np.ndarray) -> dict[str, Any]:
    """The parts of a `Recovery` that the weak form gives."""
    return {
        "system": cls().with_values(**{**found.fitted, **fix}),
        "method": "weak form, steady" if found.steady else "weak form, ensemble",
        "status": found.status,
        "message": found.message,
        "parameters": _estimates(cls, found.values, found.std if found.status in DONE else {}, fix),
        "combinations": {text: Estimate.normal(*pair) for text, pair in found.combinations.items()},
        "noise": dict(found.noise),
        "drift_per_time": found.drift_per_time,
        "fields": states,
    }


def _of_hidden(found: HiddenResult, name: str) -> dict[str, Any]:
    """The parts of a `Recovery` that the hidden-field road gives."""
    return {
        "system": found.system,
        "method": _ELIMINATION,
        "status": found.status,
        "message": found.message,
        "parameters": _estimates(
            found.system_class, found.values, found.std if found.status in DONE else {}, found.fix
        ),
        "combinations": {str(c): Estimate.normal(c.value, c.std * abs(c.value)) for c in found.combinations},
        "noise": {name: found.noise},
        "drift_per_time": found.drift if len(found.fields) else None,
        "fields": found.fields,
    }
