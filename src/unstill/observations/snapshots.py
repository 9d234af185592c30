"""`Snapshots`: an unordered heap of states, the input of every inference."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput, nearest
from .._numbers import real_numbers

if TYPE_CHECKING:  # importing Grid imports JAX, which reading a file does not need
    from ..systems import Grid

LEAST_CELLS = 8  # a side; less holds no pattern
_LARGEST = 1e100


@dataclasses.dataclass(frozen=True)
class Palette:
    """What turned the colours of pictures into values: from 0 to 1, or in the scale of the palette's own stops.

    `name` is a Matplotlib colour map, colours with values, or "unknown"; `error` the rms distance of the colours from
    it in RGB. `linear`: the field is gain × value + offset; else it is some function that rises with the value.
    `factor` tells how often the pictures were enlarged, which was undone.
    """

    name: str
    error: float
    linear: bool
    factor: int = 1

    @property
    def is_absolute(self) -> bool:
        """Whether the palette came with the values that its colours stand for."""
        return ":" in self.name

    def __str__(self) -> str:
        found = "unknown palette" if self.name == "unknown" else f"palette {self.name}"
        scale = "a rising function" if not self.linear else "gain and offset"
        size = f", shown {self.factor} times as large" if self.factor > 1 else ""
        known = "in the palette's scale" if self.is_absolute else f"known up to {scale}"
        return f"{found} (colours {self.error:.2g} off it in the mean{size}): values are {known}"


@dataclasses.dataclass(frozen=True)
class Measures:
    """What a file states of lengths and times: the side `dx` of a cell in `unit`, the `interval` between frames in
    `time_unit`; None for what it does not state. `parameters` are numbers of the dynamics by name, a tuple where the
    trajectories differ."""

    dx: float | None = None
    unit: str = ""
    interval: float | None = None
    time_unit: str = ""
    parameters: Mapping[str, float | tuple[float, ...]] = dataclasses.field(default_factory=dict)

    def cells(self) -> str:
        """The side of a cell, as messages say it."""
        return "" if self.dx is None else f"cells of {self.dx:.6g} {self.unit}".strip()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Snapshots:
    """M states: for each field's name an array (M, H, W).

    `grid` is known when the states come from a run folder or a file that carries `dx` and boundary; `source` says where
    from; `absolute` is False for integer pictures that do not say what their values mean; `palette` tells how colours
    were read (None: no colours, or their luminance); `measures` are lengths and times as the file states them;
    `ordered` says that the states are frames in order of time, which no inference of unordered states uses; with
    `gaps`, NaN stand for pixels that are not seen. Values are kept as float64. Raises `BadInput` for no field, shapes
    that differ or are not (M, H, W), complex numbers, infinities, and NaN without `gaps`.
    """

    fields: Mapping[str, np.ndarray]
    grid: Grid | None = None
    source: str = "memory"
    absolute: bool = True
    palette: Palette | None = None
    measures: Measures = Measures()
    ordered: bool = False
    gaps: bool = False

    def __post_init__(self):
        if not self.fields:
            raise BadInput("fields", "must hold at least one field")
        fields = {str(name): as_samples(str(name), values) for name, values in self.fields.items()}
        shapes = {name: values.shape for name, values in fields.items()}
        if len(set(shapes.values())) > 1:
            raise BadInput("fields", "must all have one shape", shapes)
        for name, values in fields.items():
            _check_finite(name, values, self.gaps)
            refuse_extreme(name, values)
        object.__setattr__(self, "fields", fields)
        if self.grid is not None and tuple(self.grid.shape) != self.shape:
            raise BadInput("grid", f"must have the fields' shape {self.shape}", self.grid.shape)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"Snapshots({self.count} × {rows} × {columns} of {', '.join(self.fields)}, from {self.source})"

    @property
    def count(self) -> int:
        """M, the number of states."""
        return next(iter(self.fields.values())).shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W), the cells of each state."""
        return next(iter(self.fields.values())).shape[1:]

    def __getitem__(self, name: str) -> np.ndarray:
        """A field by its name, (M, H, W)."""
        return self.select([name]).fields[name]

    def select(self, names: Sequence[str]) -> Snapshots:
        """Only these fields, in this order; raises `BadInput` for one that is absent."""
        for name in names:
            if name not in self.fields:
                raise BadInput("observe", f"must name fields of {self.source}", repr(name), nearest(name, self.fields))
        return dataclasses.replace(self, fields={name: self.fields[name] for name in names})

    def joined(self, others: Sequence[Snapshots]) -> Snapshots:
        """These states and those of others as one heap; raises `BadInput` where fields, shape or meaning differ."""
        for other in others:
            for what in ("shape", "grid", "absolute", "palette", "measures"):
                mine, theirs = getattr(self, what), getattr(other, what)
                if mine != theirs:
                    raise BadInput("source", f"must hold pictures of one {what}", f"{mine} and {theirs}")
            if tuple(self.fields) != tuple(other.fields):
                listed = f"{', '.join(self.fields)} and {', '.join(other.fields)}"
                raise BadInput("source", "must hold pictures of the same fields", listed)
        if not others:
            return self  # a copy would need the same memory again
        every = [self, *others]
        fields = {name: np.concatenate([each.fields[name] for each in every]) for name in self.fields}
        source = ", ".join(each.source for each in every)
        return dataclasses.replace(self, fields=fields, source=source, ordered=False)

    def known_grid(self) -> Grid:
        """The grid as far as it is known: else cells of the side that the file states, or of side 1, on a torus."""
        from ..systems import Grid

        return self.grid or Grid(self.shape, self.measures.dx or 1.0)

    def states(self, fields: Sequence[str]) -> np.ndarray:
        """The states as one array (M, C, H, W), C in the order of `fields`."""
        return np.stack(list(self.select(fields).fields.values()), axis=1)


