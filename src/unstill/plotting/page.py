"""A page on which pictures are placed in inches: the panels of a figure are equal, whatever their words are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .arrangement import best_columns, places
from .figures import GREY, INK, draw_bar, draw_field, new_figure, shrink

# All in inches.
HEAD, NOTE = 0.6, 0.18  # a heading with one note; a further line of small text
MARGIN = 0.35  # at the page's edges; the left one holds the ruler
TITLE, RULER = 0.35, 0.3  # above and below a panel
BESIDE = 0.95  # beside a panel: its colour bar, and the next one's ruler
NUMBERS, AXIS = 0.75, 0.55  # left of a panel with axes, and below it
_GAP, _BAR = 0.2, 0.1  # between panels that share a bar; beside a bar, and its width
_TALLEST = 1.5  # of a panel, in units of its greatest width


def panel_size(shape: tuple[int, ...], side: float) -> tuple[float, float]:
    """Width and height of a panel for a field (…, H, W): `side` wide, unless that is too high."""
    aspect = shape[-2] / shape[-1]
    return (side, side * aspect) if aspect <= _TALLEST else (side * _TALLEST / aspect, side * _TALLEST)


class Page:
    """A figure on which things are placed in inches from the top left corner."""

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.figure = new_figure(width, height)

    def write(
        self, text: str, left: float, middle: float, *, size: float, color: str = INK, room: float = np.inf, **style
    ) -> None:
        """A line of text, made smaller where it would leave its room or the page."""
        x, y = left / self.width, 1 - middle / self.height
        words = self.figure.text(x, y, text, fontsize=size, color=color, va="center", parse_math=False, **style)
        shrink(words, min(room, self.width - left - 0.1) * self.figure.dpi)

    def head(self, title: str, *notes: str) -> None:
        """What is shown and how it ended; below it, smaller, what it was made with: HEAD inches, and NOTE for each
        note after the first."""
        self.write(title, 0.1, 0.2, size=12, weight="bold")
        self.lines(notes, 0.1, 0.36, size=9, color=GREY)

    def lines(self, lines: Sequence[str], left: float, top: float, *, size: float, **style) -> None:
        """Lines of text below each other."""
        for i, line in enumerate(lines):
            self.write(line, left, top + (i + 0.5) * NOTE, size=size, **style)

    def axes(self, left: float, top: float, width: float, height: float, **style):
        """Axes of this size."""
        bottom = 1 - (top + height) / self.height
        return self.figure.add_axes((left / self.width, bottom, width / self.width, height / self.height), **style)

    def row(self, count: int, top: float, height: float, width: float | None = None) -> list:
        """Equal panels side by side, with room for their numbers."""
        each = (self.width if width is None else width) / count
        return [self.axes(i * each + NUMBERS, top, each - NUMBERS - _GAP, height) for i in range(count)]

    def bar(self, image, name: str, left: float, top: float, height: float, **style) -> None:
        """The colour bar of what ends at `left`, with the name of its field above."""
        draw_bar(self.figure, image, name, cax=self.axes(left + _BAR, top, _BAR, height), **style)


class Block:
    """Equal panels in a grid that share one colour bar. `width` and `height` hold titles, bar and ruler too."""

    def __init__(self, count: int, size: tuple[float, float]):
        self.count, self.size = count, size
        self.columns = best_columns(count, size[0] / size[1])
        rows = -(-count // self.columns)
        self.width = self.columns * (size[0] + _GAP) - _GAP + BESIDE
        self.height = rows * (size[1] + TITLE) + RULER

    def draw(
        self, page: Page, fields: np.ndarray, titles: Sequence[str], left: float, top: float, *, name: str,
        limits: tuple[float, float], colormap: str,
    ) -> None:  # fmt: skip
        """Draw fields (M, H, W) from this corner on; the first one of the last row has the ruler."""
        (width, height), spots = self.size, places(self.count, self.columns)
        lowest = self.count + -self.count % self.columns - self.columns
        for i, (row, column) in enumerate(spots):
            corner = left + column * (width + _GAP), top + TITLE + row * (height + TITLE)
            image = draw_field(
                page.axes(*corner, width, height), fields[i], titles[i], limits=limits, colormap=colormap,
                ruler=i == lowest,
            )  # fmt: skip
        page.bar(image, name, left + self.width - BESIDE, top + TITLE, self.height - TITLE - RULER)
