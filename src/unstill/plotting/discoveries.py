"""`plot_points`, `plot_discovery`, `plot_picture_discovery`: what went in, what was found, and the test of it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .colors import colormap_of
from .figures import GREY, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..discovery.result import Discovery
    from ..observations.points import Points

_DOTS = 4000  # more only blacken the page
_DOT, _FLOW, _LIMIT = "#3b4cc0", "#b40426", "#6b6b6b"


def plot_points(points: Points) -> Figure:
    """The heap: every pair of the first three variables, and the histogram where there is one variable only."""
    axes_of = _pairs(points.dimension)
    figure = new_figure(4.2 * len(axes_of), 4.4)
    for place, (i, j) in enumerate(axes_of, 1):
        axes = figure.add_subplot(1, len(axes_of), place)
        if i == j:
            axes.hist(points.x[:, 0], 100, color=_DOT)
            axes.set_xlabel(points.names[0])
        else:
            _dots(axes, points, i, j)
        _quiet(axes)
    figure.suptitle(f"{points.source}: {points.count:,} points", x=0.02, ha="left", fontsize=11, color=INK)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    return figure


def plot_found(found: Discovery) -> Figure:
    """The figure of a discovery of points, or of pictures."""
    if isinstance(found.source, Mapping):
        return plot_picture_discovery(found.source, found)
    return plot_discovery(found.source, found)


def plot_discovery(points: Points, found: Discovery) -> Figure:
    """Points, the found field beside them (streamlines in two variables, a trajectory in more), the statistics of the
    candidates against their limits, and the equations."""
    two = points.dimension == 2
    figure = new_figure(12.6, 5.9)
    left = figure.add_axes((0.05, 0.3, 0.26, 0.58))
    middle = figure.add_axes((0.37, 0.3, 0.26, 0.58))
    right = figure.add_axes((0.7, 0.3, 0.28, 0.58))
    i, j = (0, points.dimension - 1) if points.dimension > 1 else (0, 0)
    if i == j:
        left.hist(points.x[:, 0], 100, color=_DOT)
        _drift(middle, points, found)
    else:
        _dots(left, points, i, j)
        middle.set_xlim(left.get_xlim())
        middle.set_ylim(left.get_ylim())
        (_streams if two else _orbit)(middle, points, found, i, j)
    left.set_title(f"{points.count:,} points, in no order", fontsize=10, loc="left", color=INK)
    middle.set_title("the field that was found", fontsize=10, loc="left", color=INK)
    _spectrum(right, found)
    for axes in (left, middle, right):
        _quiet(axes)
    _words(figure, found)
    return figure


def plot_picture_discovery(pictures: Mapping[str, np.ndarray], found: Discovery) -> Figure:
    """One picture of each of two fields at most, what stays open by number of terms, and the equations."""
    figure = new_figure(12.6, 5.6)
    for place, (name, values) in enumerate(list(pictures.items())[:2]):
        axes = figure.add_axes((0.05 + 0.29 * place, 0.3, 0.26, 0.56))
        axes.imshow(
            values.reshape(-1, *values.shape[-2:])[0], cmap=colormap_of(name, tuple(pictures)), interpolation="nearest"
        )
        many = len(values) if values.ndim == 3 else 1
        axes.set_title(f"{name}, one of {many} in no order" if many > 1 else name, fontsize=10, loc="left", color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
    right = figure.add_axes((0.68, 0.3, 0.3, 0.56))
    _sparsity(right, found)
    _quiet(right)
    _words(figure, found)
    return figure


def _sparsity(axes: Axes, found: Discovery) -> None:
    """What the best equations of so many terms leave open; a ring around those that were taken."""
    for color, (name, sparsity) in zip((_FLOW, _DOT, _LIMIT), (found.sparsity or {}).items(), strict=False):
        terms = np.array(list(sparsity.open))
        left = np.maximum(list(sparsity.open.values()), 1e-6)
        axes.semilogy(terms, left, "o-", color=color, markersize=4, linewidth=0.8, label=name)
        axes.plot(sparsity.terms, max(sparsity.open[sparsity.terms], 1e-6), "o", ms=12, mfc="none", mec=color)
        if sparsity.second:
            axes.plot(sparsity.terms, sparsity.second, "x", color=color, markersize=7)
    axes.set_xlabel("terms")
    axes.set_title("what stays open (×: second best)", fontsize=10, loc="left", color=INK)
    axes.legend(fontsize=8, frameon=False)


def _words(figure: Figure, found: Discovery) -> None:
    figure.text(0.05, 0.95, _heading(found), fontsize=13, weight="bold", color=INK)
    lines = found.equations.text().splitlines()
    body = [wrapped for line in lines for wrapped in textwrap.wrap(line, 150, subsequent_indent="      ")]
    note = textwrap.wrap(found.message, 170)
    figure.text(0.05, 0.2, "\n".join(body[:8]), fontsize=9.5, color=INK, va="top", family="monospace", parse_math=False)
    figure.text(0.05, 0.015, "\n".join(note), fontsize=8.5, color=GREY, va="bottom", parse_math=False)


def _heading(found: Discovery) -> str:
    if found.sparsity is not None:  # pace and arrow field by field would be too long
        return f"{found.status}: nullity {found.nullity}, the sparsest equations"
    return f"{found.status}: nullity {found.nullity}, pace {found.scale}, arrow {found.sign}"


def _pairs(dimension: int) -> list[tuple[int, int]]:
    return {1: [(0, 0)], 2: [(0, 1)]}.get(dimension, [(0, 1), (0, 2), (1, 2)])


def _quiet(axes: Axes) -> None:
    axes.tick_params(labelsize=8, colors=GREY)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _some(points: Points) -> np.ndarray:
    x = points.sorted()
    return x[np.random.default_rng(0).permutation(len(x))[:_DOTS]]


def _dots(axes: Axes, points: Points, i: int, j: int, color: str = _DOT) -> None:
    x = _some(points)
    axes.plot(x[:, i], x[:, j], ".", markersize=1.5, color=color, alpha=0.5, rasterized=True)
    axes.set_xlabel(points.names[i])
    axes.set_ylabel(points.names[j], rotation=0)


def _rates(found: Discovery, x: np.ndarray) -> np.ndarray:
    import jax.numpy as jnp

    from .._jax import enable_x64

    with enable_x64():
        return np.asarray(found.drift(jnp.asarray(x)))


def _streams(axes: Axes, points: Points, found: Discovery, i: int, j: int) -> None:
    _dots(axes, points, i, j, "#d0d0d0")
    across, up = (np.linspace(*limits, 60) for limits in (axes.get_xlim(), axes.get_ylim()))
    grid = np.stack(np.meshgrid(across, up), -1)
    rates = _rates(found, grid.reshape(-1, 2)).reshape(grid.shape)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.streamplot(across, up, rates[..., 0], rates[..., 1], color=_FLOW, linewidth=0.7, density=1.1, arrowsize=0.8)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def _orbit(axes: Axes, points: Points, found: Discovery, i: int, j: int) -> None:
    """A trajectory of the found field from the heap's most typical point, as far as it stays on the page."""
    _dots(axes, points, i, j, "#d0d0d0")
    mean, scale = points.x.mean(0), points.x.std(0)
    start = points.x[np.argmin(np.sum(((points.x - mean) / scale - 0.5) ** 2, 1))]
    speed = np.sqrt(np.mean(np.sum((_rates(found, _some(points)) / scale) ** 2, 1)))
    path = _integrated(found, start, 0.02 / max(speed, 1e-300), 8000)
    inside = np.abs(path - mean).max(1) < 20 * np.abs(points.x - mean).max()
    path = path[: len(path) if inside.all() else int(np.argmin(inside))]
    axes.plot(path[:, i], path[:, j], color=_FLOW, linewidth=0.5)


