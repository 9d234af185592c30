"""`plot_comparison`: heat maps of the losses between the pictures of a set, and the pictures themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from .colors import colormap_of, full_limits
from .figures import GREY, INK, draw_field, shrink
from .labels import number, pick_field
from .page import BESIDE, HEAD, MARGIN, RULER, TITLE, Page, panel_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..fitting.comparison import Comparison

_MOST_PICTURES = 12
_MOST_COLUMNS = 4
# All in inches: a heat map, and its cell with title and numbers; the greatest picture of the strip, what is between.
_SIDE, _CELL, _LARGEST, _BETWEEN = 2.8, 3.45, 1.2, 0.08
_NARROWEST = 5.4


def plot_comparison(losses: Mapping[str, np.ndarray], pictures: Mapping[str, np.ndarray]) -> Figure:
    """One heat map (M, M) a loss, in colours from the 5th to the 95th percentile off the diagonal.

    Below are at most 12 of the `pictures`, arrays (M, H, W) by field name, evenly spread and in the order of the axes:
    v where it is there, else the first field. Raises `BadInput` for matrices that do not fit the pictures.
    """
    field = pick_field(list(pictures), None)
    count = len(pictures[field])
    for name, matrix in losses.items():
        if np.shape(matrix) != (count, count):
            raise BadInput("losses", f"must be of the {count} pictures, each with each", f"{name}: {np.shape(matrix)}")
    columns = min(len(losses), _MOST_COLUMNS)
    rows = -(-len(losses) // columns)
    width, below = max(_NARROWEST, MARGIN + columns * (_SIDE + BESIDE)), HEAD + rows * _CELL
    shown = np.unique(np.linspace(0, count - 1, min(count, _MOST_PICTURES)).round().astype(int))
    each = min(_LARGEST, (width - MARGIN - BESIDE) / len(shown) - _BETWEEN)
    size = panel_size(pictures[field].shape, each)
    page = Page(width, below + TITLE + size[1] + RULER)
    page.head(
        f"{count} pictures of {', '.join(pictures)}: the loss of each against each",
        "colours from the 5th to the 95th percentile, without the diagonal" if count > 2 else "colours from 0",
    )
    for i, (name, matrix) in enumerate(losses.items()):
        row, column = divmod(i, columns)
        _draw_matrix(page, name, np.asarray(matrix), MARGIN + column * (_SIDE + BESIDE), HEAD + row * _CELL)
    _draw_strip(page, field, pictures, shown, size, below + TITLE)
    return page.figure


def comparison_figure(found: Comparison) -> Figure:
    """The figure of a comparison."""
    return plot_comparison(found.losses, found.pictures)


def _draw_matrix(page: Page, path: str, matrix: np.ndarray, left: float, top: float) -> None:
    name = path.rpartition("/")[2]
    low, high = percentile_limits(matrix)
    axes = page.axes(left, top + TITLE, _SIDE, _SIDE)
    image = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=high, interpolation="nearest", origin="upper")
    median = np.median(matrix[~np.eye(len(matrix), dtype=bool)])
    title = axes.set_title(f"{name}: median {number(float(median))}", fontsize=10, color=INK, loc="left")
    shrink(title, (_SIDE + BESIDE / 2) * page.figure.dpi)
    last = len(matrix) - 1
    axes.set_xticks([0, last], ["0", str(last)])
    axes.set_yticks([0, last], ["0", str(last)])
    axes.set_xlabel("number of the picture", fontsize=8, color=GREY, labelpad=-8 if last > 1 else 0)
    axes.tick_params(length=0, labelsize=8, colors=GREY)
    for spine in axes.spines.values():
        spine.set_visible(False)
    page.bar(image, "loss", left + _SIDE, top + TITLE, _SIDE, extend="both", extendfrac=0.03)


def _draw_strip(page: Page, field: str, pictures, shown: np.ndarray, size: tuple[float, float], top: float) -> None:
    """Pictures by number, on one colour scale."""
    colormap, limits = colormap_of(field, list(pictures)), full_limits([pictures[field]])
    for place, m in enumerate(shown):
        left = MARGIN + place * (size[0] + _BETWEEN)
        axes, title = page.axes(left, top, *size), f"{field} {m}"
        image = draw_field(axes, pictures[field][m], title, limits=limits, colormap=colormap, ruler=False)
    page.bar(image, field, left + size[0], top, size[1])


def percentile_limits(matrix: np.ndarray) -> tuple[float, float]:
    """The 5th and the 95th percentile off the diagonal, which is zero and would hide all else; of two pictures, whose
    one loss has no percentiles, all from 0."""
    low, high = (
        np.percentile(matrix[~np.eye(len(matrix), dtype=bool)], [5, 95]) if len(matrix) > 2 else (0, matrix.max())
    )
    return full_limits([np.array([low, high])])
