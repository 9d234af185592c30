"""The arrays of a run folder in one of three formats: `.npz`, a Zarr store or NetCDF 4. Every reader takes each.

Texts are kept as numbers with their `words`, since Zarr and NetCDF have no common way; `arrays` lists what is an array
of the result, beside the coordinates.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .arrays import MOST_ELEMENTS, Header, decoding, read_npz, read_npz_headers
from .atomic import replacing
from .stacks import needed
from .zarr_stores import check_codecs

SUFFIXES = {"npz": ".npz", "zarr": ".zarr", "netcdf": ".nc"}
_PACKAGES = {"npz": (), "zarr": ("zarr",), "netcdf": ("xarray", "h5netcdf")}
_LISTED, _WORDS, _LETTERS = "arrays", "words", "letters"
Labelled = tuple[Any, ...]  # names of the axes, values and, where there are any, attributes


def check_format(name: str) -> None:
    """Raise `BadInput` for a format that is not known, or whose packages are missing."""
    if name not in SUFFIXES:
        raise BadInput("format", f"must be {', '.join(SUFFIXES)}", repr(name))
    for package in _PACKAGES[name]:
        try:
            needed(package, Path(name))
        except BadInput as error:
            raise BadInput("format", f"needs the package {package}", repr(name), error.remedy) from error


def arrays_path(folder: Path, stem: str) -> Path | None:
    """Where a run folder holds these arrays, in whichever format; None where it does not."""
    paths = [folder / f"{stem}{suffix}" for suffix in SUFFIXES.values()]
    return next((path for path in paths if (path.is_dir() if path.suffix == ".zarr" else path.is_file())), None)


def write_labelled(path: Path, arrays: Mapping[str, Labelled], coordinates: Mapping[str, Labelled]) -> None:
    """Write arrays with names on their axes to a Zarr store or to NetCDF, whole or not at all, by the suffix."""
    if path.suffix == ".nc":
        with replacing(path, "out") as part:
            _write_netcdf(part, arrays, coordinates)
    else:
        with _replacing_folder(path) as part:
            _write_zarr(part, arrays, coordinates)


def read_headers(path: Path) -> dict[str, Header]:
    """Name → header of every array, whatever the format; raises `BadInput`."""
    if path.suffix == ".npz":
        return read_npz_headers(path)
    with _opened(path) as held:
        return {name: Header(tuple(each.shape), each.dtype) for name, each in held.items()}


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays (those of `names`, or all) as they were written, whatever the format; raises `BadInput`."""
    if path.suffix == ".npz":
        return read_npz(path, names)
    with _opened(path) as held:
        chosen = held if names is None else {name: held[name] for name in names}
        return {name: _in_words(np.asarray(each[...]), dict(each.attrs)) for name, each in chosen.items()}


def drop_others(path: Path) -> None:
    """Forget what is kept under the same name in other formats: one name, one file."""
    for suffix in SUFFIXES.values():
        other = path.with_suffix(suffix)
        if other != path:
            shutil.rmtree(other) if other.is_dir() else other.unlink(missing_ok=True)


def _coded(values: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Texts as places in the list of their words; other arrays as they are."""
    values = np.asarray(values)
    if values.dtype.hasobject:
        raise TypeError("an array holds Python objects, which are never pickled")
    if values.dtype.kind != "U":
        return values, {}
    words, codes = np.unique(values, return_inverse=True)
    return codes.reshape(values.shape).astype(np.int32), {
        _WORDS: [str(word) for word in words],
        _LETTERS: values.dtype.itemsize // 4,
    }


def _in_words(values: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    if _WORDS not in attributes:
        return values
    known = np.atleast_1d(np.asarray(attributes[_WORDS], dtype=str))
    return known.astype(f"U{int(attributes[_LETTERS])}")[
        values
    ]  # as long as it was: longer words may come in its place


def _write_zarr(path: Path, arrays: Mapping[str, Labelled], coordinates: Mapping[str, Labelled]) -> None:
    zarr = needed("zarr", path)
    group = zarr.create_group(zarr.storage.LocalStore(path), attributes={_LISTED: list(arrays)})
    for name, (dims, values, *more) in {**coordinates, **arrays}.items():
        data, words = _coded(values)
        group.create_array(
            name, data=np.ascontiguousarray(data).reshape(data.shape), dimension_names=dims,
            attributes=words | (more[0] if more else {}),
            config={"write_empty_chunks": True},  # a chunk that is not there is then one that was lost
        )  # fmt: skip


def _write_netcdf(path: Path, arrays: Mapping[str, Labelled], coordinates: Mapping[str, Labelled]) -> None:
    import xarray

    variables = {}
    for name, (dims, values) in arrays.items():
        data, attributes = _coded(values)
        variables[name] = (dims, data, attributes)
    data = xarray.Dataset(variables, dict(coordinates), {_LISTED: list(arrays)})
    data.to_netcdf(path, engine="h5netcdf", encoding={name: {"_FillValue": None} for name in data.variables})


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[dict[str, Any]]:
    """The arrays of a result by name, not read yet; raises `BadInput` for what is damaged, or too large."""
    with decoding(path), (_zarr_arrays if path.suffix == ".zarr" else _netcdf_arrays)(path) as held:
        for name, each in held.items():
            if math.prod(each.shape) > MOST_ELEMENTS:
                raise BadInput(name, f"must hold at most {MOST_ELEMENTS:.0e} values", f"shape {each.shape}")
        yield held


@contextlib.contextmanager
def _zarr_arrays(path: Path) -> Iterator[dict[str, Any]]:
    zarr = needed("zarr", path)
    group = zarr.open_group(zarr.storage.LocalStore(path, read_only=True), mode="r")
    held = {str(name): group[name] for name in group.attrs[_LISTED]}
    for name, each in held.items():
        check_codecs(path, each)
        if each.nchunks_initialized != each.nchunks:
            raise BadInput(name, "must be whole", f"{each.nchunks_initialized} of {each.nchunks} chunks in {path}")
    yield held


@contextlib.contextmanager
def _netcdf_arrays(path: Path) -> Iterator[dict[str, Any]]:
    xarray = needed("xarray", path)
    needed("h5netcdf", path)
    with xarray.open_dataset(path, engine="h5netcdf", decode_times=False, mask_and_scale=False, cache=False) as data:
        yield {str(name): data[name] for name in np.atleast_1d(data.attrs[_LISTED])}


@contextlib.contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, of a folder: what stood there goes once the new one is whole."""
    mark = secrets.token_hex(4)
    part, old = (path.with_name(f".{path.stem}-{mark}{end}") for end in (path.suffix, ".old"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if path.exists():
            path.rename(old)
        part.rename(path)
    except OSError as error:
        raise BadInput("out", f"must be writable ({error.strerror or error})", path) from error
    finally:
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
