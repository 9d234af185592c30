"""`plot_agreement`: cosines with the truth with their intervals, and the confusion among presets."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .colors import DATA, FOUND
from .figures import GREY, INK, dress
from .labels import number
from .page import AXIS, HEAD, NOTE, NUMBERS, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..analysis.agreement import Agreement, Cosine

_WIDTH, _LEAST, _ROW = 12.6, 1.6, 0.34  # inches: the page; the panels' least height; a flow's row
_NAMES = 0.8  # room for the names of flows and presets


def plot_agreement(found: Agreement) -> Figure | None:
    """None where the pictures are at rest: there is nothing to draw."""
    if not found.field:
        return None
    names = list(found.field)
    side = max(_LEAST, _ROW * len(names) + 0.3)
    message = textwrap.wrap(f"{found.message}; truth: {', '.join(f'{n} = {v:g}' for n, v in found.truth.items())}", 150)
    top = HEAD + NOTE * (len(message) - 1) + TITLE
    page = Page(_WIDTH, top + side + AXIS + _NAMES + 0.2)
    page.head("agreement of learnt dynamics with the truth", *message)
    left = NUMBERS + 0.6
    axes = page.axes(left, top, 4.2, side)
    _draw_cosines(axes, list(found.field.values()), -0.12, FOUND, "field")
    _draw_cosines(axes, list(found.displacement.values()), 0.12, DATA, f"displacement over {number(found.time)}")
    assert found.chance is not None
    axes.axvspan(-found.chance, found.chance, color="#dddddd", zorder=0, label="95 % of random rules")
    axes.axvline(0, color=GREY, linewidth=0.7)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(-1.05, 1.05))
    axes.set_yticks(range(len(names)), names)
    dress(axes, "cosine with the truth, 95 % over pictures", "cosine", "")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.45 / side), ncols=3, fontsize=8, frameon=False)
    presets = list(next(iter(found.confusion.values())))
    if presets:
        right = left + 4.2 + 1.6
        table = np.array([[found.confusion[name][p] for p in presets] for name in names])
        heat = page.axes(right, top, _WIDTH - right - 0.9, side)
        image = heat.imshow(table, aspect="auto", cmap="RdBu_r", vmin=-1, vmax=1)
        heat.set_xticks(range(len(presets)), presets, rotation=60, ha="right", fontsize=8, color=INK)
        heat.set_yticks(range(len(names)), names, fontsize=8, color=INK)
        heat.set_title("cosine with the drift of every preset", fontsize=10, color=INK, loc="left")
        page.bar(image, "cosine", _WIDTH - 0.9, top, side)
    return page.figure


def _draw_cosines(axes, values: list[Cosine], shift: float, color: str, label: str) -> None:
    middle = np.array([one.value for one in values])
    ends = np.array([[one.low, one.high] for one in values])
    finite = np.isfinite(middle)
    rows = np.arange(len(values)) + shift
    error = np.abs(ends.T - middle)[:, finite]
    axes.errorbar(middle[finite], rows[finite], xerr=error, fmt="o", color=color, markersize=4, capsize=2, label=label)
