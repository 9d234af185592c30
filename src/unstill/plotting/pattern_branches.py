"""`plot_pattern_branch`: the bifurcation diagram of a branch of patterns, what grows on it, and some of them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.branch_result import PatternBranch, parameters_of
from ..analysis.pattern_branch import Fold, PatternPoint
from .colors import DATA, FOUND, colormap_of, full_limits
from .figures import GREY, INK, draw_field, dress, halo
from .labels import pick_field
from .page import AXIS, HEAD, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _TALL = 12.6, 3.9  # inches: the page, the diagrams
_NUMBERS, _GROWTH, _GAP = 0.85, 3.6, 1.05  # left of a diagram, the second one's width, between the two
_SIDE, _BETWEEN = 1.72, 0.2  # of a picture, and between them
_SHOWN = 6  # pictures
_NEAR = 0.08  # of the branch's length: pictures keep this apart
_STYLES = {
    True: {"color": INK, "linewidth": 2.4, "linestyle": "-"},
    False: {"color": GREY, "linewidth": 1.3, "linestyle": (0, (4, 2))},
    None: {"color": GREY, "linewidth": 1.3, "linestyle": (0, (1, 2))},
}
_WORDS = {True: "stable within this box", False: "unstable", None: "not known"}


def plot_pattern_branch(found: PatternBranch) -> Figure:
    """One field's contrast along the parameter, solid where the pattern is stable, with folds marked; beside it the
    largest growth rate; below, the patterns at lettered points."""
    pictures = TITLE + 0.2 + _SIDE + 0.3
    diagrams = TITLE + _TALL + AXIS + 0.15 if found.points else 0.0
    page = Page(_WIDTH, HEAD + diagrams + pictures)
    low, high = found.range
    note = f"{parameters_of(found.system.values())}  ·  {found.grid.shape[0]} × {found.grid.shape[1]} cells"
    moves = [abs(each) for point in found.points for each in point.modes.translations]
    note += f"  ·  eigenvalues of the translations: at most {max(moves):.1g}" if moves else ""
    page.head(f"{found.system.name}: patterns at rest along {found.parameter} = {low:g} to {high:g}", note)
    field = pick_field(found.system.fields, None)
    chosen = _chosen(found)
    if found.points:
        wide = _WIDTH - 2 * _NUMBERS - _GROWTH - _GAP + 0.6
        _draw_branch(page.axes(_NUMBERS, HEAD + TITLE, wide, _TALL), found, field, chosen)
        _draw_growth(page.axes(_NUMBERS + wide + _GAP, HEAD + TITLE, _GROWTH, _TALL), found)
    _draw_patterns(page, found, field, chosen, HEAD + diagrams + TITLE)
    return page.figure


def _chosen(found: PatternBranch) -> list[PatternPoint | Fold]:
    """Points to show, in order: the start, folds and ends, then those farthest along the branch from the others."""
    if not found.points:
        return []
    closed = "closed" in found.ends
    first = [found.points[found.start], *found.folds, *([] if closed else [found.points[0], found.points[-1]])]
    reach = abs(found.points[-1].arclength - found.points[0].arclength)
    shown: list[PatternPoint | Fold] = []
    for each in first:
        if len(shown) < _SHOWN and all(abs(each.arclength - other.arclength) > _NEAR * reach for other in shown):
            shown.append(each)
    shown = shown or [first[0]]
    while len(shown) < min(_SHOWN, len(found.points)):
        gaps = [min(_apart(p, q, reach, closed) for q in shown) for p in found.points]
        best = int(np.argmax(gaps))
        if gaps[best] <= _NEAR * reach:
            break
        shown.append(found.points[best])
    return sorted(shown, key=lambda each: each.arclength)


def _apart(a: PatternPoint | Fold, b: PatternPoint | Fold, reach: float, closed: bool) -> float:
    """Distance along the branch."""
    far = abs(a.arclength - b.arclength)
    return min(far, reach - far) if closed else far


def _vertices(found: PatternBranch) -> list[PatternPoint | Fold]:
    return sorted([*found.points, *found.folds], key=lambda each: each.arclength)


def _draw_pieces(axes: Axes, found: PatternBranch, y) -> None:
    """The branch, each piece in the style of its points."""
    vertices = _vertices(found)
    pairs = list(itertools.pairwise(vertices))
    if "closed" in found.ends:
        pairs.append((vertices[-1], vertices[0]))
    for a, b in pairs:
        verdicts = [None if isinstance(each, Fold) else (each.modes.stable,) for each in (a, b)]
        known = [each for each in verdicts if each is not None] or [(None,)]
        ends, halves = (np.array([[p.value, y(p)] for p in (a, b)]), (known[0][0], known[-1][0]))
        middle = ends.mean(0)
        for i, verdict in enumerate(halves):
            part = np.array([ends[0], middle] if i == 0 else [middle, ends[1]])
            axes.plot(*part.T, solid_capstyle="round", **_STYLES[verdict])


def _draw_branch(axes: Axes, found: PatternBranch, field: str, chosen: list[PatternPoint | Fold]) -> None:
    column = list(found.system.fields).index(field)

    def y(point: PatternPoint | Fold) -> float:
        return float(point.state[column].std())

    dress(axes, "the branch: how strong the pattern is", _axis(found), f"contrast of {field} (std over cells)")
    _draw_pieces(axes, found, y)
    seen = {point.modes.stable for point in found.points}
    for verdict in (True, False, None):
        if verdict in seen:
            axes.plot([], [], label=_WORDS[verdict], **_STYLES[verdict])
    for i, fold in enumerate(found.folds):
        label = f"fold, {found.parameter} = {fold.value:.7g}" if i < 4 else None
        axes.plot(fold.value, y(fold), "o", color=FOUND, markersize=8, markeredgecolor="white", label=label, zorder=5)
    _mark_changes(axes, found, y)
    start = found.points[found.start]
    axes.plot(start.value, y(start), "*", color="#e8710a", markersize=14, markeredgecolor="white", zorder=6,
              label="the pattern given", linestyle="none")  # fmt: skip
    for letter, each in zip("ABCDEF", chosen, strict=False):
        axes.plot(each.value, y(each), "o", color=INK, markersize=3.5, zorder=4)
        axes.annotate(
            letter, (each.value, y(each)), (7, 7), textcoords="offset points", fontsize=11, weight="bold", color=INK,
            path_effects=halo(), zorder=7,
        )  # fmt: skip
    axes.margins(0.06, 0.1)
    axes.legend(fontsize=8, edgecolor="none", framealpha=0.85, loc="best")


def _mark_changes(axes: Axes, found: PatternBranch, y) -> None:
    """Where modes begin to grow, half way between the neighbours that tell."""
    at = {point.arclength: point for point in found.points}
    for i, change in enumerate(found.changes):
        a, b = (at[s] for s in change.arclength)
        oscillates = change.kind != "real"
        told = f"{change.unstable[0]} → {change.unstable[1]} growing modes" + (", oscillating" if oscillates else "")
        axes.plot(
            (a.value + b.value) / 2, (y(a) + y(b)) / 2, "s" if oscillates else "D", color=DATA, markersize=6,
            markeredgecolor="white", linestyle="none", zorder=5, label=told if i < 4 else None,
        )  # fmt: skip


def _draw_growth(axes: Axes, found: PatternBranch) -> None:
    """The largest growth rate, translations apart."""
    dress(axes, "what grows on it", _axis(found), "largest growth rate (1/time)")
    axes.axhline(0, color=INK, linewidth=0.8)
    points = [point for point in found.points if np.isfinite(point.modes.growth)]
    pairs = [*itertools.pairwise(points), *([(points[-1], points[0])] if points and "closed" in found.ends else [])]
    for a, b in pairs:
        stable = a.modes.stable if a.modes.stable == b.modes.stable else False
        axes.plot([a.value, b.value], [a.modes.growth, b.modes.growth], **_STYLES[stable])
    start = found.points[found.start]
    axes.plot(start.value, start.modes.growth, "*", color="#e8710a", markersize=12, markeredgecolor="white", zorder=6)
    axes.margins(0.06, 0.1)


def _draw_patterns(page: Page, found: PatternBranch, field: str, chosen: list[PatternPoint | Fold], top: float) -> None:
    """The patterns at lettered points, or the one that was given."""
    column = list(found.system.fields).index(field)
    fields = [each.state[column] for each in chosen] or [found.given[column]]
    limits, image = full_limits(fields), None
    for i, values in enumerate(fields):
        title = "given: " + found.message
        if chosen:
            each = chosen[i]
            told = "fold" if isinstance(each, Fold) else _short(each)
            title = f"{'ABCDEF'[i]}  {found.parameter} = {each.value:.4g}\n{told}"
        left = 0.5 + i * (_SIDE + _BETWEEN)
        image = draw_field(
            page.axes(left, top + 0.2, _SIDE, _SIDE), values, title, limits=limits,
            colormap=colormap_of(field, found.system.fields), ruler=i == 0,
        )  # fmt: skip
    assert image is not None
    page.bar(image, field, 0.5 + len(fields) * (_SIDE + _BETWEEN) - _BETWEEN, top + 0.2, _SIDE)


def _short(point: PatternPoint) -> str:
    if point.modes.stable is None:
        return "stability not known"
    return "stable" if point.modes.stable else f"unstable, {point.modes.unstable} growing"


def _axis(found: PatternBranch) -> str:
    """The parameter by name and meaning, with its unit."""
    info = found.system.parameters()[found.parameter]
    meaning = f", {info.meaning}" if info.meaning else ""
    return f"{found.parameter}{meaning}" + ("" if info.unit == "dimensionless" else f" ({info.unit})")
