"""Pixels that pictures do not show: what stands in for them, and how far around them nothing is certain.

**Specks** are gaps, or parts of them, in which no square of 3 × 3 cells lies: dead pixels, scratches, thin strokes of
a drawing. The pattern goes on beneath them. Of wider gaps nothing is assumed.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.sparse.linalg import splu

from ..systems.grid import Grid

_WIDEST = 4  # half width in cells, from which on a gap is as bad as a border
_DRAWS = 16  # of white noise, to see how much of it the stand-ins for gaps keep


def specks(grid: Grid, seen: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """The cells of gaps that a square of 3 × 3 cells does not reach."""
    return ~seen & ~_around(grid, ~seen, lambda gaps: ndimage.binary_opening(gaps, _square(1)))


def stencils(grid: Grid, known: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """The cells whose Laplacian takes known cells alone."""
    reach = ndimage.generate_binary_structure(2, 1 if grid.scheme == "five-point" else 2)
    return _around(grid, known, lambda cells: ndimage.binary_erosion(cells, reach))


def reached(grid: Grid, cells: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """The cells that the Laplacian of these cells takes."""
    reach = ndimage.generate_binary_structure(2, 1 if grid.scheme == "five-point" else 2)
    return _around(grid, cells, lambda held: ndimage.binary_dilation(held, reach))


def away_from(grid: Grid, seen: Bool[np.ndarray, "H W"], margin: int) -> Bool[np.ndarray, "H W"]:
    """The cells that a gap does not reach: `margin` away from wide ones, nearer to narrow ones.

    What stands in for a gap of half width r is wrong by a power of r, and an elliptic solve forgets that within some
    cells. Where gaps are so dense that hardly a cell is left, less distance is kept, and none at last.
    """
    widths = range(1, _WIDEST + 1)
    opened = [_around(grid, ~seen, lambda gaps, r=r: ndimage.binary_opening(gaps, _square(r - 1))) for r in widths]
    away = np.ones_like(seen)
    for share in (margin / _WIDEST, margin / _WIDEST / 2, 0):
        away = np.ones_like(seen)
        for r, wide in zip(widths, opened, strict=True):
            away &= ~_grown(grid, wide, round(share * r))
        if away.mean() > 0.2 * seen.mean():
            break
    return away


def _grown(grid: Grid, cells: Bool[np.ndarray, "H W"], by: int) -> Bool[np.ndarray, "H W"]:
    return _around(grid, cells, lambda held: ndimage.binary_dilation(held, _square(by)))


def _square(by: int) -> Bool[np.ndarray, "n n"]:
    """The cells at most `by` rows and columns away."""
    return np.ones((2 * by + 1, 2 * by + 1), bool)


def _around(grid: Grid, cells: Bool[np.ndarray, "H W"], change) -> Bool[np.ndarray, "H W"]:
    """A morphological change of cells that knows what lies beyond the border: the other side, or a mirror."""
    pad = tuple(min(2 * _WIDEST + 1, n) for n in cells.shape)
    mode = "wrap" if grid.boundary == "periodic" else "symmetric"
    changed = change(np.pad(cells, [(p, p) for p in pad], mode=mode))
    return np.asarray(changed[pad[0] : -pad[0], pad[1] : -pad[1]], bool)


class Filling:
    """Stand-ins for the gaps of pictures: the smoothest ones, of least Σ(∇²c)² given the cells that are seen."""

    def __init__(self, grid: Grid, seen: Bool[np.ndarray, "H W"]):
        self.seen = seen
        curvature = _five_points(grid)
        self.gap = np.flatnonzero(~seen)
        beside = curvature[:, self.gap]
        self.solve = splu(sp.csc_matrix(beside.T @ beside))
        self.coupling = beside.T @ curvature[:, np.flatnonzero(seen)]

    def __call__(self, pictures: Float[np.ndarray, "M H W"]) -> Float[np.ndarray, "M H W"]:
        """The pictures with their gaps filled, within the range of what is seen of each."""
        out = np.array(pictures, float)
        for picture in out:
            known = picture[self.seen]
            smooth = self.solve.solve(-(self.coupling @ known))
            picture[~self.seen] = np.clip(smooth, known.min(), known.max())
        return out

    @functools.cached_property
    def noise(self) -> Float[np.ndarray, "M H W"]:
        """White noise of variance 1 with its gaps filled likewise: what an estimator of noise makes of them."""
        return self(np.random.default_rng(0).standard_normal((_DRAWS, *self.seen.shape)))


def _five_points(grid: Grid) -> sp.csr_matrix:
    """The five-point Laplacian of cells of side 1, (n, n)."""
    rows, columns = (_second_differences(n, grid.boundary == "periodic") for n in grid.shape)
    return sp.csr_matrix(sp.kron(rows, sp.identity(grid.shape[1])) + sp.kron(sp.identity(grid.shape[0]), columns))


def _second_differences(n: int, ring: bool) -> sp.csr_matrix:
    at = np.arange(n)
    beside = np.concatenate([at - 1, at + 1])
    beside = beside % n if ring else np.clip(beside, 0, n - 1)
    neighbours = sp.csr_matrix((np.ones(2 * n), (np.tile(at, 2), beside)), shape=(n, n))
    return sp.csr_matrix(neighbours - 2 * sp.identity(n))
