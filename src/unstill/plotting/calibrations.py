"""`plot_calibration`: errors of repeated recoveries in units of their standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .colors import DATA, FOUND, PALE
from .figures import GREY
from .page import AXIS, HEAD, Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..recovery.calibration import Calibration

_WIDE, _HIGH = 2.6, 2.6  # inches of a panel, with its numbers
_SHOWN = 6.0  # standard deviations: what lies beyond is drawn at the edge


def plot_calibration(found: Calibration) -> Figure:
    """One panel a number: the sorted z = (value − truth)/std of all repeats against those of a normal distribution,
    blue inside ±1.96 and red outside; on the diagonal the intervals are right, flatter they are too wide."""
    names = list(found.coverage)
    page = Page(max(len(names) * _WIDE + 0.4, 5.4), HEAD + 0.5 + _HIGH + AXIS)
    page.head(f"{found.system.name}: do the intervals hold the truth?", found.message)
    if not names:
        page.write("nothing to show", 0.6, HEAD + 1.0, size=10, color=GREY)
        return page.figure
    for axes, name in zip(page.row(len(names), HEAD + 0.5, _HIGH - 0.4), names, strict=True):
        _draw(axes, found, name)
    return page.figure


def _draw(axes, found: Calibration, name: str) -> None:
    from scipy.stats import norm

    each = found.coverage[name]
    pairs = [(row["values"][name], row["std"][name]) for row in found.rows if row["std"].get(name)]
    z = np.sort([(value - each.truth) / std for value, std in pairs])
    expected = norm.ppf((np.arange(len(z)) + 0.5) / len(z))
    axes.axhspan(-1.96, 1.96, color=PALE, alpha=0.4, linewidth=0)
    axes.plot([-3, 3], [-3, 3], color=GREY, linewidth=0.8)
    colours = np.where(np.abs(z) <= 1.96, DATA, FOUND)
    axes.scatter(expected, np.clip(z, -_SHOWN, _SHOWN), c=colours, s=12, linewidth=0)
    axes.set(xlim=(-3, 3), ylim=(-_SHOWN, _SHOWN))
    axes.set_title(f"{name}: {each.share:.0%} held", fontsize=10, loc="left", parse_math=False)
    axes.set_xlabel("z of a normal distribution", fontsize=8, color=GREY)
    axes.set_ylabel("(value − truth) / std", fontsize=8, color=GREY)
    axes.tick_params(labelsize=8, colors=GREY)
