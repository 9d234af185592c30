"""`plot_inspection`: a picture of each field, its values, its spectrum, and how alike the pictures are."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .colors import DATA, FOUND, colormap_of, full_limits
from .figures import GREY, draw_field, dress
from .page import AXIS, BESIDE, HEAD, MARGIN, NOTE, NUMBERS, RULER, TITLE, Page, panel_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..observations.inspection import Inspection
    from ..observations.values import Look

_SIDE, _WIDE = 2.3, 2.7  # inches: of a picture; of a panel with its numbers
_MOST_FIELDS, _NOTE_LETTERS = 4, 150


def plot_inspection(found: Inspection) -> Figure:
    """One row a field, the first picture at its left; red is what is suspicious of values, and the wavelength."""
    names = list(found.fields)[:_MOST_FIELDS]
    size = panel_size(found.pictures.shape, _SIDE)
    several = found.pictures.count > 1
    width = MARGIN + _SIDE + BESIDE + 2 * (NUMBERS + _WIDE) + (NUMBERS + _SIDE + BESIDE if several else 0.2)
    lines = [f"{found.table()[0][1]} of {found.pictures.source}"]
    for each in found.suspicious:
        lines += textwrap.wrap(f"suspicious: {each}", int(_NOTE_LETTERS * width / 13))
    row = TITLE + max(size[1], 1.6) + max(RULER, AXIS) + 0.15
    page = Page(width, HEAD + NOTE * len(lines) + row * len(names))
    page.head(f"inspection: {found.message}", *lines)
    for i, name in enumerate(names):
        top = HEAD + NOTE * len(lines) + row * i + TITLE
        _row(page, found, name, top, size)
    if several:
        _likeness(page, found, width - _SIDE - BESIDE, HEAD + NOTE * len(lines) + TITLE)
    return page.figure


def _row(page: Page, found: Inspection, name: str, top: float, size: tuple[float, float]) -> None:
    first, each, high = found.pictures.fields[name][0], found.fields[name], max(size[1], 1.6)
    axes = page.axes(MARGIN, top, *size)
    colormap = colormap_of(name, list(found.fields))
    title = f"{name}, the first of {found.pictures.count}" if found.pictures.count > 1 else name
    image = draw_field(axes, first, title, limits=full_limits([first]), colormap=colormap)
    page.bar(image, name, MARGIN + size[0], top, size[1])
    left = MARGIN + _SIDE + BESIDE + NUMBERS
    _values(page.axes(left, top, _WIDE, high), each, name)
    _spectrum(page.axes(left + _WIDE + NUMBERS, top, _WIDE, high), each)


def _values(axes, each: Look, name: str) -> None:
    edges, counts = each.histogram
    share = counts / counts.sum()
    colours = np.full(len(share), DATA, object)
    colours[0], colours[-1] = (FOUND if piled else DATA for piled in (each.at_low, each.at_high))
    axes.bar(edges[:-1], share, np.diff(edges), align="edge", color=list(colours))
    axes.set_yscale("log")
    _plain_powers(axes.yaxis)
    dress(axes, "values of all cells", name, "")


def _spectrum(axes, each: Look) -> None:
    from matplotlib.ticker import LogLocator

    wavelengths, power, waves = each.spectrum
    whole = max(float(power.sum()), 1e-300)
    axes.loglog(wavelengths, np.maximum(power / whole, 1e-16), color=DATA, linewidth=1.2)
    if each.wavelength is not None:
        axes.axvline(each.wavelength, color=FOUND, linewidth=0.9)
    if each.noise_detected and each.noise > 0:
        axes.plot(wavelengths, waves * each.noise**2 / whole, color=GREY, linewidth=0.9, linestyle="--")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        _plain_powers(axis)
    wave = "variance" if each.wavelength is None else f"variance, peak at {each.wavelength:.3g}"
    dress(axes, f"{wave}{'; dashed: noise' if each.noise_detected else ''}", "wavelength, cells", "")


def _plain_powers(axis) -> None:
    """0.01 or 1e-06: mathematical letters need fonts that not every machine has."""
    from matplotlib.ticker import NullFormatter

    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def _likeness(page: Page, found: Inspection, left: float, top: float) -> None:
    from matplotlib.ticker import MaxNLocator

    distances = found.likeness.distances
    axes = page.axes(left, top, _SIDE, min(_SIDE, page.height - top - AXIS))
    image = axes.imshow(distances, cmap="viridis", vmin=0, vmax=max(float(distances.max()), 1e-12), aspect="auto")
    dress(axes, "distances of pictures", "place in the file", "")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    page.bar(image, "distance", left + _SIDE, top, 1.6)
