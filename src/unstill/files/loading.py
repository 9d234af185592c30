"""`load`: whatever a user keeps → `Snapshots`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from ..observations.snapshots import Snapshots
from .arrays import FRAMES, Header, read_npy, read_npz, read_npz_headers
from .grey_scale import holds_floats, stated_scale
from .pictures import PICTURE_SUFFIXES, read_pictures, scale_integers
from .runs import RESULT, RUN, read_result, read_run

if TYPE_CHECKING:
    from ..simulation import Grid

LEAST_CELLS = 8  # a side; less holds no pattern
_STATE_NAMES = {1: ("v",), 2: ("u", "v"), 3: ("u", "v", "w")}
_RUN_ARRAYS = ("states.npz", "fields.npz")  # of simulate, of recover
_NOT_FIELDS = ("observed", "hidden", "fitted")  # what recover keeps beside the fitted fields under their own names
_NOT_FIELDS_OF_FITS = ("target_", "parameter_")  # what their names begin with


def load(path: str | os.PathLike, *, observe: Sequence[str] | str | None = None, colormap: str = "auto") -> Snapshots:
    """Read snapshots from a file or a folder.

    - `.npz`: arrays (H, W) or (M, H, W) by field name, or `state` of shape (H, W), (M, H, W) or (M, C, H, W);
      `dx` and `boundary`, where present, give the grid. Other arrays of fewer than two axes are passed over.
    - `.npy`: like `state`. The C fields of a state are named by `observe`, by default v; u, v; or u, v, w.
    - `.png`, `.jpg`, `.tif`: one field, named by `observe`, by default v. Grey values of unsigned integers are divided
      by their dtype's maximum; they are `absolute` where the file states a calibration, as those that `us.save` writes.
      Colours become places on their palette, from 0 to 1, at the size at which the field was computed; `palette` of
      what is returned says which, how well, and what they mean.
    - a folder of pictures of one shape; a run folder of `unstill simulate`, `unstill recover` or `unstill fit`.

    Args:
        path: A file, or a folder.
        observe: Only these fields: a sequence of names, or one text such as "u,v" (default: all that there are).
        colormap: How colours are read: by a Matplotlib colour map, its reverse NAME_r included; by colours with their
            values, such as navy:0,lime:0.2,red:0.4; auto, by the palette on which they lie, a named one or any other
            curve in RGB; or grey, by their luminance (default: auto).

    Raises `BadInput` for everything that cannot be read or cannot be a pattern: missing, corrupt and oversized files,
    object arrays, wrong shapes, fewer than 8 × 8 cells, NaN, constant pictures, absent fields,
    colours that lie on no one curve, unknown colour maps.
    """
    path = Path(path).expanduser()
    names = _names(observe)
    if colormap not in ("auto", "grey"):
        from .named_palettes import check_colormap  # imports SciPy and Matplotlib

        check_colormap(colormap)
    if path.is_dir():
        return _load_folder(path, names, colormap)
    if not path.is_file():
        raise BadInput("path", "must be an existing file or folder", path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _patterned(_load_npz(path, names))
    if suffix == ".npy":
        return _patterned(_restricted(_split_state(read_npy(path), names, path), None, path, names))
    if suffix in PICTURE_SUFFIXES:
        return _pictures([path], path, names, colormap)
    known = ", ".join((".npz", ".npy", *PICTURE_SUFFIXES))
    raise BadInput("path", f"must end in {known}, or be a folder", path)


def _names(observe: Sequence[str] | str | None) -> tuple[str, ...] | None:
    if observe is None:
        return None
    names = tuple(observe.replace(" ", "").split(",")) if isinstance(observe, str) else tuple(observe)
    if not names or not all(names) or len(set(names)) < len(names):
        raise BadInput("observe", "must name each field once", repr(observe), "Pass for example u,v.")
    return names


def _load_folder(folder: Path, names: tuple[str, ...] | None, colormap: str) -> Snapshots:
    for arrays in _RUN_ARRAYS:
        if (folder / arrays).is_file():
            return _load_run(folder, folder / arrays, names)
    if (folder / RUN).exists():
        raise BadInput("path", "must be a finished run", folder, f"It holds no {' or '.join(_RUN_ARRAYS)}.")
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in PICTURE_SUFFIXES and not f.name.startswith("."))
    if not files:
        raise BadInput("path", "must be a run folder or a folder with PNG, JPEG or TIFF pictures", folder)
    return _pictures(files, folder, names, colormap)


def _pictures(files: Sequence[Path], source: Path, names: tuple[str, ...] | None, colormap: str) -> Snapshots:
    """Pictures with what their files state of values and grid; one calibration must hold for all."""
    name = _one_name(names, source)
    values, palette = read_pictures(files, colormap)
    stated = [stated_scale(file) for file in files]
    if len(set(stated)) > 1:
        raise BadInput("path", "must hold pictures of one calibration", f"{stated[0]} and others in {source}")
    calibration = stated[0]
    if calibration is None:
        absolute = all(map(holds_floats, files)) if palette is None else palette.is_absolute
        return _patterned(Snapshots({name: values}, source=str(source), absolute=absolute, palette=palette))
    concentrations, grid = (values - calibration.offset) / calibration.gain, None
    if calibration.dx is not None and calibration.boundary is not None:
        grid = _grid({name: concentrations}, calibration.dx, calibration.boundary, source)
    return _patterned(Snapshots({name: concentrations}, grid, str(source)))


def _load_run(folder: Path, file: Path, names: tuple[str, ...] | None) -> Snapshots:
    # No check for constant pictures: a run that ended `dead` is a result, and recover has a status for it.
    headers = {n: h for n, h in read_npz_headers(file).items() if len(h.shape) >= 2}
    wanted = [n for n in headers if n in names] if names else [n for n in headers if not _is_extra(n)]
    arrays = read_npz(file, wanted if wanted else list(headers))
    # What the run used counts more than what was asked for; a run without either is a folder made by hand.
    asked = read_run(folder).get("config") if (folder / RUN).exists() else None
    used = read_result(folder) if (folder / RESULT).exists() else None
    known = {"dx": 1.0, "boundary": "periodic"}
    for source in (asked, used):
        known |= {key: source[key] for key in known if isinstance(source, dict) and source.get(key) is not None}
    grid = _grid(arrays, known["dx"], known["boundary"], folder)
    return _restricted(arrays, grid, folder, names)


def _is_extra(name: str) -> bool:
    return name in _NOT_FIELDS or name.startswith(_NOT_FIELDS_OF_FITS)


def _load_npz(path: Path, names: tuple[str, ...] | None) -> Snapshots:
    headers = read_npz_headers(path)
    if "state" in headers and "state" not in (names or ()):
        arrays = _split_state(read_npz(path, ["state"])["state"], names, path)
    else:
        arrays = read_npz(path, _field_names(headers, names, path))
    grid = None
    if "dx" in headers:
        extras = read_npz(path, [n for n in ("dx", "boundary") if n in headers])
        boundary = str(extras.get("boundary", "periodic"))
        grid = _grid(arrays, extras["dx"], boundary, path)
    return _restricted(arrays, grid, path, names)


def _field_names(headers: Mapping[str, Header], names: tuple[str, ...] | None, path: Path) -> list[str]:
    found = {name: header.shape for name, header in headers.items()}
    if names is not None:
        absent = [name for name in names if name not in headers]
        if absent:
            raise BadInput("observe", f"must name arrays of {path}", absent[0], f"Present: {_listed(found)}.")
        return list(names)
    fields = [name for name, shape in found.items() if len(shape) >= 2 and not name.startswith(FRAMES)]
    if not fields:
        raise BadInput("path", "must hold arrays (H, W) or (M, H, W)", f"{_listed(found)} in {path}")
    return fields


def _split_state(state: np.ndarray, names: tuple[str, ...] | None, path: Path) -> dict[str, np.ndarray]:
    """A state (H, W), (M, H, W) or (M, C, H, W) as field name → values."""
    shape = tuple(state.shape)
    if len(shape) in (2, 3):
        return {_one_name(names, path, shape): state}
    if len(shape) != 4:
        raise BadInput("state", "must have the shape (H, W), (M, H, W) or (M, C, H, W)", f"shape {shape}")
    count = shape[1]
    labels = names if names and len(names) == count else _STATE_NAMES.get(count)
    if labels is None:
        raise BadInput("observe", f"must name the {count} fields of the state", names, "Pass one name a field.")
    return {label: state[:, i] for i, label in enumerate(labels)}


def _one_name(names: tuple[str, ...] | None, path: Path, shape: tuple[int, ...] | None = None) -> str:
    if names and len(names) > 1:
        what = f"a state of shape {shape}, which holds one field," if shape else "pictures, which hold one field,"
        remedy = "Save the fields as named arrays in one .npz, or as (M, C, H, W)."
        raise BadInput("observe", f"must name one field for {what} in {path}", ",".join(names), remedy)
    return names[0] if names else "v"


def _restricted(arrays, grid: Grid | None, path: Path, names: tuple[str, ...] | None) -> Snapshots:
    absolute = all(values.dtype.kind not in "iu" for values in arrays.values())
    arrays = {name: scale_integers(name, values) for name, values in arrays.items()}
    snapshots = Snapshots(arrays, grid, str(path), absolute)
    return snapshots if names is None else snapshots.select(names)


def _grid(arrays: Mapping[str, np.ndarray], dx, boundary, path: Path) -> Grid:
    from ..simulation import Grid

    shape = next((tuple(a.shape[-2:]) for a in arrays.values() if a.ndim >= 2), None)
    if shape is None:
        raise BadInput("path", "must hold arrays (H, W) or (M, H, W)", path)
    try:
        dx = float(dx)
    except (TypeError, ValueError) as error:
        raise BadInput("dx", "must be one number", f"{dx!r} in {path}") from error
    return Grid(shape, dx, str(boundary))  # pyright: ignore[reportArgumentType]: Grid checks the word


def _patterned(snapshots: Snapshots) -> Snapshots:
    """The snapshots, unless they are too small to hold a pattern or a picture has none."""
    if min(snapshots.shape) < LEAST_CELLS:
        size = "{} × {} cells in {}".format(*snapshots.shape, snapshots.source)
        raise BadInput("path", f"must hold pictures of at least {LEAST_CELLS} × {LEAST_CELLS} cells", size)
    for name, values in snapshots.fields.items():
        flat = np.ptp(values, axis=(1, 2)) == 0
        if flat.any():
            m = int(np.argmax(flat))
            where = f"{values[m, 0, 0]:g} everywhere in sample {m} of {snapshots.source}"
            raise BadInput(name, "must vary from cell to cell", where, "A constant picture holds no pattern.")
    return snapshots


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no arrays"
