"""`plot_icons`: a sheet of pictures of an icon, the icon itself, and one picture with its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .figures import GREY, INK, shrink
from .page import HEAD, MARGIN, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..icons import DrawnIcons

_COLUMNS, _MOST = 4, 8  # pictures in a row, and in all
_SIDE, _GAP, _FOOT = 2.1, 0.14, 0.25  # inches: a picture, what is between two, what is below the last
_RIM = 1.15  # of the icon's panel, in radii of its circle
_ENLARGED = 320  # pixels of the icon's panel
_TRUTH = "#ff4fa3"  # on dark and on light grounds


def plot_icons(found: DrawnIcons) -> Figure:
    """The icon with its circle; the first picture with the places and angles that made it; the first pictures."""
    shown = min(_MOST, len(found.pictures))
    rows = max(2, -(-shown // _COLUMNS))
    step, high = _SIDE + _GAP, _SIDE + TITLE
    page = Page(MARGIN + (_COLUMNS + 1) * step + 0.2, HEAD + rows * high + _FOOT)
    samples, _, height, width = found.pictures.shape
    page.head(
        f"{samples:,} pictures of {found.icon.name}, {found.places.shape[1]} in each",
        f"{height} × {width} pixels of {', '.join(found.names)} · {found.message}",
    )
    _draw_icon(page.axes(MARGIN, HEAD + TITLE, _SIDE, _SIDE), found)
    _draw_truth(page.axes(MARGIN, HEAD + high + TITLE, _SIDE, _SIDE), found)
    for m in range(shown):
        row, column = divmod(m, _COLUMNS)
        axes = page.axes(MARGIN + (column + 1) * step + 0.1, HEAD + row * high + TITLE, _SIDE, _SIDE)
        _draw(axes, found.pictures[m], f"picture {m}")
    return page.figure


def _draw(axes: Axes, picture: np.ndarray, title: str) -> None:
    """A picture (C, H, W) in its own colours, or in grey."""
    shown = np.clip(np.moveaxis(np.broadcast_to(picture, (3, *picture.shape[1:])), 0, -1), 0, 1)
    axes.imshow(shown, interpolation="nearest", origin="upper")
    shrink(axes.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False), axes.bbox.width)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=GREY, linewidth=0.5)  # grounds may be white


def _draw_icon(axes: Axes, found: DrawnIcons) -> None:
    """The icon as it stands at angle 0, much enlarged, in the circle that keeps it apart from others."""
    across = np.linspace(-_RIM, _RIM, _ENLARGED) * found.icon.radius
    stamp = found.icon.stamp(found.icon.channels(found.colour), across, across, 0.0)
    _draw(axes, stamp[:-1] + (1 - stamp[-1]) * found.under[:, None, None], "the icon, and its circle")
    turn, pixels = np.linspace(0, 2 * np.pi, 200), _ENLARGED / (2 * _RIM)
    middle = (_ENLARGED - 1) / 2
    axes.plot(middle + pixels * np.cos(turn), middle + pixels * np.sin(turn), color=_TRUTH, linewidth=1)


def _draw_truth(axes: Axes, found: DrawnIcons) -> None:
    """The first picture under circles at the places, each with a line that shows the angle."""
    size, radius, turn = found.pictures.shape[-1], found.icon.radius, np.linspace(0, 2 * np.pi, 60)
    _draw(axes, found.pictures[0], "picture 0, its places and angles")
    for place, angle in zip(found.places[0], found.angles[0], strict=True):
        for row in (place[0] - size, place[0], place[0] + size):  # a circle over an edge comes in on the other side
            for column in (place[1] - size, place[1], place[1] + size):
                axes.plot(column + radius * np.cos(turn), row + radius * np.sin(turn), color=_TRUTH, linewidth=0.8)
                tip = column + radius * np.cos(angle), row - radius * np.sin(angle)
                axes.plot([column, tip[0]], [row, tip[1]], color=_TRUTH, linewidth=0.8)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
