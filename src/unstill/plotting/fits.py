"""`plot_fit`: how a fit went, from the lines of its log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .._result import plain
from .colors import colormap_of, full_limits
from .figures import INK, draw_field, dress
from .page import HEAD, MARGIN, NUMBERS, RULER, TITLE, Page, panel_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..fitting.result import Fit

_LINE, _TRUTH, _FAILED = "#2b4c7e", "#c1272d", "#e8710a"
_DECADES = 2.0
_SOUND = ("ok", "converged", "interrupted")  # what ends a fit without being a failure
# All in inches: the page; a panel's height, and its cell with title and numbers; a picture.
_WIDTH, _HEIGHT, _CELL, _PICTURE = 10.6, 1.6, 2.4, 2.7


def plot_fit(
    rows: Sequence[Mapping[str, Any]],
    truth: Mapping[str, float] | None = None,
    pictures: Mapping[str, np.ndarray] | None = None,
    *,
    title: str = "",
    note: str = "",
    loss: str = "",
    field: str = "v",
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Loss, parameters and gradient norm against the iteration; below them `pictures`, title → one `field` (H, W).

    `rows` are the lines of `log.jsonl`: `iteration`, `loss`, `parameters` and `gradients` (name → value), `status`;
    a missing or `None` number leaves a gap, `std` (name → value) makes a band, and an iteration that failed is marked
    on the loss. `truth` is dashed, `loss` its name, `labels` what stands above the parameters' panels (by default the
    last value). The pictures share one colour scale. Raises `BadInput` for a log without lines.
    """
    if not rows:
        raise BadInput("rows", "must hold at least one iteration")
    iteration = _numbers(rows, "iteration")
    names = list(dict.fromkeys(name for row in rows for name in row.get("parameters") or {}))
    norms = _gradient_norms(rows)
    panels = 1 + len(names) + bool(np.isfinite(norms).any())  # no panel where no gradient was taken
    columns = min((3, 4, 2), key=lambda columns: -panels % columns)
    lines, top = math.ceil(panels / columns), HEAD if title else 0.1
    size = {name: panel_size(np.shape(picture), _PICTURE) for name, picture in _checked(pictures or {}).items()}
    below = top + lines * _CELL
    page = Page(_WIDTH, below + (TITLE + max(h for _, h in size.values()) + RULER if size else 0))
    page.head(title, note)
    grid = [axes for line in range(lines) for axes in page.row(columns, top + TITLE + line * _CELL, _HEIGHT)]
    for axes in grid[panels:]:
        axes.remove()
    _draw_loss(grid[0], iteration, rows, f"{loss} loss".strip())
    for axes, name in zip(grid[1:], names, strict=False):
        values = np.array([_number((row.get("parameters") or {}).get(name)) for row in rows])
        last = values[np.isfinite(values)][-1:]
        told = f"{name} = {last[0]:.5g}" if len(last) else name
        _draw_parameter(axes, iteration, values, (labels or {}).get(name, told), (truth or {}).get(name))
        _draw_band(axes, iteration, values, [_number((row.get("std") or {}).get(name)) for row in rows])
    if panels > 1 + len(names):
        _draw_series(grid[panels - 1], iteration, norms, "norm of the gradient", log=True)
    for axes in grid[max(0, panels - columns) : panels]:  # the lowest of each column
        axes.set_xlabel("iteration", fontsize=9, color=INK)
    _draw_pictures(page, pictures or {}, size, field, below + TITLE)
    return page.figure


def fit_figure(found: Fit) -> Figure | None:
    """The figure of a fit's best start; none where it was interrupted before the first iteration."""
    rows = [plain(dict(row)) for row in found.history if row["start"] == found.start]
    if not rows:
        return None
    cls, seen = type(found.system), found.observed[-1]
    pictures = {f"{seen}, target": found.targets[0, -1]}
    if len(found.states):
        pictures[f"{seen}, prediction"] = found.states[0, found.system.fields.index(seen)]
    best = f", the best of {found.starts} starts" if found.starts > 1 else ""
    return plot_fit(
        rows, pictures=pictures, field=seen, loss=found.loss_name,
        title=f"{cls.name} fitted to {' and '.join(found.observed)}: {found.status}",
        note=f"{found.strategy}, {found.loss_name} loss, {found.optimiser}; {found.iterations} iterations{best}",
        labels={name: _told(name, value, cls) for name, value in found.values.items()},
    )  # fmt: skip


