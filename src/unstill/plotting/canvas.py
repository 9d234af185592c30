"""The picture of one moment of a film: panels in a grid, their labels, a title, a clock and a colour bar."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from .arrangement import best_columns, places
from .colors import panel_pixels, robust_limits
from .figures import GREY, INK, new_figure, rendered, shrink
from .labels import clock_words
from .trails import with_trails

if TYPE_CHECKING:
    from ..tracking import Tracks

# All in pixels.
_PANEL = 384  # what a panel aims at
_WIDEST = 1920  # what the film aims at where there are many panels
_NARROWEST = 400  # what title, clock and colour bar need
_GAP, _HEADER, _LABEL = 16, 58, 24
_TITLE_LINE, _CLOCK_LINE = 20, 44  # centres of the two lines of the header
_BAR = (120, 10)  # width and height of the colour bar


@dataclasses.dataclass(frozen=True)
class Panel:
    """One film among several: frames (T, H, W), their times (T,), a label, and what the clock counts."""

    frames: np.ndarray
    ts: np.ndarray
    label: str = ""
    clock: str = "time"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where panels lie on the canvas, in pixels: a grid of equal boxes, cells magnified `scale` times."""

    cells: tuple[int, int]
    count: int
    scale: int
    columns: int
    label: int

    @classmethod
    def of(cls, panels: Sequence[Panel], size: int | None = None) -> Layout:
        """With few blanks. `size` is the longest side of a panel, met by a whole magnification."""
        rows, width = (max(p.frames.shape[axis] for p in panels) for axis in (1, 2))
        columns = best_columns(len(panels), width / rows)
        if size is None:
            scale = math.ceil(min(_PANEL, _WIDEST / columns) / max(rows, width))
        else:
            scale = max(1, size // max(rows, width))
        label = _LABEL if any(p.label for p in panels) else 0
        return cls((rows, width), len(panels), scale, columns, label)

    def box(self, i: int) -> tuple[int, int]:
        """Top and left pixel of panel i."""
        row, column = places(self.count, self.columns)[i]
        height, width = (n * self.scale for n in self.cells)
        left = (self.shape[1] - self._across) / 2 + _GAP  # in the middle where title and bar are wider
        return _HEADER + self.label + row * (height + self.label + _GAP), round(left + column * (width + _GAP))

    @property
    def _across(self) -> int:
        """Width of the panels with their gaps."""
        return _GAP + self.columns * (self.cells[1] * self.scale + _GAP)

    @property
    def shape(self) -> tuple[int, int]:
        """Canvas (rows, columns), both even, as H.264 wants them."""
        rows = math.ceil(self.count / self.columns)
        height = _HEADER + rows * (self.label + self.cells[0] * self.scale + _GAP)
        width = max(_NARROWEST, self._across)
        return height + height % 2, width + width % 2


class Canvases(Sequence):
    """The film's pictures, bytes (rows, columns, 3), one at each time of the panel with the most frames.

    Drawn when asked for, so that a film of gigabytes needs no more memory than one picture.
    """

    def __init__(
        self,
        panels: Sequence[Panel],
        title: str = "",
        field: str = "",
        *,
        colormap: str,
        size: int | None = None,
        limits: tuple[float, float] | None = None,
        trails: Tracks | None = None,
    ):
        from matplotlib import colormaps

        if colormap not in colormaps:
            raise BadInput("colormap", "must be a Matplotlib colour map", repr(colormap))
        self.panels, self.colormap, self.trails = panels, colormap, trails
        self.limits = robust_limits(p.frames for p in panels) if limits is None else limits
        if not self.limits[0] < self.limits[1]:
            raise BadInput("limits", "must be (low, high) with low < high", limits)
        self.layout = Layout.of(panels, size)
        self._longest = max(panels, key=lambda p: len(p.ts))
        self._ground = _ground(panels, self.layout, (title, field), colormap, self.limits)
        self._clock = _Clock()
        self._told = clock_words(self._longest.ts)

    def __len__(self) -> int:
        return len(self._longest.ts)

    def __getitem__(self, i):
        t = float(self._longest.ts[i])
        canvas = self._ground.copy()
        for place, panel in enumerate(self.panels):
            latest = max(0, int(np.searchsorted(panel.ts, t, side="right")) - 1)
            pixels = panel_pixels(panel.frames[latest], self.limits, colormap=self.colormap, scale=self.layout.scale)
            if self.trails is not None:
                pixels = with_trails(pixels, self.trails, latest, self.layout.scale)
            _paste(canvas, pixels, *self.layout.box(place))
        words = self._clock.read(f"{self._longest.clock} {self._told[i]}")
        _paste(canvas, words, _CLOCK_LINE - words.shape[0] // 2, _GAP)
        return canvas


def _paste(canvas: np.ndarray, pixels: np.ndarray, top: int, left: int) -> None:
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels


def _ground(panels, layout: Layout, told: tuple[str, str], colormap: str, limits) -> np.ndarray:
    """The canvas without states and clock: title, labels, colour bar with the name of its field."""
    (title, field), (height, width) = told, layout.shape
    figure = new_figure(width / 100, height / 100)

    def write(text: str, left: float, middle: float, room: float, align: str = "left", size: float = 9, color=INK):
        words = figure.text(left / width, 1 - middle / height, text, size=size, color=color, ha=align, va="center")
        shrink(words, room)

    write(title, _GAP, _TITLE_LINE, width - 2 * _GAP, size=11)
    for i, panel in enumerate(panels):
        top, left = layout.box(i)
        write(panel.label, left, top - _LABEL / 2, layout.cells[1] * layout.scale)
    low, high = (_short(limit, limits) for limit in limits)
    room = 7 * max(len(low), len(high)) + 4
    bar_right = width - _GAP - room
    write(f"{field}   {low}".strip(), bar_right - _BAR[0] - 6, _CLOCK_LINE, 2 * room, "right", color=GREY)
    write(high, bar_right + 6, _CLOCK_LINE, room, color=GREY)
    ground = rendered(figure)[:height, :width].copy()
    ramp = np.broadcast_to(np.linspace(limits[0], limits[1], _BAR[0]), (_BAR[1], _BAR[0]))
    bar = panel_pixels(ramp, limits, colormap=colormap)
    _paste(ground, bar, _CLOCK_LINE - _BAR[1] // 2, bar_right - _BAR[0])
    return ground


def _short(limit: float, limits: tuple[float, float]) -> str:
    # 1e-30 beside 0.4 is nought to the eye.
    return "0" if abs(limit) < 1e-3 * (limits[1] - limits[0]) else f"{limit:.3g}"


class _Clock:
    """Draws the running time on a small card of its own: much cheaper than the whole canvas at every frame."""

    def __init__(self):
        self._figure = new_figure(1.3, 0.22)
        self._words = self._figure.text(0, 0.5, "", fontsize=10, color=INK, va="center")

    def read(self, text: str) -> np.ndarray:
        self._words.set_text(text)
        return rendered(self._figure)
