"""`plot_spectra`: exponents of many models beside an integrable null, their convergence, and the sum rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .figures import GREY, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..analysis import Spectrum

_FEW = 8  # models that are drawn one by one
_OURS, _NULL = "#b40426", "#3b4cc0"


def plot_spectra(
    found: Sequence[Spectrum | None], slopes: Sequence[float | None], null: tuple[Spectrum | None, float | None]
) -> Figure:
    """λ₁ per path length with the null, running estimates, the spectra, and the two-trajectory slopes."""
    kept = [spectrum for spectrum in found if spectrum is not None]
    figure = new_figure(12.6, 4.2)
    first, second, third = (figure.add_subplot(1, 3, i) for i in (1, 2, 3))
    _histogram(first, [_arc(s) for s in kept], _arc(null[0]), "λ₁ per path length, by QR")
    for spectrum in kept[:20]:
        for k, line in enumerate(spectrum.history.T):
            second.plot(spectrum.ts, line, color=(_OURS, GREY, _NULL)[k % 3], linewidth=0.7, alpha=0.7)
    second.axhline(0, color=INK, linewidth=0.5)
    second.set_xlabel("time")
    _titled(second, "running estimates of all exponents")
    sound = [slope for slope in slopes if slope is not None]
    _histogram(third, sound, null[1], "slope of two trajectories, per time")
    figure.tight_layout()
    return figure


def _arc(spectrum: Spectrum | None) -> float | None:
    return None if spectrum is None or spectrum.per_arc_length is None else float(spectrum.per_arc_length[0])


def _histogram(axes: Axes, values: Sequence[float | None], null: float | None, title: str) -> None:
    numbers = [value for value in values if value is not None]
    if len(numbers) > _FEW:
        axes.hist(numbers, 20, color=_OURS, alpha=0.8)
        axes.set_ylabel("models")
    else:
        axes.plot(numbers, range(1, len(numbers) + 1), "o", color=_OURS, alpha=0.8)
        axes.set_yticks(range(1, len(numbers) + 1))
        axes.set_ylim(0.3, max(len(numbers), 1) + 0.7)
        axes.set_ylabel("model")
    axes.margins(x=0.1)
    axes.locator_params(axis="x", nbins=6)
    if null is not None:
        axes.axvline(null, color=_NULL, linewidth=1.5, label="integrable null")
        axes.legend(fontsize=8, frameon=False)
    _titled(axes, title)


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.tick_params(labelsize=8, colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
