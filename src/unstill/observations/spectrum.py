"""Spectra of pictures on the grid, in the eigenvectors of its Laplacian, and their radial bands."""

import itertools

import numpy as np
import scipy.fft
from jaxtyping import Float

from ..systems.grid import Grid


def transform(grid: Grid, c: Float[np.ndarray, "*B H W"]) -> np.ndarray:
    """Coefficients in the orthonormal eigenvectors of the Laplacian, in the order of `grid.symbol`."""
    if grid.boundary == "periodic":
        return scipy.fft.fft2(c, norm="ortho")
    return scipy.fft.dctn(c, type=2, norm="ortho", axes=(-2, -1))


def inverse(grid: Grid, c_hat: np.ndarray) -> Float[np.ndarray, "*B H W"]:
    """The field of these coefficients: undoes `transform`."""
    if grid.boundary == "periodic":
        return scipy.fft.ifft2(c_hat, norm="ortho").real
    return scipy.fft.idctn(c_hat, type=2, norm="ortho", axes=(-2, -1))


def radial_bands(grid: Grid, count: int = 12) -> Float[np.ndarray, "bands H W"]:
    """Indicators of `count` bands of equal ratio in √−∇², that together hold every mode but the mean.

    Bands without modes (small grids have few long waves) are dropped.
    """
    radius = np.sqrt(np.maximum(-grid.symbol, 0))
    lowest = np.min(radius[radius > 1e-9 * radius.max()])
    edges = np.geomspace(lowest, radius.max() * (1 + 1e-9), count + 1)
    edges[0] = lowest * (1 - 1e-9)
    masks = np.array([(radius >= a) & (radius < b) for a, b in itertools.pairwise(edges)], float)
    return masks[masks.any((1, 2))]
