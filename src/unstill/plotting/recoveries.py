"""`plot_recovery`: what was seen, what was found, and how sure."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .colors import colormap_of, full_limits
from .figures import GREY, INK, draw_field
from .labels import number
from .page import BESIDE, MARGIN, TITLE, Page, panel_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..recovery.result import Estimate, Recovery

# All in inches.
_PANEL, _HEADING, _BELOW = 3.0, 0.75, 0.5  # a panel; the heading; below a panel
_ROW, _FOOTER = 0.26, 0.55
_WIDTH = 3 * (_PANEL + BESIDE) + 2 * MARGIN  # the least: the table needs it
_COLUMNS = (0.0, 0.9, 4.9, 6.6, 8.1)  # of the table: symbol, meaning, value, standard deviation, interval
_CURVE = "of the camera, picture = gain · c^gamma + offset"
_BLUR = "of the camera: the share that each pixel takes of each neighbour"

_Row = tuple[str, str, str, str, str]


def plot_recovery(recovery: Recovery, later: np.ndarray | None = None, later_time: float | None = None) -> Figure:
    """The observed picture, hidden fields, the pattern later under the recovered system, and the table of parameters
    with standard deviations and 95 % intervals.

    The first picture stands for all. A parameter that the data leave free reads "not determined", and the
    combinations that they do determine follow.

    Args:
        recovery: What `recover` returned.
        later: The pattern (C, H, W) as the recovered system carries it on (default: not shown).
        later_time: After how many time units.
    """
    panels = _panels(recovery, later, later_time)
    free, bound = _rows(recovery)
    rows = len(free) + (len(bound) + 1 if bound else 0)
    size = panel_size(recovery.grid.shape, _PANEL)
    message = textwrap.wrap(f"{recovery.method}. {recovery.message}", 150)
    heading = _HEADING + 0.18 * len(message)
    top = heading + TITLE
    page = _Report(
        max(_WIDTH, len(panels) * (size[0] + BESIDE) + 2 * MARGIN),
        top + size[1] + _BELOW + (rows + 1) * _ROW + _FOOTER,
    )
    page.write(_heading(recovery), MARGIN, 0.35, size=14, weight="bold")
    page.lines(message, MARGIN, 0.6, size=9, color=GREY)
    for i, (name, field, title, limits, colormap) in enumerate(panels):
        left = MARGIN + 0.2 + i * (size[0] + BESIDE)
        image = draw_field(page.axes(left, top, *size), field, title, limits=limits, colormap=colormap)
        page.bar(image, name, left + size[0], top, size[1])
    page.table(free, bound, top + size[1] + _BELOW)
    page.write(_footer(recovery), MARGIN, page.height - 0.25, size=8.5, color=GREY)
    return page.figure


class _Report(Page):
    """A page with a table."""

    def table(self, free: list[_Row], bound: list[_Row], top: float) -> None:
        from matplotlib.lines import Line2D

        self._row(("parameter", "", "value", "std", "95 % interval"), top, 9, GREY)
        y = 1 - (top + 0.14) / self.height
        edges = [MARGIN / self.width, 1 - MARGIN / self.width]
        self.figure.add_artist(Line2D(edges, [y, y], color=GREY, linewidth=0.6))
        caption = [("combinations that the data do determine", "", "", "", "")] if bound else []
        for i, row in enumerate([*free, *caption, *bound]):
            grey = row in caption
            self._row(row, top + 0.04 + (i + 1) * _ROW, 9 if grey else 10, GREY if grey else INK)

    def _row(self, cells: _Row, middle: float, size: float, color: str) -> None:
        rooms = np.diff([*_COLUMNS, np.inf]) - 0.1
        for left, room, cell in zip(_COLUMNS, rooms, cells, strict=True):
            if cell:
                alone = not any(cells[1:])  # a caption crosses all columns
                self.write(cell, MARGIN + left, middle, size=size, color=color, room=np.inf if alone else room)


def _panels(recovery: Recovery, later: np.ndarray | None, later_time: float | None) -> list[tuple]:
    """Name, field, title, limits and colour map of each panel; one field has the same limits in all panels."""
    names = recovery.system.fields
    fitted = recovery.fields[0] if len(recovery.fields) else ()  # dead pictures are not fitted: they stand alone
    state = dict(zip(names, fitted, strict=False))
    shown = {name: recovery.pictures[name][0] for name in recovery.observed}
    now = state | (shown if _is_absolute(recovery) else {})
    then = {} if later is None else dict(zip(names, later, strict=True))
    limits = {name: full_limits([now[name], then.get(name, now[name])]) for name in now}
    if not _is_absolute(recovery):
        return _panels_of_grey_values(recovery, shown, state, then, limits, later_time)
    hidden = [name for name in now if name not in recovery.observed]
    panels = [(name, now[name], f"{name}, observed") for name in recovery.observed]
    panels += [(name, now[name], f"{name}, hidden: recovered") for name in hidden]
    if later is not None:
        name = "v" if "v" in recovery.observed else recovery.observed[0]
        after = "set in motion" if later_time is None else f"after {number(later_time)} more time units"
        panels.append((name, then[name], f"{name}, {after}"))
    rows = [(name, field, title, limits[name], colormap_of(name, names)) for name, field, title in panels]
    return rows + _misfit_panel(recovery)


def _is_absolute(recovery: Recovery) -> bool:
    """Whether the pictures hold concentrations."""
    known = {name: estimate.value for name, estimate in recovery.camera.items()}
    return known in ({}, {"gain": 1.0, "offset": 0.0, "gamma": 1.0, "blur": 0.0})


def _panels_of_grey_values(recovery: Recovery, shown, state, then, limits, later_time) -> list[tuple]:
    """The picture in its own unit, then the fields behind it: all of them are recovered."""
    names = recovery.system.fields
    rows = [("grey", c, f"{n}, observed", full_limits([c]), "gray") for n, c in shown.items()]
    rows += [(n, c, f"{n}, recovered", limits[n], colormap_of(n, names)) for n, c in state.items()]
    if then:
        (name,) = recovery.observed
        after = f"{name}, after {number(later_time)} more time units" if later_time else f"{name}, set in motion"
        rows.append((name, then[name], after, limits[name], colormap_of(name, names)))
    return rows + _misfit_panel(recovery)


def _misfit_panel(recovery: Recovery) -> list[tuple]:
    """What the fit of one field leaves: structure there says that the model is wrong, and where."""
    if recovery.misfit is None or not len(recovery.misfit):
        return []
    left, noisy = recovery.misfit[0], recovery.goodness is not None
    bound = 4.0 if noisy else max(float(np.abs(left).max()), 1e-300)
    title = "what the fit leaves, in units of the noise" if noisy else "what the fit leaves, of the contrast"
    return [("misfit", left, title, (-bound, bound), "RdBu_r")]


def _rows(recovery: Recovery) -> tuple[list[_Row], list[_Row]]:
    """The table's lines for parameters and for combinations."""
    free = []
    for name, estimate in recovery.parameters.items():
        info = recovery.system.parameters()[name]
        unit = "" if info.unit == "dimensionless" else f", in {info.unit}"
        free.append((name, f"{info.meaning}{unit}", *_numbers(estimate)))
    for name, estimate in recovery.camera.items():
        if estimate.std != 0:
            free.append((name, _BLUR if name == "blur" else _CURVE, *_numbers(estimate)))
    return free, [(text, "", *_numbers(estimate)) for text, estimate in recovery.combinations.items()]


