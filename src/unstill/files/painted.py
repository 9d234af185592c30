"""Colour pictures to values: enlargement undone and palette decoded, in the order in which they were made."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from ..observations.snapshots import Palette
from .palettes import Decoded, decode
from .upscaling import Upscaling, find_upscaling, undo

_ROUNDED = 0.002  # rms distance in RGB that 8 bits leave


def decode_pictures(
    colours: Float[np.ndarray, "M H W 3"], colormap: str = "auto"
) -> tuple[Float[np.ndarray, "M h w"], Palette]:
    """The values of pictures of one palette at the size at which they were computed, and what was found.

    Args:
        colours: Red, green and blue in [0, 1].
        colormap: A palette, or auto for the one that fits, see `decode` (default: auto).

    Raises `BadInput` for colours of no palette, see `decode`.
    """
    found = find_upscaling(colours)
    if found.kind == "beside":
        return _interpolated(colours, colormap, found)
    decoded = decode(undo(colours, found), colormap)
    if found.kind == "none" and decoded.known:
        # A palette bends straight lines between cells; the values themselves show them.
        found = find_upscaling(decoded.values[..., None])
        decoded = dataclasses.replace(decoded, values=_undone(decoded, found))
    return decoded.values, _told(decoded, found)


def _interpolated(colours, colormap: str, found: Upscaling) -> tuple[np.ndarray, Palette]:
    """Of pictures between whose cells there are straight lines: of values that were painted then, or of colours."""
    painted, error = _tried(colours, colormap)
    exact = painted is not None and painted.error <= _ROUNDED
    mixed, _ = (None, None) if exact else _tried(undo(colours, found), colormap)
    if painted is not None and (mixed is None or painted.error <= mixed.error):
        return _undone(painted, found), _told(painted, found)
    if mixed is None:
        assert error is not None
        raise error
    return mixed.values, _told(mixed, found)


def _tried(colours, colormap: str) -> tuple[Decoded | None, BadInput | None]:
    try:
        return decode(colours, colormap), None
    except BadInput as error:
        return None, error


def _undone(decoded: Decoded, found: Upscaling) -> np.ndarray:
    # A palette of unknown scale bends and breaks the lines between cells: extrapolated along them, values overshoot.
    return undo(decoded.values[..., None], found, exact=decoded.known)[..., 0]


def _told(decoded: Decoded, found: Upscaling) -> Palette:
    return Palette(decoded.palette, decoded.error, decoded.known, found.factor)
