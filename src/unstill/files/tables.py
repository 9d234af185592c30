"""CSV as a picture: a table of numbers without a header, as wide in every line as in the first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .._errors import BadInput
from .stacks import LEAST_CELLS, Stack, memory_stack
from .text_tables import read_table


@contextlib.contextmanager
def open_table(path: Path) -> Iterator[list[Stack]]:
    """The rows and columns as one picture; raises `BadInput` for a table with a header, whose columns are variables."""
    try:
        values, names = read_table(path)
    except BadInput as error:
        raise BadInput("path", error.rule, error.value, error.remedy) from error
    remedy = "A table of points is read by `unstill discover`, `unstill score` and `unstill flow`."
    if names:
        raise BadInput(
            "path", "must be a picture: a table without a header", f"columns {', '.join(names)[:60]}", remedy
        )
    if min(values.shape) < LEAST_CELLS:
        size = "{} × {} cells in {}".format(*values.shape, path)
        raise BadInput("path", f"must hold a picture of at least {LEAST_CELLS} × {LEAST_CELLS} cells", size, remedy)
    _refuse_counts(path, values)
    yield [memory_stack(path, values, "YX")]


def _refuse_counts(path: Path, values: np.ndarray) -> None:
    """Raise `BadInput` for a first row or column that only counts: pandas writes one of either unless told not to."""
    for axis, what, remedy in ((0, "row", "header=False"), (1, "column", "index=False")):
        first = values.take(0, axis)
        if (first == first[0] + np.arange(len(first))).all() and first[0] in (0, 1):
            told = f"a first {what} {first[0]:g}, {first[1]:g}, {first[2]:g}, … in {path}"
            rule = f"must be a picture: no first {what} of numbers that count"
            raise BadInput("path", rule, told, f"Leave it out; pandas does with {remedy}.")
