"""An atlas as a Zarr store whose dimensions have names, which xarray opens; and back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .._types import Status
from .runs import read_result
from .stacks import needed
from .zarr_stores import check_codecs

if TYPE_CHECKING:
    import xarray

    from ..atlas import Atlas

STORE = "atlas.zarr"
_OWN_AXES = {
    "mean": ("field",), "contrast": ("field",), "quantiles": ("field", "quantile"), "thumbnail": ("row", "column"),
    "state": ("field", "y", "x"),
}  # fmt: skip
_PER_FIELD = ("wavelength", "orientation", "area", "perimeter", "euler", "spots")


def _dims(atlas: Atlas, name: str) -> tuple[str, ...]:
    return (*atlas.dims, *(("field",) if name in _PER_FIELD else _OWN_AXES.get(name, ())))


def _coordinates(atlas: Atlas) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Values along the axes: of the parameters, and what the others count."""
    from ..analysis.patterns import QUANTILES

    where = atlas.design.axes or atlas.design.values
    axes = {name: ((name,) if atlas.design.axes else ("point",), np.asarray(values)) for name, values in where.items()}
    return {**axes, "sample": (("sample",), np.arange(atlas.samples)), "quantile": (("quantile",), np.array(QUANTILES))}


def _attributes(atlas: Atlas) -> dict[str, Any]:
    from ..atlas import Regime

    return {
        "unstill": atlas.to_dict(),
        "regimes": [str(each) for each in Regime],
        "fields": list(atlas.setting.cls.fields),
    }


def labelled(atlas: Atlas) -> xarray.Dataset:
    """The arrays with names on their axes; raises `BadInput` where xarray is missing."""
    try:
        import xarray
    except ImportError as error:
        raise BadInput("xarray", "must be installed", None, "Install it: pip install 'unstill[files]'.") from error
    variables = {name: (_dims(atlas, name), values) for name, values in atlas.values.items()}
    fields = {"field": list(atlas.setting.cls.fields)}
    return xarray.Dataset(variables, {**_coordinates(atlas), **fields}, _attributes(atlas))


def write_atlas(path: Path, atlas: Atlas) -> None:
    """The store, made beside its place and then put there: whole, or as it was. Raises `BadInput` without zarr."""
    zarr = needed("zarr", path)
    made = path.with_name(f".{path.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    group = zarr.create_group(zarr.storage.LocalStore(made), attributes=_attributes(atlas))
    arrays = {name: (_dims(atlas, name), values) for name, values in atlas.values.items()}
    for name, (dims, values) in {**arrays, **_coordinates(atlas)}.items():
        group.create_array(name, data=np.ascontiguousarray(values), dimension_names=dims)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(made, path)


def read_atlas(path: str | os.PathLike) -> Atlas:
    """The atlas of a run folder; raises `BadInput` for a folder of another kind, or with damaged files."""
    from ..atlas import Atlas
    from ..atlas.cells import Setting
    from ..atlas.design import Design
    from ..simulation import Grid
    from ..systems import find_system

    folder = Path(path)
    if not (folder / STORE).is_dir():
        rule = "must be a run folder of survey"
        raise BadInput("path", rule, folder, f"It has no {STORE}." if folder.is_dir() else "There is no such folder.")
    told = read_result(folder)
    zarr = needed("zarr", folder)
    try:
        group = zarr.open_group(zarr.storage.LocalStore(folder / STORE, read_only=True), mode="r")
        values = {}
        for name, array in group.arrays():
            check_codecs(folder, array)
            values[name] = np.asarray(array[...])
        cls: Any = find_system(told["system"])
        axes, where = _where(values, told)
        grid = Grid(tuple(told["size"]), told["dx"], told["boundary"])
        setting = Setting(
            cls, told["fixed"], grid, told["time"], told["dt"], told["init"], told["seed"], "state" in values
        )  # fmt: skip
        for name in ("sample", "quantile"):
            values.pop(name)
        return Atlas(
            setting, Design(where, axes), values, Status(told["status"]), told["message"], float(told["seconds"])
        )  # fmt: skip
    except BadInput:
        raise
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise BadInput("path", f"must be a whole run folder of survey ({error!r})", folder) from error


def _where(values: dict[str, np.ndarray], told: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The axes and the points of the design, taken from the arrays."""
    along = {name: values.pop(name) for name in told["over"]}
    if values["regime"].shape[:-1] != tuple(map(len, along.values())):  # points without order
        return {}, along
    mesh = np.meshgrid(*along.values(), indexing="ij")
    return along, {name: each.ravel() for name, each in zip(along, mesh, strict=True)}
