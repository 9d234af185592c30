"""`plot_viability`: success of strategies by regime, and the most common failure where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .figures import GREY, INK, dress
from .page import HEAD, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..fitting import Viability


_PALE, _DARK = 0.3, 0.7  # shares up to which the ground is pale, and from which it is dark
# All in inches: a cell, names beside a panel by the letter, and below it; between panels; the page.
_CELL, _LETTER, _BELOW, _BETWEEN, _NARROWEST = (0.95, 0.42), 0.075, 0.35, 0.3, 6.0


def viability_figure(found: Viability) -> Figure | None:
    """The figure of a study, of its ways of fitting and regimes in their order."""
    names = [row.name for row in found.study.rows], [regime.name for regime in found.study.regimes]
    return plot_viability(found.rows, *names)


def plot_viability(rows: Sequence[Mapping[str, Any]], strategies: Sequence[str], regimes: Sequence[str]) -> Figure:
    """One panel a distance of the start: strategies down, regimes across, the share of successful starts as colour.

    `rows` are those of a `Viability`. A cell's word is how most failures ended. Raises `BadInput` for an empty table.
    """
    if not rows:
        raise BadInput("rows", "must hold at least one cell")
    distances = sorted({row["distance"] for row in rows})
    size = (_CELL[0] * len(regimes), _CELL[1] * len(strategies))
    beside = 0.2 + _LETTER * max(map(len, strategies))
    page = Page(max(_NARROWEST, beside + len(distances) * (size[0] + _BETWEEN)), HEAD + TITLE + size[1] + _BELOW)
    page.head(
        "fits by gradients through a simulation: which starts reach the truth?",
        "share of starts that end at the truth; below it, how most of the others ended",
    )
    for place, distance in enumerate(distances):
        axes = page.axes(beside + place * (size[0] + _BETWEEN), HEAD + TITLE, *size)
        share = np.full((len(strategies), len(regimes)), np.nan)
        for row in (row for row in rows if row["distance"] == distance):
            i, j = strategies.index(row["row"]), regimes.index(row["regime"])
            share[i, j] = row["success"]
            _write_cell(axes, j, i, row)
        axes.imshow(share, cmap="YlGn", vmin=0, vmax=1.2, aspect="auto")
        dress(axes, f"starts within ±{100 * distance:.0f} % of the truth")
        axes.set_xticks(range(len(regimes)), regimes, fontsize=8, color=INK)
        axes.set_yticks(range(len(strategies)), strategies if place == 0 else [], fontsize=8, color=INK)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return page.figure


def _write_cell(axes, x: int, y: int, row: Mapping[str, Any]) -> None:
    """The share, and below it how most of the others ended."""
    failures = {end: n for end, n in row["ends"].items() if end != "success"}
    ink, pale = (INK, INK if row["success"] > _PALE else GREY) if row["success"] < _DARK else ("white", "white")
    axes.text(x, y - 0.14, f"{row['success']:.0%}", ha="center", va="center", fontsize=8.5, color=ink)
    if failures:
        worst = max(failures, key=lambda end: failures[end])
        axes.text(x, y + 0.24, worst, ha="center", va="center", fontsize=6.5, color=pale)
