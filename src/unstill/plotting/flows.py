"""Figures of scores and flows: losses, samples, streamlines or trajectories over the data, distances over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .colors import DATA, FOUND, PALE
from .dots import axis_names, draw_dots, heap_name, pair, some
from .figures import GREY, INK, dot_of_one, dress
from .page import AXIS, HEAD, NUMBERS, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..flows import LearntFlows, LearntScore
    from ..flows.flow import Flow
    from ..observations.points import Points

_WIDTH, _HEIGHT = 12.6, 3.3  # inches
_MOVED = 12  # points whose ways are drawn
_NEAR = 0.25  # standard deviations within which there must be a point for a flow to be known
_AROUND = 0.3  # of the data's width: how far beyond the data a way is drawn
_ETA = 0.1


def plot_score(found: LearntScore) -> Figure:
    """The loss, the data, and points drawn from the model."""
    points, axis = found.points, pair(found.points.dimension)
    page = Page(_WIDTH, HEAD + TITLE + _HEIGHT + AXIS)
    note = f"{found.message} · MMD² of drawn points {found.mmd:.1e}, noise floor {found.floor:.1e}"
    page.head(f"score of {heap_name(points)}: {found.status}", note)
    left, middle, right = page.row(3, HEAD + TITLE, _HEIGHT)
    _draw_losses(left, found.losses, "loss of denoising")
    shown = some(points, len(found.drawn))
    names = axis_names(points.names, axis)
    dress(middle, f"{len(shown):,} of {points.count:,} points", *names)
    draw_dots(middle, shown, axis, DATA)
    dress(right, f"{len(found.drawn):,} drawn from the model", *names)
    draw_dots(right, found.drawn, axis, FOUND)
    if points.dimension > 1:
        right.set(xlim=middle.get_xlim(), ylim=middle.get_ylim())
    return page.figure


def plot_flows(found: LearntFlows) -> Figure:
    """Losses; the best flow over the data; distances between moved and fresh points over time."""
    points, many = found.points, len(found.flows)
    page = Page(_WIDTH, HEAD + TITLE + _HEIGHT + AXIS)
    note = f"{found.message} · least held-out residual {np.min(found.residuals):.1e}; pace and arrow of time are free"
    page.head(f"flows that keep {heap_name(points)}: {found.status}", note)
    left, middle, right = page.row(3, HEAD + TITLE, _HEIGHT)
    if len(found.losses):
        _draw_losses(left, found.losses, "loss of training")
    else:
        dress(left, "nothing was trained", "number of the flow", "held-out residual")
        left.plot(np.arange(1, many + 1), found.residuals, "o", color=FOUND, markersize=4)
        left.locator_params(axis="x", integer=True)
        if (found.residuals > 0).all():
            left.set_yscale("log")
    title = ("the flow" if many == 1 else f"the best of {many} flows") + ", or its reverse"
    if points.dimension > 2:
        middle.remove()
        width = _WIDTH / 3 - NUMBERS / 2
        middle = page.axes(width + NUMBERS, HEAD + TITLE, width, _HEIGHT + AXIS - TITLE / 2, projection="3d")
        _draw_orbits(middle, found.flows[found.best], points, title)
    else:
        dress(middle, title, *points.names)
        _draw_streams(middle, found.flows[found.best], points)
    dress(right, "MMD² of moved and fresh points", "time")
    _draw_distances(right, found)
    return page.figure


def plot_motions(found: LearntFlows) -> Figure:
    """Where 12 points go: up the score to the peaks, along the flow, and with noise that keeps the same density."""
    from ..flows.integrate import ScoreAscent, move, move_noisily

    points, flow, score = found.points, found.flows[found.best], found.score
    assert score is not None
    mean, scale = np.asarray(flow.mean), np.asarray(flow.scale)
    start = np.random.default_rng(1).permutation(points.x)[:_MOVED]
    z = (start - mean) / scale
    ways = {
        "up the score, to the peaks": move(ScoreAscent(score, flow.tau), z, dt=0.002, steps=500) * scale + mean,
        "along the flow, for a time of 5": move(flow.standardised(), z, dt=0.02, steps=250) * scale + mean,
        f"flow and noise, η = {_ETA}": move_noisily(flow, score, start, eta=_ETA, dt=0.01, steps=500),
    }
    axis = pair(points.dimension)
    low, high = _window(points)
    page = Page(_WIDTH, HEAD + TITLE + _HEIGHT + AXIS)
    note = f"{len(start)} points (grey: all); lines are their ways, dots where they end; cut at the edges"
    page.head(f"motions over {heap_name(points)}", note)
    for axes, (title, paths) in zip(page.row(3, HEAD + TITLE, _HEIGHT), ways.items(), strict=True):
        dress(axes, title, *axis_names(points.names, axis))
        draw_dots(axes, some(points), axis, PALE)
        axes.plot(*paths[:, :, axis].transpose(2, 0, 1), color=FOUND, linewidth=0.7)
        axes.plot(*paths[-1][:, axis].T, ".", color=DATA, markersize=5)
        axes.set(xlim=(low[axis[0]], high[axis[0]]), ylim=(low[axis[1]], high[axis[1]]))
    return page.figure


def _window(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """The data's box and a little around it: where anything is known."""
    low, high = points.x.min(0), points.x.max(0)
    return low - _AROUND * (high - low), high + _AROUND * (high - low)


