"""The layout of The Well (Ohana et al. 2024), a collection of physics simulations in HDF5: its scalar fields in two
dimensions as `Stack`s. Its axes are (trajectory, time, x, y); its first one in space are our rows, the second columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .stacks import Stack, spacing

GROUP = "t0_fields"  # of scalars; vectors and tensors are in t1_fields and t2_fields
CONDITION = "condition"  # what we write beside `bc_type`, since a wall may be of any kind
_MOST_PARAMETERS = 200
_ROUND = 2e-7  # relative: single precision does not tell a number from a rounder one this close


def well_stacks(path: Path, file: Any, datasets: Sequence[tuple[str, Any]]) -> list[Stack]:
    """The scalar fields among `datasets`; what varies with neither trajectory nor time lacks that axis."""
    stated, stacks, others = _stated(file), [], []
    for name, each in datasets:
        varying = [bool(each.attrs.get(f"{what}_varying", True)) for what in ("sample", "time")]
        axes = "".join(letter for letter, there in zip("MT", varying, strict=True) if there) + "YX"
        if each.ndim != len(axes):
            others.append(f"{name} {each.shape}")
            continue
        read = lambda key, each=each: each[key]  # noqa: E731
        chunk = dict(zip(axes, each.chunks, strict=True)) if each.chunks else {}
        stacks.append(Stack(path, axes, each.shape, each.dtype, read, name=name, chunk=chunk, **stated))
    if not stacks:
        told = f"{', '.join(others[:4]) or 'none'} in {path}"
        raise BadInput("path", f"must hold scalar fields of two dimensions in space in {GROUP}", told)
    return stacks


def _stated(file: Any) -> dict[str, Any]:
    """Cell sides and interval from the coordinates, the boundary, and the parameters."""
    found: dict[str, Any] = {"parameters": _parameters(file)}
    places = _own_group(file, "dimensions")
    if places is None:
        return found
    names = [str(name) for name in np.ravel(places.attrs.get("spatial_dims", ()))][:2]
    sides = [_apart(places, name) for name in names]
    found["interval"] = _apart(places, "time")
    if len(sides) == 2 and all(sides):
        found["pixel"] = tuple(sides)
    boundary = _boundary(_own_group(file, "boundary_conditions"))
    return found | ({"boundary": boundary} if boundary else {})


def _own_group(file: Any, name: str) -> Any:
    """A group of this file, or None: links to other files are not followed."""
    link = file.get(name, getlink=True)
    return file[name] if type(link).__name__ == "HardLink" and hasattr(file[name], "keys") else None


def _own_values(group: Any, name: str) -> np.ndarray | None:
    """The values of a small dataset that lies in this file, or None."""
    if type(group.get(name, getlink=True)).__name__ != "HardLink":
        return None
    each = group[name]
    whole = getattr(each, "dtype", None) is not None and not each.is_virtual and not each.external
    small = whole and each.dtype.kind in "fiub" and each.size <= 10_000_000
    return np.asarray(each[()]) if small else None


def _apart(places: Any, name: str) -> float | None:
    """How far apart coordinates are that are equally far apart, in all trajectories alike."""
    values = _own_values(places, name)
    if values is None or values.ndim not in (1, 2):
        return None
    steps = {spacing(row) for row in (values if values.ndim == 2 else values[None])}
    step = steps.pop() if len(steps) == 1 else None
    return None if step is None else _rounded(step)


def _rounded(value: float) -> float:
    """The number of few digits that single precision does not tell from this one, where there is one."""
    short = float(f"{value:.6g}")
    return short if abs(short - value) <= _ROUND * abs(value) else value


def _boundary(conditions: Any) -> str | None:
    """Periodic where every condition is; no-flux only where the file says more than wall."""
    if conditions is None:
        return None
    attributes = [each.attrs for each in conditions.values()]
    kinds = {_word(a.get("bc_type", "")) for a in attributes}
    if kinds == {"wall"} and {_word(a.get(CONDITION, "")) for a in attributes} == {"no-flux"}:
        return "no-flux"
    return "periodic" if kinds == {"periodic"} else None


def _word(value: Any) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).lower()


def _parameters(file: Any) -> dict[str, float | tuple[float, ...]]:
    """The scalars that do not vary with time: one number, or one a trajectory. Attributes count more."""
    found: dict[str, float | tuple[float, ...]] = {}
    scalars = _own_group(file, "scalars") or {}
    for name in list(scalars)[:_MOST_PARAMETERS]:
        values = _own_values(scalars, name)
        if values is None or scalars[name].attrs.get("time_varying", False) or not np.isfinite(values).all():
            continue
        if values.size == 1:
            found[name] = _rounded(float(values.ravel()[0]))
        elif values.ndim == 1 and scalars[name].attrs.get("sample_varying", False):
            found[name] = tuple(_rounded(float(value)) for value in values)
    for name in np.ravel(file.attrs.get("simulation_parameters", ()))[:_MOST_PARAMETERS]:
        name = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        value = np.asarray(file.attrs.get(name, np.nan))
        if value.size == 1 and value.dtype.kind in "fiub" and np.isfinite(value).all():
            found[name] = float(value.ravel()[0])
    return found
