"""`recover`: from pictures to parameters. It looks which fields are seen and takes the road that fits."""

import dataclasses
import time as clock
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from .._arguments import Names, NonNegative, NumberOrUnknown, Positive, PositiveOrUnknown, Values, checked
from .._errors import BadInput
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Estimate, plain
from .._types import Status
from ..observations.camera import PARTS, Camera
from ..observations.plausible import refuse_negative, refuse_stretched
from ..observations.snapshots import Snapshots
from ..observations.task import Pictures, Task, check, named_fields, system_class
from ..systems import AbstractSystem, Grid
from .assumptions import (
    camera_of,
    cut_from_larger,
    noise_levels,
    of_file,
    refuse_blur,
    refuse_one_field_options,
    refuse_scheme,
    refuse_window,
    with_gaps,
    without_copies,
    without_gaps,
)  # fmt: skip
from .hidden import recover_hidden
from .hidden_result import HiddenResult
from .movie import recover_movie
from .result import Recovery
from .ties import known_of
from .weak import WeakResult, recover_weak
from .which_laplacian import best_laplacian
from .which_system import best_of_all, one_picture_set

_METHODS = {
    recover_hidden: "hidden-field elimination, constrained Gauss–Newton",
    recover_movie: "hidden fields that follow the film, multiple shooting",
}
EVERY, UNKNOWN = "all", "unknown"
# Intervals hold where the method's assumptions do: a recovery that ended otherwise keeps its values, without them.
DONE = (Status.CONVERGED, Status.UNIDENTIFIABLE)


