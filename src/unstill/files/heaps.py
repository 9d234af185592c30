"""Several sources as one heap of pictures of all fields, and frames in order of time: what `discover` is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .array_files import arrays_path
from .arrays import read_npy, read_npz_headers
from .loading import load
from .points import POINTS
from .runs import RUN
from .trajectories import load_trajectory


def is_pictures(source: str) -> bool:
    """Whether a source holds pictures rather than points; what cannot be read is left to `load_points` to refuse."""
    path = Path(source).expanduser()
    suffix = path.suffix.lower()
    if path.is_dir():
        return arrays_path(path, POINTS) is None
    if suffix == ".npy" and path.is_file():
        return read_npy(path).ndim > 2
    if suffix == ".npz" and path.is_file():
        shapes = {name: header.shape for name, header in read_npz_headers(path).items()}
        return len(shapes.get("x", ())) != 2 and any(len(shape) > 1 for shape in shapes.values())
    return suffix not in (".csv", ".npy", ".npz") and path.is_file()


def load_pictures(
    sources: Sequence[str],
    ordered: str,
    interval: float | None,
    dx: float | None,
    boundary: str | None,
    observe: str | None = None,
    **reading: Any,
):
    """Pictures (M, H, W) by field of all sources together, their grid, the frames in order of time or None, and what of
    it the files state, in words. `reading` is what `load` takes besides."""
    from ..observations import Ordered

    several = [load(source, observe=observe, **reading) for source in sources]
    first = several[0]
    for other in several[1:]:
        if set(other.fields) != set(first.fields) or other.shape != first.shape:
            what = f"{', '.join(other.fields)} of {other.shape} in {other.source}"
            raise BadInput("source", f"must all hold {', '.join(first.fields)} of {first.shape}", what)
    known = first.known_grid()
    grid = known.restated(dx, boundary)
    fields = {name: np.concatenate([one.fields[name] for one in several]) for name in first.fields}
    frames, told = None, [first.measures.cells()] if dx is None and first.grid is None else []
    if ordered:
        _check_one_reading(ordered, reading)
        x, apart, unit = _frames(ordered, tuple(fields))
        frames = Ordered(x, interval if interval is not None else apart)
        if interval is None and apart is not None:
            told.append(f"frames {apart:.6g} {unit}".strip() + " apart")
    return fields, grid, frames, ", ".join(filter(None, told))


def _check_one_reading(ordered: str, reading: dict[str, Any]) -> None:
    """Axes and fields are told of the source alone: the ordered pictures could be read otherwise, in silence."""
    for name in ("axes", "channel", "frames", "fields", "trajectory"):
        if reading.get(name) is not None:
            rule = f"must be left out where `{name}` says how the source is read"
            raise BadInput("ordered", rule, ordered, "Save both as .npz, one array a field.")


def _frames(source: str, fields: tuple[str, ...]):
    """Pictures (T, C, H, W) in order of time, their interval where a run folder or the file tells it, and its unit."""
    folder = Path(source).expanduser()
    if arrays_path(folder, "frames") is None:
        if (folder / RUN).exists():  # its states are samples, in no order
            raise BadInput("ordered", "must have saved frames", source, "Run simulate with --save-every.")
        read = load(source)
        if read.measures.interval is not None and not read.ordered and read.count > 1:
            remedy = "Read one by `us.load(path, trajectory=0)` and save it."
            raise BadInput("ordered", "must hold the frames of one trajectory", f"several in {source}", remedy)
        return read.states(fields), read.measures.interval, read.measures.time_unit
    run = load_trajectory(source)
    assert run.frames is not None
    assert run.ts is not None
    steps = np.diff(run.ts)
    if np.ptp(steps) > 1e-6 * steps.max():
        raise BadInput("ordered", "must be the same time apart", f"{steps.min():g} to {steps.max():g} in {source}")
    return run.frames[:, 0, [run.fields.index(name) for name in fields]], float(steps[0]), ""
