"""CSV as a picture: a table of numbers without a header, as wide in every line as in the first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from .._errors import BadInput
from .stacks import LEAST_CELLS, Stack, memory_stack


@contextlib.contextmanager
def open_table(path: Path) -> Iterator[list[Stack]]:
    """The rows and columns as one picture; raises `BadInput` for a table with a header, whose columns are variables."""
    from .points import read_table

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
    yield [memory_stack(path, values, "YX")]
