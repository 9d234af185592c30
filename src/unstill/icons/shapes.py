"""Shapes by their signed distances, and layers of them painted with smooth edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

# x to the right, y upwards → distance to the shape's edge, negative inside.
Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
Layer = tuple[Shape, tuple[float, float, float]]  # what is painted, and its red, green and blue in [0, 1]

_REACH = 1.1  # drawings lie in the square from −1 to 1; the rest is a margin for their edges


def disc(x0: float, y0: float, radius: float) -> Shape:
    """A full circle."""
    return lambda x, y: np.hypot(x - x0, y - y0) - radius


def ellipse(x0: float, y0: float, across: float, up: float) -> Shape:
    """An ellipse with these half axes; the distance is one to first order at the edge of the shorter one."""
    return lambda x, y: (np.hypot((x - x0) / across, (y - y0) / up) - 1) * min(across, up)


def line(start: tuple[float, float], end: tuple[float, float], width: float) -> Shape:
    """A stroke with round ends."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0

    def distance(x, y):
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        return np.hypot(x - x0 - along * dx, y - y0 - along * dy) - width / 2

    return distance


def polygon(*corners: tuple[float, float]) -> Shape:
    """A convex polygon, its corners counter-clockwise: the part inside of all its sides."""
    sides = list(zip(corners, (*corners[1:], corners[0]), strict=True))

    def distance(x, y):
        out = [
            ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / np.hypot(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in sides
        ]
        return np.max(out, 0)

    return distance


def both(one: Shape, other: Shape) -> Shape:
    """What lies in both."""
    return lambda x, y: np.maximum(one(x, y), other(x, y))


def mirrored(shape: Shape) -> Shape:
    """The part above the x axis, and its mirror image below."""
    return lambda x, y: shape(x, np.abs(y))


def turned_over(shape: Shape) -> Shape:
    """The mirror image on the other side of the x axis."""
    return lambda x, y: shape(x, -y)


def painted(layers: Sequence[Layer], side: int) -> np.ndarray:
    """Layers over each other, the first one lowest, as red, green, blue and alpha (side, side, 4), row 0 at the top.

    An edge is smoothed over one pixel: a pixel is covered by ½ − distance/pixel, between 0 and 1. Colours are
    multiplied by alpha.
    """
    pixel = 2 * _REACH / side
    along = (np.arange(side) + 0.5) * pixel - _REACH
    x, y = np.meshgrid(along, -along)
    picture = np.zeros((side, side, 4))
    for shape, colour in layers:
        cover = np.clip(0.5 - shape(x, y) / pixel, 0, 1)[..., None]
        picture = picture * (1 - cover) + cover * np.array([*colour, 1.0])
    return picture
