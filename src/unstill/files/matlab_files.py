"""MATLAB's `.mat`: version 5 by SciPy, version 7.3 by h5py, as `Stack`s."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .._errors import BadInput
from .arrays import MOST_ELEMENTS
from .hdf5_files import open_matlab73
from .stacks import Stack

_NUMBERS = {
    "double": "f8", "single": "f4", "logical": "?",
    **{f"{sign}int{8 * n}": f"{'u' if sign else 'i'}{n}" for sign in ("", "u") for n in (1, 2, 4, 8)},
}  # fmt: skip


@contextlib.contextmanager
def open_matlab(path: Path) -> Iterator[list[Stack]]:
    """Every array of numbers of two axes or more; three are not told apart, since MATLAB has no rule."""
    with open(path, "rb") as stream:
        head = stream.read(520)
    if b"MATLAB 7.3" in head or b"\x89HDF\r\n\x1a\n" in head:
        with open_matlab73(path) as stacks:
            yield stacks
        return
    import scipy.io

    held = scipy.io.whosmat(path)
    arrays = [(name, shape, kind) for name, shape, kind in held if kind in _NUMBERS]
    if held and not arrays:
        told = ", ".join(f"{name} {shape} {kind}" for name, shape, kind in held[:4])
        raise BadInput(
            "path", "must hold an array of numbers of two axes or more", f"{told} in {path}", "Save it full."
        )
    for name, shape, _ in arrays:
        if math.prod(shape) > MOST_ELEMENTS:
            raise BadInput("path", f"must hold at most {MOST_ELEMENTS:.0e} values", f"{name} {shape} in {path}")
    yield [
        Stack(
            path, "YX" if len(shape) == 2 else "?" * len(shape), tuple(shape), np.dtype(_NUMBERS[kind]),
            _reader(path, name), name=name, convention=True,
        )
        for name, shape, kind in arrays
        if sum(n > 1 for n in shape) > 1
    ]  # fmt: skip


def _reader(path: Path, name: str):
    """Reads an array whole when it is first asked for: the format has no parts."""
    kept: dict[str, np.ndarray] = {}

    def read(key) -> np.ndarray:
        import scipy.io

        if name not in kept:
            kept[name] = scipy.io.loadmat(path, variable_names=[name])[name]
            if kept[name].dtype.kind not in "fiub":
                raise BadInput("path", "must hold real numbers", f"dtype {kept[name].dtype} of {name} in {path}")
        return kept[name][key]

    return read
