"""A trajectory in the layout of The Well (Ohana et al. 2024), which its own reader, `WellDataset`, takes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .well_layout import CONDITION, GROUP

if TYPE_CHECKING:
    from ..simulation import Trajectory
    from ..systems import Grid

_SPATIAL = ("x", "y")  # rows, columns: the first one is called x there


def check_well(states: Any, argument: str = "states") -> Trajectory:
    """The trajectory, if The Well has a place for it; raises `BadInput`, also where h5py is missing."""
    from ..simulation import Trajectory

    check_h5py("path")
    if not isinstance(states, Trajectory):
        told = "The layout of The Well holds films; save other states as .npz."
        raise BadInput(argument, "must be a Trajectory for .hdf5", type(states).__name__, told)
    if states.state.ndim != 4 or states.grid is None:
        raise BadInput(argument, "must be fields on a grid", f"states of shape {states.state.shape}")
    if states.frames is None or states.ts is None or len(states.ts) == 0:
        raise BadInput(argument, "must have saved frames for .hdf5", "none", "Pass `save_every` to simulate.")
    steps = np.diff(states.ts)
    if len(steps) and np.ptp(steps) > 1e-6 * steps.max():
        told = f"{steps.min():g} to {steps.max():g}"
        raise BadInput(argument, "must have frames that are equally far apart for .hdf5", told)
    return states


def check_h5py(argument: str) -> None:
    """Raise `BadInput` where the package that writes HDF5 is missing."""
    try:
        importlib.import_module("h5py")
    except ImportError as error:
        raise BadInput(argument, "needs the package h5py", None, "Install it: pip install 'unstill[files]'.") from error


def write_well(path: Path, film: Trajectory) -> None:
    """Write a trajectory that `check_well` has passed, in single precision as all of The Well is.

    A parameter that all samples share is an attribute in double precision and a scalar; of one that differs there is a
    scalar a sample. Parameters that are fields are not kept.
    """
    import h5py

    assert film.frames is not None
    assert film.ts is not None
    assert film.grid is not None
    sets, index = film.parameter_sets()
    values = {name: np.array([sets[i][name] for i in index], float) for name in sets[0] if _plain(sets, name)}
    same = {name: float(each[0]) for name, each in values.items() if np.ptp(each) == 0}
    with h5py.File(path, "w") as file:
        file.attrs.update(
            dataset_name=film.to_dict()["system"], grid_type="cartesian", n_spatial_dims=2, n_trajectories=len(film),
            **same,
        )  # fmt: skip
        _texts(file, "simulation_parameters", list(same))
        _dimensions(file, film.grid, film.ts)
        _boundaries(file.create_group("boundary_conditions"), film.grid)
        _scalars(file.create_group("scalars"), values, same)
        fields = file.create_group(GROUP)
        _texts(fields, "field_names", film.fields)
        for i, name in enumerate(film.fields):
            data = np.moveaxis(film.frames[:, :, i], 1, 0).astype(np.float32)
            field = fields.create_dataset(name, data=data)
            field.attrs.update(dim_varying=[True, True], sample_varying=True, time_varying=True)
        for order in ("t1_fields", "t2_fields"):
            _texts(file.create_group(order), "field_names", ())


def _plain(sets: Sequence[Mapping[str, Any]], name: str) -> bool:
    return all(np.ndim(each[name]) == 0 for each in sets)


def _texts(place: Any, name: str, words: Sequence[str]) -> None:
    import h5py

    place.attrs.create(name, np.array(list(words), dtype=object), dtype=h5py.string_dtype())


def _dimensions(file: Any, grid: Grid, ts: np.ndarray) -> None:
    places = file.create_group("dimensions")
    _texts(places, "spatial_dims", _SPATIAL)
    known = dict(zip(_SPATIAL, (grid.dx * np.arange(count) for count in grid.shape), strict=True))
    for name, values in {"time": ts, **known}.items():
        each = places.create_dataset(name, data=np.asarray(values, np.float32))
        each.attrs.update(sample_varying=False, **({} if name == "time" else {"time_varying": False}))


def _boundaries(group: Any, grid: Grid) -> None:
    """One condition a dimension, at both of its ends."""
    periodic = grid.boundary == "periodic"
    for name, count in zip(_SPATIAL, grid.shape, strict=True):
        side = group.create_group(f"{name}_{'periodic' if periodic else 'wall'}")
        side.attrs.update(bc_type="PERIODIC" if periodic else "WALL", sample_varying=False, time_varying=False)
        side.attrs[CONDITION] = grid.boundary
        _texts(side, "associated_dims", (name,))
        _texts(side, "associated_fields", ())
        mask = np.zeros(count, bool)
        mask[[0, -1]] = True
        side.create_dataset("mask", data=mask)
        side.create_dataset("values", data=np.zeros(2, np.float32))  # of no field: the condition sets no values


def _scalars(group: Any, values: Mapping[str, np.ndarray], same: Mapping[str, float]) -> None:
    _texts(group, "field_names", list(values))
    for name, each in values.items():
        scalar = group.create_dataset(name, data=(each[0] if name in same else each).astype(np.float32))
        scalar.attrs.update(sample_varying=name not in same, time_varying=False)
