"""`Stack`: an array in a file with the names of its axes, read in blocks; what every reader of a format returns.

Axes have one letter each: T time, M samples, C fields or channels, Z depth, Y rows, X columns, S colours; ? stands for
one that the file does not name.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from ..observations.snapshots import LEAST_CELLS

LETTERS = {
    "T": "time", "M": "samples", "C": "fields", "Z": "depth", "Y": "rows", "X": "columns", "S": "colours",
}  # fmt: skip
TOLD = ", ".join(f"{letter} {meaning}" for letter, meaning in LETTERS.items())
_METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "µm": 1e-6, "um": 1e-6, "nm": 1e-9, "pm": 1e-12, "Å": 1e-10, "km": 1e3}
_BLOCK = 48_000_000  # bytes read at once, so that little is needed beyond what is kept
_WORDS = {
    "T": ("t", "time", "frame", "frames", "step"),
    "M": ("m", "sample", "samples", "ensemble", "member", "number", "realization", "realisation", "batch", "run"),
    "C": ("c", "channel", "channels", "field", "fields", "species", "component", "band"),
    "Z": ("z", "depth", "level", "lev", "plane", "slice"),
    "Y": ("y", "row", "rows", "lat", "latitude", "height", "h"),
    "X": ("x", "column", "columns", "col", "lon", "longitude", "width", "w"),
}  # fmt: skip
_LETTER = {word: letter for letter, words in _WORDS.items() for word in words}


@dataclasses.dataclass(frozen=True, eq=False)
class Stack:
    """An array in a file that is open.

    `read` takes one index or slice an axis and gives that part. `channels` are the names along C; `pixel` the (rows',
    columns') side of a cell in `unit`, `interval` the time between frames in `time_unit`, as the file states them;
    `boundary` likewise, and `parameters` are numbers of the dynamics by name, some with one a sample. `grey`: whole
    numbers of any width are grey values. `convention`: the C fields of an array of which nothing is known are u, v, w.
    """

    path: Path
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[tuple[Any, ...]], np.ndarray]
    name: str = ""
    channels: tuple[str, ...] = ()
    pixel: tuple[float, float] | None = None
    unit: str = ""
    interval: float | None = None
    time_unit: str = ""
    boundary: str | None = None
    parameters: Mapping[str, float | tuple[float, ...]] = dataclasses.field(default_factory=dict)
    grey: bool = False
    convention: bool = False
    chunk: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name + ' ' if self.name else ''}{self.shape} of axes {self.axes}"

    def size(self, letter: str) -> int:
        """The length of an axis, 1 where there is none."""
        return self.shape[self.axes.index(letter)] if letter in self.axes else 1

    def blocks(self, letter: str, indices: Sequence[int], fixed: Mapping[str, int]) -> Iterator[np.ndarray]:
        """The parts at these places of one axis, some at once, that axis first and the others in the order of `axes`;
        `fixed` axes have one index and are gone. Without that axis there is one part."""
        if letter not in self.axes:
            yield self.read(tuple(fixed.get(a, slice(None)) for a in self.axes))[None]
            return
        rest = [n for a, n in zip(self.axes, self.shape, strict=True) if a != letter and a not in fixed]
        step = max(1, _BLOCK // max(1, math.prod(rest) * self.dtype.itemsize))
        together = self.chunk.get(letter, 1)
        step = max(step // together * together, min(step, together))
        place = "".join(a for a in self.axes if a not in fixed).index(letter)
        for run in _runs(indices, step):
            key = tuple(run if a == letter else fixed.get(a, slice(None)) for a in self.axes)
            yield np.moveaxis(self.read(key), place, 0)


def _runs(indices: Sequence[int], most: int) -> Iterator[slice]:
    """Places as slices of step 1 and at most so many."""
    start = 0
    while start < len(indices):
        end = start + 1
        while end < len(indices) and end - start < most and indices[end] == indices[end - 1] + 1:
            end += 1
        yield slice(indices[start], indices[end - 1] + 1)
        start = end


def memory_stack(path: Path, values: np.ndarray, axes: str | None = None, **more: Any) -> Stack:
    """A stack of an array that is in memory; without axes, what its shape says."""
    axes = axes_of_shape(values.shape) if axes is None else axes
    return Stack(path, axes, values.shape, values.dtype, lambda key: values[key], **more)


def axes_of_shape(shape: Sequence[int]) -> str:
    """What the axes of an array without names are taken for, where that is no guess: (H, W), (M, H, W), (M, C, H, W).

    Not told, and thus ? each: a last axis too short for columns (it may be colours or fields), two equal sides before
    another (H, W, T), and a first axis that may be fields as well.
    """
    unknown = "?" * len(shape)
    if len(shape) not in (2, 3, 4) or (len(shape) > 2 and shape[-1] < LEAST_CELLS <= min(shape[:2])):
        return unknown
    if len(shape) == 3 and shape[0] == shape[1] != shape[2] and min(shape) >= LEAST_CELLS:
        return unknown
    if len(shape) == 4 and shape[0] in (2, 3) and shape[1] > 1:
        return unknown
    return {2: "YX", 3: "MYX", 4: "MCYX"}[len(shape)]


def axes_of_names(names: Sequence[str | None]) -> str:
    """Names of dimensions as letters, ? for one that is not known; without any names "" (nothing is said)."""
    letters = [_LETTER.get(str(name or "").strip().lower(), "?") for name in names]
    if not any(names):
        return ""
    unknown = [i for i, letter in enumerate(letters) if letter == "?" or letters.count(letter) > 1]
    return "".join("?" if i in unknown else letter for i, letter in enumerate(letters))


def spacing(places: np.ndarray) -> float | None:
    """The distance between coordinates that are equally far apart."""
    places = np.asarray(places)
    if places.ndim != 1 or len(places) < 2 or places.dtype.kind not in "fiu":
        return None
    steps = np.diff(places.astype(np.float64))
    mean = float(abs(steps.mean()))
    return mean if np.isfinite(mean) and mean > 0 and float(np.ptp(steps)) < 1e-3 * mean else None


def positive(value: Any) -> float | None:
    """A number that a file states, or None where it is none, or not positive."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def in_one_unit(sides: Sequence[float | None], units: Sequence[str]) -> tuple[float, float]:
    """The (rows', columns') side of a pixel in the columns' unit; raises `BadInput` for two that nobody can compare."""
    rows, columns = (float(side or 0) for side in sides)
    if units[0] == units[1] or not all(units):  # an axis without a unit has the other's
        return rows, columns
    if units[0] not in _METRES or units[1] not in _METRES:
        told = f"{rows:g} {units[0]} × {columns:g} {units[1]}"
        raise BadInput("path", "must state both sides of a pixel in one unit", told, "Resample the pictures.")
    return rows * _METRES[units[0]] / _METRES[units[1]], columns


def needed(package: str, path: Path) -> Any:
    """An optional package that reads a format; raises `BadInput` where it is missing."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        rule = f"needs the package {package} to be read"
        raise BadInput("path", rule, path, "Install it: pip install 'unstill[files]'.") from error
