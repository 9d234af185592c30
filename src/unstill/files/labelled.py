"""The arrays of a result as an `xarray.Dataset`: dimensions with names, cells with places, frames with times."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .._result import Result

if TYPE_CHECKING:
    import xarray

_DIMENSIONS = {"T": "time", "M": "sample", "C": "field", "Y": "y", "X": "x", "D": "variable"}


def dataset(found: Result) -> xarray.Dataset:
    """One variable an array of the result's run folder, under its own name, with the file's before it where two files
    have the same; raises `BadInput` for a result without arrays, and where xarray is missing."""
    try:
        import xarray
    except ImportError as error:
        raise BadInput("xarray", "must be installed", None, "Install it: pip install 'unstill[files]'.") from error
    arrays = _by_name(found)
    if not arrays:
        raise BadInput("result", "must hold arrays", f"a {type(found).__name__}, which has none")
    known, variables = found.letters(), {}
    for name, values in arrays.items():
        variables[name] = (_dims(name, known, np.ndim(values)), values)
    told = {"verb": found.verb, "message": found.message}
    return xarray.Dataset(variables, _coordinates(found, arrays), told)


def files_of(found: Result) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """By file of the result's run folder, its arrays and their coordinates, each with the names of its axes."""
    known, taken, files = found.letters(), set(), {}
    coordinates = _coordinates(found, _by_name(found))
    for file, several in found.arrays().items():
        arrays = {}
        for name, values in several.items():
            label = f"{Path(file).stem}_{name}" if name in taken else name
            dims = ("time",) if name == "ts" else _dims(label, known, np.ndim(values))
            arrays[name] = (tuple(dims), np.asarray(values))
            taken.add(name)
        shown = {axis for dims, _ in arrays.values() for axis in dims}
        there = {
            name: ((each[0],), *each[1:]) for name, each in coordinates.items() if each[0] in shown - arrays.keys()
        }
        files[file] = (arrays, there)
    return files


def _by_name(found: Result) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for file, several in found.arrays().items():
        for name, values in several.items():
            if name != "ts":
                arrays[f"{Path(file).stem}_{name}" if name in arrays else name] = np.asarray(values)
    return arrays


def _dims(name: str, known: Mapping[str, str], rank: int) -> list[str]:
    """The names of an array's axes: those of its letters, else numbered ones."""
    letters = known.get(name, "")
    return [_DIMENSIONS[a] for a in letters] if len(letters) == rank else [f"{name}_{i}" for i in range(rank)]


def _coordinates(found: Result, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Places of cells, times of frames, and names of fields, as far as the result has them."""
    grid, ts = getattr(found, "grid", None), getattr(found, "ts", None)
    letters = "".join(found.letters().get(name, "") for name in arrays)
    coordinates: dict[str, Any] = {}
    if grid is not None and {"Y", "X"} <= set(letters):
        for name, count in zip("yx", grid.shape, strict=True):
            coordinates[name] = (name, grid.dx * np.arange(count), {"long_name": f"{name}, in the unit of dx"})
    if ts is not None and "T" in letters:
        coordinates["time"] = ("time", np.asarray(ts), {"long_name": "time, in the unit of dt"})
    return coordinates
