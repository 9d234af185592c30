"""`plot_spectra`: exponents of models beside an integrable null, their convergence, and the two-trajectory slopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .colors import DATA, FOUND, SERIES
from .figures import GREY, INK, dress, halo
from .page import AXIS, HEAD, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..analysis import Spectrum
    from ..flows.exponents import Lyapunov

_FEW = 8  # models that are drawn one by one
_MOST_CURVES, _MOST_TOLD = 20, 6  # models with a running estimate; exponents in the legend
_HEIGHT = 3.0  # inches


def plot_spectra(found: Lyapunov) -> Figure:
    """λ₁ per path length with its 95 % interval beside the null, running estimates with the exponents that they reach,
    and the two-trajectory slopes."""
    kept = [spectrum for spectrum in found.spectra if spectrum is not None]
    page = Page(12.6, HEAD + TITLE + _HEIGHT + AXIS)
    page.head(f"Lyapunov exponents of {found.name}: {found.status}", _note(found, kept))
    first, second, third = page.row(3, HEAD + TITLE, _HEIGHT)
    arcs = [_per_arc(spectrum) for spectrum in found.spectra]
    dress(first, "λ₁ by QR, with 95 % intervals", "λ₁ per standard deviation of path")
    _draw_models(first, arcs, _per_arc(found.null[0]))
    dress(second, "running estimates", "time", "exponents per unit time")
    _draw_histories(second, kept)
    dress(third, "slope of two trajectories: shear raises it too", "slope per unit time")
    slopes = [None if slope is None else (slope, slope, slope) for slope in found.slopes]
    null = found.null[1]
    _draw_models(third, slopes, None if null is None else (null, null, null))
    return page.figure


def _note(found: Lyapunov, kept: Sequence[Spectrum]) -> str:
    """What was counted, and what to judge the exponents by."""
    models = f"{len(found.spectra)} models, " if len(found.spectra) > 1 else ""
    parts = [
        f"{models}{found.orbits} orbits over a time of {found.time:g} after {found.transient:g}, dt = {found.dt:g}"
    ]
    lost = np.mean([1.0 if spectrum is None else spectrum.lost for spectrum in found.spectra])
    parts.append(f"{100 * lost:.0f} % of orbits lost")
    if kept:
        parts.append(f"sum of exponents {np.mean([spectrum.sum for spectrum in kept]):.4g}")
    divergences = [spectrum.mean_divergence for spectrum in kept if spectrum.mean_divergence is not None]
    if divergences:
        parts.append(f"mean divergence {np.mean(divergences):.4g}")
    return " · ".join(parts)


def _per_arc(spectrum: Spectrum | None) -> tuple[float, float, float] | None:
    """λ₁ per path length, and the ends of its interval."""
    if spectrum is None or spectrum.per_arc_length is None:
        return None
    low, high = spectrum.interval95[0] / spectrum.mean_speed
    return float(spectrum.per_arc_length[0]), float(low), float(high)


def _draw_models(axes: Axes, values: Sequence, null: tuple[float, float, float] | None) -> None:
    """Value, low and high of each model: one by one, or the values of many as a histogram. The null is a line."""
    numbered = {i + 1: value for i, value in enumerate(values) if value is not None}
    if len(values) > _FEW:
        axes.hist([value for value, _, _ in numbered.values()], 20, color=FOUND, alpha=0.8)
        axes.set_ylabel("models", fontsize=9, color=INK)
    else:
        for i, (value, low, high) in numbered.items():
            axes.plot([low, high], [i, i], color=FOUND, linewidth=1.2)
            axes.plot(value, i, "o", color=FOUND, label="models" if i == min(numbered) else None)
            axes.annotate(f"{value:.3g}", (value, i), (0, 7), textcoords="offset points", fontsize=8, color=FOUND,
                          ha="center", path_effects=halo())  # fmt: skip
        for i in set(range(1, len(values) + 1)) - set(numbered):
            axes.text(0.05, i, "lost", fontsize=8, color=GREY, va="center", transform=axes.get_yaxis_transform())
        axes.set_yticks(range(1, len(values) + 1))
        axes.set_ylim(0.3, max(len(values), 1) + 0.9)
        axes.set_ylabel("number of the model", fontsize=9, color=INK)
    axes.margins(x=0.15)
    axes.locator_params(axis="x", nbins=6)
    if null is not None:
        value, low, high = null
        axes.axvline(value, color=DATA, linewidth=1.5, label=f"integrable null, {value:.3g}")
        axes.axvspan(low, high, color=DATA, alpha=0.15, linewidth=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.02), ncols=2, edgecolor="none")


def _draw_histories(axes: Axes, kept: Sequence[Spectrum]) -> None:
    """Each exponent in its colour; the legend says what it came to."""
    axes.axhline(0, color=GREY, linewidth=0.5)
    if not kept:
        return
    several = len(kept) > 1
    values = np.array([spectrum.exponents for spectrum in kept])
    errors = values.std(0) if several else kept[0].std
    for k, (mean, error) in enumerate(zip(values.mean(0), errors, strict=True)):
        color, told = SERIES[k % len(SERIES)], f"λ{_below(k + 1)} = {_with_error(mean, error)}"
        for i, spectrum in enumerate(kept[:_MOST_CURVES]):
            label = told if i == 0 and k < _MOST_TOLD else None
            axes.plot(spectrum.ts, spectrum.history[:, k], color=color, linewidth=0.9, alpha=0.8, label=label)
    title = "mean ± standard deviation of models" if several else "± standard deviation"
    axes.legend(fontsize=8, edgecolor="none", title=title, title_fontsize=8, loc="best")


def _below(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _with_error(value: float, error: float) -> str:
    """With the decimals that the error gives meaning to; no −0."""
    if not np.isfinite(error) or error <= 0:
        return f"{value:.4g}"
    decimals = min(6, max(0, 1 - int(np.floor(np.log10(error)))))
    return f"{round(value, decimals) + 0.0:.{decimals}f} ± {error:.{decimals}f}"
