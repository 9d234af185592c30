"""What every verb returns: one shape of result.

A verb's result says how it ended (`status`, `message`, `seconds`), shows itself (`repr`, `summary()`, `plot()`, and as
HTML in a notebook), and is the run folder that the command line would write (`to_dict()` is its `result.json`,
`save(folder)` the whole of it); `to_xarray()` has its arrays with names on their axes.
"""

from __future__ import annotations

import abc
import dataclasses
import html
import importlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ._errors import BadInput
from ._types import Status

if TYPE_CHECKING:
    import numpy as np
    import xarray
    from matplotlib.figure import Figure

_SHOWN = 8  # rows of a table in a `repr`


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One parameter: value, standard deviation and 95 % interval; all `None` where the data leave it free.

    A parameter that the user fixed has a standard deviation of 0.
    """

    value: float | None
    std: float | None = None
    interval95: tuple[float, float] | None = None

    @classmethod
    def normal(cls, value: float, std: float) -> Estimate:
        """With the interval value ± 1.96 std."""
        return cls(float(value), float(std), (float(value - 1.959964 * std), float(value + 1.959964 * std)))

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """Of a value that is known."""
        return cls(float(value), 0.0, (float(value), float(value)))

    def cells(self) -> list[str]:
        """Value, ± and interval, as a table shows them."""
        if self.value is None:
            return ["not determined", "", ""]
        if self.std is None or self.interval95 is None:
            return [f"{self.value:.6g}", "", ""]
        if self.std == 0:
            return [f"{self.value:.6g}", "known", ""]
        return [f"{self.value:.6g}", f"± {self.std:.2g}", "95 % in [{:.6g}, {:.6g}]".format(*self.interval95)]


class Result(abc.ABC):
    """The shape that all verbs' results share. `verb` is the word of the command line."""

    verb: ClassVar[str]
    failures: ClassVar[tuple[Status, ...]] = ()  # ends that the command line answers with exit code 3
    formats: ClassVar[bool] = False  # whether its arrays may be written as Zarr or NetCDF, too

    status: Status
    message: str
    seconds: float

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """`result.json`: numbers for programs. What is not determined is `None`."""

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """The arrays of each file in a run folder, by the file's name."""
        return {}

    def letters(self) -> dict[str, str]:
        """The letters of the axes of each array, by the name that it has in `to_xarray`: T time, M samples, C fields,
        Y rows, X columns, D variables."""
        return {}

    def to_xarray(self) -> xarray.Dataset:
        """The arrays with names on their dimensions, places of cells and times of frames; needs xarray (the extra
        `files`). Raises `BadInput` where there are no arrays."""
        return importlib.import_module(".files.labelled", __package__).dataset(self)

    def texts(self) -> dict[str, str]:
        """The texts of other files in a run folder, by the file's name."""
        return {}

    def table(self) -> Sequence[Sequence[str]]:
        """Rows of words: what a person wants to see first."""
        return []

    def notes(self) -> list[str]:
        """Lines below the table."""
        return []

    @property
    def failed(self) -> bool:
        """Whether this end is a failure of the numerics, or of the method's assumption."""
        return self.status in self.failures

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it: what was reached is kept, and the same call with `resume` goes on."""
        return self.status is Status.INTERRUPTED

    def headline(self) -> str:
        """How it ended, in one line."""
        return f"{self.status}: {self.message}" if self.message else str(self.status)

    def summary(self) -> str:
        """The headline, the table and the notes, as text."""
        return "\n".join([self.headline(), *_aligned(self.table()), *(f"  {note}" for note in self.notes())])

    def plot(self) -> Figure:
        """The verb's figure, for a notebook or `us.save_figure`."""
        return next(iter(_room("plotting").figures(self).values()))

    def save(self, folder: str | os.PathLike, *, force: bool = False, format: str = "npz") -> Path:
        """Write the run folder that the command line would write; returns its path.

        Args:
            folder: Where; it must not exist yet, or be empty.
            force: Replace an existing run folder.
            format: How arrays are written: npz, zarr or netcdf (the latter two with names on their axes; they need the
                extra `files`). What was learnt, and atlases, have a format of their own.

        Raises `BadInput`.
        """
        if format != "npz" and not self.formats:
            raise BadInput("format", f"must be left out of a {type(self).__name__}", repr(format))
        made = _room("files").RunFolder.create(folder, force=force, argument="folder", format=format)
        made.write_run({}, verb=self.verb)
        self.write(made)
        return made.path

    def write(self, folder: Any) -> None:
        """Arrays, `result.json` and figures into a run folder that has begun."""
        self.write_arrays(folder)
        for name, text in self.texts().items():
            (folder.path / name).write_text(text, encoding="utf-8")
        folder.write_result(self.to_dict())
        for name, figure in _room("plotting").figures(self).items():
            _room("plotting").save_figure(figure, folder.path / name)

    def write_arrays(self, folder: Any) -> None:
        """`arrays()`, each file of them."""
        folder.write_arrays_of(self)

    def __repr__(self) -> str:
        rows = _aligned(self.table())
        more = [f"  … {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
        return "\n".join([f"{type(self).__name__}, {self.headline()}", *rows[:_SHOWN], *more])

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.table()
        )
        notes = "".join(f"<br>{html.escape(note)}" for note in self.notes())
        head = f"<b>{type(self).__name__}</b>, {html.escape(self.headline())}"
        return f"<p>{head}</p><table>{rows}</table><p>{notes.removeprefix('<br>')}</p>"


def _room(name: str) -> Any:
    """Files and figures stand above results: found by name when they are asked for, as pandas finds its plotting."""
    return importlib.import_module(f".{name}", __package__)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words as columns of text."""
    widths = [max(map(len, column)) for column in zip(*_filled(rows), strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in _filled(rows)]
    return [f"  {line}".rstrip() for line in lines]


def _filled(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    width = max(map(len, rows), default=0)
    return [[*row, *[""] * (width - len(row))] for row in rows]


def plain(value: Any) -> Any:
    """Numbers for JSON: arrays as lists, and `None` for what is not finite, since NaN is no JSON."""
    if isinstance(value, Estimate):
        return plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Status):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
