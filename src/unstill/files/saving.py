"""`save`: states → a file that `load` gives back unchanged."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from ..observations.snapshots import Snapshots
from .arrays import FRAMES, write_npz
from .atomic import replacing
from .grey_scale import GreyScale
from .pictures import write_png
from .well_writing import check_well, write_well

if TYPE_CHECKING:
    from ..simulation import Trajectory


def save(path: str | os.PathLike, states: Snapshots | Trajectory | Mapping[str, np.ndarray]) -> None:
    """Write states to a file that `load` gives back unchanged, whole or not at all; it replaces an older one.

    Args:
        path: `.npz`: one array (M, H, W) a field, `dx` and `boundary` where the grid is known, and of a `Trajectory`
            with frames also `frames_u`, … (T, M, H, W) and their times `ts` (T,); `.hdf5` or `.h5`: the frames of a
            `Trajectory` in the layout of The Well, in single precision, with its parameters; or `.png`: 16-bit grey,
            for one picture of one field with values in [0, 1], with its calibration and grid in a text chunk.
        states: `Snapshots`, a `Trajectory` (its final states and frames), or arrays (H, W) or (M, H, W) by field.

    The whole of a trajectory, with its system, is kept by `trajectory.save(folder)`. Raises `BadInput`.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix in (".hdf5", ".h5"):
        film = check_well(states)
        with replacing(path) as part:
            write_well(part, film)
        return
    snapshots = _as_snapshots(states)
    if suffix == ".npz":
        grid = snapshots.grid
        extras = {} if grid is None else _stated(grid)
        with replacing(path) as part:
            write_npz(part, {**snapshots.fields, **extras, **_frames(states)})
    elif suffix == ".png":
        picture, grid = _single_picture(snapshots), snapshots.grid
        stated = GreyScale() if grid is None else GreyScale(dx=grid.dx, boundary=grid.boundary)
        with replacing(path) as part:
            write_png(part, picture, stated)
    else:
        raise BadInput("path", "must end in .npz, .hdf5 or .png", path)


def _stated(grid) -> dict[str, np.ndarray]:
    """What a file says of a grid; a Laplacian where it is not that of five points."""
    from ..systems.grid import FIVE_POINT

    scheme = {} if grid.scheme == FIVE_POINT else {"laplacian": np.array(grid.scheme)}
    return {"dx": np.array(grid.dx), "boundary": np.array(grid.boundary), **scheme}


def _frames(states) -> dict[str, np.ndarray]:
    """The saved frames and their times, of a trajectory that has some."""
    ts = getattr(states, "ts", None)
    if ts is None or getattr(states, "frames", None) is None:
        return {}
    return {f"{FRAMES}{name}": states[name] for name in states.fields} | {"ts": ts}


def _as_snapshots(states) -> Snapshots:
    if isinstance(states, Snapshots):
        return states
    if isinstance(states, Mapping):
        return Snapshots(states)
    from ..simulation import Trajectory

    if not isinstance(states, Trajectory):
        raise BadInput("states", "must be Snapshots, a Trajectory or a dictionary of arrays", type(states).__name__)
    if states.state.ndim != 4:
        raise BadInput("states", "must be fields on a grid", f"states of shape {states.state.shape}")
    return Snapshots({name: states.state[:, i] for i, name in enumerate(states.fields)}, states.grid)


def _single_picture(snapshots: Snapshots) -> np.ndarray:
    if len(snapshots.fields) != 1 or snapshots.count != 1:
        held = f"{snapshots.count} states of {', '.join(snapshots.fields)}"
        raise BadInput("states", "must be one picture of one field for .png", held, "Save as .npz.")
    (name, values), *_ = snapshots.fields.items()
    if values.min() < 0 or values.max() > 1:
        span = f"{values.min():g} to {values.max():g}"
        raise BadInput(name, "must lie in [0, 1] for .png", span, "Save as .npz.")
    return values[0]
