"""`plot_uniqueness`: the table of cosines, all fields in a plane, and which families keep the density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .figures import GREY, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..flows.diagnosis import Preservation
    from ..flows.families import Families

_COLORS = (
    "#b40426", "#3b4cc0", "#2a9d4a", "#8a5a00", "#7b3294", "#1a1a1a", "#c2a5cf", "#00b4d8", "#e08214", "#a0a0a0",
)  # fmt: skip


def plot_uniqueness(found: Families, kept: Mapping[str, Preservation]) -> Figure:
    """The table of mean |cosine|, the plane of fields, MMD² over time by family."""
    figure = new_figure(14.4, 4.8)
    first, second, third = (figure.add_subplot(1, 3, i) for i in (1, 2, 3))
    _table(first, found)
    color = {name: _COLORS[i % len(_COLORS)] for i, name in enumerate(found.families)}
    start = 0
    for name, count in zip(found.families, found.counts, strict=True):
        x, y = found.places[start : start + count].T
        style = {"marker": "*", "s": 140} if count == 1 else {"marker": "o", "s": 14, "alpha": 0.6}
        second.scatter(x, y, color=color[name], label=name, linewidths=0, **style)
        start += count
    second.legend(fontsize=7, frameon=False)
    second.set_aspect("equal", adjustable="datalim")
    _titled(second, f"all fields, ± identified ({100 * found.strains.sum():.0f} % of squared distances)")
    floor = next(iter(kept.values())).floor
    for name, one in kept.items():
        third.plot(one.ts, one.mean, color=color[name], linewidth=1.5)
    third.axhline(floor, color=INK, linestyle="--", linewidth=0.8, label="noise floor (95 %)")
    third.set_yscale("symlog", linthresh=floor)  # unbiased, so negative at times: linear within the noise
    third.set_ylim(bottom=min(-2 * floor, *(np.nanmin(one.mean, initial=0) for one in kept.values())))
    third.set_xlabel("time")
    third.legend(fontsize=7, frameon=False)
    _titled(third, "MMD² of moved and fresh points")
    figure.tight_layout(rect=(0, 0.07, 1, 1))  # the slanted names need more room than it thinks
    return figure


def _table(axes: Axes, found: Families) -> None:
    axes.imshow(np.nan_to_num(found.table), cmap="Blues", vmin=0, vmax=1)
    places = range(len(found.families))
    for i in places:
        for j in places:
            value = found.table[i, j]
            text = "–" if np.isnan(value) else f"{value:.2f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if value > 0.6 else INK)
    axes.set_xticks(places, found.families, rotation=40, ha="right", rotation_mode="anchor", fontsize=7)
    axes.set_yticks(places, found.families, fontsize=7)
    _titled(axes, "mean |cosine|")


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.tick_params(labelsize=7, colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
