"""`plot_comparison`: heat maps of the losses between the pictures of a set, and the pictures themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from .colors import colormap_of, full_limits
from .figures import GREY, INK, draw_bar, draw_field, new_figure
from .labels import number, pick_field

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PICTURES = 12
_MOST_COLUMNS = 4
_SIDE, _STRIP = 3.4, 1.3  # inches: a heat map, the strip of pictures


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
    figure = new_figure(max(2, columns) * _SIDE, 0.4 + rows * _SIDE * 0.85 + _STRIP)
    figure.set_layout_engine("constrained")
    figure.suptitle(f"{count} pictures of {', '.join(pictures)}: loss of each against each", fontsize=11, color=INK,
                    x=0.01, ha="left")  # fmt: skip
    above, below = np.ravel(figure.subfigures(2, 1, height_ratios=(rows * _SIDE * 0.85, _STRIP)))
    panels = np.atleast_1d(above.subplots(rows, columns)).ravel()
    for axes, (name, matrix) in zip(panels, losses.items(), strict=False):
        _draw_matrix(above, axes, name, np.asarray(matrix))
    for axes in panels[len(losses) :]:
        axes.set_axis_off()
    shown = np.unique(np.linspace(0, count - 1, min(count, _MOST_PICTURES)).round().astype(int))
    limits = full_limits([pictures[field]])
    strip = np.atleast_1d(below.subplots(1, len(shown))).ravel()
    for axes, m in zip(strip, shown, strict=True):
        colormap = colormap_of(field, list(pictures))
        draw_field(axes, pictures[field][m], f"{field} {m}", limits=limits, colormap=colormap, ruler=False)
    return figure


def _draw_matrix(figure, axes: Axes, name: str, matrix: np.ndarray) -> None:
    low, high = percentile_limits(matrix)
    image = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=high, interpolation="nearest", origin="upper")
    median = np.median(matrix[~np.eye(len(matrix), dtype=bool)])
    axes.set_title(f"{name.rpartition('/')[2]}: median {number(float(median))}", fontsize=10, color=INK, loc="left")
    last = len(matrix) - 1
    axes.set_xticks([0, last], ["0", str(last)])
    axes.set_yticks([0, last], ["0", str(last)])
    axes.tick_params(length=0, labelsize=8, colors=GREY)
    for spine in axes.spines.values():
        spine.set_visible(False)
    draw_bar(figure, image, ax=axes, fraction=0.046, pad=0.03, extend="both")


def percentile_limits(matrix: np.ndarray) -> tuple[float, float]:
    """The 5th and the 95th percentile off the diagonal, which is zero and would hide all else."""
    low, high = np.percentile(matrix[~np.eye(len(matrix), dtype=bool)], [5, 95])
    return full_limits([np.array([low, high])])