def _draw_losses(axes: Axes, losses: np.ndarray, title: str = "") -> None:
    """Training and held-out loss by epoch."""
    epochs = np.arange(1, len(losses) + 1)
    dress(axes, title, "epoch")
    if losses.size and (losses > 0).all() and losses.max() > 10 * losses.min():
        axes.set_yscale("log")
    for column, color, label in ((0, GREY, "training"), (1, FOUND, "held out")):
        axes.plot(epochs, losses[:, column], color=color, linewidth=1.2, label=label, marker=dot_of_one(epochs))
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    axes.legend(fontsize=8, frameon=False)


def _draw_streams(axes: Axes, flow: Flow, points: Points) -> None:
    """Streamlines over the data, where there are points."""
    draw_dots(axes, some(points), (0, 1), PALE)
    limits = axes.get_xlim(), axes.get_ylim()
    across, up = (np.linspace(*ends, 50) for ends in limits)
    grid = np.stack(np.meshgrid(across, up), -1)
    v = flow(grid.reshape(-1, 2)).reshape(grid.shape)
    v[_far(grid.reshape(-1, 2), points).reshape(grid.shape[:2])] = np.nan
    axes.streamplot(across, up, v[..., 0], v[..., 1], color=FOUND, linewidth=0.7, density=1.2, arrowsize=0.8)
    axes.set(xlim=limits[0], ylim=limits[1])


def _far(x: np.ndarray, points: Points) -> np.ndarray:
    """Which places have no point near: nothing is known of the flow there."""
    from scipy.spatial import cKDTree

    scale = points.x.std(0)
    return np.asarray(cKDTree(points.x / scale).query(x / scale)[0]) > _NEAR


def _draw_orbits(axes, flow: Flow, points: Points, title: str) -> None:
    """Five ways in the first three variables, as far as they stay near the data."""
    from ..flows.integrate import move

    shown = some(points)
    low, high = _window(points)
    axes.plot(*shown[:, :3].T, ".", markersize=1, color=PALE, alpha=0.4)
    for path in np.moveaxis(move(flow, shown[:5], dt=0.05, steps=800), 1, 0):
        inside = ((path > low) & (path < high)).all(1)
        axes.plot(*path[: len(path) if inside.all() else int(np.argmin(inside)), :3].T, color=FOUND, linewidth=0.7)
    axes.set(**{f"{letter}label": name for letter, name in zip("xyz", points.names, strict=False)})
    axes.set_box_aspect(None, zoom=0.85)  # room for the names of the axes
    axes.tick_params(labelsize=7, colors=GREY)
    axes.set_title(title, fontsize=10, loc="left", color=INK, parse_math=False)


def _draw_distances(axes: Axes, found: LearntFlows) -> None:
    """MMD² over time: each flow thin, the mean bold, the noise floor dashed."""
    kept = found.kept
    axes.plot(kept.ts, kept.mmd, color=FOUND, linewidth=0.4, alpha=0.4)
    axes.plot(kept.ts, kept.mean, color=FOUND, linewidth=2, label=f"mean of {kept.mmd.shape[1]} flows")
    axes.axhline(kept.floor, color=INK, linestyle="--", linewidth=0.8, label="noise floor (95 %)")
    axes.legend(fontsize=8, frameon=False)
