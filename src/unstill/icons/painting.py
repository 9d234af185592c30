"""Pictures of icons at known places and angles, on a torus."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from .._progress import Progress, silent
from .icon import Icon

_REPORT = 64  # pictures between two reports of progress


def paint(
    icon: Icon,
    places: Float[np.ndarray, "M N 2"],
    angles: Float[np.ndarray, "M N"],
    under: Float[np.ndarray, " C"],
    *,
    size: int,
    colour: str = "rgb",
    progress: Progress = silent,
) -> Float[np.ndarray, "M C size size"]:
    """Pictures in float32 over a ground of `under` in each field; made in place, in no more memory than they take."""
    layers = icon.channels(colour)
    pictures = np.empty((len(places), len(under), size, size), np.float32)
    pictures[:] = under[:, None, None]
    for m, picture in enumerate(pictures):
        for place, angle in zip(places[m], angles[m], strict=True):
            lay(picture, icon, layers, place, float(angle))
        if (m + 1) % _REPORT == 0 or m + 1 == len(pictures):
            progress(m + 1, len(pictures), {})
    return pictures


def lay(picture: np.ndarray, icon: Icon, layers: np.ndarray, place: np.ndarray, angle: float) -> None:
    """Lay the icon over a picture (C, H, W), in place: c = a·icon + (1 − a)·c, with `layers` of `icon.channels`."""
    # All pixels in the icon's circle; it is narrower than the torus, so none comes twice.
    rows, columns = (np.arange(math.ceil(x - icon.radius), math.floor(x + icon.radius) + 1) for x in place)
    stamp = icon.stamp(layers, rows - place[0], columns - place[1], angle)
    here = np.ix_(rows % picture.shape[1], columns % picture.shape[2])
    for channel, ink in zip(picture, stamp[:-1], strict=True):
        channel[here] = channel[here] * (1 - stamp[-1]) + ink
