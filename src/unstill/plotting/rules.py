"""`plot_rule`: a picture, the rule's kinetics over the plane of two fields with nullclines and data, and its words."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .colors import colormap_of, full_limits
from .figures import INK, draw_field, dress
from .page import BESIDE, HEAD, MARGIN, NOTE, NUMBERS, TITLE, Page, panel_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..rules import LearntRule

_SIDE, _BELOW, _LINES = 3.3, 0.65, 6
_CELLS = 60  # a side of the map
_POINTS = 200_000  # of the data's density
_EDGE = 0.005  # of the data, left out at each end of the map's axes
_DENSE = (0.5, 0.9, 0.99)  # of the data inside the lines of its density


def plot_rule(found: LearntRule) -> Figure:
    """One picture and the rates of uniform fields; curves of two of more fields are at the means of the others."""
    fields = found.fields[:2]
    body = [f"d{name}/dt = {side}" for name, side in (found.equations() or {}).items()]
    lines = [w for line in body for w in textwrap.wrap(line, 150, subsequent_indent=" " * 8)][:_LINES]
    message = textwrap.wrap(found.message, 150)
    top = HEAD + NOTE * (len(message) - 1) + TITLE
    width = MARGIN + _SIDE + BESIDE + len(fields) * (NUMBERS + _SIDE + BESIDE)
    page = Page(width, top + _SIDE + _BELOW + NOTE * len(lines) + 0.15)
    page.head(f"a local rule of {', '.join(found.fields)}: {_outcome(found)}", *message)
    page.lines(lines, NUMBERS, top + _SIDE + _BELOW, size=9.5, family="monospace")
    name = "v" if "v" in found.fields else fields[0]
    picture = found.pictures.fields[name][0]
    across, down = panel_size(picture.shape, _SIDE)
    title = f"{name}, one of {found.pictures.count} in no order"
    image = draw_field(page.axes(MARGIN, top, across, min(down, _SIDE)), picture, title,
                       limits=full_limits([picture]), colormap=colormap_of(name, found.fields))  # fmt: skip
    page.bar(image, name, MARGIN + across, top, min(down, _SIDE))
    for place, field in enumerate(fields):
        left = MARGIN + _SIDE + BESIDE + NUMBERS + place * (NUMBERS + _SIDE + BESIDE)
        axes = page.axes(left, top, _SIDE, _SIDE)
        if len(fields) == 1:
            _draw_curve(axes, found)
        else:
            page.bar(_draw_map(axes, found, place), f"d{field}/dt", left + _SIDE, top, _SIDE)
    return page.figure


def _outcome(found: LearntRule) -> str:
    return (
        f"{found.status}, {found.level}, χ² {found.chi2:.0f} with {found.dof} degrees of freedom, "
        f"nullity {found.nullity}, pace {found.scale}"
    )


def _values(found: LearntRule, axis: int) -> np.ndarray:
    values = found.pictures.fields[found.fields[axis]].ravel()
    return values[:: max(1, values.size // _POINTS)]


def _span(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, (_EDGE, 1 - _EDGE))
    margin = 0.05 * (high - low)
    return float(low - margin), float(high + margin)


def _draw_map(axes: Axes, found: LearntRule, field: int):
    """dc/dt of uniform fields as colours, its nullcline, and lines around shares of the data."""
    x, y = _values(found, 0), _values(found, 1)
    spans = [_span(x), _span(y)]
    ends = [np.linspace(*span, _CELLS) for span in spans]
    values = np.stack([*np.meshgrid(*ends), *(np.full((_CELLS, _CELLS), found.pictures.fields[name].mean())
                                              for name in found.fields[2:])])  # fmt: skip
    rate = found.rule.kinetics(values)[field]
    counts, *_ = np.histogram2d(y, x, bins=_CELLS, range=spans[::-1])
    seen = np.abs(rate[counts > 0])
    limit = float(np.quantile(seen, 0.98)) if seen.size else float(np.abs(rate).max())
    image = axes.imshow(rate, extent=(*spans[0], *spans[1]), origin="lower", aspect="auto", cmap="RdBu_r",
                        vmin=-limit, vmax=limit)  # fmt: skip
    if rate.min() < 0 < rate.max():
        axes.contour(*ends, rate, levels=[0.0], colors=[INK], linewidths=1.4)
    ranked = np.sort(counts.ravel())[::-1]
    shares = np.cumsum(ranked) / ranked.sum()
    levels = sorted({float(ranked[np.searchsorted(shares, share)]) for share in _DENSE})
    levels = [level for level in levels if 0 < level < counts.max()]
    if levels:
        axes.contour(*ends, counts, levels=levels, colors=["#666666"], linewidths=0.7, linestyles="dashed")
    name = found.fields[field]
    dress(axes, f"d{name}/dt without neighbours; bold: its nullcline", *found.fields[:2])
    return image


def _draw_curve(axes: Axes, found: LearntRule) -> None:
    """dc/dt of a uniform field against its value."""
    values = np.linspace(*_span(_values(found, 0)), 200)
    axes.plot(values, found.rule.kinetics(values[None])[0], color=INK)
    axes.axhline(0, color="#999999", linewidth=0.7)
    dress(axes, "rate without neighbours", found.fields[0], f"d{found.fields[0]}/dt")