def _told(name: str, value: np.ndarray, cls) -> str:
    """A parameter as it was found, with its unit."""
    unit = cls.parameters()[name].unit
    mean = "mean of a field " if value.ndim else ""
    return f"{name} = {mean}{float(value.mean()):.5g}" + ("" if unit == "dimensionless" else f", in {unit}")


def _checked(pictures: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    for name, picture in pictures.items():
        if np.ndim(picture) != 2:
            raise BadInput("pictures", "must be single fields (H, W)", f"{name}: {np.shape(picture)}")
    return pictures


def _number(value: Any) -> float:
    """NaN, which Matplotlib leaves out, for what is missing."""
    return math.nan if value is None else float(value)


def _numbers(rows: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    return np.array([_number(row.get(key)) for row in rows])


def _gradient_norms(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    gradients = ([_number(g) for g in (row.get("gradients") or {}).values()] for row in rows)
    return np.array([float(np.linalg.norm(g)) if g else math.nan for g in gradients])


_STILL = 2e-3  # of its value: a series that changes by less is drawn as flat as it is


def _draw_series(axes: Axes, x: np.ndarray, y: np.ndarray, title: str, *, log: bool = False) -> None:
    """One line; on a logarithmic axis where `log` is wanted and positive values span decades."""
    from matplotlib.ticker import MaxNLocator

    seen = y[np.isfinite(y)]
    if log and len(seen) and seen.min() > 0 and seen.max() > 10**_DECADES * seen.min():
        axes.set_yscale("log")
    axes.plot(x, y, color=_LINE, linewidth=1.3, marker="o" if len(x) <= 30 else None, markersize=2.5)
    if len(seen) and np.ptp(seen) < _STILL * abs(seen[-1]):  # else the axis would magnify what does not move
        axes.update_datalim([(x[0], seen[-1] * (1 + side)) for side in (-_STILL, _STILL)])
        axes.autoscale_view()
    dress(axes, title)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if axes.get_yscale() == "log":
        axes.minorticks_off()


def _draw_loss(axes: Axes, x: np.ndarray, rows: Sequence[Mapping[str, Any]], title: str) -> None:
    loss = _numbers(rows, "loss")
    _draw_series(axes, x, loss, title, log=True)
    failed: dict[str, list[float]] = {}
    for at, row in zip(x, rows, strict=True):
        status = str(row.get("status") or ("dead" if row.get("dead") else "ok"))
        if status not in _SOUND:
            failed.setdefault(status, []).append(float(at))
    edge = axes.get_xaxis_transform()
    for count, (status, at) in enumerate(failed.items()):
        axes.plot(at, np.full(len(at), 0.03), "|", color=_FAILED, markersize=7, transform=edge, clip_on=False)
        axes.text(
            0.98, 0.96 - 0.1 * count, f"| {status} × {len(at)}", transform=axes.transAxes, fontsize=8, color=_FAILED,
            ha="right", va="top", parse_math=False,
        )  # fmt: skip


def _draw_parameter(axes: Axes, x: np.ndarray, values: np.ndarray, title: str, truth: float | None) -> None:
    _draw_series(axes, x, values, title)
    if truth is not None:
        axes.axhline(float(truth), color=_TRUTH, linewidth=1.1, linestyle=(0, (4, 3)), zorder=0)
        high = float(truth) > np.mean(axes.get_ylim())  # the word stands on the inner side of the line
        axes.annotate(
            f"truth {float(truth):.4g}", (0.02, float(truth)), (0, -3 if high else 3), fontsize=8, color=_TRUTH,
            xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="top" if high else "bottom",
        )  # fmt: skip


def _draw_band(axes: Axes, x: np.ndarray, values: np.ndarray, stds: Sequence[float]) -> None:
    """One standard deviation either way, where there is one."""
    if np.isfinite(stds).any():
        axes.fill_between(x, values - stds, values + stds, color=_LINE, alpha=0.18, linewidth=0)


def _draw_pictures(page: Page, pictures: Mapping[str, np.ndarray], size, field: str, top: float) -> None:
    limits = full_limits(pictures.values()) if pictures else (0.0, 1.0)
    left = NUMBERS
    for name, picture in pictures.items():
        width, height = size[name]
        axes = page.axes(left, top, width, height)
        image = draw_field(axes, np.asarray(picture), name, limits=limits, colormap=colormap_of(field, ("u", "v")))
        left += width + MARGIN
    if pictures:
        page.bar(image, field, left - MARGIN, top, height)
