"""`plot_atlas`: the regimes over two parameters with what linear theory says of them, and the patterns themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ..atlas.cells import REGIMES, THUMBNAIL
from .colors import colormap_of, full_limits
from .figures import GREY, INK, draw_field, dress, halo
from .page import AXIS, HEAD, MARGIN, NUMBERS, TITLE, Page
from .regimes import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..atlas import Atlas, Neighbours

_SIDE, _LEGEND = 5.2, 2.1  # inches
_MOST_NEIGHBOURS = 6
_MOST_TILES = 16  # along an axis
_PALE = 0.45  # of white where a regime is that of the neighbours
_STYLES = {"saddle-node": "-", "Hopf": "--", "Turing": ":"}


def plot_atlas(atlas: Atlas) -> Figure:
    """Left, a colour for the regime at each point, with the curves of linear theory where they are known; right, the
    last picture at each point of a grid. The first parameter upwards, the second to the right; paler where the regime
    is that of the nearest point that was looked at; of several initial states the first, and a dot where they differ.
    Points without a grid, or over more than two parameters, are dots."""
    tiled = len(atlas.design.axes) == 2
    height = _SIDE if len(atlas.design.values) > 1 else 1.6
    page = Page((NUMBERS + 0.3 + _SIDE) * (1 + tiled) + _LEGEND, HEAD + TITLE + height + AXIS)
    page.head(f"regimes of {atlas.setting.cls.name}: {atlas.headline()}", _made_with(atlas))
    axes = page.axes(NUMBERS + 0.3, HEAD + TITLE, _SIDE, height)
    (_draw_map if tiled else _draw_points)(axes, atlas)
    _draw_legend(page, axes, atlas, 0.15 + NUMBERS + 0.3 + _SIDE)
    if tiled:
        _draw_pictures(page.axes(_LEGEND + 2 * (NUMBERS + 0.3) + _SIDE - 0.3, HEAD + TITLE, _SIDE, height), atlas)
    return page.figure


def _made_with(atlas: Atlas) -> str:
    setting = atlas.setting
    fixed = "  ".join(f"{name}={value:.4g}" for name, value in setting.fixed.items())
    box = f"{setting.grid.shape[0]} × {setting.grid.shape[1]} cells, dx = {setting.grid.dx:g}, from {setting.init}"
    several = f", {atlas.samples} initial states" if atlas.samples > 1 else ""
    return " · ".join(part for part in (fixed, box + several, f"seen for at most {setting.time:g}") if part)


def _label(atlas: Atlas, name: str) -> str:
    info = atlas.setting.cls.parameters()[name]
    return f"{name}, {info.meaning}"


def _edges(values: np.ndarray) -> np.ndarray:
    """Where the cells of a map begin and end: half way between its points, which need not be even."""
    middles = (values[1:] + values[:-1]) / 2
    return np.concatenate([[1.5 * values[0] - 0.5 * values[1]], middles, [1.5 * values[-1] - 0.5 * values[-2]]])


def _draw_map(axes: Axes, atlas: Atlas) -> None:
    from matplotlib.colors import to_rgb

    up, across = atlas.design.axes
    dress(axes, "regimes", _label(atlas, across), _label(atlas, up))
    table = np.array([to_rgb(COLOURS[str(each)]) for each in REGIMES] + [to_rgb("white")])
    regime = atlas.values["regime"]
    edges = [_edges(atlas.design.axes[name]) for name in (across, up)]
    shown, looked = _nearest_known(regime[..., 0])
    colours = np.where(looked[..., None], table[shown], _PALE + (1 - _PALE) * table[shown])
    axes.pcolormesh(*edges, colours)
    differ = (regime != regime[..., :1]).any(-1)
    if differ.any():
        rows, columns = np.nonzero(differ)
        axes.scatter(atlas.design.axes[across][columns], atlas.design.axes[up][rows], s=4, color=INK)
    for name, (x, y) in atlas.curves.items():
        axes.plot(x, y, _STYLES.get(name, "-."), color=INK, lw=1.4, label=name, path_effects=halo())
    axes.set_xlim(edges[0][0], edges[0][-1])
    axes.set_ylim(edges[1][0], edges[1][-1])


def _nearest_known(regime: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each point's regime, or that of the nearest one that was looked at; and which were."""
    looked = regime >= 0
    if looked.all() or not looked.any():
        return regime, np.ones_like(looked)
    places = ndimage.distance_transform_edt(~looked, return_distances=False, return_indices=True)
    return regime[tuple(np.asarray(places))], looked


