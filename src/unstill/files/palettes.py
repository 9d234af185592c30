"""Colours back to values: which palette painted a picture, and where on it each colour lies.

A picture of one field through a palette holds colours on one curve in RGB. Matplotlib's maps are known by name; any
other curve is found in the cloud of the colours (`colour_curves`), and gives values up to a monotone function.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from .colour_curves import Curve, find_curve
from .named_palettes import CYCLIC, named_curve, tried

Colours = Float[np.ndarray, "*M H W 3"]

FARTHEST = 0.06  # rms distance in RGB: JPEG 85 and noise of 2 % stay below, shaded and many-hued pictures do not
UNKNOWN = "unknown"
_EXACT = 0.004  # of a named map: nearer ones need no other curve beside them
_WORSE = 1.6  # times farther than the free curve, and a named map is not meant; JPEG makes it 1.4 times
_WINDING = 1.5
_SHADED, _ALIKE = 0.01, 0.62
_LOOKED_AT = 4000  # colours that choose the palette


@dataclasses.dataclass(frozen=True)
class Decoded:
    """What a picture's colours mean: `values` along the palette, from 0 to 1 or in the scale of its stops.

    `palette` is a name or "unknown"; `error` the rms distance of the colours from it in RGB; `known` whether equal
    steps of `values` are equal steps of the field. Which end of a palette is high no picture tells: a named map is
    taken forwards (its reverse `NAME_r` gives 1 − values), an unknown one runs from its darker to its brighter end.
    """

    values: Float[np.ndarray, "*M H W"]
    palette: str
    error: float
    known: bool


def decode(colours: Colours, name: str = "auto") -> Decoded:
    """The values that a palette turned into these colours.

    Args:
        colours: Red, green and blue in [0, 1], (H, W, 3), or (M, H, W, 3) of one palette.
        name: A Matplotlib colour map, reversed ones such as viridis_r included; colours with their values, such as
            navy:0,lime:0.2,red:0.4; or auto, the map that lies nearest to the colours, and where none does, the curve
            on which they lie (default: auto).

    Raises `BadInput` for an unknown name, a cyclic palette, and colours that do not lie on one curve.
    """
    flat = colours.reshape(-1, 3)
    if name == "auto":
        found, curve = _recognised(_some(flat))
    else:
        found, curve = name, named_curve(name)
    t, distance = curve.project(flat)
    error = float(np.sqrt(np.mean(distance**2)))
    if error <= FARTHEST and (found.removesuffix("_r") in CYCLIC or (found == UNKNOWN and curve.closed)):
        rule = "must be in a palette with two ends"
        raise BadInput("path", rule, f"the cyclic {found}", "Paint it in another palette.")
    values = t.reshape(colours.shape[:-1])
    _refuse_what_is_no_palette(colours, values, curve, error, found, asked=name != "auto")
    return Decoded(values, found, error, found != UNKNOWN)


def _refuse_what_is_no_palette(colours, values, curve: Curve, error: float, found: str, asked: bool) -> None:
    rule = "must hold colours that lie on one curve, as a palette's do"
    if asked:
        rule = f"must hold colours of {found}"
    remedy = 'Pass `colormap="grey"` to read its luminance.'
    best = "the best curve" if found == UNKNOWN else found
    if error > FARTHEST:
        raise BadInput("path", rule, f"colours {error:.2g} off {best}, {FARTHEST:g} is the limit", remedy)
    if found == UNKNOWN and (winding := _winding(colours, values, curve)) > _WINDING:
        told = f"neighbouring pixels {winding:.1f} times as far apart along the best curve as in their colours"
        raise BadInput("path", rule, told, remedy)
    if error > _SHADED and _likeness(colours, values, curve) > _ALIKE:
        told = f"colours {error:.2g} off {best} by what changes slowly from pixel to pixel, as shading does"
        raise BadInput("path", rule, told, remedy)


def _winding(colours, values, curve: Curve) -> float:
    """How much farther it is from pixel to pixel along the curve than in RGB: a curve that fills a surface winds."""
    length = float(np.sum(np.linalg.norm(np.diff(curve.points, axis=0), axis=1)))
    along = [np.abs(np.diff(values, axis=axis)).mean() * length for axis in (-2, -1)]
    direct = [np.linalg.norm(np.diff(colours, axis=axis - 1), axis=-1).mean() for axis in (-2, -1)]
    return float(np.sum(along) / max(np.sum(direct), 1e-12))


def _likeness(colours, values, curve: Curve) -> float:
    """Correlation of what is off the curve over two pixels: 0 for noise, up to 0.57 for JPEG, more for shading."""
    beside = colours - curve.at(values)
    down = np.mean(beside[..., 2:, :, :] * beside[..., :-2, :, :])
    right = np.mean(beside[..., 2:, :] * beside[..., :-2, :])
    return float(min(down, right) / np.mean(beside**2))


def _some(flat: np.ndarray) -> np.ndarray:
    """At most `_LOOKED_AT` of the colours, spread over the whole picture."""
    if len(flat) <= _LOOKED_AT:
        return flat
    return flat[np.random.default_rng(0).choice(len(flat), _LOOKED_AT, replace=False)]


def _recognised(some: np.ndarray) -> tuple[str, Curve]:
    """The palette of the colours: the named map that lies nearest, or the curve found where none of them is meant."""
    distances = []
    for name in tried():
        t, distance = named_curve(name).project(some)
        distances.append((float(np.sqrt(np.mean(distance**2))), -float(np.ptp(t)), name))
    # Of maps that hold the colours equally well, such as bwr and the middle of seismic, the one that they use most of.
    least = min(distances)[0]
    equal = [one for one in distances if one[0] <= 1.02 * least + 2e-4]
    error, _, name = min(equal, key=lambda one: round(one[1], 1))
    curve = named_curve(name)
    if error <= _EXACT:
        return name, curve
    free = find_curve(some[::2])
    _, distance = free.project(some)
    if error <= min(FARTHEST, _EXACT + _WORSE * float(np.sqrt(np.mean(distance**2)))):
        return name, curve
    return UNKNOWN, free
