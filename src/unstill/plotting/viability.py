"""`plot_viability`: success of strategies by regime, and the most common failure where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._errors import BadInput
from .figures import GREY, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_DARK = 0.7  # a share from which the ground is dark


def plot_viability(rows: Sequence[Mapping[str, Any]], strategies: Sequence[str], regimes: Sequence[str]) -> Figure:
    """One panel a distance of the start: strategies down, regimes across, the share of successful starts as colour.

    `rows` are those of `fitting.viability.table`. A cell's word is how most failures ended. Raises `BadInput` for an
    empty table.
    """
    import numpy as np

    if not rows:
        raise BadInput("rows", "must hold at least one cell")
    distances = sorted({row["distance"] for row in rows})
    figure = new_figure(3.2 + 4.9 * len(distances), 1.2 + 0.42 * len(strategies))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(distances), sharey=True, squeeze=False)[0]
    for axes, distance in zip(panels, distances, strict=True):
        cells = {(row["row"], row["regime"]): row for row in rows if row["distance"] == distance}
        share = np.full((len(strategies), len(regimes)), np.nan)
        for (name, regime), row in cells.items():
            i, j = strategies.index(name), regimes.index(regime)
            share[i, j] = row["success"]
            _write_cell(axes, j, i, row)
        axes.imshow(share, cmap="YlGn", vmin=0, vmax=1.2, aspect="auto")
        axes.set_title(f"starts within ±{100 * distance:.0f} % of the truth", fontsize=10, color=INK, loc="left")
        axes.set_xticks(range(len(regimes)), regimes, fontsize=8, color=INK)
        axes.set_yticks(range(len(strategies)), strategies, fontsize=8, color=INK)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def _write_cell(axes, x: int, y: int, row: Mapping[str, Any]) -> None:
    """The share, and below it how most of the others ended."""
    failures = {end: n for end, n in row["ends"].items() if end != "success"}
    ink, pale = (INK, GREY) if row["success"] < _DARK else ("white", "white")
    axes.text(x, y - 0.12, f"{row['success']:.0%}", ha="center", va="center", fontsize=8, color=ink)
    if failures:
        worst = max(failures, key=lambda end: failures[end])
        axes.text(x, y + 0.25, worst, ha="center", va="center", fontsize=5.5, color=pale)