def as_samples(name: str, values) -> np.ndarray:
    """`values` (H, W) or (M, H, W) as float64 (M, H, W); raises `BadInput` for other shapes and for complex numbers."""
    values = real_numbers(name, values)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or values.size == 0:
        raise BadInput(name, "must have the shape (H, W) or (M, H, W) and hold values", f"shape {values.shape}")
    refuse_channels_last(name, values.shape)
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes inf, and is then refused as such
        return values.astype(np.float64, copy=False)


def refuse_channels_last(name: str, shape: Sequence[int]) -> None:
    """Raise `BadInput` for (H, W, channels), which would be taken for H pictures of a few columns each."""
    if shape[-1] < LEAST_CELLS <= min(shape[-3:-1]):
        rule = "must have the shape (H, W) or (M, H, W), not channels or one more axis behind the columns"
        remedy = "Pass one channel, x[..., 0], or np.moveaxis(x, -1, 0) for one picture a channel."
        raise BadInput(name, rule, f"shape {tuple(shape)}", remedy)


def refuse_extreme(name: str, values: np.ndarray) -> None:
    """Raise `BadInput` for values whose squares leave the floats. (Tiny ones are a pattern that died.)"""
    largest = max(float(np.fmax.reduce(each, axis=None)) for each in (values, -values))
    if largest > _LARGEST:
        rule = f"must be below {_LARGEST:g} in size: squares of larger ones leave the floats"
        raise BadInput(name, rule, f"up to {largest:.3g}", "Take another unit.")


def _check_finite(name: str, values: np.ndarray, gaps: bool) -> None:
    bad = np.isinf if gaps else lambda picture: ~np.isfinite(picture)
    counts = [int(bad(picture).sum()) for picture in values]  # little memory at once
    if any(counts):
        sample = next(m for m, count in enumerate(counts) if count)
        row, column = np.argwhere(bad(values[sample]))[0]
        where = f"sample {sample}, row {row}, column {column}"
        raise BadInput(
            name,
            "must be finite",
            f"{sum(counts)} NaN or infinite values, the first at {where}",
            "Remove or mend them; `recover` takes gaps, by mask=nan.",
        )
