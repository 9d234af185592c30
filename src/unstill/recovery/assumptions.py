"""What `recover` takes for granted of pictures before any method looks at them, each in words for the message."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from .._arguments import Rule
from .._errors import BadInput
from .._numbers import real_numbers
from ..observations.borders import looks_cut
from ..observations.camera import BLURS, UNSTATED_BLUR, Camera
from ..observations.gaps import Filling, specks, stencils
from ..observations.independence import distinct_pictures
from ..observations.outliers import stand_out
from ..observations.plausible import is_stretched, refuse_negative
from ..observations.task import Task
from ..systems import Grid
from ..systems.grid import FIVE_POINT
from .ties import Tie

NAN = "nan"  # as a mask: pixels that are NaN are not seen
LEAST_INSIDE = 256  # cells whose neighbours are seen: fewer hold no pattern


def of_file(pictures: Any, grid: Grid, frames_dt: float | None) -> str:
    """What the pictures' file states and this uses, or does not use, for the message."""
    measures, words = getattr(pictures, "measures", None), []
    if measures is not None and measures.dx == grid.dx and pictures.grid is None:
        words.append(f"{measures.cells()} as the file states; ")
    if getattr(pictures, "ordered", False) and frames_dt is None:
        words.append("frames in order of time, taken as samples (frames_dt takes them as a film); ")
    return "".join(words)


def without_copies(task: Task) -> tuple[Task, str]:
    """The task without pictures that are copies of others, turned, mirrored or shifted ones among them; and a word."""
    states = np.stack(list(task.pictures.values()), 1)
    kept = distinct_pictures(states)
    if len(kept) == len(states):
        return task, ""
    pictures = {name: values[kept] for name, values in task.pictures.items()}
    told = f"{len(states) - len(kept)} of {len(states)} pictures are copies of others and were left out; "
    return dataclasses.replace(task, pictures=pictures), told


def without_gaps(task: Task, mask: Any) -> tuple[Task, Bool[np.ndarray, "H W"] | None, str]:
    """The task with smooth stand-ins for pixels that are not seen, which are (None: all), and a word on them.

    Not seen are pixels where `mask` is below half of its largest value (where it is "nan": those that are NaN in one of
    the pictures), and hot and dead ones (`stand_out`). Raises `BadInput` where too few are left, or NaN among them.
    """
    (pictures,) = task.pictures.values()
    seen = _shown(task.grid, pictures, mask)
    told = "" if seen.all() else f"{100 * (1 - seen.mean()):.2g} % of the pixels are not seen; "
    filled = _filled(task, pictures, seen)
    hot = np.any([stand_out(picture, seen) for picture in filled], axis=0)
    if hot.any() and task.grid.scheme != "spectral" and _inside(task.grid, seen & ~hot) >= LEAST_INSIDE:
        seen &= ~hot
        told += f"{hot.sum()} pixels stand out from their surroundings and are left out; "
        filled = _filled(task, pictures, seen)
    if seen.all():
        return task, None, ""
    return dataclasses.replace(task, pictures=dict.fromkeys(task.pictures, filled)), seen, told


def _shown(grid: Grid, pictures: np.ndarray, mask: Any) -> Bool[np.ndarray, "H W"]:
    """The pixels that the mask says are seen; raises `BadInput`."""
    seen = np.isfinite(pictures).all(0)
    if isinstance(mask, str) and mask != NAN:
        raise BadInput("mask", f"must be an array or {NAN}", repr(mask), "Read it by us.load.")
    if mask is not None and not isinstance(mask, str):
        shown = _bright("mask", mask, grid.shape)
        if (shown & ~seen).any():
            raise BadInput("pictures", "must be finite where the mask shows them", f"{(shown & ~seen).sum()} NaN")
        seen = shown
    if not seen.all() and (inside := _inside(grid, seen)) < LEAST_INSIDE:
        rule = f"must leave at least {LEAST_INSIDE} pixels whose neighbours are seen as well"
        raise BadInput("mask", rule, f"{inside} of {seen.size}", "Bright is seen, dark is not.")
    return seen


def _inside(grid: Grid, seen: Bool[np.ndarray, "H W"]) -> int:
    """How many cells there are in which the equations hold."""
    return int(stencils(grid, seen | specks(grid, seen)).sum())


