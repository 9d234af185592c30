"""`plot_points`, `plot_discovery`, `plot_picture_discovery`: what went in, what was found, and the test of it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .colors import DATA, FOUND, PALE, SERIES, colormap_of, full_limits
from .dots import axis_names, draw_dots, heap_name, pair, some
from .figures import GREY, INK, draw_field, dress
from .page import AXIS, BESIDE, HEAD, MARGIN, NOTE, NUMBERS, TITLE, Page, panel_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..discovery.result import Discovery
    from ..observations.points import Points

_WIDTH, _SIDE, _BELOW = 12.6, 3.3, 0.65  # inches: the page; a panel, and what is below it
_OPEN = 1e-6  # shares below it are drawn as it
_MOST_LINES = 8  # of equations


def plot_points(points: Points) -> Figure:
    """The heap: every pair of the first three variables, and the histogram where there is one variable only."""
    pairs = {1: [(0, 0)], 2: [(0, 1)]}.get(points.dimension, [(0, 1), (0, 2), (1, 2)])
    page = Page(0.2 + 4.2 * len(pairs), HEAD + _SIDE + AXIS)
    page.head(f"{heap_name(points)}: {points.count:,} points of {', '.join(points.names)}, in no order")
    for axes, axis in zip(page.row(len(pairs), HEAD, _SIDE), pairs, strict=True):
        dress(axes, "", *axis_names(points.names, axis))
        draw_dots(axes, some(points), axis, DATA)
    return page.figure


def plot_found(found: Discovery) -> Figure:
    """The figure of a discovery of points, or of pictures."""
    if isinstance(found.source, Mapping):
        return plot_picture_discovery(found.source, found)
    return plot_discovery(found.source, found)


def plot_discovery(points: Points, found: Discovery) -> Figure:
    """Points, the found field beside them (streamlines in two variables, a trajectory in more), the statistics of the
    candidates against their limits, and the equations."""
    page, top = _page(found, f"{points.count:,} points of {heap_name(points)}")
    left, middle, right = page.row(3, top, _SIDE)
    axis = pair(points.dimension)
    names = axis_names(points.names, axis)
    dress(left, "the points, in no order", *names)
    draw_dots(left, some(points), axis, DATA)
    what = "the field that was found" if found.nullity else "the best field, which does not keep them"
    dress(middle, what, *names)
    if points.dimension == 1:
        middle.set_ylabel(f"d{points.names[0]}/dt", fontsize=9, color=INK)
        _draw_rate(middle, points, found)
    else:
        middle.set(xlim=left.get_xlim(), ylim=left.get_ylim())
        draw_dots(middle, some(points), axis, PALE)
        (_draw_streams if points.dimension == 2 else _draw_orbit)(middle, points, found, axis)
    _draw_tests(right, found)
    return page.figure


def plot_picture_discovery(pictures: Mapping[str, np.ndarray], found: Discovery) -> Figure:
    """One picture of each of two fields at most, what stays open by number of terms, and the equations."""
    count = max(len(values) if values.ndim == 3 else 1 for values in pictures.values())
    one = "one picture" if count == 1 else f"{count} pictures"
    page, top = _page(found, f"{one} of {', '.join(pictures)}")
    for place, (name, values) in enumerate(list(pictures.items())[:2]):
        first = values.reshape(-1, *values.shape[-2:])[0]
        width, height = panel_size(first.shape, 2.9)
        left = MARGIN + place * (width + BESIDE)
        title = f"{name}, one of {count} in no order" if count > 1 else f"{name}, observed"
        image = draw_field(page.axes(left, top, width, min(height, _SIDE)), first, title, limits=full_limits([first]),
                           colormap=colormap_of(name, tuple(pictures)))  # fmt: skip
        page.bar(image, name, left + width, top, min(height, _SIDE))
    left = 2 * _WIDTH / 3 + NUMBERS
    _draw_sparsity(page.axes(left, top, _WIDTH - left - MARGIN, _SIDE), found)
    return page.figure


def _page(found: Discovery, source: str) -> tuple[Page, float]:
    """A page with its heading, the message, and below the panels the equations; and where the panels begin."""
    body = [
        w for line in found.equations.text().splitlines() for w in textwrap.wrap(line, 130, subsequent_indent=" " * 8)
    ]
    message = textwrap.wrap(found.message, 160)
    top = HEAD + NOTE * (len(message) - 1) + TITLE
    page = Page(_WIDTH, top + _SIDE + _BELOW + NOTE * min(len(body), _MOST_LINES) + 0.15)
    page.head(f"{source}: {_outcome(found)}", *message)
    page.lines(body[:_MOST_LINES], NUMBERS, top + _SIDE + _BELOW, size=9.5, family="monospace")
    return page, top


def _outcome(found: Discovery) -> str:
    if found.sparsity is not None:  # pace and arrow field by field would be too long
        return f"{found.status}, nullity {found.nullity}, the sparsest equations"
    return f"{found.status}, nullity {found.nullity}, pace {found.scale}, arrow {found.sign}"


def _draw_sparsity(axes: Axes, found: Discovery) -> None:
    """What the best equations of so many terms leave open; a ring around those that were taken."""
    dress(axes, "share that the best equations leave open", "terms of the equation")
    axes.set_yscale("log")
    for color, (name, sparsity) in zip(SERIES, (found.sparsity or {}).items(), strict=False):
        terms = np.array(list(sparsity.open))
        left = np.maximum(list(sparsity.open.values()), _OPEN)
        axes.plot(terms, left, "o-", color=color, markersize=4, linewidth=0.8, label=name)
        axes.plot(sparsity.terms, max(sparsity.open[sparsity.terms], _OPEN), "o", ms=12, mfc="none", mec=color)
        if sparsity.second:
            axes.plot(sparsity.terms, sparsity.second, "x", color=color, markersize=7)
    axes.plot([], [], "o", ms=9, mfc="none", mec=GREY, label="taken")
    axes.plot([], [], "x", color=GREY, label="second best of as many terms")
    axes.legend(fontsize=8, frameon=False)


def _rates(found: Discovery, x: np.ndarray) -> np.ndarray:
    import jax.numpy as jnp

    from .._jax import enable_x64

    with enable_x64():
        return np.asarray(found.drift(jnp.asarray(x)))


def _draw_streams(axes: Axes, points: Points, found: Discovery, axis: tuple[int, int]) -> None:
    across, up = (np.linspace(*limits, 60) for limits in (axes.get_xlim(), axes.get_ylim()))
    grid = np.stack(np.meshgrid(across, up), -1)
    rates = _rates(found, grid.reshape(-1, 2)).reshape(grid.shape)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.streamplot(across, up, rates[..., 0], rates[..., 1], color=FOUND, linewidth=0.7, density=1.1, arrowsize=0.8)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def _draw_orbit(axes: Axes, points: Points, found: Discovery, axis: tuple[int, int]) -> None:
    """A trajectory of the found field from the heap's most typical point, as far as it stays on the page."""
    mean, scale = points.x.mean(0), points.x.std(0)
    start = points.x[np.argmin(np.sum(((points.x - mean) / scale - 0.5) ** 2, 1))]
    speed = np.sqrt(np.mean(np.sum((_rates(found, some(points)) / scale) ** 2, 1)))
    path = _integrated(found, start, 0.02 / max(speed, 1e-300), 8000)
    inside = np.abs(path - mean).max(1) < 20 * np.abs(points.x - mean).max()
    path = path[: len(path) if inside.all() else int(np.argmin(inside))]
    axes.plot(*path[:, axis].T, color=FOUND, linewidth=0.5)


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


def _draw_rate(axes: Axes, points: Points, found: Discovery) -> None:
    across = np.linspace(points.x.min(), points.x.max(), 200)
    axes.plot(across, _rates(found, across[:, None])[:, 0], color=FOUND)


def _draw_tests(axes: Axes, found: Discovery) -> None:
    """Each candidate's statistic over what independent points at rest would show, and the limit of the space."""
    dress(axes, "how far each candidate fails to keep them", "candidate field", "mean of ∇φ·f over its noise")
    n = np.arange(1, len(found.tests) + 1)
    statistic, limit = (np.maximum(values, 1e-2) for values in np.array(found.tests).T)
    axes.set_yscale("log")
    axes.plot(n, limit, "_", color=GREY, markersize=26, markeredgewidth=2, label="limit")
    axes.plot(n, statistic, "o", color=FOUND, markersize=7, label="candidate: kept where below")
    axes.yaxis.set_minor_formatter(lambda value, place: "")
    axes.set_xticks(n)
    axes.set_xlim(0.4, len(n) + 0.6)
    axes.margins(y=0.2)
    axes.legend(fontsize=8, frameon=False, markerscale=0.6, loc="best")
