"""Heaps of points in a panel: few enough dots to see through, the same ones in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..observations.points import Points

DOTS = 4000  # more only blacken the page


def some(points: Points, count: int = DOTS) -> np.ndarray:
    """At most so many of the points, whatever the order in which they came."""
    x = points.sorted()
    return x[np.random.default_rng(0).permutation(len(x))[:count]]


def pair(dimension: int) -> tuple[int, int]:
    """Which two variables stand for all: the first and the last."""
    return 0, dimension - 1


def draw_dots(axes: Axes, x: np.ndarray, axis: Sequence[int], color: str) -> None:
    """Two variables of points (M, D); of one variable its histogram."""
    i, j = axis
    if i == j:
        axes.hist(x[:, i], 60, color=color)
    else:
        axes.plot(x[:, i], x[:, j], ".", markersize=1.5, color=color, alpha=0.5, rasterized=True)


def axis_names(names: Sequence[str], axis: Sequence[int]) -> tuple[str, str]:
    """What the two axes of `draw_dots` are called."""
    i, j = axis
    return names[i], "points" if i == j else names[j]


def heap_name(points: Points) -> str:
    """Where the points come from, without the way there; "points" where they come from nowhere."""
    return "points" if points.source == "memory" else points.source.rstrip("/").rpartition("/")[2]