def _filled(task: Task, pictures: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """With stand-ins that suit a window, too: what its borders are is not known yet."""
    return pictures if seen.all() else Filling(dataclasses.replace(task.grid, boundary="no-flux"), seen)(pictures)


def with_gaps(pictures: Mapping[str, np.ndarray], seen: Bool[np.ndarray, "H W"] | None) -> Mapping[str, np.ndarray]:
    """The pictures with NaN where nothing is seen: what a result shows of them."""
    return pictures if seen is None else {name: np.where(seen, c, np.nan) for name, c in pictures.items()}


def _bright(argument: str, mask: Any, shape: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    values = real_numbers(argument, mask).astype(float)
    if values.shape != tuple(shape):
        raise BadInput(argument, f"must have the pictures' shape {tuple(shape)}", values.shape)
    if not (np.isfinite(values).all() and values.max() > 0):
        raise BadInput(argument, "must be finite and show something", f"values up to {values.max()}")
    return values >= values.max() / 2


def noise_levels(pictures: Mapping[str, np.ndarray], share: Any) -> dict[str, float]:
    """Noise that is a share of each field's standard deviation, which it adds to; raises `BadInput`."""
    Rule(low=0).check("noise", share)
    return {name: share * float(c.std((1, 2)).mean()) / float(np.hypot(1, share)) for name, c in pictures.items()}


def refuse_one_field_options(ties: tuple[Tie, ...], **given: Any) -> None:
    """Raise `BadInput` for what the weak form of all fields does not know."""
    for name, value in {**given, "fix": "products" if ties else ""}.items():
        if value:
            rule = "must name single parameters" if name == "fix" else "must be left out"
            raise BadInput(name, f"{rule} where all fields are seen", repr(value))


def refuse_window(window: bool, mask: Any) -> None:
    """Raise `BadInput` for a film that is a part of a larger one, or not seen everywhere."""
    if mask is not None:
        raise BadInput("mask", "must be left out of a film", mask if isinstance(mask, str) else np.shape(mask))
    if window:
        rule = "must be the whole of a periodic or no-flux domain where it is a film"
        remedy = "State --boundary where opposite borders only seem not to meet."
        raise BadInput("pictures", rule, "opposite borders that do not meet", remedy)


def refuse_scheme(grid: Grid, *, window: bool, gaps: bool, film: bool) -> None:
    """Raise `BadInput` for a Laplacian that windows, gaps or films do not know."""
    if grid.scheme == "spectral" and (window or gaps):
        rule = f"must see the whole domain: the pictures {'are cut from larger ones' if window else 'have gaps'}"
        raise BadInput("laplacian", rule, grid.scheme, "Take nine-point, or state the boundary where there is one.")
    if grid.scheme != FIVE_POINT and film:
        raise BadInput("laplacian", "must be five-point of a film", grid.scheme, "Leave it out.")


def refuse_blur(camera: Camera, grid: Grid, *, film: bool) -> None:
    """Raise `BadInput` for a blur that is out of range, or that films and a spectral Laplacian do not know."""
    if camera.blur == 0:
        return
    if camera.blur is not None:
        Rule(*BLURS).check("blur", camera.blur)
    if film or grid.scheme == "spectral":
        what = "of a film" if film else "where the Laplacian is spectral"
        raise BadInput("blur", f"must be left out {what}", "unknown" if camera.blur is None else camera.blur)


def camera_of(named: Any, task: Task, gain, offset, gamma, blur) -> tuple[Camera, str]:
    """What is known of the camera, and what was assumed of it, for the message."""
    (name,) = task.pictures
    whole = np.asarray(named.fields[name] if hasattr(named, "fields") else named[name]).dtype.kind in "iu"
    absolute = getattr(named, "absolute", True) and not whole
    stretched = absolute and (gain, offset) == (None, None) and is_stretched(task.pictures[name])
    absolute = absolute and not stretched
    unstated = {"gain": 1.0, "offset": 0.0} if absolute else {"gain": None, "offset": None}
    palette = getattr(named, "palette", None)
    bent = palette is not None and not palette.linear
    known = {**unstated, "gamma": None if bent else 1.0, "blur": 0.0}
    for part, value in {"gain": gain, "offset": offset, "gamma": gamma, "blur": blur}.items():
        if value is not None:
            known[part] = None if value == "unknown" else float(value)
    if blur is None:
        known |= {"blur_std": UNSTATED_BLUR} if known["gain"] is None else {"taken_as_sharp": True}
    if known["gain"] is not None and known["offset"] is not None:
        seen = {name: (task.pictures[name] - known["offset"]) / known["gain"]}
        remedy = "Pass gain=unknown and offset=unknown where the values are not absolute."
        refuse_negative(task.system, task.grid, seen, remedy)
    if absolute or (gain, offset) != (None, None):
        return Camera(**known), ""
    if palette is not None:
        return Camera(**known), f"{palette}; "
    if stretched:
        return Camera(**known), "values from 0 to 1 exactly look stretched: gain and offset are unknown; "
    return Camera(**known), "integers that state no calibration: gain, offset and a little blur are unknown; "


def cut_from_larger(task: Task, window: bool, stated: bool) -> tuple[Task, bool, str]:
    """The task with the grid of a window, whether it is one, and what was assumed, for the message."""
    (pictures,) = task.pictures.values()
    seems = not window and not stated and looks_cut(pictures)
    if not (window or seems):
        return task, False, ""
    free = dataclasses.replace(task, grid=dataclasses.replace(task.grid, boundary="no-flux"))
    return free, True, "opposite borders do not meet: taken as a window; " if seems else ""
