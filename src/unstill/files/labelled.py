"""The arrays of a result as an `xarray.Dataset`: dimensions with names, cells with places, frames with times."""

from __future__ import annotations

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
        letters = known.get(name, "")
        named = len(letters) == np.ndim(values)
        dims = [_DIMENSIONS[a] for a in letters] if named else [f"{name}_{i}" for i in range(np.ndim(values))]
        variables[name] = (dims, values)
    told = {"verb": found.verb, "message": found.message}
    return xarray.Dataset(variables, _coordinates(found, arrays), told)


def _by_name(found: Result) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for file, several in found.arrays().items():
        for name, values in several.items():
            if name != "ts":
                arrays[f"{Path(file).stem}_{name}" if name in arrays else name] = np.asarray(values)
    return arrays


def _coordinates(found: Result, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Places of cells, times of frames, and names of fields, as far as the result has them."""
    grid, ts = getattr(found, "grid", None), getattr(found, "ts", None)
    letters = "".join(found.letters().get(name, "") for name in arrays)
    coordinates: dict[str, Any] = {}
    if grid is not None and {"Y", "X"} <= set(letters):
        for name, count in zip("yx", grid.shape, strict=True):
            coordinates[name] = (name, grid.dx * np.arange(count))
    if ts is not None and "T" in letters:
        coordinates["time"] = ("time", np.asarray(ts))
    return coordinates
