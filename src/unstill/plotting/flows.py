"""Figures of scores and flows: losses, samples, streamlines or trajectories over the data, distances over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .figures import GREY, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..flows import LearntFlows, LearntScore
    from ..flows.diagnosis import Preservation
    from ..flows.flow import Flow
    from ..flows.score import Score
    from ..observations.points import Points

_DATA, _MODEL, _PALE = "#3b4cc0", "#b40426", "#d0d0d0"
_DOTS = 3000


def plot_score(points: Points, found: LearntScore, drawn: np.ndarray) -> Figure:
    """The loss, the data, and points drawn from the model."""
    figure = new_figure(12.0, 4.2)
    left, middle, right = (figure.add_subplot(1, 3, i) for i in (1, 2, 3))
    draw_losses(left, found.losses)
    i, j = 0, points.dimension - 1
    some = np.random.default_rng(0).permutation(points.x)[: len(drawn)]
    for axes, x, color, title in ((middle, some, _DATA, "points"), (right, drawn, _MODEL, "drawn from the model")):
        if points.dimension == 1:
            axes.hist(x[:, 0], 60, color=color)
        else:
            _dots(axes, x, i, j, points, color)
        _titled(axes, f"{len(x):,} {title}")
    if points.dimension > 1:
        right.set(xlim=middle.get_xlim(), ylim=middle.get_ylim())
    figure.tight_layout()
    return figure


def plot_flows(points: Points, found: LearntFlows, kept: Preservation) -> Figure:
    """Losses; the best flow over the data; distances between moved and fresh points over time."""
    figure = new_figure(12.6, 4.4)
    left = figure.add_subplot(1, 3, 1)
    if len(found.losses):
        draw_losses(left, found.losses)
    else:
        left.hist(found.residuals, 30, color=_DATA)
        left.set_xlabel("held-out residual")
        _titled(left, "not trained")
    flow = found.flows[int(np.argmin(found.residuals))]
    cubic = points.dimension > 2
    middle = figure.add_subplot(1, 3, 2, projection="3d" if cubic else None)
    draw_flow(middle, flow, points)
    right = figure.add_subplot(1, 3, 3)
    draw_distances(right, kept.ts, {"": kept.mmd}, kept.floor)
    figure.tight_layout()
    return figure


def plot_motions(points: Points, flow: Flow, score: Score) -> Figure:
    """Where 12 points go: up the score to the peaks, along the flow, and with noise that keeps the same density."""
    from ..flows.integrate import ScoreAscent, move, move_noisily

    mean, scale = np.asarray(flow.mean), np.asarray(flow.scale)
    start = np.random.default_rng(1).permutation(points.x)[:12]
    z = (start - mean) / scale
    up = move(ScoreAscent(score, flow.tau), z, dt=0.002, steps=500) * scale + mean
    along = move(flow.standardised(), z, dt=0.02, steps=250) * scale + mean
    shaken = move_noisily(flow, score, start, eta=0.1, dt=0.01, steps=500)
    figure = new_figure(12.6, 4.4)
    titles = ("up the score: to the peaks", "along the flow", "flow and noise, η = 0.1")
    i, j = 0, points.dimension - 1
    for place, (paths, title) in enumerate(zip((up, along, shaken), titles, strict=True), 1):
        axes = figure.add_subplot(1, 3, place)
        _dots(axes, points.x, i, j, points, _PALE)
        axes.plot(paths[:, :, i], paths[:, :, j], color=_MODEL, linewidth=0.7)
        axes.plot(paths[-1, :, i], paths[-1, :, j], ".", color=_DATA, markersize=5)
        _titled(axes, title)
    figure.tight_layout()
    return figure


def draw_losses(axes: Axes, losses: np.ndarray) -> None:
    """Training and held-out loss by epoch."""
    epochs = np.arange(1, len(losses) + 1)
    decades = bool((losses > 0).all()) and losses.size > 0 and losses.max() > 10 * losses.min()
    for column, color, label in ((0, GREY, "training"), (1, _MODEL, "held out")):
        (axes.semilogy if decades else axes.plot)(epochs, losses[:, column], color=color, linewidth=1.2, label=label)
    axes.set_xlabel("epoch")
    axes.legend(fontsize=8, frameon=False)
    _titled(axes, "loss")


def draw_flow(axes: Axes, flow: Flow, points: Points) -> None:
    """Streamlines over the data in two variables, trajectories in three (the first three) or more."""
    if points.dimension > 2:
        _orbits(axes, flow, points)
        return
    _dots(axes, points.x, 0, 1, points, _PALE)
    limits = axes.get_xlim(), axes.get_ylim()
    across, up = (np.linspace(*pair, 50) for pair in limits)
    grid = np.stack(np.meshgrid(across, up), -1)
    v = flow(grid.reshape(-1, 2)).reshape(grid.shape)
    v[_far(grid.reshape(-1, 2), points).reshape(grid.shape[:2])] = np.nan
    axes.streamplot(across, up, v[..., 0], v[..., 1], color=_MODEL, linewidth=0.7, density=1.2, arrowsize=0.8)
    axes.set(xlim=limits[0], ylim=limits[1])
    _titled(axes, "a flow that keeps them (or its reverse)")


def draw_distances(axes: Axes, ts: np.ndarray, curves: dict[str, np.ndarray], floor: float) -> None:
    """MMD² (T, K) of families over time: each member thin, the mean bold, the noise floor dashed."""
    colors = (_MODEL, _DATA, "#2a9d4a", "#8a5a00", GREY)
    for (name, values), color in zip(curves.items(), colors, strict=False):
        axes.plot(ts, values, color=color, linewidth=0.4, alpha=0.4)
        axes.plot(ts, values.mean(1), color=color, linewidth=2, label=name or "mean of the flows")
    axes.axhline(floor, color=INK, linestyle="--", linewidth=0.8, label="noise floor (95 %)")
    axes.set_xlabel("time")
    axes.legend(fontsize=8, frameon=False)
    _titled(axes, "MMD² of moved and fresh points")


def _orbits(axes, flow: Flow, points: Points) -> None:
    from ..flows.integrate import move

    some = np.random.default_rng(0).permutation(points.x)
    axes.plot(*some[:_DOTS, :3].T, ".", markersize=1, color=_PALE, alpha=0.4)
    for path in np.moveaxis(move(flow, some[:5], dt=0.05, steps=800), 1, 0):
        inside = np.abs(path - points.x.mean(0)).max(1) < 5 * np.abs(points.x - points.x.mean(0)).max()
        axes.plot(*path[: len(path) if inside.all() else int(np.argmin(inside)), :3].T, color=_MODEL, linewidth=0.5)
    axes.set(xlabel=points.names[0], ylabel=points.names[1], zlabel=points.names[2])
    axes.set_box_aspect(None, zoom=0.88)  # room for the last label
    axes.tick_params(labelsize=7, colors=GREY)
    axes.set_title("a flow that keeps them (or its reverse)", fontsize=10, loc="left", color=INK)


def _far(x: np.ndarray, points: Points) -> np.ndarray:
    """Which places have no point within a quarter of a standard deviation: nothing is known of the flow there."""
    from scipy.spatial import cKDTree

    scale = points.x.std(0)
    return np.asarray(cKDTree(points.x / scale).query(x / scale)[0]) > 0.25


def _dots(axes: Axes, x: np.ndarray, i: int, j: int, points: Points, color: str) -> None:
    some = np.random.default_rng(0).permutation(x)[:_DOTS]
    axes.plot(some[:, i], some[:, j], ".", markersize=1.5, color=color, alpha=0.5, rasterized=True)
    axes.set_xlabel(points.names[i])
    axes.set_ylabel(points.names[j], rotation=0)


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.tick_params(labelsize=8, colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