@checked
def recover(
    system: str | type[AbstractSystem],
    pictures: Pictures | Mapping[str, np.ndarray] | np.ndarray,
    *,
    observe: Names | None = None,
    grid: Grid | None = None,
    laplacian: Literal["five-point", "nine-point", "spectral", "unknown"] | None = None,
    window: bool = False,
    mask: np.ndarray | str | None = None,
    start: Values | None = None,
    fix: Values | None = None,
    noise: Values | float | None = None,
    gain: PositiveOrUnknown | None = None,
    offset: NumberOrUnknown | None = None,
    gamma: PositiveOrUnknown | None = None,
    blur: NumberOrUnknown | None = None,
    frames_dt: Positive | None = None,
    dt: NonNegative | None = None,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Recovery:
    """Find the parameters, and the fields that are not seen, of a reaction–diffusion system from M unordered pictures.

    All fields seen: the weak form of stationarity, in any regime (`recover_weak`). One field seen: the pattern must be
    steady; the hidden fields are eliminated by an elliptic solve and the fit is refined to the maximum likelihood
    (`recover_hidden`), with the camera y = gain · c^gamma + offset inside; or the pictures are a film of frames in
    order, which may move (`recover_movie`). The size of a cell is `grid.dx`. With an
    unknown gain some parameters are free; a ratio that is known, such as `fix={"Du/Dv": 2}`, may determine them.

    Args:
        system: A system's name, file.py:NAME, or a class; or all, for the built-in system of two fields that fits
            pictures of one field best.
        pictures: Arrays (M, H, W) or (H, W) by field name, what `load` returns, or one array: of all fields
            (M, C, H, W), else of the field that `observe` names, by default v, or the system's last field.
        observe: Fields that are seen, such as v or u,v; one or all (default: all that the pictures hold).
        grid: Cell size `dx` and boundary (default: the pictures' own, else dx = 1, and periodic where borders meet).
        laplacian: What made the pictures (see `Grid`); or unknown: a fit of each, see `best_laplacian` (default: the
            grid's own, five-point where none is stated). A spectral one knows no windows, and no films.
        window: The pictures are cut from larger ones: nothing is assumed at their borders (default: so where no
            boundary is stated and the borders do not meet). One field seen only.
        mask: Which pixels are seen, (H, W): those of at least half of its largest value. Nothing is assumed of the
            others, nor of the equations beside them; only beneath specks, gaps nowhere 3 pixels wide, does the pattern
            go on. Or nan: those that are no NaN (default: all, and NaN are refused).
        start: Where the search starts, besides its own starts.
        fix: Parameters that are known; with one field seen also products and ratios, as Du/Dv=2.
        noise: Known white noise: absolute standard deviation by field, as v=0.002, or one number, as a share of each
            field's own standard deviation (default: estimated).
        gain: Of the pictures' values y = gain · c^gamma + offset, one field seen; or unknown (default: 1, and unknown
            for integer pictures that state no calibration and for floats stretched from 0 to 1).
        offset: Likewise (default: 0, and unknown for such pictures).
        gamma: Likewise (default: 1).
        blur: Of the picture: the share that each pixel takes of each of its four neighbours, half the variance of the
            blur in pixels², from −0.12 (sharpened) to 0.12; or unknown (default: 0, and 0 ± 0.05 where the gain is
            unknown and there is noise). No films.
        frames_dt: The pictures, of one field, are the frames of a film in order, this many units of time apart; they
            may move (`recover_movie`).
        dt: Euler step of the simulation behind moving pictures, in units of time; 0 for a true flow (default: of all
            fields, estimated, see `recover_weak`; of a film, the system's own).
        progress: Called with one entry an iteration.
        resume: Keeps the parameters reached, from which the same call goes on.

    Returns a `Recovery`; its `status` is `converged`, `unidentifiable`, `moving`, `dead`, `no-fit` or `not-converged`.
    Raises `BadInput`.
    """
    kept = Memory() if resume is None else resume
    options = dict[str, Any](grid=grid, laplacian=laplacian, window=window, gain=gain, offset=offset, gamma=gamma)
    options |= {"blur": blur, "mask": mask, "noise": noise, "progress": progress}
    if system == EVERY:
        unknown = laplacian if laplacian == UNKNOWN else None
        _refuse(fix=fix, start=start, dt=dt, frames_dt=frames_dt, laplacian=unknown)
        return _of_every_system(one_picture_set(pictures, observe, mask is not None), kept, options)
    options |= {"observe": observe, "start": start, "fix": fix, "frames_dt": frames_dt, "dt": dt}
    if laplacian == UNKNOWN:
        # With memories of their own: what is reached under one Laplacian is no start for another.
        asked = {name: value for name, value in options.items() if name != "laplacian"}
        return best_laplacian(
            lambda scheme: _of_one_system(system, pictures, Memory(), explain=False, laplacian=scheme, **asked)
        )
    return _of_one_system(system, pictures, kept, **options)


def _refuse(**given: Any) -> None:
    """Raise `BadInput` for what cannot be said where every system is tried."""
    for name, value in given.items():
        if value or value == 0:
            raise BadInput(name, "must be left out where every system is tried", value)


def _of_every_system(seen: Snapshots, kept: AbstractCheckpoint, options: dict[str, Any]) -> Recovery:
    noise = options.pop("noise")

    def each(cls: type[AbstractSystem], renamed: Pictures) -> Recovery:
        known = noise
        if isinstance(noise, Mapping):
            known = dict.fromkeys(renamed.fields, next(iter(noise.values()))) if noise else None
        # With a memory of its own: what another system's fit has reached is no start for this one.
        return _of_one_system(cls, renamed, Memory(), explain=False, noise=known, **options)

    return best_of_all(seen, each, kept)


def _of_one_system(
    system, pictures, kept: AbstractCheckpoint, *, progress: Progress, observe=None, grid=None, laplacian=None,
    window=False, mask=None, start=None, fix=None, noise=None, gain=None, offset=None, gamma=None, blur=None,
    frames_dt=None, dt=None, explain=True,
) -> Recovery:  # fmt: skip
    """`recover` for one system; with `explain`, the likeliest cause of a misfit is looked for."""
    started, cls = clock.perf_counter(), system_class(system)
    named, told = named_fields(cls, pictures, observe)
    single, ties = known_of(cls, fix or {})
    levels = noise if isinstance(noise, Mapping) else None
    gaps = frames_dt is None and mask is not None
    task = check(system, named, observe=observe, grid=grid, start=start, fix=single, noise=levels, gaps=gaps)
    if laplacian is not None:
        task = dataclasses.replace(task, grid=dataclasses.replace(task.grid, scheme=laplacian))
    task, seen, of_samples = (task, None, "") if frames_dt is not None else _samples(task, mask)
    told += of_file(named, task.grid, frames_dt) + of_samples
    if noise is not None and levels is None:
        task = dataclasses.replace(task, noise=noise_levels(task.pictures, noise))
    if set(task.pictures) == set(cls.fields):
        masked = mask if mask is None or isinstance(mask, str) else np.shape(mask)
        refuse_one_field_options(
            ties, window=window, mask=masked, gain=gain, offset=offset, gamma=gamma, blur=blur, frames_dt=frames_dt
        )
        remedy = "Give absolute values of all fields, or one field alone."
        refuse_negative(cls, task.grid, task.pictures, remedy)
        refuse_stretched(task.pictures, remedy)
        found = _from_all_fields(task, kept, dt)
    else:
        stated = grid or getattr(named, "grid", None)
        camera, of_camera = camera_of(named, task, gain, offset, gamma, blur)
        task, window, of_window = cut_from_larger(task, window, stated is not None)
        refuse_scheme(task.grid, window=window, gaps=seen is not None, film=frames_dt is not None)
        refuse_blur(camera, task.grid, film=frames_dt is not None)
        told += of_camera + of_window
        if frames_dt is None:
            method, question = recover_hidden, {"window": window, "seen": seen, "explain": explain}
        else:
            refuse_window(window, mask)
            method, question = recover_movie, {"interval": frames_dt, "dt": dt}
        found = _from_one_field(method, task, kept, progress, camera=camera, ties=ties, **question)
    return Recovery(
        **found | {"message": told + found["message"]},
        grid=task.grid, observed=tuple(task.pictures), pictures=with_gaps(task.pictures, seen),
        seconds=clock.perf_counter() - started,
    )  # fmt: skip


def _samples(task: Task, mask: Any) -> tuple[Task, Any, str]:
    """The task of unordered pictures without gaps and copies, which pixels are seen, and what was found, in words."""
    seen, of_gaps = None, ""
    if len(task.pictures) < len(task.system.fields):
        task, seen, of_gaps = without_gaps(task, mask)
    task, of_copies = without_copies(task)
    return task, seen, of_gaps + of_copies


def _from_all_fields(task: Task, kept: AbstractCheckpoint, dt: float | None) -> dict[str, Any]:
    """The parts of a `Recovery` that the weak form gives."""
    cls, start = task.system, {**_reached(task, kept), **task.start}
    states = np.stack([task.pictures[name] for name in cls.fields], 1)
    weak = recover_weak(cls, task.grid, states, noise=task.noise or None, dt=dt, start=start or None, fix=task.fix)
    return _of_weak(cls, weak, task.fix, states)


def _from_one_field(
    method: Callable[..., HiddenResult], task: Task, kept: AbstractCheckpoint, progress: Progress, **options: Any
) -> dict[str, Any]:
    """The parts of a `Recovery` that a road of one seen field gives, or those of one that was interrupted."""
    ((name, pictures),) = task.pictures.items()
    start = {**_reached(task, kept), **task.start}

    def tell(entry: Mapping[str, Any]) -> None:
        kept.append_log(plain(dict(entry)))
        progress(len(kept.log()), None, entry)

    try:
        hidden = method(
            task.system, task.grid, name, pictures, noise=task.noise.get(name), progress=tell, start=start or None,
            fix=task.fix, **options,
        )  # fmt: skip
        return _of_hidden(hidden, name, options["camera"]) | {
            "method": _METHODS[method], "window": options.get("window", False)
        }  # fmt: skip
    except KeyboardInterrupt:
        if not kept.log():
            raise
        return _interrupted(task, kept) | {"method": _METHODS[method]}


def _reached(task: Task, kept: AbstractCheckpoint) -> dict[str, float]:
    """The free parameters that an interrupted call logged last, within their ranges."""
    log, infos = kept.log(), task.system.parameters()
    values = log[-1].get("values", {}) if log else {}
    free = {name: float(v) for name, v in values.items() if name in infos and name not in task.fix and v is not None}
    return {name: min(max(value, infos[name].low), infos[name].high) for name, value in free.items()}


def _estimates(names, values, std, fix) -> dict[str, Estimate]:
    """One estimate a name, in their order."""
    found = {}
    for name in names:
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
        "status": Status.INTERRUPTED,
        "message": "interrupted",
        "parameters": _estimates(task.system.parameters(), values, {}, task.fix),
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
        "parameters": _estimates(cls.parameters(), found.values, found.std if found.status in DONE else {}, fix),
        "combinations": {text: Estimate.normal(*pair) for text, pair in found.combinations.items()},
        "noise": dict(found.noise),
        "drift_per_time": found.drift_per_time,
        "fields": states,
    }


def _of_hidden(found: HiddenResult, name: str, camera: Camera) -> dict[str, Any]:
    """The parts of a `Recovery` that the hidden-field road gives."""
    std = found.std if found.status in DONE else {}
    parts = {part: getattr(camera, part) for part in PARTS}
    stated = {part: value for part, value in parts.items() if value is not None and part not in found.values}
    return {
        "system": found.system,
        "status": found.status,
        "message": found.message,
        "parameters": _estimates(found.system_class.parameters(), found.values, std, found.fix),
        "combinations": {str(c): Estimate.normal(c.value, c.std * abs(c.value)) for c in found.combinations},
        "camera": _estimates(parts, found.values, std, stated),
        "goodness": None if found.goodness is None else found.goodness.to_dict(),
        "misfit": found.misfit,
        "noise": {name: found.noise},
        "drift_per_time": found.drift if len(found.fields) else None,
        "fields": found.fields,
    }
