"""How much white noise a picture carries, from the corner of its power spectrum where a smooth pattern has none."""

import dataclasses

import numpy as np
import scipy.fft

from ..systems.grid import Grid

CORNER, NEXT = (0.94, 1.0), (0.85, 0.94)  # bands of −∇²'s symbol, as shares of its maximum
FLAT = 1.7  # white noise has the same power in both bands, a pattern at least several times more in the lower one


@dataclasses.dataclass(frozen=True)
class Noise:
    """`std`: standard deviation of the white noise (the pictures' unit), or an upper bound where not `detected`;
    `relative_error` of the variance estimate."""

    std: float
    detected: bool
    relative_error: float


def estimate_noise(pictures: np.ndarray, grid: Grid) -> Noise:
    """White noise in pictures (M, H, W) of patterns that are smooth on the scale of a cell.

    Medians of the periodogram, divided by the exponential law's ln 2 (by its χ²₁ counterpart for the DCT). Fails on
    patterns with structure of one or two cells, whose own power fills the corner: the result is then an upper bound.
    """
    share = grid.symbol / grid.symbol.min()
    if grid.boundary == "periodic":
        power = np.abs(scipy.fft.fft2(pictures)) ** 2 / share.size
        median, dimensions = np.log(2.0), 1.0
    else:
        power = scipy.fft.dctn(pictures, axes=(-2, -1), norm="ortho") ** 2
        median, dimensions = 0.4549, 2.0
    corner, below = (np.median(power[:, (share > low) & (share <= high)]) / median for low, high in (CORNER, NEXT))
    cells = max(int(((share > CORNER[0]) & (share <= CORNER[1])).sum()) * len(pictures), 1)
    tiny = (1e-9 * pictures.std()) ** 2  # round-off is as flat as noise
    error = float(2.0 * np.sqrt(dimensions / cells))
    detected = bool(corner > tiny and below < FLAT * (1 + error) * corner)
    return Noise(float(np.sqrt(corner)), detected, error)


def denoise(pictures: np.ndarray, grid: Grid, std: float) -> np.ndarray:
    """Wiener filter with the pictures' own radial power spectrum, shape kept: what the search starts from."""
    periodic = grid.boundary == "periodic"
    hats = scipy.fft.fft2(pictures, norm="ortho") if periodic else scipy.fft.dctn(pictures, axes=(-2, -1), norm="ortho")
    bins = (20 * np.sqrt(-grid.symbol) * grid.dx).astype(int).ravel()
    power = (np.abs(hats) ** 2).mean(0).ravel()
    radial = (np.bincount(bins, power) / np.maximum(np.bincount(bins), 1))[bins].reshape(grid.shape)
    hats = hats * np.clip(1 - std**2 / np.maximum(radial, 1e-300), 0, 1)
    return scipy.fft.ifft2(hats, norm="ortho").real if periodic else scipy.fft.idctn(hats, axes=(-2, -1), norm="ortho")