def _draw_points(axes: Axes, atlas: Atlas) -> None:
    names = list(atlas.design.values)
    across, up = (names[-1], names[0]) if len(names) > 1 else (names[0], "")
    dress(axes, "regimes", _label(atlas, across), _label(atlas, up) if up else "initial state")
    regime = atlas.values["regime"].reshape(-1, atlas.samples)
    for sample in range(1 if up else atlas.samples):
        y = atlas.design.values[up] if up else np.full(len(regime), float(sample))
        colours = ["white" if r < 0 else COLOURS[str(REGIMES[r])] for r in regime[:, sample]]
        axes.scatter(atlas.design.values[across], y, c=colours, s=36, edgecolors=GREY, linewidths=0.4)
    if not up:
        axes.set_ylim(-0.6, atlas.samples - 0.4)
        axes.set_yticks(range(atlas.samples))


def _draw_legend(page: Page, axes: Axes, atlas: Atlas, left: float) -> None:
    """Regimes with their numbers of cells, curves with their lines."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    counts = atlas.counts
    shown = [name for name in COLOURS if name in counts]
    marks = [Patch(facecolor=COLOURS[name], edgecolor=GREY, lw=0.4, label=f"{name}  {counts[name]}") for name in shown]
    curves = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
    lines = [
        Line2D([], [], color=INK, lw=1.4, ls=line.get_linestyle(), label=f"{line.get_label()} (uniform state)")
        for line in curves
    ]
    place = (left / page.width, 1 - (HEAD + TITLE) / page.height)
    page.figure.legend(
        handles=marks + lines, loc="upper left", bbox_to_anchor=place, frameon=False, fontsize=8.5, borderaxespad=0,
        handlelength=1.6,
    )  # fmt: skip


def _draw_pictures(axes: Axes, atlas: Atlas) -> None:
    """The thumbnails of the first initial state as one mosaic, every so many where there are more than fit."""
    up, across = atlas.design.axes
    field, names = atlas.setting.cls.fields[-1], list(atlas.setting.cls.fields)
    dress(axes, f"{field} at the end", _label(atlas, across))
    strides = [max(1, -(-n // _MOST_TILES)) for n in atlas.design.shape]
    tiles = atlas.values["thumbnail"][:: strides[0], :: strides[1], 0].astype(np.float32)
    regime = atlas.values["regime"][:: strides[0], :: strides[1], 0]
    seen = (regime >= 0) & (regime != REGIMES.index("blow-up"))
    framed = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    framed[~seen] = np.nan
    mosaic = (
        framed[:, :, ::-1].transpose(0, 2, 1, 3).reshape(len(tiles) * (THUMBNAIL + 2), -1)
    )  # row 0 of a tile at its top
    limits = full_limits([tiles[seen]])
    axes.imshow(
        mosaic, origin="lower", extent=(0, tiles.shape[1], 0, len(tiles)), aspect="auto", interpolation="nearest",
        vmin=limits[0], vmax=limits[1], cmap=colormap_of(field, names),
    )  # fmt: skip
    for axis, name, stride in ((axes.yaxis, up, strides[0]), (axes.xaxis, across, strides[1])):
        _number_tiles(axis, atlas.design.axes[name][::stride])


def _number_tiles(axis: Any, values: np.ndarray) -> None:
    """Some of the values that tiles stand for, below their middles: tiles are even where values are not."""
    some = np.unique(np.linspace(0, len(values) - 1, min(len(values), 6)).round().astype(int))
    axis.set_ticks(some + 0.5, [f"{values[i]:.3g}" for i in some])


def plot_neighbours(found: Neighbours) -> Figure:
    """The picture beside the cells that are nearest to it, each with its regime, distance and parameters."""
    shown = min(len(found.regimes), _MOST_NEIGHBOURS)
    side, gap = 1.75, 0.25
    page = Page(MARGIN + (shown + 1) * (side + gap) + 0.2, HEAD + TITLE + side + 0.75)
    page.head(f"nearest to a picture of {found.field}: {found.headline()}")
    pictures = [found.picture, *found.thumbnails[:shown]]
    limits = full_limits([np.asarray(each, np.float32) for each in pictures])
    for i, picture in enumerate(pictures):
        left = MARGIN + i * (side + gap)
        title = "the picture" if i == 0 else f"{found.regimes[i - 1]}, {found.distances[i - 1]:.2g} away"
        draw_field(
            page.axes(left, HEAD + TITLE, side, side), np.asarray(picture, np.float32), title, limits=limits,
            colormap=colormap_of(found.field, [found.field]), ruler=False,
        )  # fmt: skip
        if i:
            told = [f"{name} = {v[i - 1]:.4g}" for name, v in found.values.items()]
            page.lines(told[:3], left, HEAD + TITLE + side + 0.08, size=8, color=GREY, room=side)
    return page.figure
