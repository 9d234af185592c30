"""An atlas as a Zarr store whose dimensions have names, which xarray opens; and back."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .._result import plain
from .._types import Status
from .runs import read_result
from .stacks import needed
from .zarr_stores import check_codecs

if TYPE_CHECKING:
    import xarray

    from ..atlas import Atlas

STORE = "atlas.zarr"
SHIPPED = ("gray-scott",)  # in `data`, made by scripts/ship-atlas
_MOST_CELLS = 10**7
_OWN_AXES = {
    "mean": ("field",), "contrast": ("field",), "quantiles": ("field", "quantile"), "thumbnail": ("row", "column"),
    "state": ("field", "y", "x"),
}  # fmt: skip
_PER_FIELD = ("wavelength", "orientation", "area", "perimeter", "euler", "spots")


def _dims(atlas: Atlas, name: str) -> tuple[str, ...]:
    return (*atlas.dims, *(("field",) if name in _PER_FIELD else _OWN_AXES.get(name, ())))


def coordinates(atlas: Atlas) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Values along the axes: of the parameters, and what the others count."""
    from ..analysis.patterns import QUANTILES

    where = atlas.design.axes or atlas.design.values
    axes = {name: ((name,) if atlas.design.axes else ("point",), np.asarray(values)) for name, values in where.items()}
    return {**axes, "sample": (("sample",), np.arange(atlas.samples)), "quantile": (("quantile",), np.array(QUANTILES))}


def attributes(atlas: Atlas) -> dict[str, Any]:
    """What an atlas is besides its arrays, as JSON holds it."""
    from ..atlas import Regime

    curves = {kind: plain(np.stack(pair)) for kind, pair in atlas.curves.items()}
    words = {"regimes": [str(each) for each in Regime], "fields": list(atlas.setting.cls.fields)}
    return {"unstill": atlas.to_dict(), "curves": curves, **words}


def labelled(atlas: Atlas) -> xarray.Dataset:
    """The arrays with names on their axes; raises `BadInput` where xarray is missing."""
    try:
        import xarray
    except ImportError as error:
        raise BadInput("xarray", "must be installed", None, "Install it: pip install 'unstill[files]'.") from error
    variables = {name: (_dims(atlas, name), values) for name, values in atlas.values.items()}
    fields = {"field": list(atlas.setting.cls.fields)}
    return xarray.Dataset(variables, {**coordinates(atlas), **fields}, attributes(atlas))


def write_atlas(path: Path, atlas: Atlas) -> None:
    """The store, made beside its place and then put there: whole, or as it was. Raises `BadInput` without zarr."""
    zarr = needed("zarr", path)
    made = path.with_name(f".{path.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    group = zarr.create_group(zarr.storage.LocalStore(made), attributes=attributes(atlas))
    arrays = {name: (_dims(atlas, name), values) for name, values in atlas.values.items()}
    for name, (dims, values) in {**arrays, **coordinates(atlas)}.items():
        group.create_array(name, data=np.ascontiguousarray(values), dimension_names=dims)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(made, path)


def read_atlas(path: str | os.PathLike) -> Atlas:
    """The atlas of a run folder, or one that is shipped, by its name; raises `BadInput` for a folder of another kind,
    or with damaged files."""
    folder = Path(path)
    if str(path) in SHIPPED and not folder.exists():
        return _shipped(str(path))
    if not (folder / STORE).is_dir():
        rule = f"must be a run folder of survey, or {' or '.join(SHIPPED)}"
        raise BadInput("path", rule, folder, f"It has no {STORE}." if folder.is_dir() else "There is no such folder.")
    told, zarr = read_result(folder), needed("zarr", folder)
    try:
        return _read(folder, told, zarr.open_group(zarr.storage.LocalStore(folder / STORE, read_only=True), mode="r"))
    except BadInput:
        raise
    except Exception as error:  # zarr and its codecs raise of every kind
        raise BadInput("path", f"must be a whole run folder of survey ({error!r})", folder) from error


class _Held(dict):
    """Arrays by name, with attributes, as a group of a store has them."""

    attrs: Mapping[str, Any]


def _shipped(name: str) -> Atlas:
    with np.load(Path(__file__).with_name("data") / f"{name}.npz", allow_pickle=False) as held:
        group = _Held({key: held[key] for key in held.files if key != "attributes"})
        group.attrs = json.loads(str(held["attributes"]))
    return _read(Path(name), group.attrs["unstill"], group)


def _read(folder: Path, told: Mapping[str, Any], group: Any) -> Atlas:
    from ..atlas import Atlas
    from ..atlas.cells import REGIMES, Setting, empty
    from ..atlas.design import Design
    from ..simulation import Grid
    from ..systems import find_system

    cls: Any = find_system(told["system"])
    grid = Grid(tuple(told["size"]), told["dx"], told["boundary"])
    setting = Setting(
        cls, told["fixed"], grid, told["time"], told["dt"], told["init"], told["seed"], "state" in group
    )  # fmt: skip
    counts = {name: int(count) for name, (_, _, count) in told["over"].items()}
    gridded = told["design"] == "grid"
    lead = (*(counts.values() if gridded else [next(iter(counts.values()))]), int(told["samples"]))
    if math.prod(lead) > _MOST_CELLS:
        raise BadInput("path", f"must hold at most {_MOST_CELLS:g} cells", f"{math.prod(lead)} in {folder}")
    along = {name: _array(folder, group, name, (count,), np.dtype(float)) for name, count in counts.items()}
    expected = {name: (each.shape[1:], each.dtype) for name, each in empty(setting, len(cls.fields), 1).items()}
    values = {name: _array(folder, group, name, (*lead, *own), dtype) for name, (own, dtype) in expected.items()}
    values["regime"] = _renumbered(values["regime"], list(group.attrs["regimes"]), [str(each) for each in REGIMES])
    mesh = np.meshgrid(*along.values(), indexing="ij") if gridded else along.values()
    where = {name: np.ravel(each) for name, each in zip(along, mesh, strict=True)}
    laid = Design(str(told["design"]), where, along if gridded else {})
    curves = {str(kind): _curve(pair) for kind, pair in dict(group.attrs["curves"]).items()}
    return Atlas(setting, laid, values, curves, Status(told["status"]), str(told["message"]), float(told["seconds"]))


def _curve(pair: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.array([np.nan if value is None else float(value) for value in values]) for values in pair)
    return x, y


def _array(folder: Path, group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of the store, looked at before it is read; raises `BadInput`."""
    array = group[name]
    if not isinstance(array, np.ndarray):
        check_codecs(folder, array)
    if tuple(array.shape) != shape or array.dtype != dtype:
        rule = f"must hold `{name}` of shape {shape} and type {dtype}"
        raise BadInput("path", rule, f"{tuple(array.shape)}, {array.dtype} in {folder}")
    return np.asarray(array[...])


def _renumbered(regime: np.ndarray, stored: list[str], known: list[str]) -> np.ndarray:
    """Numbers of regimes as they are today, by the names that were stored; −1 stays."""
    if regime.min(initial=0) < -1 or regime.max(initial=0) >= len(stored):
        raise ValueError("a regime has no name")
    table = np.array([*(known.index(name) for name in stored), -1], np.int8)
    return table[regime]
