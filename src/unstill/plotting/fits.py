"""`plot_fit`: how a fit went, from the lines of its log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from .colors import colormap_of, full_limits
from .figures import GREY, INK, draw_bar, draw_field, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE, _TRUTH, _FAILED = "#2b4c7e", "#c1272d", "#e8710a"
_COLUMNS, _DECADES = 3, 2.0


def plot_fit(
    rows: Sequence[Mapping[str, Any]],
    truth: Mapping[str, float] | None = None,
    pictures: Mapping[str, np.ndarray] | None = None,
    *,
    title: str = "",
    field: str = "v",
) -> Figure:
    """Loss, parameters and gradient norm against the iteration; below them `pictures`, title → one field (H, W).

    `rows` are the lines of `log.jsonl`: `iteration`, `loss`, `parameters` and `gradients` (name → value), `status`;
    a missing or `None` number leaves a gap, and an iteration whose status is not "ok" is marked on the loss. `truth`
    is dashed. The pictures share one colour scale. Raises `BadInput` for a log without lines.
    """
    if not rows:
        raise BadInput("rows", "must hold at least one iteration")
    iteration = _numbers(rows, "iteration")
    names = list(dict.fromkeys(name for row in rows for name in row.get("parameters") or {}))
    panels = 2 + len(names)
    lines = math.ceil(panels / _COLUMNS)
    figure = new_figure(3.5 * _COLUMNS, 2.3 * lines + (3.0 if pictures else 0) + 0.4)
    figure.set_layout_engine("constrained")
    if title:
        figure.suptitle(title, fontsize=12, color=INK, x=0.01, ha="left", parse_math=False)
    parts = np.atleast_1d(
        figure.subfigures(2 if pictures else 1, 1, height_ratios=[2.3 * lines, 3.0][: 1 + bool(pictures)])
    )
    grid = parts[0].subplots(lines, _COLUMNS, sharex=True, squeeze=False).ravel()
    _draw_loss(grid[0], iteration, rows)
    for axes, name in zip(grid[1:], names, strict=False):
        values = np.array([_number((row.get("parameters") or {}).get(name)) for row in rows])
        _draw_parameter(axes, iteration, values, name, (truth or {}).get(name))
    _draw_series(grid[1 + len(names)], iteration, _gradient_norms(rows), "norm of the gradient", log=True)
    _finish(grid, panels)
    if pictures:
        _draw_pictures(parts[1], pictures, field)
    return figure


def _number(value: Any) -> float:
    """NaN, which Matplotlib leaves out, for what is missing."""
    return math.nan if value is None else float(value)


def _numbers(rows: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    return np.array([_number(row.get(key)) for row in rows])


def _gradient_norms(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    gradients = ([_number(g) for g in (row.get("gradients") or {}).values()] for row in rows)
    return np.array([float(np.linalg.norm(g)) if g else math.nan for g in gradients])


def _draw_series(axes: Axes, x: np.ndarray, y: np.ndarray, title: str, *, log: bool = False) -> None:
    """One line; on a logarithmic axis where `log` is wanted and positive values span decades."""
    seen = y[np.isfinite(y)]
    if log and len(seen) and seen.min() > 0 and seen.max() > 10**_DECADES * seen.min():
        axes.set_yscale("log")
    axes.plot(x, y, color=_LINE, linewidth=1.3, marker="o" if len(x) <= 30 else None, markersize=2.5)
    axes.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False)
    axes.tick_params(labelsize=8, colors=GREY, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)
        spine.set_linewidth(0.6)


def _draw_loss(axes: Axes, x: np.ndarray, rows: Sequence[Mapping[str, Any]]) -> None:
    loss = _numbers(rows, "loss")
    _draw_series(axes, x, loss, "loss", log=True)
    failed: dict[str, list[float]] = {}
    for at, row in zip(x, rows, strict=True):
        if row.get("status") not in (None, "ok"):
            failed.setdefault(str(row["status"]), []).append(float(at))
    edge = axes.get_xaxis_transform()
    for count, (status, at) in enumerate(failed.items()):
        axes.plot(at, np.full(len(at), 0.03), "|", color=_FAILED, markersize=7, transform=edge, clip_on=False)
        axes.text(
            0.98, 0.96 - 0.1 * count, f"| {status} × {len(at)}", transform=axes.transAxes, fontsize=8, color=_FAILED,
            ha="right", va="top", parse_math=False,
        )  # fmt: skip


def _draw_parameter(axes: Axes, x: np.ndarray, values: np.ndarray, name: str, truth: float | None) -> None:
    last = values[np.isfinite(values)][-1:]
    _draw_series(axes, x, values, f"{name} = {last[0]:.5g}" if len(last) else name)
    if truth is not None:
        axes.axhline(float(truth), color=_TRUTH, linewidth=1.1, linestyle=(0, (4, 3)), zorder=0)
        high = float(truth) > np.mean(axes.get_ylim())  # the word stands on the inner side of the line
        axes.annotate(
            f"truth {float(truth):.4g}", (0.02, float(truth)), (0, -3 if high else 3), fontsize=8, color=_TRUTH,
            xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="top" if high else "bottom",
        )  # fmt: skip


def _finish(grid: np.ndarray, panels: int) -> None:
    """Empty places are removed; the lowest panel of each column says what its axis is."""
    for axes in grid[panels:]:
        axes.set_axis_off()
    for axes in grid[max(0, panels - _COLUMNS) : panels]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("iteration", fontsize=8.5, color=GREY)


def _draw_pictures(part, pictures: Mapping[str, np.ndarray], field: str) -> None:
    limits = full_limits(pictures.values())
    grid = part.subplots(1, max(len(pictures), _COLUMNS), squeeze=False).ravel()
    for axes in grid[len(pictures) :]:
        axes.set_axis_off()
    for axes, (name, picture) in zip(grid, pictures.items(), strict=False):
        if np.ndim(picture) != 2:
            raise BadInput("pictures", "must be single fields (H, W)", f"{name}: {np.shape(picture)}")
        image = draw_field(axes, np.asarray(picture), name, limits=limits, colormap=colormap_of(field, ("u", "v")))
    draw_bar(part, image, ax=list(grid[: len(pictures)]), fraction=0.03, pad=0.02, aspect=30)
