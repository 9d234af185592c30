"""`load`: whatever a user keeps → `Snapshots`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from ..observations.snapshots import Snapshots
from .array_files import arrays_path, read_arrays, read_headers
from .arrays import FRAMES, Header, decoding, read_npz, read_npz_headers
from .choosing import Choice, parts_of, relabelled
from .formats import opener_of
from .grey_scale import stated_scale
from .pictures import PICTURE_SUFFIXES, bits_of, decoded_pictures, open_picture, scale_integers
from .reading import colours, grid_of, read_snapshots
from .runs import RESULT, RUN, read_result, read_run
from .stacks import LEAST_CELLS
from .zarr_stores import is_store

if TYPE_CHECKING:
    from ..systems import Grid

_STATE_NAMES = {1: ("v",), 2: ("u", "v"), 3: ("u", "v", "w")}
_RUN_ARRAYS = ("states", "fields")  # of simulate, of recover
_NOT_FIELDS = ("observed", "hidden", "fitted")  # what recover keeps beside the fitted fields under their own names
_NOT_FIELDS_OF_FITS = ("target_", "parameter_")  # what their names begin with


def load(
    path: str | os.PathLike,
    *,
    observe: Sequence[str] | str | None = None,
    colormap: str = "auto",
    axes: str | None = None,
    channel: str | int | None = None,
    frames: str | int | slice | None = None,
    fields: str | Mapping[str, str | int] | None = None,
    trajectory: str | int | slice | None = None,
    gaps: bool = False,
) -> Snapshots:
    """Read snapshots from a file or a folder.

    - `.npz`: arrays (H, W) or (M, H, W) by field name, or `state` of shape (H, W), (M, H, W) or (M, C, H, W);
      `dx` and `boundary`, where present, give the grid. Other arrays of fewer than two axes are passed over.
    - `.npy`: like `state`. The C fields of a state are named by `observe`, by default v; u, v; or u, v, w.
    - `.png`, `.jpg`, `.tif`: one field, named by `observe`, by default v. Grey values of unsigned integers are divided
      by their dtype's maximum; they are `absolute` where the file states a calibration, as those that `us.save` writes.
      Colours become places on their palette, from 0 to 1, at the size at which the field was computed; `palette` of
      what is returned says which, how well, and what they mean.
    - TIFF of ImageJ and OME with axes T, C, Z, Y, X; `.gif`, `.mp4`, `.mov`, `.avi`: frames in order of time.
    - `.h5`, `.hdf5` (arrays by path, or the fields of The Well), `.zarr`, `.nc`, `.mat`: arrays by name; `.csv`: one
      picture without a header. These need `pip install 'unstill[files]'`, but for `.csv` and `.mat` up to version 7.
    - a folder of pictures of one shape; a run folder of `unstill simulate`, `unstill recover` or `unstill fit`.

    The side of a pixel and the interval that a file states are in `measures`; frames in order of time are `ordered`.
    What the file does not tell is asked for, never guessed:

    Args:
        path: A file, or a folder.
        observe: Only these fields: a sequence of names, or one text such as "u,v" (default: all that there are).
        colormap: How colours are read: by a Matplotlib colour map, its reverse NAME_r included; by colours with their
            values, such as navy:0,lime:0.2,red:0.4; auto, by the palette on which they lie, a named one or any other
            curve in RGB; or grey, by their luminance.
        axes: The file's axes in their order, one letter each of T time, M samples, C fields, Z depth, Y rows,
            X columns, S colours, such as TCYX (default: as the file tells).
        channel: The one channel that is read, by its number from 0 or its name.
        frames: The frames, or samples, that are read: a number, START:STOP or START:STOP:STEP (default: all).
        fields: Which channel, or array of the file, is which field, such as u=0,v=1 or v=run/a.
        trajectory: Of samples of several frames each, the one that is read, whose frames then are in order of time, or
            several: a number, START:STOP or START:STOP:STEP (default: all).
        gaps: Keep NaN, which stand for pixels that are not seen; of what is read, `recover` alone knows them.

    Raises `BadInput` for everything that cannot be read or cannot be a pattern: missing, corrupt and oversized files,
    object arrays, wrong shapes, axes that nobody names, pixels that are not square, fewer than 8 × 8 cells, NaN,
    constant pictures, absent fields, colours that lie on no one curve, unknown colour maps.
    """
    path = Path(path).expanduser()
    names, choice = _names(observe), Choice.of(axes, channel, frames, fields, trajectory, gaps)
    if colormap not in ("auto", "grey"):
        from .named_palettes import check_colormap  # imports SciPy and Matplotlib

        check_colormap(colormap)
    if path.is_dir() and not is_store(path):
        return _load_folder(path, names, colormap, choice)
    if not path.exists():
        raise BadInput("path", "must be an existing file or folder", path)
    suffix, opener = path.suffix.lower(), opener_of(path)
    if suffix == ".npz" and not choice.given:
        return _patterned(_load_npz(path, names, gaps))
    if suffix in PICTURE_SUFFIXES:
        return _pictures([path], path, names, colormap, choice)
    return _patterned(read_snapshots(path, opener, choice, names, colormap))


def _names(observe: Sequence[str] | str | None) -> tuple[str, ...] | None:
    if observe is None:
        return None
    names = tuple(observe.replace(" ", "").split(",")) if isinstance(observe, str) else tuple(observe)
    if not names or not all(names) or len(set(names)) < len(names):
        raise BadInput("observe", "must name each field once", repr(observe), "Pass for example u,v.")
    return names


def _load_folder(folder: Path, names: tuple[str, ...] | None, colormap: str, choice: Choice) -> Snapshots:
    for arrays in _RUN_ARRAYS:
        if (file := arrays_path(folder, arrays)) is not None:
            choice.refuse("the arrays of a run folder are known")
            return _load_run(folder, file, names)
    if (folder / RUN).exists():
        raise BadInput(
            "path",
            "must be a finished run",
            folder,
            f"It holds no {' or '.join(f'{each}.npz' for each in _RUN_ARRAYS)}.",
        )
    seen = (f for f in folder.iterdir() if f.is_file() and not f.name.startswith("."))
    files = sorted(f for f in seen if f.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise BadInput("path", "must be a run folder or a folder with PNG, JPEG or TIFF pictures", folder)
    return _pictures(files, folder, names, colormap, choice)


def _pictures(
    files: Sequence[Path], source: Path, names: tuple[str, ...] | None, colormap: str, choice: Choice
) -> Snapshots:
    """Pictures with what their files state of values and grid; one calibration must hold for all."""
    if len(files) > 1 and not (choice.channel or choice.fields) and _coloured(files[0]):
        read = [_of_one_palette(files, source, names, colormap, choice)]
    else:
        read = [read_snapshots(file, open_picture, choice, names, colormap) for file in files]
        if len(files) > 1 and any(each.palette for each in read):
            read = [_of_one_palette(files, source, names, colormap, choice)]
    for file, each in zip(files, read, strict=False):
        if each.shape != read[0].shape:
            shapes = f"{read[0].shape} in {files[0].name} and {each.shape} in {file.name}"
            raise BadInput("path", "must hold pictures of one shape", shapes)
    depths = [bits_of(file) for file in files] if len(files) > 1 else []
    if len(set(depths)) > 1:
        other = next(i for i, bits in enumerate(depths) if bits != depths[0])
        told = f"{depths[0]} bits in {files[0].name} and {depths[other]} in {files[other].name}"
        raise BadInput("path", "must hold pictures of one depth, whose levels mean the same", told, "Save them alike.")
    stated = [stated_scale(file) for file in files]
    if len(set(stated)) > 1:
        raise BadInput("path", "must hold pictures of one calibration", f"{stated[0]} and others in {source}")
    with naming_path():
        found = dataclasses.replace(read[0].joined(read[1:]), source=str(source))
    calibration = stated[0]
    if calibration is None:
        return _patterned(found)
    concentrations = {name: (c - calibration.offset) / calibration.gain for name, c in found.fields.items()}
    grid = None
    if calibration.dx is not None and calibration.boundary is not None:
        grid = grid_of(found.shape, calibration.dx, calibration.boundary)
    return _patterned(Snapshots(concentrations, grid, str(source), gaps=choice.gaps))


def _coloured(file: Path) -> bool:
    """Whether a picture has channels of colours; what cannot be read is left to be refused when it is."""
    with decoding(file), open_picture(file) as (stack,):
        return stack.size("S") > 1


def _of_one_palette(
    files: Sequence[Path], source: Path, names: tuple[str, ...] | None, colormap: str, choice: Choice
) -> Snapshots:
    """Coloured pictures read together, since one palette made them."""
    pictures, floats, name = [], True, "v"
    for file in files:
        with decoding(file), open_picture(file) as (stack,):
            (told,) = relabelled([stack], choice)
            (name,) = parts_of([told], choice, names, source)
            pictures.append(colours(told, choice))
            floats = floats and told.dtype.kind == "f"
        if pictures[-1].shape[1:3] != pictures[0].shape[1:3]:
            shapes = f"{pictures[0].shape[1:3]} in {files[0].name} and {pictures[-1].shape[1:3]} in {file.name}"
            raise BadInput("path", "must hold pictures of one shape", shapes)
    values, palette = decoded_pictures(pictures, colormap, source)
    absolute = floats if palette is None else palette.is_absolute
    return Snapshots({name: values}, None, str(source), absolute, palette)


def _load_run(folder: Path, file: Path, names: tuple[str, ...] | None) -> Snapshots:
    # No check for constant pictures: a run that ended `dead` is a result, and recover has a status for it.
    headers = {n: h for n, h in read_headers(file).items() if len(h.shape) >= 2}
    wanted = [n for n in headers if n in names] if names else [n for n in headers if not _is_extra(n)]
    arrays = read_arrays(file, wanted if wanted else list(headers))
    # What the run used counts more than what was asked for; a run without either is a folder made by hand.
    asked = read_run(folder).get("config") if (folder / RUN).exists() else None
    used = read_result(folder) if (folder / RESULT).exists() else None
    known: dict[str, Any] = {"dx": 1.0, "boundary": "periodic", "laplacian": None}
    for source in (asked, used):
        known |= {key: source[key] for key in known if isinstance(source, dict) and source.get(key) is not None}
    grid = _grid(arrays, folder, **known)
    return _restricted(arrays, grid, folder, names)


@contextlib.contextmanager
def naming_path() -> Iterator[None]:
    """Files of a folder that do not go together are wrong with the folder."""
    try:
        yield
    except BadInput as error:
        raise BadInput("path", error.rule, error.value, error.remedy) from error


def _is_extra(name: str) -> bool:
    return name in _NOT_FIELDS or name.startswith(_NOT_FIELDS_OF_FITS)


def _load_npz(path: Path, names: tuple[str, ...] | None, gaps: bool) -> Snapshots:
    headers = read_npz_headers(path)
    if "state" in headers and "state" not in (names or ()):
        arrays = _split_state(read_npz(path, ["state"])["state"], names, path)
    else:
        arrays = read_npz(path, _field_names(headers, names, path))
    grid = None
    if "dx" in headers:
        extras = read_npz(path, [n for n in ("dx", "boundary", "laplacian") if n in headers])
        grid = _grid(arrays, path, **{"boundary": "periodic", **extras})
    return _restricted(arrays, grid, path, names, gaps)


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


def _restricted(arrays, grid: Grid | None, path: Path, names: tuple[str, ...] | None, gaps: bool = False) -> Snapshots:
    absolute = all(values.dtype.kind not in "iu" for values in arrays.values())
    arrays = {name: scale_integers(name, values) for name, values in arrays.items()}
    snapshots = Snapshots(arrays, grid, str(path), absolute, gaps=gaps)
    return snapshots if names is None else snapshots.select(names)


def _grid(arrays: Mapping[str, np.ndarray], path: Path, *, dx: Any, boundary: Any, laplacian: Any = None) -> Grid:
    shape = next((tuple(a.shape[-2:]) for a in arrays.values() if a.ndim >= 2), None)
    if shape is None:
        raise BadInput("path", "must hold arrays (H, W) or (M, H, W)", path)
    return grid_of(shape, dx, boundary, laplacian)


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
