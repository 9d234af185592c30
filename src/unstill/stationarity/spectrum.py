"""Power spectra on the grid: radial bands, the level of white noise, and its removal."""

import itertools

import numpy as np
import scipy.fft
import scipy.special
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
    masks = np.array([(radius >= a) & (radius < b) for a, b in itertools.pairwise(edges)], float)
    return masks[masks.any((1, 2))]


def white_noise_level(grid: Grid, c: Float[np.ndarray, "M H W"]) -> float:
    """Standard deviation of white noise in pictures of one field, from the flat end of their spectrum.

    The corner of the spectrum is cut into rings. White noise makes the outer rings equal, and the mean power in each
    agree with the median of its known distribution, within sampling error and 10 %; the level is the mean over the
    rings that pass, two at least. A clean picture falls from ring to ring or stands in peaks (level 0).
    Returns 0 also where noise is weaker than the picture's own finest detail: it then changes nothing that matters.
    """
    power = (np.abs(transform(grid, c)) ** 2).mean(0)
    radius = -grid.symbol * grid.dx**2
    rings = [power[(radius >= a) & (radius < b)] for a, b in itertools.pairwise(_CORNER)]
    rings = [ring for ring in rings if ring.size]
    # A coefficient of white noise is normal, complex on periodic grids: its mean power over M pictures is Gamma(shape).
    shape = len(c) * (1.0 if grid.boundary == "periodic" else 0.5)
    per_median = shape / scipy.special.gammaincinv(shape, 0.5)
    white: list[np.ndarray] = []
    for ring in reversed(rings):
        joined = np.concatenate([*white, ring])
        level = np.median(joined) * per_median
        error = level * np.sqrt(2 / shape / joined.size)
        if any(abs(part.mean() - level) > 0.1 * level + 4 * error * np.sqrt(joined.size / part.size)
               for part in [*white, ring]):  # fmt: skip
            break
        white.append(ring)
    if len(white) < 2:
        return 0.0
    return float(np.sqrt(np.mean(np.concatenate(white))))


def white_noise_levels(grid: Grid, states: Float[np.ndarray, "M C H W"]) -> Float[np.ndarray, " C"]:
    """The level of each field, see `white_noise_level`; 0 for what two fields share.

    Noise of different fields is independent, while the finest detail of a pattern, which may look flat too, stands in
    all its fields: where the corner of the spectrum is coherent with another field's, it is no noise.
    """
    corner = -grid.symbol * grid.dx**2 >= _CORNER[-3]
    c_hat = transform(grid, states)[..., corner]
    cross = np.abs(np.einsum("mak,mbk->ab", c_hat, c_hat.conj())) ** 2
    power = np.sqrt(np.diag(cross))
    coherence = cross / np.maximum(np.outer(power, power), 1e-300) - np.eye(len(cross))
    levels = [white_noise_level(grid, states[:, a]) for a in range(states.shape[1])]
    return np.where(coherence.max(1) > 0.5, 0.0, levels)


def denoise(grid: Grid, c: Float[np.ndarray, "M H W"], noise: float) -> Float[np.ndarray, "M H W"]:
    """Wiener filter: each radial shell is scaled by 1 − noise²/power; with `noise` 0 the pictures as given."""
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
