"""Icons by name, drawn by code. They look to the right; each has another symmetry."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from .shapes import Layer, both, disc, ellipse, line, mirrored, painted, polygon, turned_over

_YELLOW, _ORANGE, _CYAN = (1.0, 0.85, 0.25), (1.0, 0.45, 0.1), (0.25, 0.8, 1.0)
_WHITE, _BLUE, _GREEN, _LEAF = (1.0, 1.0, 1.0), (0.2, 0.35, 0.95), (0.35, 0.8, 0.3), (0.15, 0.5, 0.2)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A name, what is to be seen, and the layers that are painted over each other."""

    name: str
    about: str
    layers: Sequence[Layer]

    def painted(self, side: int) -> np.ndarray:
        """Red, green, blue (multiplied by alpha) and alpha, (side, side, 4)."""
        return painted(self.layers, side)


def _left(x, y):
    return x


def _right(x, y):
    return -x - 0.1  # a little of it lies under the other half, so that no seam shows


def _legs(*ends: tuple[float, float, float], width: float = 0.11) -> list[Layer]:
    """Legs above the axis: where each begins, and where it ends."""
    return [(line((x, 0.2), (x1, y1), width), _ORANGE) for x, x1, y1 in ends]


_BODY: list[Layer] = [
    (ellipse(-0.15, 0, 0.62, 0.4), _GREEN),
    (line((-0.7, 0), (0.3, 0), 0.07), _LEAF),
    (disc(0.5, 0, 0.25), _YELLOW),
]
_BUG_LEGS = _legs((0.2, 0.4, 0.78), (-0.15, -0.15, 0.85), (-0.5, -0.75, 0.75))
_BUG_LEGS += [(line((0.55, 0.1), (0.93, 0.34), 0.08), _WHITE)]
_EYES = (mirrored(disc(0.62, 0.11, 0.07)), _BLUE)

_CROOKED: list[Layer] = [
    *_legs((0.2, 0.62, 0.8), (-0.15, 0.1, 0.88), (-0.5, -0.35, 0.88), width=0.13),
    *((turned_over(shape), colour) for shape, colour in _legs((0.1, -0.25, 0.62), (-0.4, -0.85, 0.6))),
    (line((0.55, 0.1), (0.98, 0.3), 0.08), _WHITE),
    (ellipse(-0.15, 0, 0.62, 0.4), _GREEN),
    (disc(-0.3, -0.18, 0.2), _ORANGE),
    (disc(0.5, 0.1, 0.26), _YELLOW),
    (disc(0.62, 0.2, 0.08), _BLUE),
]

ICONS: dict[str, Drawing] = {
    one.name: one
    for one in (
        Drawing("dot", "a disc: all angles look alike", [(disc(0, 0, 1), _YELLOW)]),
        Drawing(
            "two-dots", "a large disc behind a small one: a direction, and a mirror image that looks alike",
            [(disc(-0.38, 0, 0.62), _CYAN), (disc(0.68, 0, 0.32), _ORANGE)],
        ),
        Drawing(
            "yin-yang", "two halves that turn into each other: handed",
            [
                (both(disc(0, 0, 1), _right), _WHITE), (both(disc(0, 0, 1), _left), _BLUE),
                (disc(0, 0.5, 0.5), _WHITE), (disc(0, -0.5, 0.5), _BLUE),
                (disc(0, 0.5, 0.17), _BLUE), (disc(0, -0.5, 0.17), _WHITE),
            ],
        ),
        Drawing(
            "bug", "six legs and two feelers: a direction, and mirror-symmetric",
            [*((mirrored(shape), colour) for shape, colour in _BUG_LEGS), *_BODY, _EYES],
        ),
        Drawing("crooked-bug", "five uneven legs, one feeler, a spot on one side: a direction, and handed", _CROOKED),
        Drawing(
            "arrow", "a shaft and a head: a direction, and mirror-symmetric",
            [(line((-0.87, 0), (0.4, 0), 0.26), _CYAN), (polygon((1, 0), (0.1, 0.62), (0.1, -0.62)), _CYAN)],
        ),
    )
}  # fmt: skip