def _numbers(estimate: Estimate) -> tuple[str, str, str]:
    """Value, standard deviation and interval in words, with the decimals that the deviation gives meaning to."""
    if estimate.value is None:
        return "not determined", "", ""
    if estimate.std == 0:
        return f"{estimate.value:.6g}", "fixed", ""
    if estimate.std is None or not np.isfinite(estimate.std):
        return f"{estimate.value:.6g}", "", ""
    decimals = max(0, 1 - math.floor(math.log10(estimate.std)))
    form, small = (f".{decimals}f", f".{decimals}f") if decimals <= 8 else (".10g", ".1e")
    low, high = estimate.interval95 or (None, None)
    interval = "" if low is None else f"{low:{form}} to {high:{form}}"
    value = round(estimate.value, decimals) + 0.0  # no −0
    return f"{value:{form}}", f"{estimate.std:{small}}", interval


def _heading(recovery: Recovery) -> str:
    count = len(recovery.pictures[recovery.observed[0]])
    pictures = "one picture" if count == 1 else f"{count} pictures"
    return f"{recovery.system.name} from {pictures} of {' and '.join(recovery.observed)}: {recovery.status}"


def _footer(recovery: Recovery) -> str:
    rows, columns = recovery.grid.shape
    parts = [f"{rows} × {columns} cells, dx = {recovery.grid.dx:g}, {recovery.grid.boundary}"]
    if recovery.grid.scheme != "five-point":
        parts.append(f"{recovery.grid.scheme} Laplacian")
    parts += [f"noise of {name}: {level:.2g}" for name, level in recovery.noise.items()]
    if recovery.drift_per_time is not None:
        parts.append(f"drift {recovery.drift_per_time:.1e} per unit time")
    return "  ·  ".join([*parts, f"found in {recovery.seconds:.1f} s"])
