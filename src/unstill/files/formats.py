"""Which reader opens which file, by suffix; the libraries behind them are imported when a file is opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .._errors import BadInput
from .arrays import FRAMES, read_npy, read_npz, read_npz_headers
from .hdf5_files import open_hdf5
from .matlab_files import open_matlab
from .netcdf_files import open_netcdf
from .pictures import PICTURE_SUFFIXES, open_picture
from .reading import Opener
from .stacks import Stack, axes_of_shape, memory_stack
from .tables import open_table
from .video_files import FILM_SUFFIXES, open_film, open_gif
from .zarr_stores import is_store, open_zarr


@contextlib.contextmanager
def open_npy(path: Path) -> Iterator[list[Stack]]:
    """One array without a name."""
    yield [memory_stack(path, read_npy(path), convention=True)]


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[list[Stack]]:
    """Arrays by name, each read when it is asked for."""
    headers = read_npz_headers(path)
    extras = read_npz(path, [name for name in ("dx", "boundary") if name in headers])
    stated = {}
    if "dx" in extras and np.size(extras["dx"]) == 1:
        stated = {"pixel": (float(extras["dx"]),) * 2, "boundary": str(extras.get("boundary", "periodic"))}
    kept: dict[str, np.ndarray] = {}

    def reader(name: str):
        def read(key):
            if name not in kept:
                kept[name] = read_npz(path, [name])[name]
            return kept[name][key]

        return read

    yield [
        Stack(
            path, f"T{axes_of_shape(h.shape[1:])}" if name.startswith(FRAMES) else axes_of_shape(h.shape), h.shape,
            h.dtype, reader(name), name=name, convention=True, **stated,
        )
        for name, h in headers.items()
        if len(h.shape) >= 2
    ]  # fmt: skip


OPENERS: dict[str, Opener] = {
    ".npz": open_npz,
    ".npy": open_npy,
    **dict.fromkeys(PICTURE_SUFFIXES, open_picture),
    **dict.fromkeys(FILM_SUFFIXES, open_film),
    ".gif": open_gif,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    ".nc": open_netcdf,
    ".mat": open_matlab,
    ".csv": open_table,
}  # of files; a Zarr store is a folder


def opener_of(path: Path) -> Opener:
    """What opens a file or a Zarr store; raises `BadInput` for a suffix that nothing opens."""
    if path.is_dir() and is_store(path):
        return open_zarr
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        raise BadInput("path", f"must end in {', '.join((*OPENERS, '.zarr'))}, or be a folder", path)
    return opener
