"""`plot_classification`: the last picture of each sample beside what one of its places showed over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .colors import FOUND, SERIES, colormap_of, full_limits
from .figures import GREY, draw_field, dress, shrink
from .page import AXIS, HEAD, NUMBERS, TITLE, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..atlas import Classification, Finding

_MOST = 8  # samples
_SIDE, _WIDE = 1.9, 7.0  # inches: a picture, a trace
_BESIDE, _LEGEND = 0.9, 0.7

# One colour a regime, in every figure and page: greys for what is uniform, blues for what rests, warm ones for motion.
COLOURS = {
    "uniform-trivial": "#e3e3e3", "uniform-nontrivial": "#b3b3b3", "steady": "#3b4cc0", "slow": "#8db0fe",
    "oscillatory": "#2a9d4a", "quasi-periodic": "#a6d96a", "chaotic": "#b40426", "transient-chaos": "#f4987a",
    "blow-up": "#1a1a1a", "undecided": "#f2d13c",
}  # fmt: skip


def plot_classification(found: Classification) -> Figure:
    """A row a sample, at most 8: its last field and its regime with the reason, and that place of it over time which
    moved most."""
    rows = [(m, each) for m, each in enumerate(found.findings) if each is not None][:_MOST]
    step = TITLE + _SIDE + AXIS
    page = Page(_BESIDE + _SIDE + NUMBERS + _WIDE + _LEGEND, HEAD + max(len(rows), 1) * step)
    shown = "" if len(rows) == len(found.findings) else f", {len(rows)} of {len(found.findings)} samples"
    note = f"{found.grid.shape[0]} × {found.grid.shape[1]} cells, dx = {found.grid.dx:g}, dt = {found.dt:g}"
    page.head(
        f"regimes of {found.dynamics.name}: {found.headline()}{shown}", f"{note}, seen for at most {found.time:g}"
    )
    if not rows:
        dress(page.axes(_BESIDE, HEAD + TITLE, _SIDE + NUMBERS + _WIDE, _SIDE), "no sample was looked at", "time")
    names = list(found.dynamics.fields)
    limits = full_limits([each.state[-1] for _, each in rows]) if rows else (0.0, 1.0)
    for i, (m, each) in enumerate(rows):
        top = HEAD + TITLE + i * step
        image = draw_field(
            page.axes(0.35, top, _SIDE, _SIDE), each.state[-1], f"sample {m}", limits=limits,
            colormap=colormap_of(names[-1], names), ruler=i == len(rows) - 1,
        )  # fmt: skip
        page.bar(image, names[-1], 0.35 + _SIDE, top, _SIDE)
        _draw_trace(page.axes(_BESIDE + _SIDE + NUMBERS, top, _WIDE, _SIDE), each, names)
    return page.figure


def _draw_trace(axes: Axes, found: Finding, names: list[str]) -> None:
    dress(axes, "", "time")
    words = axes.set_title(f"{found.regime}: {found.why}", fontsize=10, loc="left", parse_math=False)
    shrink(words, axes.bbox.width)
    for c, name in enumerate(names):
        color = FOUND if c == len(names) - 1 else SERIES[1 + c % (len(SERIES) - 1)]
        axes.plot(found.ts, found.trace[:, c], color=color, lw=0.9, label=name)
    if len(found.ts):
        axes.set_xlim(float(found.ts[0]), float(found.ts[-1]))
        axes.legend(frameon=False, fontsize=8, labelcolor=GREY, loc="upper left", bbox_to_anchor=(1.0, 1.05))
