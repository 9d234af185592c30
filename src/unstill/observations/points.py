"""`Points`: an unordered heap of points, the input of everything that asks which dynamics preserve a density."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from .._numbers import real_numbers

if TYPE_CHECKING:
    from ..systems import Dynamics

_NAMES = ("x", "y", "z", "w")
_COUNTED = 8  # points: fewer may be evenly apart by chance
_LEAST, _MOST = 1e-40, 1e40  # of a variable's range: squares of cubes are still floats


def default_names(dimension: int) -> tuple[str, ...]:
    """x, y, z, w, x5, x6, …"""
    return (*_NAMES[:dimension], *(f"x{i + 1}" for i in range(len(_NAMES), dimension)))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Points:
    """M points of D variables without an order.

    `names` are the variables'; `drift` and `covariance` are the true dynamics dx = f(x) dt + σ dW with Σ = σσᵀ (D, D)
    where they are known, for comparison only: no inference reads them. Values are kept as float64. Raises `BadInput`
    for other shapes than (M, D), complex numbers, NaN and infinities, constant and duplicate columns.
    """

    x: np.ndarray  # (M, D); no other shape outlives construction, which says what is wrong with it
    names: tuple[str, ...] = ()
    drift: Dynamics | None = None
    covariance: Float[np.ndarray, "D D"] | None = None
    source: str = "memory"

    def __post_init__(self):
        x = real_numbers("points", self.x)
        if x.ndim != 2 or x.size == 0:
            raise BadInput("points", "must have the shape (M, D)", x.shape)
        x = x.astype(np.float64)
        names = tuple(self.names) or default_names(x.shape[1])
        _check_names(names, x.shape[1])
        _check_values(x, names)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "names", names)

    def __repr__(self) -> str:
        return f"Points({self.count} × {self.dimension} of {', '.join(self.names)}, from {self.source})"

    @property
    def count(self) -> int:
        """M, the number of points."""
        return self.x.shape[0]

    @property
    def dimension(self) -> int:
        """D, the number of variables."""
        return self.x.shape[1]

    def sorted(self) -> Float[np.ndarray, "M D"]:
        """The points in lexicographic order: the same array whatever the order in which they came."""
        return self.x[np.lexsort(self.x.T[::-1])]


def _check_names(names: Sequence[str], dimension: int) -> None:
    if len(names) != dimension or len(set(names)) < dimension or not all(names):
        raise BadInput("names", f"must name each of the {dimension} variables once", ", ".join(names))


def _check_values(x: np.ndarray, names: Sequence[str]) -> None:
    bad = ~np.isfinite(x)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        where = f"{bad.sum()} NaN or infinite values, the first in point {row}, {names[column]}"
        raise BadInput("points", "must be finite", where, "Remove or mend them.")
    if len(x) < 2:
        return
    spread = np.ptp(x, axis=0)
    for name, width, first in zip(names, spread, x[0], strict=True):
        if width <= 1e-13 * abs(first) or width == 0:
            raise BadInput("points", "must vary in every variable", f"{name} = {first:g} everywhere", "Leave it out.")
        if not _LEAST < width < _MOST:
            rule = f"must vary by {_LEAST:g} to {_MOST:g} in every variable: powers of others leave the floats"
            raise BadInput("points", rule, f"{name} by {width:.3g}", "Take another unit.")
    steps = np.diff(x, axis=0)
    for name, each, (first, second) in zip(names, steps.T, x[:2].T, strict=True):
        if len(x) >= _COUNTED and np.ptp(each) < 1e-6 * abs(each.mean()):
            rule = "must be in no order: a variable that grows evenly from point to point is a row number or a time"
            remedy = "Leave it out; points in order of time go to `ordered`."
            raise BadInput("points", rule, f"{name} = {first:g}, {second:g}, …", remedy)
    unit = (x - x.mean(0)) / spread
    for i in range(len(names)):
        for j in range(i):
            same = len(x) > 2 and np.abs(unit[:, i] - unit[:, j]).max() < 1e-12  # but for shift and scale
            if np.array_equal(x[:, i], x[:, j]) or same:
                raise BadInput(
                    "points", "must not hold a variable twice", f"{names[j]} and {names[i]}", "Leave one out."
                )
