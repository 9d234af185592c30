"""What all figures share: style, panels, saving. Matplotlib's object interface only: no pyplot, no global state."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from ..files.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.text import Text

INK, GREY = "#1a1a1a", "#6b6b6b"
DPI = 150
_FLAT = 3  # letters of a name that stands upright beside its axis
_FORMATS = (".png", ".pdf", ".svg")


def new_figure(width: float, height: float, *, dpi: float = 100) -> Figure:
    """An empty white figure, in inches, that draws without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white", dpi=dpi)
    FigureCanvasAgg(figure)
    return figure


def rendered(figure: Figure) -> np.ndarray:
    """The figure as bytes (rows, columns, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def shrink(words: Text, room: float) -> None:
    """Make a text smaller that is longer than its room in pixels, rather than let it run into its neighbour."""
    drawn = words.get_window_extent().width
    if drawn > room:
        words.set_fontsize(float(words.get_fontsize()) * room / drawn)


def halo(width: float = 3.3) -> list:
    """White around lines and words, in points: readable on any ground."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="white", alpha=0.9)]


def dress(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """The style of all panels that are no pictures: a title, two thin spines, small grey numbers, names of the axes."""
    axes.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False)
    axes.set_xlabel(x, fontsize=9, color=INK, parse_math=False)
    name = axes.set_ylabel(y, fontsize=9, color=INK, parse_math=False)
    if y and len(y) <= _FLAT:
        name.set(rotation=0, ha="right", va="center")
    axes.tick_params(which="major", labelsize=8, colors=GREY, length=3)
    axes.tick_params(which="minor", labelsize=7, colors=GREY, length=2)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)
        spine.set_linewidth(0.6)


def dot_of_one(x: np.ndarray) -> str | None:
    """The marker of a line: a dot where it has one point only, which would not be seen."""
    return "o" if len(x) == 1 else None


def draw_field(
    axes: Axes, field: np.ndarray, title: str, *, limits: tuple[float, float], colormap: str, ruler: bool = True
) -> AxesImage:
    """One field (H, W), row 0 at the top, with its title and, as a `ruler`, the number of cells on the edges."""
    image = axes.imshow(field, cmap=colormap, vmin=limits[0], vmax=limits[1], interpolation="nearest", origin="upper")
    shrink(axes.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False), axes.bbox.width)
    rows, columns = field.shape
    axes.set_xticks([-0.5, columns - 0.5], ["0", f"{columns} cells"] if ruler else ["", ""])
    axes.set_yticks([-0.5, rows - 0.5], ["0", str(rows)] if ruler else ["", ""])
    axes.tick_params(length=0, labelsize=8, colors=GREY)
    # Numbers keep within the panel's edges, so that neighbours do not touch.
    for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
        label.set_horizontalalignment(side)
    for label, side in zip(axes.get_yticklabels(), ("top", "bottom"), strict=True):
        label.set_verticalalignment(side)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def draw_bar(figure: Figure, image: AxesImage, name: str, **place) -> None:
    """A colour bar of few ticks, with the name of what it tells above; `place` is that of `Figure.colorbar`."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    place = {"ticks": MaxNLocator(4), "format": FuncFormatter(lambda value, _: f"{value:.4g}")} | place
    bar = figure.colorbar(image, **place)
    bar.outline.set_visible(False)
    bar.ax.tick_params(which="both", length=2, labelsize=8, colors=GREY)
    bar.ax.set_title(name, fontsize=9, color=INK, loc="left", parse_math=False)


def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure whole or not at all, at 150 dots an inch.

    Args:
        figure: What to write.
        path: Where to; the suffix, `.png`, `.pdf` or `.svg`, says which.

    Raises `BadInput`.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in _FORMATS:
        raise BadInput("path", f"must end in {', '.join(_FORMATS)}", path)
    with replacing(path) as part:
        figure.savefig(part, dpi=DPI)
