"""`plot_landscape`: a loss along one parameter or over two, with what is known drawn where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .figures import GREY, INK, dress, halo
from .page import BESIDE, HEAD, MARGIN, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TRUTH, _PATH, _DEAD = "#c1272d", "#e8710a", "#c9c9c9"
_LIST = "parameter set"  # the axis of a list of sets
_LINE = "#2b4c7e"
_DECADES = 2.0  # a loss that spans more of them is drawn by its logarithm
_LEFT, _BELOW = 0.9, 0.75  # inches beside and below the panel: numbers and names of the axes, and a footnote


def plot_landscape(landscape: Any) -> Figure:
    """The loss of a landscape: a curve over one parameter, or a map with contours over two.

    `landscape` holds `axes` (name → values (N,), one or two), `losses` (N,) or (N1, N2), NaN where the simulation
    failed, `ends` of the same shape ("ok" or a reason), `truth` (name → value), `path` (T, P) of an optimiser with
    `path_names`, `curves` (name → (x, y)) in the order of the axes, `loss_name`, `system`, and of a list the
    `sets`. Failed points are grey and named. Raises `BadInput` for more than two axes and for shapes that do not match.
    """
    names, losses = list(landscape.axes), np.asarray(landscape.losses, np.float64)
    shape = tuple(len(values) for values in landscape.axes.values())
    if len(names) not in (1, 2):
        raise BadInput("axes", "must be one or two", f"{len(names)}: {', '.join(names)}")
    if losses.shape != shape or np.shape(landscape.ends) != shape:
        raise BadInput("losses", f"and ends must have the axes' shape {shape}", losses.shape)
    line = len(names) == 1
    width, height = (7.6, 3.6) if line else (7.8, 5.0)
    page = Page(width, HEAD + TITLE + height + _BELOW)
    title = f"{landscape.loss_name} loss of {getattr(landscape.system, 'name', landscape.system)}"
    page.head(title, _made_with(landscape))
    axes = page.axes(_LEFT, HEAD + TITLE, width - _LEFT - (MARGIN if line else BESIDE), height)
    dress(axes, "")
    (_draw_curve if line else _draw_map)(page, axes, landscape, losses)
    told = _failures(landscape, losses)
    if told:
        page.write(told, 0.1, page.height - 0.15, size=8.5, color=GREY)
    return page.figure


def _made_with(landscape: Any) -> str:
    """The strategy, and the parameters that all points share."""
    sets = landscape.sets
    shared = {n: v for n, v in sets[0].items() if n not in landscape.axes and all(one[n] == v for one in sets)}
    return " · ".join(w for w in (landscape.strategy, "  ".join(f"{n}={v:.4g}" for n, v in shared.items())) if w)


def _label(landscape: Any, name: str) -> str:
    """A parameter by name and meaning, with its unit."""
    info = getattr(landscape.system, "parameters", dict)().get(name)
    if info is None:
        return name
    return f"{name}, {info.meaning}" + ("" if info.unit == "dimensionless" else f" ({info.unit})")


def _failures(landscape: Any, losses: np.ndarray) -> str:
    """How many points failed, by reason: "12 of 100 points without a loss: 10 dead, 2 blow-up"."""
    failed = np.asarray(landscape.ends)[~np.isfinite(losses)]
    if not failed.size:
        return ""
    reasons = [f"{np.sum(failed == reason)} {reason}" for reason in sorted(set(failed.tolist()))]
    return f"{failed.size} of {losses.size} points without a loss (grey): {', '.join(reasons)}"


def _spans_decades(losses: np.ndarray) -> bool:
    finite = losses[np.isfinite(losses)]
    positive = finite[finite > 0]
    return bool(len(positive) == len(finite) > 0 and np.log10(positive.max() / positive.min()) > _DECADES)


def _draw_curve(page: Page, axes: Axes, landscape: Any, losses: np.ndarray) -> None:
    ((name, x),) = landscape.axes.items()
    x = np.asarray(x, np.float64)
    if _spans_decades(losses):
        axes.set_yscale("log")
    listed = name == _LIST
    size = 5 if listed else 2.5 if len(x) <= 200 else 0
    axes.plot(x, losses, color=_LINE, linewidth=0 if listed else 1.4, marker="o", markersize=size)
    if listed:
        axes.set_xticks(x, _told_sets(landscape.sets), fontsize=8)
    for reason, mask in _named(landscape, losses).items():
        axes.plot(x[mask], losses[mask], "o", color=GREY, markerfacecolor="white", markersize=4.5, linestyle="none")
        middle = np.flatnonzero(mask)[mask.sum() // 2]
        axes.annotate(
            reason, (x[middle], losses[middle]), (0, 7), textcoords="offset points", fontsize=9, color=GREY, ha="center"
        )
    axes.set_xlabel(_label(landscape, name), fontsize=9, color=INK, parse_math=False)
    axes.set_ylabel(f"{landscape.loss_name} loss", fontsize=9, color=INK, parse_math=False)
    axes.margins(x=0.15 if listed else 0.02)
    edges = _edges(x)
    for i in np.flatnonzero(~np.isfinite(losses)):
        axes.axvspan(edges[i], edges[i + 1], color=_DEAD, alpha=0.55, linewidth=0, zorder=0)
    if landscape.truth and name in landscape.truth:
        truth = float(landscape.truth[name])
        axes.axvline(truth, color=_TRUTH, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        _write(axes, f"truth {truth:.4g}", (truth, 0.985), _TRUTH, axes.get_xaxis_transform(), va="top")
    if landscape.path is not None and len(landscape.path) and name in landscape.path_names:
        _draw_visits(axes, np.asarray(landscape.path)[:, list(landscape.path_names).index(name)])


def _told_sets(sets: Any) -> list[str]:
    """What tells the sets of a list apart: the values that differ, or its number where those are many."""
    differ = [name for name in sets[0] if len({values[name] for values in sets}) > 1]
    told = ["\n".join(f"{name} {values[name]:.4g}" for name in differ) for values in sets]
    return told if len(sets) <= 8 and len(differ) <= 4 else [str(i + 1) for i in range(len(sets))]


def _named(landscape: Any, losses: np.ndarray) -> dict[str, np.ndarray]:
    """Where points have a loss and yet a status other than "ok" (dead, above all): reason → mask."""
    status = np.where(np.isfinite(losses), np.asarray(landscape.ends, str), "ok")
    return {str(reason): status == reason for reason in np.unique(status) if reason != "ok"}


def _draw_visits(axes: Axes, visits: np.ndarray) -> None:
    """Where an optimiser stood: ticks on the lower edge, start and end marked."""
    edge = axes.get_xaxis_transform()
    axes.plot(visits, np.full(len(visits), 0.012), "|", color=_PATH, markersize=6, transform=edge, clip_on=False)
    for value, marker, word in ((visits[0], "o", "start"), (visits[-1], "s", "end")):
        axes.plot([value], [0.012], marker, color=_PATH, markersize=5, transform=edge, clip_on=False)
        _write(axes, word, (float(value), 0.05), _PATH, edge)


def _edges(x: np.ndarray) -> np.ndarray:
    """N + 1 edges of the cells around N points, half way between neighbours."""
    if len(x) == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middle = (x[1:] + x[:-1]) / 2
    return np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])


def _draw_map(page: Page, axes: Axes, landscape: Any, losses: np.ndarray) -> None:
    names = list(landscape.axes)
    x, y = (np.asarray(values, np.float64) for values in landscape.axes.values())
    _draw_heat(page, axes, x, y, losses)
    axes.set_xlabel(_label(landscape, names[0]), fontsize=9, color=INK, parse_math=False)
    axes.set_ylabel(_label(landscape, names[1]), fontsize=9, color=INK, parse_math=False)
    taken = []  # points in axes units that names of curves keep away from
    for reason, mask in _named(landscape, losses).items():
        if min(mask.shape) > 1 and not mask.all():
            axes.contour(x, y, mask.T.astype(float), levels=[0.5], colors=GREY, linewidths=1, linestyles="dashed")
        i, j = np.argwhere(mask)[mask.sum() // 2]
        _write(axes, reason, (float(x[i]), float(y[j])), GREY)
    if landscape.path is not None and len(landscape.path):
        path = np.asarray(landscape.path, np.float64)[:, [list(landscape.path_names).index(name) for name in names]]
        _draw_path(axes, path)
        taken.append(_in_axes(axes, path))
    if landscape.truth and all(name in landscape.truth for name in names):
        at = (float(landscape.truth[names[0]]), float(landscape.truth[names[1]]))
        axes.plot(*at, "*", color=_TRUTH, markersize=17, markeredgecolor="white", markeredgewidth=1.2, zorder=5)
        _write(axes, "truth", at, _TRUTH, above=9)
        taken.append(_in_axes(axes, np.array([at])))
    _draw_boundaries(axes, landscape.curves or {}, taken)


def _draw_heat(page: Page, axes: Axes, x: np.ndarray, y: np.ndarray, losses: np.ndarray) -> None:
    """Colours (bright is low) and contour lines; grey where there is no loss."""
    from matplotlib.colors import LogNorm, Normalize

    finite = losses[np.isfinite(losses)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    logarithmic = _spans_decades(losses)
    shown = np.ma.masked_invalid(losses.T)
    edges = _edges(x), _edges(y)
    axes.set_facecolor(_DEAD)
    norm = (LogNorm if logarithmic else Normalize)(low, high if high > low else low + 1)
    image = axes.pcolormesh(*edges, shown, norm=norm, cmap="viridis_r", rasterized=True)
    axes.set_xlim(float(edges[0][0]), float(edges[0][-1]))
    axes.set_ylim(float(edges[1][0]), float(edges[1][-1]))
    if high > low and min(losses.shape) > 1 and finite.size > 3:
        levels = (np.geomspace if logarithmic else np.linspace)(low, high, 12)[1:-1]
        axes.contour(x, y, shown, levels=levels, colors="white", linewidths=0.5, alpha=0.7)
    page.bar(image, "loss", page.width - BESIDE, HEAD + TITLE, page.height - HEAD - TITLE - _BELOW, ticks=None)


def _in_axes(axes: Axes, points: np.ndarray) -> np.ndarray:
    """Points (N, 2) in units of the panel: 0 to 1 both ways."""
    return axes.transAxes.inverted().transform(axes.transData.transform(points))


def _draw_boundaries(axes: Axes, curves: dict, taken: list[np.ndarray]) -> None:
    """Curves of theory, each with its name where it is farthest from all else."""
    placed = {name: np.stack([np.asarray(c, np.float64) for c in curve], -1) for name, curve in curves.items()}
    panel = {name: _in_axes(axes, points) for name, points in placed.items()}
    for name, points in placed.items():
        axes.plot(*points.T, color=INK, linewidth=1.3, zorder=3, path_effects=halo())
        spots = np.flatnonzero(((panel[name] > 0.06) & (panel[name] < 0.9)).all(1))[::4]
        if not len(spots):
            continue
        others = np.concatenate([p for n, p in panel.items() if n != name] + taken + [np.array([[9.0, 9.0]])])
        others = others[np.isfinite(others).all(1)]
        room = np.hypot(*(panel[name][spots][:, None] - others[None]).transpose(2, 0, 1)).min(1)
        best = int(spots[np.argmax(room)])
        _write_along(axes, name, points, best)
        taken.append(panel[name][best : best + 1])


def _write_along(axes: Axes, name: str, points: np.ndarray, at: int) -> None:
    """A word on a curve, along it, so that it cannot be taken for its neighbour's."""
    near = points[[max(at - 2, 0), min(at + 2, len(points) - 1)]]
    across, up = np.nan_to_num(np.diff(axes.transData.transform(near), axis=0)[0])
    angle = float(np.degrees(np.arctan2(up, across)))
    axes.text(
        float(points[at, 0]), float(points[at, 1]), name, rotation=(angle + 90) % 180 - 90, rotation_mode="anchor",
        ha="center", va="center", fontsize=9, color=INK, path_effects=halo(4), zorder=6, parse_math=False,
    )  # fmt: skip


def _draw_path(axes: Axes, path: np.ndarray) -> None:
    axes.plot(*path.T, color=_PATH, linewidth=1.6, zorder=4, path_effects=halo(), marker=".", markersize=3)
    for at, marker, word, above in ((path[0], "o", "start", 7), (path[-1], "s", "end", -16)):
        axes.plot(*at, marker, color=_PATH, markersize=7, markeredgecolor="white", markeredgewidth=1, zorder=4.5)
        _write(axes, word, (float(at[0]), float(at[1])), _PATH, above=above)


def _write(axes: Axes, text: str, at: tuple[float, float], color: str, transform=None, *, above=0, va="bottom") -> None:
    """A word to the right of a point, or to its left near the panel's right edge, readable on any ground."""
    left = _in_axes(axes, np.array([[at[0], axes.get_ylim()[0]]]))[0, 0] > 0.8
    style = {"fontsize": 9, "color": color, "ha": "right" if left else "left", "va": va, "zorder": 6}
    place = {"xycoords": transform or axes.transData, "textcoords": "offset points"}
    axes.annotate(text, at, (-6 if left else 6, above), **place, **style, path_effects=halo(), parse_math=False)
