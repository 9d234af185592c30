"""Power spectra on the grid: radial bands, the level of white noise, and its removal."""

import numpy as np
import scipy.fft
from jaxtyping import Float

from ..simulation import Grid

# Where ∇² of the five-point stencil is below −4.5 (of at most −8) in units of 1/dx²: the corner of the spectrum that a
# smooth pattern hardly reaches. Cut into rings so that flatness, the mark of white noise, can be tested.
_CORNER = np.array([4.5, 5.2, 5.8, 6.3, 6.8, 8.01])


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
    masks = np.array([(radius >= a) & (radius < b) for a, b in zip(edges[:-1], edges[1:], strict=True)], float)
    return masks[masks.any((1, 2))]


def white_noise_level(grid: Grid, c: Float[np.ndarray, "M H W"]) -> float:
    """Standard deviation of white noise in pictures of one field, from the flat end of their spectrum.

    The power is averaged in rings of the corner of the spectrum. White noise makes the outer rings equal within their
    sampling error (two rings and more: the level is their mean); a clean picture falls from ring to ring (level 0).
    Returns 0 also where noise is weaker than the picture's own finest detail: it then changes nothing that matters.
    """
    power = (np.abs(transform(grid, c)) ** 2).mean(0)
    radius = -grid.symbol * grid.dx**2
    members = [power[(radius >= a) & (radius < b)] for a, b in zip(_CORNER[:-1], _CORNER[1:], strict=True)]
    members = [ring for ring in members if ring.size]
    level, weight = members[-1].mean(), members[-1].size
    for used, ring in enumerate(reversed(members[:-1]), start=1):
        # A periodic mode and its mirror image are one sample: the mean of n such powers scatters by √(2/(M n)).
        error = level * np.sqrt(2 / len(c) * (1 / weight + 1 / ring.size))
        if ring.mean() > 1.1 * level + 4 * error:  # 10 %: the pattern's own power may start to show
            return float(np.sqrt(level)) if used >= 2 else 0.0
        level = (level * weight + ring.mean() * ring.size) / (weight + ring.size)
        weight += ring.size
    return float(np.sqrt(level))


def denoise(grid: Grid, c: Float[np.ndarray, "M H W"], noise: float) -> Float[np.ndarray, "M H W"]:
    """Wiener filter: each radial shell is scaled by 1 − noise²/power. With `noise` 0 the pictures come back as given."""
    if noise == 0:
        return c
    c_hat = transform(grid, c)
    power = (np.abs(c_hat) ** 2).mean(0)
    radius = np.sqrt(np.maximum(-grid.symbol, 0)) * grid.dx
    shell = np.rint(radius * np.sqrt(radius.size) / (2 * np.pi)).astype(int)
    shell[shell == 0] = 1
    mean = np.bincount(shell.ravel(), power.ravel()) / np.maximum(np.bincount(shell.ravel()), 1)
    gain = np.maximum(1 - noise**2 / np.maximum(mean[shell], 1e-300), 0)
    gain[grid.symbol > -1e-12] = 1.0  # the mean of a picture is never noise
    return inverse(grid, gain * c_hat)
