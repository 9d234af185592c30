"""Where particles were in the last pictures of a film, as fading lines on a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..tracking import Tracks

TRAIL = 20  # pictures
_COLOR = (0, 229, 255)  # cyan is in neither colour map of films


def with_trails(pixels: np.ndarray, tracks: Tracks, frame: int, scale: int) -> np.ndarray:
    """A panel's pixels (rows, columns, 3) with the tracks over the last `TRAIL` pictures before `frame`."""
    from PIL import Image, ImageDraw

    begin, end, age = segments(tracks, frame)
    ground = Image.fromarray(pixels)
    over = Image.new("RGBA", ground.size, (*_COLOR, 0))
    pen, width = ImageDraw.Draw(over), max(1, round(scale / 2))
    sides = np.array(tracks.box, float)
    for i in np.argsort(-age):  # the youngest last, over the others
        strength = 255 - 255 * int(age[i]) // TRAIL
        for a, b in _images(begin[i], end[i], sides):
            ends = [tuple((each[::-1] + 0.5) * scale) for each in (a, b)]
            pen.line(ends, fill=(*_COLOR, strength), width=width)
    ground.paste(over, mask=over.getchannel("A"))
    return np.asarray(ground)


def segments(tracks: Tracks, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Begin and end (S, 2) in unwrapped cells, and age in pictures, of the steps that a trail shows at `frame`."""
    follows = tracks.track[1:] == tracks.track[:-1]
    age = frame - tracks.frame[1:]
    kept = follows & (age >= 0) & (age < TRAIL)
    return tracks.places[:-1][kept], tracks.places[1:][kept], age[kept]


def _images(a: np.ndarray, b: np.ndarray, sides: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """A step into the box, and its copy on the other side where it leaves it."""
    turns = {tuple(np.floor(each / sides)) for each in (a, b)}
    return [(a - np.array(turn) * sides, b - np.array(turn) * sides) for turn in turns]
