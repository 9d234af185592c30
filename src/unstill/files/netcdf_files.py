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

from .stacks import Stack, axes_of_names, needed, spacing

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
    if apart["Y"][0] and apart["X"][0] and "degree" not in apart["X"][1]:  # degrees are no lengths
        stated |= {"pixel": (apart["Y"][0], apart["X"][0]), "unit": apart["X"][1]}
    return Stack(
        path, axes, variable.shape, variable.dtype, lambda key: np.asarray(variable[key].values), name=name, **stated
    )


def _apart(data: Any, dimension: str | None) -> tuple[float | None, str]:
    """The distance between a dimension's coordinates, and its unit."""
    if dimension is None or dimension not in data.coords:
        return None, ""
    coordinate = data.coords[dimension]
    return spacing(coordinate.values), str(coordinate.attrs.get("units", "")).partition(" since ")[0]
