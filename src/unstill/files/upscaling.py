"""Pictures shown larger than they were computed: found by what interpolation leaves to the last bit, and undone.

Bilinear interpolation by 2 is a straight line between two cells. With pixels beside the cells' centres (graphics cards,
`imshow`, Pillow) the third difference of the four pixels around a centre is 0; with each other pixel on a centre the
second difference around the pixels between is. Rounding to 8 bits leaves such differences within a step or so, and
pixels that are no interpolation show no such difference between the two phases.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np
from jaxtyping import Float

Picture = Float[np.ndarray, "*M H W C"]

_STEP = 1 / 255
_LARGEST = 16  # times a cell that is looked for
_CLEAN, _CLEANER = 0.5, 0.025  # share of small differences in the phase that is interpolated, and by how much more
_LEAST_CELLS = 8


@dataclasses.dataclass(frozen=True)
class Upscaling:
    """How a picture was enlarged: exact blocks of `factor`², or bilinear by 2 with pixels `beside` or `on` centres.

    `phase` is the first row and the first column that begin a pair, or stand on a centre.
    """

    kind: Literal["none", "blocks", "beside", "on"] = "none"
    factor: int = 1
    phase: tuple[int, int] = (0, 0)


def native_size(colours: Picture) -> tuple[Float[np.ndarray, "*M h w C"], int]:
    """The picture at the size at which it was computed, and how often it was enlarged (1: not at all).

    Args:
        colours: Channels in [0, 1], (H, W, C), or (M, H, W, C) of one enlargement.

    Blocks are found where they are exact, bilinear interpolation by 2 where the channels are those of 8-bit pictures.
    """
    found = find_upscaling(colours)
    return undo(colours, found), found.factor


def find_upscaling(colours: Picture) -> Upscaling:
    """How the picture was enlarged, as far as its pixels show."""
    height, width = colours.shape[-3:-1]
    if min(height, width) < 2 * _LEAST_CELLS:
        return Upscaling()
    for factor in range(min(_LARGEST, min(height, width) // _LEAST_CELLS), 1, -1):
        if math.gcd(height, width) % factor == 0 and _in_blocks(colours, factor):
            return Upscaling("blocks", factor)
    kinds: tuple[tuple[Literal["beside", "on"], int], ...] = (("beside", 3), ("on", 2))
    for kind, order in kinds:
        phases = [_phase(np.moveaxis(colours, axis, 0), order) for axis in (-3, -2)]
        if None not in phases:
            return Upscaling(kind, 2, (phases[0] or 0, phases[1] or 0))
    return Upscaling()


def undo(values: Picture, found: Upscaling, exact: bool = True) -> Float[np.ndarray, "*M h w C"]:
    """The picture without its enlargement; not `exact`: pixels beside a cell's centre give their mean instead."""
    if found.kind == "none":
        return values
    for axis, phase in zip((-3, -2), found.phase, strict=True):
        x = np.moveaxis(values, axis, 0)
        x = _centres(x[phase:], exact) if found.kind == "beside" else x[phase :: found.factor]
        values = np.moveaxis(x, 0, axis)
    return values


def _centres(x: np.ndarray, exact: bool) -> np.ndarray:
    """Cells from pairs of pixels a = (w + 3 x)/4 and b = (3 x + y)/4 beside their centres: two estimates of each."""
    pairs = x[: len(x) // 2 * 2]
    a, b = pairs[0::2], pairs[1::2]
    if not exact:
        return (a + b) / 2
    from_left = (3 * a[1:] - b[:-1]) / 2
    from_right = (3 * b[:-1] - a[1:]) / 2
    first, last = from_right[:1], from_left[-1:]
    return np.concatenate([first, (from_left[:-1] + from_right[1:]) / 2, last])


def _in_blocks(colours: np.ndarray, factor: int) -> bool:
    for axis in (-3, -2):
        x = np.moveaxis(colours, axis, 0)
        if any((x[shift::factor] != x[::factor]).any() for shift in range(1, factor)):
            return False
    return True


def _phase(x: np.ndarray, order: int) -> int | None:
    """The first row of a pair, or on a centre, where every second difference of this order is rounding."""
    difference = np.abs(np.diff(x, order, axis=0))
    spread = np.max([np.abs(np.diff(x, axis=0))[k : k + len(difference)] for k in range(order)], axis=0)
    shares, counts = [], []
    for phase in (0, 1):
        small = difference[phase::2][spread[phase::2] >= 1.5 * _STEP] <= 1.5 * _STEP
        shares.append(small.mean() if small.size else 0.0)
        counts.append(small.size)
    clean = int(shares[1] > shares[0])
    margin = max(_CLEANER, 6 / math.sqrt(1 + min(counts)))
    if shares[clean] < _CLEAN or shares[clean] - shares[1 - clean] < margin:
        return None
    # A third difference at row i is around i + 1½, the centre of a pair that begins at i + 1; a second around i + 1.
    return (clean + 1) % 2 if order == 3 else clean
