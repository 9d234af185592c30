"""`draw_icons`: an unordered heap of pictures of one icon at random places and angles."""

from __future__ import annotations

import math
import os
import time
from typing import Literal

import numpy as np

from .._arguments import Count, Whole, checked
from .._errors import BadInput
from .._progress import Progress, silent
from ..files.arrays import MOST_ELEMENTS
from .icon import CHANNELS, Icon, find_icon, luminance
from .painting import paint
from .placing import TRIES, place_discs
from .result import DrawnIcons

_SMALLEST = 8  # an eighth of it is one pixel


@checked
def draw_icons(
    icon: str | os.PathLike | np.ndarray,
    *,
    count: Count = 10,
    size: Count = 128,
    samples: Count = 256,
    icon_size: Count | None = None,
    colour: Literal["rgb", "grey"] = "rgb",
    ground: str = "black",
    background: str | None = None,
    seed: Whole = 0,
    progress: Progress = silent,
) -> DrawnIcons:
    """Draw a heap of pictures, each of one icon `count` times, at random places and angles on a torus, without overlap.

    Icons are kept apart by the circle around all that is not transparent, which is more room than most shapes need.
    Places come from random sequential addition (`placing`): one after the other, each uniform where the ones before it
    leave room. An icon is turned by bilinear interpolation of a picture four times as fine, with colours multiplied by
    alpha, and laid over the ground: c = a·icon + (1 − a)·ground.

    Args:
        icon: A drawing by name: dot, two-dots, yin-yang, bug, crooked-bug, arrow; or a PNG with transparent pixels; in
            Python also an array (H, W, 4) or (H, W, 3).
        count: Icons in each picture.
        size: Rows and columns of a picture, in pixels.
        samples: How many pictures.
        icon_size: Longer side of the icon in pixels (default: an eighth of `size`).
        colour: rgb, three fields r, g, b; or grey, one field ink, their luminance.
        ground: Colour that the icons are laid over: a name, or as #ff8800.
        background: Colour that becomes transparent in an icon without an alpha channel (default: such an icon is
            refused).
        seed: Seed of places and angles; the first pictures are the same, however many there are.
        progress: Called with the pictures done and in all.

    Returns `DrawnIcons`. Raises `BadInput`, also where the icons do not fit: after 10,000 tries for one icon.
    """
    began = time.perf_counter()
    below, clear = _colour("ground", ground), None if background is None else _colour("background", background)
    drawn, fields = _fitting(icon, count, size, icon_size, clear), CHANNELS[colour]
    if samples * len(fields) * size**2 > MOST_ELEMENTS:
        raise BadInput("samples", f"must make at most {MOST_ELEMENTS:.0e} values", f"{samples} of {size} × {size}")
    places, angles, tried = _placed(drawn, count, size, samples, seed)
    under = np.array(below if colour == "rgb" else [luminance(np.array(below))], np.float32)
    pictures = paint(drawn, places, angles, under, size=size, colour=colour, progress=progress)
    told = {"under": under, "ground": ground, "tries": tried / count, "seconds": time.perf_counter() - began}
    return DrawnIcons(drawn, fields, pictures, places, angles, **told)


def _colour(argument: str, text: str) -> tuple[float, ...]:
    """Red, green and blue in [0, 1] of a colour's name; raises `BadInput`."""
    from PIL import ImageColor

    try:
        levels = ImageColor.getrgb(text)
    except ValueError:
        levels = ()
    if len(levels) != 3:
        raise BadInput(argument, "must be a colour, by name or as #ff8800", repr(text))
    return tuple(level / 255 for level in levels)


def _fitting(icon, count: int, size: int, icon_size: int | None, background) -> Icon:
    """The icon, if so many of it may fit; raises `BadInput`."""
    if size < _SMALLEST:
        raise BadInput("size", f"must be at least {_SMALLEST}", size)
    side = max(1, size // 8) if icon_size is None else icon_size
    if side >= size:
        raise BadInput("icon_size", f"must be below the {size} pixels of `size`", side, "Take a larger `size`.")
    found = find_icon(icon, side, background)
    if 2 * found.radius >= size:
        wide = f"a circle {2 * found.radius:.1f} pixels wide around an icon of {side}"
        raise BadInput("icon_size", f"must leave the icon's circle below the {size} pixels of `size`", wide)
    most = int(size**2 / (math.pi * found.radius**2))
    if count > most:
        room = f"{count}, where not even the area has room for more than {most}"
        raise BadInput("count", "must fit without overlap", room, _remedy())
    return found


def _remedy() -> str:
    return "Take fewer, a smaller `icon_size` or a larger `size`."


def _placed(icon: Icon, count: int, size: int, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Places (M, N, 2) and angles (M, N), and tries a picture; all before anything is drawn."""
    places, angles, tried = np.empty((samples, count, 2)), np.empty((samples, count)), 0
    for m in range(samples):
        # A generator a picture: the m-th one depends on the seed and m alone.
        where, turned, tries = place_discs(np.random.default_rng((seed, m)), count, icon.radius, size)
        if len(where) < count:
            fitted = f"{count}, of which {len(where)} fitted into picture {m}, and {TRIES:,} tries for one more failed"
            raise BadInput("count", "must fit without overlap", fitted, _remedy())
        places[m], angles[m], tried = where, turned, tried + tries
    return places, angles, tried / samples
