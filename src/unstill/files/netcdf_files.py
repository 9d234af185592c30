"""NetCDF by xarray, as `Stack`s read in blocks; coordinates give the side of a cell and the interval."""

from __future__ import annotations

import contextlib
import gc
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .stacks import Stack, axes_of_names, in_one_unit, needed, spacing

_NEVER_WRITTEN = 9.969209968386869e36  # NetCDF's default, which xarray takes for a value where no attribute says it
_HDF5 = b"\x89HDF\r\n\x1a\n"


@contextlib.contextmanager
def open_netcdf(path: Path) -> Iterator[list[Stack]]:
    """Every variable of numbers with two axes or more; version 3 by SciPy, version 4 by h5netcdf."""
    xarray = needed("xarray", path)
    with open(path, "rb") as stream:
        fourth = stream.read(8) == _HDF5
    if fourth:
        needed("h5netcdf", path)
    engine = "h5netcdf" if fourth else "scipy"
    with (
        _closed_when_damaged(),
        xarray.open_dataset(path, engine=engine, decode_times=False, cache=False, chunks=None) as data,
    ):
        yield [
            _stack(path, str(name), each, data)
            for name, each in data.data_vars.items()
            if each.ndim >= 2 and each.dtype.kind in "fiub"
        ]


@contextlib.contextmanager
def _closed_when_damaged() -> Iterator[None]:
    """SciPy leaves a file open where it stumbles and warns of it when that is collected: it is collected here."""
    try:
        yield
    except Exception as error:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traceback.clear_frames(error.__traceback__)
            gc.collect()
        raise


def _stack(path: Path, name: str, variable: Any, data: Any) -> Stack:
    dimensions = [str(dimension) for dimension in variable.dims]
    axes = axes_of_names(dimensions)
    where = dict(zip(axes, dimensions, strict=True))
    apart = {letter: _apart(data, where.get(letter)) for letter in "TYX"}
    stated: dict[str, Any] = {"interval": apart["T"][0], "time_unit": apart["T"][1]}
    degrees = "degree" in apart["X"][1] or where.get("X", "").lower().startswith("lon")  # which are no lengths
    if apart["Y"][0] and apart["X"][0] and not degrees:
        sides = in_one_unit([apart[letter][0] for letter in "YX"], [apart[letter][1] for letter in "YX"])
        stated |= {"pixel": sides, "unit": apart["X"][1]}
    for letter in "" if degrees else "YX":
        _refuse_uneven(path, data, where.get(letter))
    return Stack(path, axes, variable.shape, variable.dtype, _reader(path, name, variable), name=name, **stated)


def _reader(path: Path, name: str, variable: Any):
    """Reads parts; raises `BadInput` for values that stand for none without an attribute that xarray heeds."""
    limits = _limits(variable)

    def read(key: Any) -> np.ndarray:
        values = np.asarray(variable[key].values)
        absent = values == np.asarray(_NEVER_WRITTEN, values.dtype) if values.dtype.kind == "f" else np.False_
        if limits is not None:
            absent = absent | (values < limits[0]) | (values > limits[1])
        if np.any(absent):
            told = f"{int(absent.sum())} cells of {name} that were never written, or are not valid, in {path}"
            raise BadInput("path", "must hold a value in every cell", told, "Crop them away, or fill them.")
        return values

    return read


def _limits(variable: Any) -> tuple[float, float] | None:
    """The least and the greatest valid value that a variable states; of packed ones they are those before unpacking."""
    told = variable.attrs
    if "scale_factor" in variable.encoding or "add_offset" in variable.encoding:
        return None
    low, high = told.get("valid_range", (told.get("valid_min", -np.inf), told.get("valid_max", np.inf)))
    found = float(low), float(high)
    return found if np.isfinite(found).any() else None


def _refuse_uneven(path: Path, data: Any, dimension: str | None) -> None:
    """Raise `BadInput` for coordinates that are not equally far apart: a Laplacian of such cells is another."""
    if dimension is None or dimension not in data.coords or len(data.coords[dimension]) < 3:
        return
    places = data.coords[dimension].values
    if places.dtype.kind in "fiu" and spacing(places) is None:
        rule = "must have cells of one size"
        raise BadInput("path", rule, f"{dimension} not equally far apart in {path}", "Resample the pictures.")


def _apart(data: Any, dimension: str | None) -> tuple[float | None, str]:
    """The distance between a dimension's coordinates, and its unit."""
    if dimension is None or dimension not in data.coords:
        return None, ""
    coordinate = data.coords[dimension]
    return spacing(coordinate.values), str(coordinate.attrs.get("units", "")).partition(" since ")[0]
