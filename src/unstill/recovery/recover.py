"""`recover`: from pictures to parameters. It looks which fields are seen and takes the road that fits."""

import time as clock
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._arguments import Names, NonNegative, Values, checked
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Estimate, plain
from .._types import Status
from ..observations.task import Pictures, Task, check, named_fields, system_class
from ..systems import AbstractSystem, Grid
from .hidden import HiddenResult, recover_hidden
from .result import Recovery
from .weak import WeakResult, recover_weak

_ELIMINATION = "hidden-field elimination, constrained Gauss–Newton"
# Intervals hold where the method's assumptions do: a recovery that ended otherwise keeps its values, without them.
DONE = (Status.CONVERGED, Status.UNIDENTIFIABLE)


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


def _reached(task: Task, kept: AbstractCheckpoint) -> dict[str, float]:
    """The free parameters that an interrupted call logged last, within their ranges."""
    log, infos = kept.log(), task.system.parameters()
    values = log[-1].get("values", {}) if log else {}
    free = {name: float(v) for name, v in values.items() if name in infos and name not in task.fix and v is not None}
    return {name: min(max(value, infos[name].low), infos[name].high) for name, value in free.items()}


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


def _interrupted(task: Task, kept: AbstractCheckpoint) -> dict[str, Any]:
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
