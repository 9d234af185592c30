"""HDF5: arrays by path, The Well's layout, and MATLAB's version 7.3, as `Stack`s read in blocks."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .stacks import Stack, axes_of_names, axes_of_shape, needed
from .well_layout import GROUP, well_stacks

_MOST_OBJECTS = 10_000


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[list[Stack]]:
    """The Well's scalar fields, or every array of numbers of two axes or more, by its path."""
    h5py = needed("h5py", path)
    with h5py.File(path, "r") as file:
        if isinstance(file.get(GROUP, getlink=True), h5py.HardLink) and isinstance(file[GROUP], h5py.Group):
            fields = _datasets(file[GROUP], h5py)
            for _, each in fields:
                _refuse_unwritten(each)
            yield well_stacks(path, file, fields)
        else:
            found = [_plain(path, name, each) for name, each in _datasets(file, h5py)]
            if not found:
                _refuse_kinds(path, file, h5py)
            yield found


@contextlib.contextmanager
def open_matlab73(path: Path) -> Iterator[list[Stack]]:
    """MATLAB writes its axes in reverse order; which they are it does not tell."""
    h5py = needed("h5py", path)
    with h5py.File(path, "r") as file:
        yield [
            Stack(
                path, "YX" if each.ndim == 2 else "?" * each.ndim, each.shape[::-1], each.dtype, _reversed(each),
                name=name,
            )
            for name, each in _datasets(file, h5py)
        ]  # fmt: skip


def _datasets(group: Any, h5py: Any) -> list[tuple[str, Any]]:
    """Arrays of numbers with two axes or more, by path; links out of the file are not followed."""
    found, seen = [], 0

    def look(name: str, each: Any) -> None:
        nonlocal seen
        seen += 1
        if seen > _MOST_OBJECTS:
            raise BadInput("path", f"must hold at most {_MOST_OBJECTS} objects", group.file.filename)
        hidden = any(part.startswith("#") for part in name.split("/"))  # MATLAB's own
        if isinstance(each, h5py.Dataset) and each.ndim >= 2 and each.dtype.kind in "fiub" and not hidden:
            _refuse_elsewhere(each)
            found.append((name, each))

    group.visititems(look)  # hard links only
    return found


def _refuse_kinds(path: Path, file: Any, h5py: Any) -> None:
    """Raise `BadInput` that names what a file holds instead of real numbers of two axes."""
    held: list[str] = []
    file.visititems(
        lambda name, each: held.append(f"{name} {each.shape} {each.dtype}") if hasattr(each, "dtype") else 0
    )
    if held:
        rule = "must hold an array of numbers of two axes or more"
        raise BadInput("path", rule, f"{', '.join(held[:4])[:120]} in {path}")


def _refuse_unwritten(dataset: Any) -> None:
    """Raise `BadInput` for an array of which parts were never written: the library would fill them in."""
    if dataset.chunks is None or dataset.size == 0:
        return
    count = math.prod(-(-n // c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
    written = dataset.id.get_num_chunks()
    if written < count:
        told = f"{written} of {count} chunks of {dataset.name}"
        raise BadInput(
            "path", "must hold all its values", told, "The program that wrote it ended early: write it again."
        )


def _refuse_elsewhere(dataset: Any) -> None:
    """Raise `BadInput` for values that lie in other files: a stranger's file does not say what else is read."""
    if dataset.is_virtual or dataset.external:
        raise BadInput("path", "must hold its values itself", f"{dataset.name} lies in other files")


def _plain(path: Path, name: str, dataset: Any) -> Stack:
    axes = axes_of_names([dim.label or next(iter(dim.keys()), "") for dim in dataset.dims])
    return Stack(
        path, axes or axes_of_shape(dataset.shape), dataset.shape, dataset.dtype, _whole(dataset), name=name,
        convention=not axes, chunk=chunks(axes or axes_of_shape(dataset.shape), dataset.chunks),
    )  # fmt: skip


def chunks(axes: str, lengths: Sequence[int] | None) -> dict[str, int]:
    """How many places of each axis are stored together."""
    return dict(zip(axes, lengths, strict=True)) if lengths and "?" not in axes else {}


def _whole(dataset: Any):
    """Reads parts of an array, all of which must have been written."""

    def read(key: tuple[Any, ...]) -> np.ndarray:
        _refuse_unwritten(dataset)
        return dataset[key]

    return read


def _reversed(dataset: Any):
    read = _whole(dataset)
    return lambda key: _turned(read(key[::-1]))


def _turned(values: np.ndarray) -> np.ndarray:
    return np.transpose(values)
