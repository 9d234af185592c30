"""Points in files: `.npy`, `.npz`, `.csv`, or a run folder, read without trust, and written."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from .array_files import arrays_path, read_arrays, read_headers
from .arrays import read_npy, write_npz
from .atomic import replacing
from .runs import RESULT, read_result
from .text_tables import is_number, read_table

if TYPE_CHECKING:  # importing Points imports JAX, which reading a table does not need
    from ..observations.points import Points

POINTS = "points"  # the file of a run folder, before its suffix
_SUFFIXES = (".npy", ".npz", ".csv")


def load_points(path: str | os.PathLike) -> Points:
    """Points (M, D) from a file or a folder of `unstill points`.

    - `.npy`: an array (M, D);
    - `.npz`: an array `x` (M, D) and, where present, `names` (D,); or one array (M,) a variable under its name;
    - `.csv`: a header of names, or none; then one point a line. Commas, semicolons, tabs or spaces divide the columns;
      lines that begin with # are remarks.

    Variables without names are x, y, z, w, x5, … The folder of a known set tells its true dynamics too, for comparison
    only.

    Args:
        path: A file, or a folder.

    Raises `BadInput` for everything that is missing, corrupt or no heap of points; nothing is ever unpickled.
    """
    from ..observations.points import Points

    path = Path(path).expanduser()
    file = arrays_path(path, POINTS) if path.is_dir() else path
    if file is None or not file.exists():
        what = f"must hold {POINTS}.npz" if path.is_dir() else "must be an existing file or folder"
        raise BadInput("points", what, path)
    if path.is_dir():
        return _with_truth(Points(*_read_arrays(file), source=str(path)), path)
    read = {".csv": read_table, ".npz": _read_arrays, ".npy": lambda file: (read_npy(file),)}.get(file.suffix.lower())
    if read is None:
        raise BadInput("points", f"must end in {', '.join(_SUFFIXES)}, or be a folder", path)
    return _with_truth(Points(*read(file), source=str(path)), path)


def _with_truth(points: Points, source: Path) -> Points:
    """The points with their true dynamics, if they are the run folder of a known set without noise of its own."""
    from ..discovery.point_sets import POINT_SETS
    from ..flows.diagnosis import Rescaled

    if not (source / RESULT).is_file():
        return points
    told = read_result(source)
    chosen = POINT_SETS.get(str(told.get("set")))
    if chosen is None or chosen.dynamics is None or chosen.covariance is not None:
        return points
    dynamics = chosen.dynamics
    if told.get("z_scored"):
        dynamics = Rescaled(dynamics, np.array(told["mean"], float), np.array(told["std"], float))
    return dataclasses.replace(points, drift=dynamics)


def save_points(path: str | os.PathLike, points: Points) -> None:
    """Write points as `.npz` (x and names) or `.csv` (with a header), whole or not at all.

    Args:
        path: Where to; the suffix, `.npz` or `.csv`, says which.
        points: What to write. Known dynamics are not kept.

    Raises `BadInput`.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with replacing(path) as part:
            write_npz(part, point_arrays(points))
    elif suffix == ".csv":
        _check_header(points.names)
        with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(points.names)
            table.writerows([[repr(float(v)) for v in row] for row in points.x])
    else:
        raise BadInput("path", "must end in .npz or .csv", path)


def _check_header(names: Sequence[str]) -> None:
    """Refuses names that a header cannot carry, since they would be read back as something else."""
    if all(map(is_number, names)):
        raise BadInput("names", "must not all be numbers in a .csv", ", ".join(names), "Write a .npz instead.")
    for name in names:
        if not name.isprintable() or name != name.strip():
            raise BadInput("names", "must be printable without spaces around in a .csv", repr(name), "Write a .npz.")


def point_arrays(points: Points) -> dict[str, np.ndarray]:
    """The arrays of a `.npz`: `x` (M, D) and `names` (D,)."""
    return {"x": points.x, "names": np.array(points.names)}


def _read_arrays(file: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    shapes = {name: header.shape for name, header in read_headers(file).items()}
    if len(shapes.get("x", ())) == 2:
        arrays = read_arrays(file, [name for name in ("x", "names") if name in shapes])
        names = arrays.get("names")
        if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
            raise BadInput("names", "must be an array of texts", f"dtype {names.dtype}, shape {names.shape} in {file}")
        return arrays["x"], () if names is None else tuple(str(name) for name in names)
    columns = [name for name, shape in shapes.items() if len(shape) == 1]
    if not columns or len({shapes[name] for name in columns}) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no arrays"
        raise BadInput("points", "must hold x of shape (M, D), or one array (M,) a variable", f"{listed} in {file}")
    return _stacked(read_arrays(file, columns)), tuple(columns)


def _stacked(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    for name, values in arrays.items():
        if values.dtype.kind not in "fiub":
            raise BadInput(name, "must hold real numbers", f"dtype {values.dtype}")
    return np.stack([values.astype(np.float64) for values in arrays.values()], 1)
