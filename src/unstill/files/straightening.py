"""Values that are known up to a monotone function, made straight by how they were interpolated.

A graphics card interpolates the field between cells and then paints it. A palette that is not known bends the straight
lines between cells; the monotone function that makes them straight again gives the field up to gain and offset.
"""

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls
from scipy.sparse import csr_matrix

from .upscaling import Upscaling

_KNOTS = 16
_GAP = 0.01  # between values that no pixel has: palettes jump where they are steep
_ROUNDED = 20 / 12  # variance of a third difference of values that were rounded to whole numbers


def straightened(values: Float[np.ndarray, "*M H W"], found: Upscaling) -> Float[np.ndarray, "*M H W"]:
    """The values, from 0 to 1, in the scale in which they were interpolated.

    Args:
        values: In any scale that rises with the field, (H, W) or (M, H, W).
        found: How they were interpolated: bilinear by 2, pixels beside the centres.

    The scale is the piecewise linear, rising function with the least third differences around the cells' centres, what
    rounding adds to them taken out: it would favour functions that are steep where there are few values.
    """
    knots = _knots(values)
    place = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, len(knots) - 2)
    width = np.diff(knots)
    share = (values - knots[place]) / width[place]
    rises = np.tril(np.ones((len(knots), len(knots) - 1)), -1)  # from steps between knots to values at knots
    rough = rises.T @ _roughness(place, share, found, len(knots)) @ rises
    step = np.median(np.diff(np.unique(values)))
    rough -= np.diag(np.bincount(place.ravel(), minlength=len(width)) * _ROUNDED * (step / width) ** 2)
    sizes, vectors = np.linalg.eigh(rough)
    root = np.sqrt(np.maximum(sizes, 0))[:, None] * vectors.T
    heavy = 1e3 * np.sqrt(sizes[-1])  # holds the sum of the steps at 1
    steps, _ = nnls(np.vstack([root, np.full(len(width), heavy)]), np.append(np.zeros(len(root)), heavy))
    return np.interp(values, knots, np.append(0.0, np.cumsum(steps)) / steps.sum())


def _knots(values: np.ndarray) -> np.ndarray:
    """Places with as many values between each two, and both sides of each gap."""
    own = np.unique(values)
    gap = np.flatnonzero(np.diff(own) > _GAP)
    knots = np.unique(np.concatenate([np.quantile(own, [0, 1]), own[gap], own[gap + 1]]))
    even = np.linspace(0, 1, _KNOTS)
    inner = np.concatenate([np.quantile(values, even), own[np.searchsorted(own, own[0] + even[:-1] * np.ptp(own))]])
    inner = np.unique(inner)
    inner = inner[np.concatenate([[True], np.diff(inner) > _GAP / 2])]
    far = np.min(np.abs(inner[:, None] - knots), axis=1) > _GAP / 2
    return np.unique(np.concatenate([knots, inner[far]]))


def _roughness(place: np.ndarray, share: np.ndarray, found: Upscaling, count: int) -> np.ndarray:
    """The sum of squared third differences around centres as a quadratic form in the values at the knots."""
    total = np.zeros((count, count))
    for axis, phase in zip((-2, -1), found.phase, strict=True):
        p, s = (np.moveaxis(z, axis, 0) for z in (place, share))
        first = (1 - phase) % 2  # of four pixels around a centre
        rows = len(p[first + 3 :: 2])
        parts = [_hats(p[first + k :: 2][:rows].ravel(), s[first + k :: 2][:rows].ravel(), count) for k in range(4)]
        third = csr_matrix(parts[0] - 3 * parts[1] + 3 * parts[2] - parts[3])
        total += (third.T @ third).toarray()
    return total


def _hats(place: np.ndarray, share: np.ndarray, count: int) -> csr_matrix:
    """Piecewise linear interpolation between knots as a matrix, one value a row."""
    rows = np.arange(len(place))
    data = np.concatenate([1 - share, share])
    return csr_matrix((data, (np.tile(rows, 2), np.concatenate([place, place + 1]))), shape=(len(rows), count))