def _integrated(found: Discovery, start: np.ndarray, dt: float, steps: int) -> np.ndarray:
    import jax
    import jax.numpy as jnp

    from .._jax import enable_x64
    from ..simulation.steppers import rk4

    with enable_x64():
        step = rk4(found, dt)

        def one(state, _):
            state = step(state)
            return state, state

        path = np.asarray(jax.lax.scan(one, jnp.asarray(start), None, length=steps)[1])
    finite = np.isfinite(path).all(1)
    return path[: len(path) if finite.all() else int(np.argmin(finite))]


def _drift(axes: Axes, points: Points, found: Discovery) -> None:
    across = np.linspace(points.x.min(), points.x.max(), 200)
    axes.plot(across, _rates(found, across[:, None])[:, 0], color=_FLOW)
    axes.set_xlabel(points.names[0])


def _spectrum(axes: Axes, found: Discovery) -> None:
    """Each candidate's statistic over what independent points at rest would show, and the limit of the space."""
    n = np.arange(1, len(found.tests) + 1)
    statistic, limit = (np.maximum(values, 1e-2) for values in np.array(found.tests).T)
    axes.semilogy(n, limit, "_", color=_LIMIT, markersize=26, markeredgewidth=2, label="limit")
    axes.semilogy(n, statistic, "o", color=_FLOW, markersize=7, label="candidate")
    axes.yaxis.set_minor_formatter(lambda value, place: "")
    axes.set_xticks(n)
    axes.set_xlim(0.4, len(n) + 0.6)
    axes.set_xlabel("direction")
    title = f"E[∇φ·f] over its floor: nullity {found.nullity}"
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.legend(fontsize=8, frameon=False)
