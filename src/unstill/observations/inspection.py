"""What pictures hold and what is suspicious of them, before any method works on them: `examine`."""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .._errors import BadInput
from .._result import Result, plain
from .._types import Status
from ..systems.grid import Grid
from .borders import MEETING
from .likeness import Likeness, likeness
from .oddities import oddities
from .snapshots import LEAST_CELLS, Snapshots
from .steadiness import ALL_NOISE, contrast_floor
from .values import Look, look

NOISY = 0.3  # of the contrast: above, `recover` gives no intervals of a picture of one field
FEW_LEVELS = 32
SHORT = 6.0  # cells a wavelength: below, the five-point Laplacian of a wave is off by 9 % and more
FEW_WAVES = 3.0  # along the shorter side
_SIGMAS = 5.0  # of noise, which no cell of a picture exceeds by chance


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Inspection(Result):
    """What pictures hold: `pictures` themselves, `fields` with a `Look` each, how alike the pictures are, and what is
    `suspicious`, in words."""

    verb: ClassVar = "inspect"
    failures: ClassVar = (Status.DEAD,)

    status: Status
    message: str
    pictures: Snapshots
    fields: Mapping[str, Look]
    likeness: Likeness
    suspicious: tuple[str, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        held, measures = self.pictures, self.pictures.measures
        known = held.grid
        return {
            "status": str(self.status),
            "message": self.message,
            "source": held.source,
            "samples": held.count,
            "shape": list(held.shape),
            "ordered": held.ordered,
            "dx": known.dx if known else measures.dx,
            "unit": measures.unit,
            "boundary": known.boundary if known else None,
            "interval": measures.interval,
            "time_unit": measures.time_unit,
            "parameters": plain(measures.parameters),
            "absolute": held.absolute,
            "palette": None if held.palette is None else held.palette.name,
            "fields": {name: plain(each.to_dict()) for name, each in self.fields.items()},
            "copies": self.likeness.copies,
            "near_copies": self.likeness.near,
            "neighbours": plain(self.likeness.neighbours),
            "suspicious": list(self.suspicious),
            "seconds": self.seconds,
        }

    def table(self) -> list[tuple[str, ...]]:
        held, measures = self.pictures, self.pictures.measures
        plural = "" if held.count == 1 else "s"
        what = "frames in order of time" if held.ordered else f"sample{plural}"
        rows = [("holds", f"{held.count} {what} of {' × '.join(map(str, held.shape))} cells: {', '.join(self.fields)}")]
        dx = held.grid.dx if held.grid else measures.dx
        border = held.grid.boundary if held.grid else "no boundary"
        rows.append(("states", "no side of a cell" if dx is None else f"cells of {dx:.6g} {measures.unit}".strip()))
        apart = "" if measures.interval is None else f"frames {measures.interval:.6g} {measures.time_unit} apart"
        rows[-1] = ("states", ", ".join(filter(None, (rows[-1][1], border, apart))))
        if measures.parameters:
            rows.append(("of", ", ".join(f"{name} = {_told(value)}" for name, value in measures.parameters.items())))
        scale = "absolute" if held.absolute else "up to gain and offset: the file states no calibration"
        rows.append(("values", scale if held.palette is None else str(held.palette)))
        for name, each in self.fields.items():
            rows.append((name, _in_words(each)))
        rows.append(("copies", f"{self.likeness.copies} exact, {self.likeness.near} near"))
        return rows

    def notes(self) -> list[str]:
        return [f"suspicious: {each}" for each in self.suspicious]


def _told(value: float | tuple[float, ...]) -> str:
    """A parameter: one number, or the ends of those of several trajectories."""
    return f"{min(value):.6g} … {max(value):.6g}" if isinstance(value, tuple) else f"{value:.6g}"


def _in_words(each: Look) -> str:
    noise = f"noise {each.noise:.2g}" if each.noise_detected else f"noise below {each.noise:.2g}"
    wave = "no wavelength" if each.wavelength is None else f"wavelength {each.wavelength:.3g} cells"
    return f"{each.low:.4g} to {each.high:.4g}, contrast {each.contrast:.3g}, {noise}, {wave}"


def examine(pictures: Snapshots) -> Inspection:
    """Look at pictures; nothing is changed, and nothing is assumed of a system."""
    began = clock.perf_counter()
    if min(pictures.shape) < LEAST_CELLS:
        told = "{} × {}".format(*pictures.shape)
        raise BadInput("pictures", f"must have at least {LEAST_CELLS} × {LEAST_CELLS} cells to hold a pattern", told)
    walls = pictures.grid is not None and pictures.grid.boundary == "no-flux"
    fields: dict[str, Look] = {}
    for name, values in pictures.fields.items():
        fields[name] = look(Grid(pictures.shape, 1.0, "no-flux" if walls else "periodic"), values)
        if not walls and _cut(fields[name]):  # the step at the border would look like noise in a Fourier series
            fields[name] = look(Grid(pictures.shape, 1.0, "no-flux"), values)
    noise = {name: 0.0 if _is_nothing(each) else each.noise * each.noise_detected for name, each in fields.items()}
    alike = likeness(pictures.fields, noise)
    dead = all(map(_is_nothing, fields.values()))
    suspicious = (*_of_fields(pictures, fields), *_of_heap(pictures, alike))
    told = f"{len(suspicious)} suspicious" if suspicious else "nothing suspicious"
    message = "nothing but uniform pictures, or noise" if dead else told
    seconds = clock.perf_counter() - began
    status = Status.DEAD if dead else Status.CONVERGED
    return Inspection(status, message, pictures, fields, alike, suspicious, seconds)


def _is_nothing(each: Look) -> bool:
    uniform = each.contrast <= contrast_floor(np.array([[each.low, each.high]]))
    return bool(uniform or (each.noise_detected and each.noise >= ALL_NOISE * each.contrast))


def _cut(each: Look) -> bool:
    return max(each.border_rows, each.border_columns) > MEETING


def _of_fields(pictures: Snapshots, fields: Mapping[str, Look]) -> list[str]:
    """What is suspicious of single fields."""
    found = []
    for name, each in fields.items():
        if _is_nothing(each):
            found.append(f"{name} holds no pattern: it is uniform, or nothing but noise")
            continue
        for share, end, word in ((each.at_low, each.low, "least"), (each.at_high, each.high, "greatest")):
            if share:
                found.append(f"{name} may be saturated: {share:.1%} of the cells have the {word} value, {end:.4g}")
        if each.levels is not None and each.levels < FEW_LEVELS:
            found.append(f"{name} has {each.levels} levels only")
        if each.noise_detected and each.noise > NOISY * each.contrast:
            found.append(f"{name} is noisy: {each.noise / each.contrast:.0%} of its contrast")
        if each.wavelength is not None and each.wavelength < SHORT:
            found.append(f"{name} is coarse: {each.wavelength:.3g} cells a wavelength, 6 and more are needed")
        if each.wavelength is not None and min(pictures.shape) < FEW_WAVES * each.wavelength:
            waves = min(pictures.shape) / each.wavelength
            found.append(f"{name} has {waves:.3g} wavelengths along its shorter side, fewer than {FEW_WAVES:g}")
        if pictures.grid is None and _cut(each):
            found.append(f"opposite borders of {name} do not meet: a window of a larger picture, or walls")
        if pictures.absolute and each.low < -_SIGMAS * each.noise:
            found.append(f"{name} falls to {each.low:.3g}: no concentration does")
        found += oddities(name, pictures.fields[name])
    return found


def _of_heap(pictures: Snapshots, alike: Likeness) -> list[str]:
    """What is suspicious of the pictures together."""
    found, count = [], pictures.count
    if alike.copies:
        found.append(f"{alike.copies} of {count} pictures are copies of others: they tell nothing new")
    if alike.near:
        found.append(
            f"{alike.near} of {len(alike.distances)} pictures hardly differ from others: not independent samples"
        )
    if alike.in_order and not pictures.ordered:
        found.append(
            f"pictures next to each other are alike ({alike.neighbours:.2g} of the usual distance): frames of a film, "
            "rather than samples"
        )
    return found
