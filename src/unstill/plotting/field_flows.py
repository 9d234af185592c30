"""Scores of pictures and flows on them as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..field_flows.convolution import ConvolutionFlow
from .colors import colormap_of, full_limits
from .figures import INK, dot_of_one, draw_field, dress
from .page import AXIS, BESIDE, HEAD, MARGIN, NUMBERS, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..field_flows import LearntFieldFlow, LearntFieldScore

_SIDE = 2.9
_OTHER = "#d95f02"


def plot_field_score(found: LearntFieldScore) -> Figure:
    """Losses by epoch; what is left at each level beside the Gaussian field; a picture, and one that was drawn."""
    top = HEAD + TITLE
    page = Page(MARGIN + NUMBERS / 2 + 2 * (NUMBERS + _SIDE) + 2 * (_SIDE + 0.3) + BESIDE, top + _SIDE + AXIS)
    page.head(f"the score of {', '.join(found.score.fields)}: {found.status}, {found.message}", *found.notes())
    left = MARGIN + NUMBERS
    axes = page.axes(left, top, _SIDE, _SIDE)
    _draw_training(axes, found.losses)
    dress(axes, "loss", "epoch", "E|w − ŵ|²")
    left += _SIDE + NUMBERS
    axes = page.axes(left, top, _SIDE, _SIDE)
    levels = list(found.denoising)
    axes.plot(levels, list(found.gaussian.values()), "o--", color=_OTHER, label="Gaussian field")
    axes.plot(levels, list(found.denoising.values()), "o-", color=INK, label="score")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(levels, [f"{level:g}" for level in levels])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    dress(axes, "held-out loss by noise level", "τ", "")
    name = "v" if "v" in found.score.fields else found.score.fields[0]
    f = found.score.fields.index(name)
    given, drawn = found.pictures.fields[name][0], found.drawn[0, f]
    limits = full_limits([given, drawn])
    left += _SIDE + 0.5
    for picture, title in ((given, f"{name}: a picture"), (drawn, f"{name}: drawn from the score")):
        image = draw_field(page.axes(left, top, _SIDE, _SIDE), picture, title, limits=limits,
                           colormap=colormap_of(name, found.score.fields))  # fmt: skip
        left += _SIDE + 0.3
    page.bar(image, name, left - 0.3, top, _SIDE)
    return page.figure


def plot_field_flow(found: LearntFieldFlow) -> Figure:
    """A picture, where the flow takes each of its fields, and its kernel or how it was trained."""
    fields = found.flow.fields
    top = HEAD + TITLE
    page = Page(MARGIN + (2 + len(fields)) * (_SIDE + BESIDE), top + _SIDE + AXIS)
    page.head(f"a flow of {', '.join(fields)}: {found.message}", *found.notes())
    state = found.pictures.states(fields)[:1]
    rate, left = found.flow(state)[0], MARGIN
    name = "v" if "v" in fields else fields[0]
    picture = state[0, fields.index(name)]
    image = draw_field(page.axes(left, top, _SIDE, _SIDE), picture, f"{name}: a picture",
                       limits=full_limits([picture]), colormap=colormap_of(name, fields))  # fmt: skip
    page.bar(image, name, left + _SIDE, top, _SIDE)
    for f, field in enumerate(fields):
        left += _SIDE + BESIDE
        limit = float(np.quantile(np.abs(rate[f]), 0.995))
        image = draw_field(page.axes(left, top, _SIDE, _SIDE), rate[f], f"d{field}/dt", limits=(-limit, limit),
                           colormap="RdBu_r")  # fmt: skip
        page.bar(image, f"d{field}/dt", left + _SIDE, top, _SIDE)
    left += _SIDE + BESIDE
    axes = page.axes(left, top, _SIDE, _SIDE)
    if isinstance(found.flow, ConvolutionFlow):
        _draw_kernel(axes, np.asarray(found.flow.kernel), fields)
    else:
        _draw_training(axes, found.losses)
        dress(axes, "residual: 0 keeps the pictures", "epoch", "")
    return page.figure


def _draw_training(axes: Axes, losses: np.ndarray) -> None:
    epochs = np.arange(1, len(losses) + 1)
    for values, label, color in zip(losses.T, ("training", "held out"), (INK, _OTHER), strict=True):
        axes.plot(epochs, np.where(values > 0, values, np.nan), color=color, label=label, marker=dot_of_one(epochs))
    axes.set_yscale("log")
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    axes.legend(frameon=False, fontsize=8)


def _draw_kernel(axes: Axes, kernel: np.ndarray, fields: tuple[str, ...]) -> None:
    rows = np.concatenate([np.concatenate(list(row), 1) for row in kernel])
    limit = float(np.abs(rows).max())
    axes.imshow(rows, cmap="RdBu_r", vmin=-limit, vmax=limit)
    for edge in range(1, len(fields)):
        for line in (axes.axhline, axes.axvline):
            line(edge * kernel.shape[-1] - 0.5, color=INK, linewidth=1)
    axes.set_xticks([])
    axes.set_yticks([])
    dress(axes, "kernel: rows into, columns from a field", ", ".join(fields), "")
