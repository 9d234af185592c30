"""Palettes that have a name, and palettes that are given as colours with their values."""

from __future__ import annotations

import functools

import numpy as np

from .._errors import BadInput, nearest
from .colour_curves import Curve

GREY = ("grey", "gray")  # the luminance, not a palette
CYCLIC = ("hsv", "twilight", "twilight_shifted")
_COMMON = ("viridis", "plasma", "inferno", "magma", "cividis", "hot", "jet", "turbo", "coolwarm", "RdBu", "Spectral")
# Other spacings of grey, which no picture can tell from grey itself: read by their names only.
_GREYS = ("binary", "Greys", "Grays", "gist_yarg", "gist_yerg", "gist_gray", "gist_grey")
_REPEATED = ("flag", "prism")
_FEWEST = 64  # colours; maps of less come in steps
_DENSE = 2048


def check_colormap(name: str) -> None:
    """Raise `BadInput` for what is no ordered Matplotlib map, no list of colours with values, nor auto or grey."""
    if name in ("auto", *GREY):
        return
    if ":" in name:
        _stops(name)
        return
    from matplotlib import colormaps

    if name not in colormaps:
        known = ("auto", "grey", *tried())
        rule = "must be auto, grey, a Matplotlib colour map, or colours with values such as navy:0,lime:0.2,red:0.4"
        raise BadInput("colormap", rule, repr(name), nearest(name, known))
    if name.removesuffix("_r") not in (*tried(), *_GREYS):
        raise BadInput("colormap", "must be an ordered palette", repr(name), "Its colours come in steps or in repeats.")


@functools.cache
def named_curve(name: str) -> Curve:
    """A palette as a curve; raises `BadInput` for unknown ones.

    Entry i of N of a Matplotlib map stands for the values from i/N to (i + 1)/N, and so for (i + ½)/N.
    """
    check_colormap(name)
    if name == "gray":
        return Curve(np.array([np.zeros(3), np.ones(3)]), np.array([0.0, 1.0]))
    if ":" in name:
        table, at = _stops(name)
        fine = np.unique(np.concatenate([np.linspace(at[0], at[-1], _DENSE), at]))
    else:
        from matplotlib import colormaps

        table = np.asarray(colormaps[name](np.arange(colormaps[name].N)))[:, :3]
        at = (np.arange(len(table)) + 0.5) / len(table)
        fine = np.linspace(at[0], at[-1], _DENSE)
    return Curve(np.stack([np.interp(fine, at, table[:, c]) for c in range(3)], 1), fine)


@functools.cache
def tried() -> tuple[str, ...]:
    """The maps that are tried, common ones first."""
    from matplotlib import colormaps

    left_out = (*_GREYS, *_REPEATED, *GREY)
    names = [n for n in colormaps if not n.endswith("_r") and colormaps[n].N > _FEWEST and n not in left_out]
    return tuple(dict.fromkeys((*_COMMON, "gray", *sorted(names))))


def _stops(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours (N, 3) and their values (N,), which rise, of COLOUR:VALUE,COLOUR:VALUE,…"""
    from matplotlib.colors import to_rgb

    rule = "must be colours with rising values, such as navy:0,#00ff00:0.2,red:0.4"
    try:
        pairs = [part.rsplit(":", 1) for part in text.replace(" ", "").split(",")]
        colours = np.array([to_rgb(colour) for colour, _ in pairs])
        values = np.array([float(value) for _, value in pairs])
    except ValueError as error:
        raise BadInput("colormap", rule, repr(text)) from error
    if len(values) < 2 or not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        raise BadInput("colormap", rule, repr(text))
    return colours, values
