"""`plot_tracking`: particles of a flow's films beside those of two nulls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._types import Status
from ..tracking.comparison import finite
from ..tracking.linking import shortest
from ..tracking.numbers import FITTED
from .colors import DATA, FOUND, colormap_of, full_limits
from .figures import GREY, INK, draw_field, dress
from .page import AXIS, HEAD, MARGIN, NOTE, NUMBERS, TITLE, Page
from .trails import TRAIL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..tracking import Tracking

_SIDE = 3.0
_COLORS = {"flow": FOUND, "langevin": DATA, "random-kernel": GREY}
_WORDS = {"flow": "the flow", "langevin": "null: score alone", "random-kernel": "null: random kernel"}


def plot_tracking(found: Tracking) -> Figure:
    """The last picture with tracks; g(r); displacements with the range that is fitted; numbers of each film."""
    notes = [f"{name}: {verdict} ({p})" for name, verdict, p in found.table()]
    notes = [
        found.message,
        " · ".join(notes),
        *found.notes(),
        "bands: least to greatest of the films; dots: one film each; bars: means",
    ]
    top = HEAD + 3 * NOTE + TITLE
    page = Page(MARGIN + 3 * (NUMBERS + _SIDE), top + 2 * (_SIDE + AXIS) + TITLE + 0.1)
    page.head(f"particles of a flow beside two nulls: {found.status}", *notes)
    lefts = [MARGIN / 2 + NUMBERS + i * (_SIDE + NUMBERS) for i in range(3)]
    first, second, third = (page.axes(left, top, _SIDE, _SIDE) for left in lefts)
    _draw_tracks(first, found)
    _draw_pairs(second, found)
    _draw_displacements(third, found)
    top += _SIDE + AXIS + TITLE
    _draw_numbers(page.axes(lefts[0], top, _SIDE, _SIDE), found, "alignment", "alignment of neighbours", 0.0)
    _draw_numbers(page.axes(lefts[1], top, _SIDE, _SIDE), found, "exponent", "exponent", 1.0)
    _draw_numbers(page.axes(lefts[2], top, _SIDE, _SIDE), found, "count", "particles in a picture", None)
    return page.figure


def _draw_tracks(axes: Axes, found: Tracking) -> None:
    fields, frames, tracks = found.film.fields, np.asarray(found.film.frames), found.tracks
    picture = frames[-1, 0, -1]
    title = f"{fields[-1]}, last picture; paths over {TRAIL} pictures"
    draw_field(axes, picture, title, limits=full_limits([picture]), colormap=colormap_of(fields[-1], fields))
    late = tracks.frame >= len(frames) - 1 - TRAIL
    for name in np.unique(tracks.track[late]):
        path = tracks.places[late & (tracks.track == name)]
        path = path + (shortest(path[-1] - _middle(tracks.box), tracks.box) + _middle(tracks.box) - path[-1])
        axes.plot(path[:, 1], path[:, 0], color="white", linewidth=2.2, clip_on=True)
        axes.plot(path[:, 1], path[:, 0], color=DATA, linewidth=1.1, clip_on=True)
    axes.set_xlim(-0.5, tracks.box[1] - 0.5)
    axes.set_ylim(tracks.box[0] - 0.5, -0.5)


def _middle(box: tuple[int, int]) -> np.ndarray:
    return np.array(box) / 2


def _draw_pairs(axes: Axes, found: Tracking) -> None:
    for kind, rows in found.g.items():
        _band(axes, found.distance, _sound(found, kind, rows), kind)
    axes.axhline(1, color=GREY, linewidth=0.6, linestyle=":")
    axes.axvline(2 * found.reach, color=GREY, linewidth=0.6, linestyle="--")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    dress(axes, "g(r): 1 as by chance; near ends at ┆", "distance r, cells", "g")


def _draw_displacements(axes: Axes, found: Tracking) -> None:
    for kind, rows in found.msd.items():
        _band(axes, found.lag, _sound(found, kind, np.where(rows > 0, rows, np.nan)), kind)
    axes.axvspan(1, FITTED, color=GREY, alpha=0.12, linewidth=0)
    known = finite(found.films["flow"], "exponent")
    rows = found.msd["flow"][:, :FITTED]
    if len(known) and np.isfinite(rows).any():
        start = float(np.nanmean(rows[:, 0]))
        axes.plot(found.lag[:FITTED], start * found.lag[:FITTED] ** known.mean(), "--", color=INK, linewidth=1,
                  label=f"flow: lag^{known.mean():.2f}")  # fmt: skip
        axes.legend(frameon=False, fontsize=8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    dress(axes, "mean-square displacement; grey: fitted", "lag, pictures", "cells²")


def _sound(found: Tracking, kind: str, rows: np.ndarray) -> np.ndarray:
    """Rows of the films that did not blow up: the others' numbers are not used, either."""
    return rows[[film["status"] != Status.BLOW_UP for film in found.films[kind]]]


def _band(axes: Axes, x: np.ndarray, rows: np.ndarray, kind: str) -> None:
    known = rows[np.isfinite(rows).any(1)]
    if not len(known):
        axes.plot([], [], color=_COLORS[kind], label=f"{_WORDS[kind]}: none")
        return
    seen = np.isfinite(known).any(0)
    x, known = x[seen], known[:, seen]
    axes.fill_between(x, np.nanmin(known, 0), np.nanmax(known, 0), color=_COLORS[kind], alpha=0.2, linewidth=0)
    axes.plot(x, np.nanmean(known, 0), color=_COLORS[kind], linewidth=1.4, label=_WORDS[kind])


def _draw_numbers(axes: Axes, found: Tracking, name: str, title: str, chance: float | None) -> None:
    for i, (kind, films) in enumerate(found.films.items()):
        known = finite(films, name)
        axes.plot(i + np.linspace(-0.15, 0.15, len(known)), known, "o", color=_COLORS[kind], markersize=4)
        if len(known):
            axes.plot([i - 0.25, i + 0.25], [known.mean()] * 2, color=_COLORS[kind], linewidth=1.6)
        else:
            lost = sum(film["status"] == Status.BLOW_UP for film in films)
            told = f"{lost} of {len(films)}\nblew up" if lost else "too few\nparticles"
            axes.text(i, 0.5, told, transform=axes.get_xaxis_transform(), ha="center", fontsize=8, color=GREY)
    if chance is not None:
        axes.axhline(chance, color=GREY, linewidth=0.6, linestyle=":")
    axes.set_xticks(range(len(found.films)), [_WORDS[kind].replace(": ", ":\n") for kind in found.films])
    axes.set_xlim(-0.5, len(found.films) - 0.5)
    note = {"alignment": "; 0 as by chance", "exponent": ": 1 Brownian, 2 straight"}.get(name, "")
    dress(axes, title + note)
