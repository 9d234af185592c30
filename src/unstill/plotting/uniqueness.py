"""`plot_uniqueness`: the table of cosines, all fields in a plane, and which families keep the density."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .colors import SERIES
from .dots import heap_name
from .figures import GREY, INK, dress
from .page import HEAD, NOTE, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..flows.diagnosis import Preservation
    from ..flows.families import Families
    from ..flows.uniqueness import Uniqueness

_KNOWN = {"truth": INK, "score": GREY}  # families of one that every figure may have
# All in inches: the page; names beside the table; a panel and what is between; the legend; names below the table.
_WIDTH, _NAMES, _PANEL, _BETWEEN, _LEGEND, _BELOW = 15.3, 1.4, 3.5, 0.75, 1.8, 1.1
_DARK = 0.6  # a mean |cosine| from which the table is dark


def plot_uniqueness(found: Uniqueness) -> Figure:
    """The table of mean |cosine|, the plane of fields, MMD² over time, family by family; one legend of families."""
    families = found.found
    verdict = textwrap.wrap(found.message, 200)
    top = HEAD + NOTE * (len(verdict) - 1) + TITLE
    page = Page(_WIDTH, top + _PANEL + _BELOW)
    page.head(f"which flows keep {heap_name(found.points)}, and are they one and the same?", *verdict)
    first, second, third = (page.axes(_NAMES + i * (_PANEL + _BETWEEN), top, _PANEL, _PANEL) for i in range(3))
    colors = _colors(families.families)
    _draw_table(first, families, colors)
    handles = _draw_plane(second, families, colors)
    _draw_distances(third, found.kept, colors)
    handles += third.get_legend_handles_labels()[0]
    page.figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1 - _LEGEND / _WIDTH, 1 - top / page.height), fontsize=8,
        frameon=False, title="families (members)", title_fontsize=9, alignment="left",
    )  # fmt: skip
    return page.figure


def _colors(families: tuple[str, ...]) -> dict[str, str]:
    others = [name for name in families if name not in _KNOWN]
    return _KNOWN | {name: SERIES[i % len(SERIES)] for i, name in enumerate(others)}


def _draw_table(axes: Axes, families: Families, colors: Mapping[str, str]) -> None:
    dress(axes, "mean |cosine| of fields")
    axes.imshow(np.nan_to_num(families.table), cmap="Blues", vmin=0, vmax=1)
    names = families.families
    for (i, j), value in np.ndenumerate(families.table):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if value > _DARK else INK)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.tick_params(length=0)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_color(colors[label.get_text()])
    axes.spines[:].set_visible(False)


def _draw_plane(axes: Axes, families: Families, colors: Mapping[str, str]) -> list:
    """Every field as a place; returns what a legend shows."""
    shown = 100 * families.strains.sum()
    dress(
        axes,
        f"fields as places, {shown:.0f} % of squared distances",
        "distance √(2 − 2|cosine|): a field and its reverse are one",
    )
    handles, start = [], 0
    for name, count in zip(families.families, families.counts, strict=True):
        x, y = families.places[start : start + count].T
        style = {"marker": "*", "s": 140, "zorder": 3} if count == 1 else {"marker": "o", "s": 16, "alpha": 0.6}
        handles.append(axes.scatter(x, y, color=colors[name], label=f"{name} ({count})", linewidths=0, **style))
        start += count
    axes.set_aspect("equal", adjustable="datalim")
    return handles


def _draw_distances(axes: Axes, kept: Mapping[str, Preservation], colors: Mapping[str, str]) -> None:
    """MMD² over time, on an axis that is linear within the noise: it is unbiased, so negative at times."""
    dress(axes, "MMD² of moved and fresh points", "time")
    floor = next(iter(kept.values())).floor
    for name, one in kept.items():
        axes.plot(one.ts, one.mean, color=colors[name], linewidth=1.5)
    axes.axhline(floor, color=INK, linestyle="--", linewidth=0.8, label="noise floor (95 %)")
    axes.set_yscale("symlog", linthresh=floor)
    lowest = min(np.nanmin(one.mean, initial=0) for one in kept.values())
    axes.set_ylim(bottom=min(-floor / 2, 1.2 * lowest))
    axes.minorticks_off()
