"""`plot_stability`: what grows on each uniform state, the branches along a parameter, or the curves in a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..analysis.dispersion import UniformState, rates_at
from ..analysis.stability_result import Stability
from .colors import DATA, FOUND
from .figures import GREY, INK, dress, halo
from .labels import pick_field
from .page import AXIS, HEAD, NOTE, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..analysis.branches import Bifurcation

_WIDTH, _HEIGHT, _TALL = 12.6, 2.7, 4.2  # inches: the page, a dispersion relation, a diagram
_NUMBERS = 0.95  # inches left of a dispersion relation
_MOST = 4  # states with a panel of their own
_BESIDE = 3.9  # inches right of a diagram, for its legend
_LISTED = 14  # bifurcations in the legend
_COLORS = {
    "saddle-node": INK, "Hopf": DATA, "Turing": FOUND, "wave": "#7b3294", "branch point": "#8a5a00",
    "Takens–Bogdanov": INK, "Bautin": DATA, "Turing–Hopf": "#7b3294",
}  # fmt: skip
_MARKERS = {
    "saddle-node": "o", "Hopf": "s", "Turing": "^", "wave": "D", "branch point": "P", "Takens–Bogdanov": "o",
    "Bautin": "s", "Turing–Hopf": "D",
}  # fmt: skip


def plot_stability(found: Stability) -> Figure:
    """Re σ(q) on each uniform state with its growing bands; below, branches along a parameter or curves in a plane."""
    diagram = bool(found.branches or found.curves)
    rows = HEAD + (2 * NOTE + TITLE + _HEIGHT + AXIS if found.states else 0)
    page = Page(_WIDTH, rows + (TITLE + _TALL + AXIS if diagram else 0.1) + 0.1)
    page.head(f"Uniform states of {found.system.name}", _note(found))
    if found.states:
        _draw_states(page, found)
    if diagram:
        axes = page.axes(_NUMBERS, rows + TITLE, _WIDTH - _NUMBERS - _BESIDE, _TALL)
        (_draw_branches if found.branches else _draw_plane)(axes, found)
    return page.figure


def _note(found: Stability) -> str:
    values = "  ".join(f"{name} = {value:.4g}" for name, value in found.system.values().items())
    what = found.message.partition(": ")[2]
    return f"{values}  ·  {what}"


def _draw_states(page: Page, found: Stability) -> None:
    """A panel a state: those that lose their stability to waves first, then in order."""
    shown = sorted(found.states, key=lambda each: not each.bands)[:_MOST]
    q = found.wavenumbers()
    each = _WIDTH / max(len(shown), 2)
    panels = [
        page.axes(i * each + _NUMBERS, HEAD + TITLE + 2 * NOTE, each - _NUMBERS - 0.25, _HEIGHT)
        for i in range(len(shown))
    ]
    for axes, state in zip(panels, shown, strict=True):
        name = ", ".join(f"{field} = {value:.4g}" for field, value in state.values.items())
        dress(axes, "", "wavenumber q (1/length)", "growth rate Re σ (1/time)")
        _draw_rates(axes, state, q)
        for i, line in enumerate([f"{name}: {state.verdict}", *_told(state)]):
            first = i == 0
            axes.annotate(
                line, (0, 1), (0, 30 - 12.5 * i), xycoords="axes fraction", textcoords="offset points",
                fontsize=9.5 if first else 8.5, weight="bold" if first else "normal", color=INK if first else GREY,
                parse_math=False, annotation_clip=False,
            )  # fmt: skip


def _told(state: UniformState) -> list[str]:
    """The type, the bands and the fastest wave, in two lines that fit above a panel."""
    bands = " and ".join(
        (f"{low:.3g} < q" if low else "q") + (f" < {high:.3g}" if np.isfinite(high) else "")
        for low, high in state.bands
    )
    lines, wave = [f"{state.type}{f'; waves of {bands} grow' if bands else ''}"], state.fastest
    if wave is not None:
        where = "uniform growth" if wave.wavelength is None else f"fastest wavelength {wave.wavelength:.4g}"
        how = "" if wave.period is None else f", period {wave.period:.4g}"
        lines.append(f"{where}, rate {wave.rate:.3g}{how}")
    return lines


def _draw_rates(axes: Axes, state: UniformState, q: np.ndarray) -> None:
    """All growth rates, the leading one strong: solid where it is real, dashed where it oscillates; bands shaded."""
    rates = rates_at(state.jacobian, state.diffusion, q)
    leading = np.real(rates[:, 0])
    scale = float(np.abs(state.jacobian).max())
    oscillates = np.abs(np.imag(rates[:, 0])) > 1e-9 * scale
    for low, high in state.bands:
        axes.axvspan(low, min(high, float(q[-1])), color=FOUND, alpha=0.12, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8)
    for k in range(1, rates.shape[1]):
        axes.plot(q, np.real(rates[:, k]), color=GREY, linewidth=0.8)
    real, waves = np.where(oscillates, np.nan, leading), np.where(oscillates, leading, np.nan)
    axes.plot(q, real, color=FOUND, linewidth=1.8, label="stationary")
    axes.plot(q, waves, color=DATA, linewidth=1.8, linestyle=(0, (4, 1.5)), label="oscillating")
    if state.fastest is not None:
        axes.plot(state.fastest.wavenumber, state.fastest.rate, "o", color=INK, markersize=4, zorder=5)
    top = max(float(leading.max()), 0.0)
    depth = max(abs(float(leading[0])), top)
    axes.set_xlim(0, float(q[-1]))
    axes.set_ylim(-2.2 * depth if depth else -1.0, 1.35 * top if top else 0.6 * depth or 1.0)
    kinds = [bool((~oscillates).any()), bool(oscillates.any())]
    handles = [handle for handle, there in zip(axes.get_legend_handles_labels()[0], kinds, strict=True) if there]
    axes.legend(handles=handles, fontsize=8, edgecolor="none", loc="lower left")


def _draw_branches(axes: Axes, found: Stability) -> None:
    """One field of all states along the parameter: strong where the state is stable."""
    (name,) = found.over
    field = pick_field(found.system.fields, None)
    column = list(found.system.fields).index(field)
    dress(axes, f"uniform states along {name}", _axis(found, name), field)
    for branch in found.branches:
        y, grown = branch.states[:, column], branch.stable.astype(bool)
        axes.plot(branch.values, y, color=GREY, linewidth=1.0, linestyle=(0, (4, 2)))
        axes.plot(branch.values, np.where(grown, y, np.nan), color=INK, linewidth=2.2)
    axes.plot([], [], color=INK, linewidth=2.2, label="stable against all waves")
    axes.plot([], [], color=GREY, linewidth=1.0, linestyle=(0, (4, 2)), label="unstable")
    for point in found.bifurcations:
        _mark(axes, point, point.parameters[name], point.state[field], f"{name} = {point.parameters[name]:.6g}")
    value = float(found.system.values()[name])
    low, high = found.over[name]
    if low <= value <= high:
        axes.axvline(value, color=GREY, linewidth=0.8, linestyle=":", label=f"the system's own {name} = {value:.4g}")
    axes.set_xlim(low, high)
    axes.margins(y=0.08)
    _legend(axes)


def _draw_plane(axes: Axes, found: Stability) -> None:
    """Curves of each kind: strong where a stable state loses its stability, thin where something grows already."""
    first, second = found.over
    dress(axes, f"bifurcations of uniform states in the plane of {first} and {second}", _axis(found, first), second)
    axes.set_ylabel(_axis(found, second), fontsize=9, color=INK, rotation=90, ha="center", va="bottom")
    named = set()
    for curve in found.curves:
        (x, y), color = curve.parameters.T, _COLORS[curve.kind]
        strong = curve.onset.astype(bool)
        axes.plot(x, y, color=color, linewidth=0.9, alpha=0.9)
        label = None if curve.kind in named else curve.kind
        axes.plot(np.where(strong, x, np.nan), np.where(strong, y, np.nan), color=color, linewidth=2.4, label=label)
        named.add(curve.kind)
    for point in found.bifurcations:
        x, y = (point.parameters[name] for name in (first, second))
        _mark(axes, point, x, y, f"{first} = {x:.6g}, {second} = {y:.6g}")
    at = tuple(float(found.system.values()[name]) for name in (first, second))
    ends = (found.over[first], found.over[second])
    if all(low <= value <= high for value, (low, high) in zip(at, ends, strict=True)):
        axes.plot(
            *at, "*", color="#e8710a", markersize=12, markeredgecolor="white", label="the system", linestyle="none"
        )
    axes.set_xlim(*ends[0])
    axes.set_ylim(*ends[1])
    _legend(axes, "strong: a stable state loses its stability\nthin: something grows there already")


def _mark(axes: Axes, point: Bifurcation, x: float, y: float, where: str) -> None:
    """A point, and its line in the legend."""
    listed = sum(1 for line in axes.lines if line.get_gid() == "point") < _LISTED
    axes.plot(
        x, y, _MARKERS[point.kind], color=_COLORS[point.kind], markersize=7, markeredgecolor="white", linestyle="none",
        label=f"{point.kind}, {where}{_more(point)}" if listed else None, zorder=5, gid="point", path_effects=halo(2),
        markerfacecolor=_COLORS[point.kind] if point.onset else "white", markeredgewidth=0.8,
    )  # fmt: skip
    if not point.onset:
        axes.lines[-1].set_markeredgecolor(_COLORS[point.kind])


def _more(point: Bifurcation) -> str:
    if point.wavenumber is not None:
        return f"\n    wavelength {2 * np.pi / point.wavenumber:.4g}"
    if point.kind == "Hopf" and point.first_lyapunov is not None and point.period is not None:
        kind = "super" if point.first_lyapunov < 0 else "sub"
        return f"\n    {kind}critical, period {point.period:.4g}"
    return ""


def _legend(axes: Axes, title: str = "full mark: a stable state loses its stability") -> None:
    made = axes.legend(
        fontsize=8, edgecolor="none", loc="upper left", bbox_to_anchor=(1.01, 1.02), title=title, title_fontsize=8,
        alignment="left",
    )  # fmt: skip
    made.get_title().set_color(GREY)


def _axis(found: Stability, name: str) -> str:
    """A parameter by name and meaning, with its unit."""
    info = found.system.parameters()[name]
    return f"{name}, {info.meaning}" + ("" if info.unit == "dimensionless" else f" ({info.unit})")
