"""From a run folder back to the `Trajectory` that it holds: to resume it, to film it, to go on from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .._types import Status
from .array_files import arrays_path, read_arrays
from .reading import grid_of
from .runs import read_result

if TYPE_CHECKING:  # the rest of this room does without JAX
    from ..simulation import Grid, Trajectory
    from ..systems import AbstractSystem, ReactionDiffusion


def load_trajectory(path: str | os.PathLike) -> Trajectory:
    """The trajectory of a `simulate` run folder, or the fitted state of a `recover` one, under its parameters; or
    pictures under the rule that `flow` has learnt from them.

    Args:
        path: The run folder.

    Raises `BadInput` for a folder of another kind, or with damaged or missing files.
    """
    from ..systems import find_system
    from .models import is_rule  # its rooms import JAX, which reading a file does not need

    folder = Path(path)
    if is_rule(folder):
        return _under_rule(folder)
    result = read_result(folder)
    if "system" not in result:
        raise BadInput("path", "must be a run folder of simulate or recover", folder, "This one names no system.")
    try:
        cls = find_system(result["system"])
        stated = {key: result.get(key) for key in ("dx", "boundary", "laplacian")}
        grid = grid_of(_shape(folder, cls), **stated) if result.get("dx") else None
        if arrays_path(folder, "fields"):
            return _recovered(folder, result, cls, grid)  # pyright: ignore[reportArgumentType]
        return _simulated(folder, result, cls, grid)
    except BadInput:
        raise
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise BadInput("path", f"must be a whole run folder of simulate or recover ({error!r})", folder) from error


def _shape(folder: Path, cls: type[AbstractSystem]) -> tuple[int, int]:
    name = "fields" if arrays_path(folder, "fields") else "states"
    H, W = _arrays(folder, name)[cls.fields[0]].shape[-2:]
    return H, W


def _arrays(folder: Path, stem: str) -> dict[str, np.ndarray]:
    """Arrays of the folder in whichever format it holds them; raises `BadInput` where it does not."""
    return read_arrays(arrays_path(folder, stem) or folder / f"{stem}.npz")


def _stack(arrays: Mapping[str, np.ndarray], cls: type[AbstractSystem], axis: int) -> np.ndarray:
    return np.stack([arrays[name] for name in cls.fields], axis)


def _simulated(folder: Path, result: dict[str, Any], cls, grid: Grid | None) -> Trajectory:
    from ..simulation import Trajectory

    frames = ts = None
    if arrays_path(folder, "frames"):
        kept = _arrays(folder, "frames")
        frames, ts = _stack(kept, cls, 2), kept["ts"]
    index = np.array(result["parameter_set"], int)
    sets = result["parameters"]
    one = len(sets) == 1  # plain numbers rather than one a sample
    values = {name: sets[0][name] if one else np.array([s[name] for s in sets])[index] for name in cls.parameters()}
    return Trajectory(
        dynamics=cls().with_values(**values),
        grid=grid,
        dt=result["dt"],
        state=_stack(_arrays(folder, "states"), cls, 1),
        frames=frames,
        ts=ts,
        status=tuple(Status(s) for s in result["status"]),
        steps=np.array(result["steps"], int),
        drift=np.array([np.nan if d is None else d for d in result["drift_per_time"]], float),
    )


def _under_rule(folder: Path) -> Trajectory:
    from ..simulation import Grid, Trajectory
    from .models import load_rule

    rule, kept = load_rule(folder), _arrays(folder, "states")
    state = np.stack([kept[name] for name in rule.fields], 1)
    where, M = rule.terms.neighbourhood, len(state)
    return Trajectory(
        dynamics=rule,
        grid=Grid(state.shape[-2:], where.dx, where.boundary),
        dt=rule.dt,
        state=state,
        frames=None,
        ts=None,
        status=(Status.MOVING,) * M,
        steps=np.zeros(M, int),
        drift=np.full(M, np.nan),
    )


def _recovered(folder: Path, result: dict[str, Any], cls: type[ReactionDiffusion], grid: Grid | None) -> Trajectory:
    from ..simulation import OnGrid, Trajectory, stable_dt

    state = _stack(_arrays(folder, "fields"), cls, 1)
    if len(state) == 0:
        raise BadInput("path", "must hold a fitted state", folder, f"The recovery ended {result['status']}.")
    system = cls().with_values(**result["fitted_parameters"])
    M, drift = len(state), result["drift_per_time"]
    return Trajectory(
        dynamics=system,
        grid=grid,
        dt=stable_dt(OnGrid(system, grid)) if grid else cls.dt,
        state=state,
        frames=None,
        ts=None,
        status=(Status(result["status"]),) * M,
        steps=np.zeros(M, int),
        drift=np.full(M, np.nan if drift is None else drift),
    )
