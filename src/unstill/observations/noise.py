"""White measurement noise of pictures: two estimators of its level, and its filter.

`white_noise_level` fits the tail of the pattern besides the noise and gives 0 in doubt: what takes the bias of noise
out of averages must never take out too much. `estimate_noise` looks at the outermost corner alone and gives an upper
bound in doubt: it weighs pictures, and says when they are all noise. (Noise of points has no spectrum: see
`discovery.point_noise`.)
"""

import dataclasses
import itertools
from collections.abc import Collection, Mapping

import numpy as np
import scipy.optimize
from jaxtyping import Float

from .._errors import BadInput, nearest
from ..systems.grid import Grid
from .spectrum import inverse, transform

# Rings of the corner of the spectrum, by −∇² in units of 1/dx² (at most 8): what a smooth pattern hardly reaches.
_RINGS = np.array([4.5, 5.0, 5.5, 6.0, 6.4, 6.8, 7.2, 8.01])
_DECAYS = np.geomspace(0.3, 8.0, 40)
_CORNER, _NEXT = (0.94, 1.0), (0.85, 0.94)  # bands of −∇²'s symbol, as shares of its maximum
_FLAT = 1.7  # white noise has the same power in both bands, a pattern at least several times more in the lower one
# Errors beyond which it is none: over 120 windows a size of 48² and less, up to 3 in a hundred lie beyond one of them.
_CHANCE = 3


@dataclasses.dataclass(frozen=True)
class Noise:
    """`std`: standard deviation of the white noise (the pictures' unit), or an upper bound where not `detected`;
    `relative_error` of the variance estimate; `doubtful` where it was not detected, but chance may have hidden it."""

    std: float
    detected: bool
    relative_error: float
    doubtful: bool = False


def known_noise(noise: Mapping[str, float] | None, names: Collection[str], what: str = "fields") -> dict[str, float]:
    """Standard deviations that a caller knows, by name, checked; raises `BadInput`."""
    for name, level in (noise or {}).items():
        if name not in names:
            raise BadInput("noise", f"must name {what}", repr(name), nearest(name, names))
        if not (np.isfinite(level) and level >= 0):
            raise BadInput("noise", "must be 0 or positive", f"{name}={level}")
    return dict(noise or {})


def estimate_noise(grid: Grid, pictures: Float[np.ndarray, "M H W"]) -> Noise:
    """White noise in pictures of patterns that are smooth on the scale of a cell.

    Medians of the periodogram, divided by the exponential law's ln 2 (by its χ²₁ counterpart for the DCT). Fails on
    patterns with structure of one or two cells, whose own power fills the corner: the result is then an upper bound.
    """
    share = grid.five_point.symbol / grid.five_point.symbol.min()
    # The median of |normal|², complex in the FFT and real in the DCT, and the scatter of a cell's.
    median, scatter = (np.log(2.0), 1.0) if grid.boundary == "periodic" else (0.4549, 2.0)
    power = np.abs(transform(grid, pictures)) ** 2
    corner, below = (np.median(power[:, (share > low) & (share <= high)]) / median for low, high in (_CORNER, _NEXT))
    cells = max(int(((share > _CORNER[0]) & (share <= _CORNER[1])).sum()) * len(pictures), 1)
    tiny = (1e-9 * pictures.std()) ** 2  # round-off is as flat as noise
    error = float(2.0 * np.sqrt(scatter / cells))
    detected, possible = (bool(corner > tiny and below < _FLAT * (1 + n * error) * corner) for n in (1, _CHANCE))
    return Noise(float(np.sqrt(corner)), detected, error, possible and not detected)


def white_noise_level(grid: Grid, c: Float[np.ndarray, "M H W"]) -> float:
    """Standard deviation of white noise in pictures of one field, from the flat end of their spectrum.

    In the corner of the spectrum the power of a clean picture falls exponentially with −∇² and that of white noise is
    flat: power = s² + A exp(β∇²) is fitted to the means over rings. Returns 0 where the flat part is below a third of
    the power in the outermost ring, or within four standard errors of 0.
    """
    power = (np.abs(transform(grid, c)) ** 2).mean(0)
    radius = -grid.five_point.symbol * grid.dx**2
    members = [(radius >= a) & (radius < b) for a, b in itertools.pairwise(_RINGS)]
    members = [ring for ring in members if ring.any()]
    mean, middle, size = (np.array([f(ring) for ring in members]) for f in (
        lambda ring: power[ring].mean(), lambda ring: radius[ring].mean(), np.sum
    ))  # fmt: skip
    if not mean[-1] > 0:
        return 0.0
    mean = np.maximum(mean, 1e-30 * mean.max())  # rings without any power, as of a checkerboard
    # Modes and their mirror images are one sample; 2 % because no pattern falls quite exponentially.
    weight = 1 / (mean * np.sqrt(2 / (len(c) * size) + 0.02**2))
    best = (np.inf, 0.0, np.inf)
    for decay in _DECAYS:
        design = np.stack([np.ones_like(middle), np.exp(-decay * (middle - middle[0]))], 1) * weight[:, None]
        share, residual = scipy.optimize.nnls(design, mean * weight)
        if residual < best[0]:
            best = (residual, share[0], np.sqrt(np.linalg.pinv(design.T @ design)[0, 0]))
    _, level, error = best
    return float(np.sqrt(level)) if level > max(mean[-1] / 3, 4 * error) else 0.0


def white_noise_levels(grid: Grid, states: Float[np.ndarray, "M C H W"]) -> Float[np.ndarray, " C"]:
    """The level of each field, see `white_noise_level`; 0 for what two fields share.

    Noise of different fields is independent, while the finest detail of a pattern, which may look flat too, stands in
    all its fields: where the corner of the spectrum is coherent with another field's, it is no noise.
    """
    corner = -grid.five_point.symbol * grid.dx**2 >= _RINGS[-4]
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
    radius = np.sqrt(np.maximum(-grid.five_point.symbol, 0)) * grid.dx
    shell = np.rint(radius * np.sqrt(radius.size) / (2 * np.pi)).astype(int)
    shell[shell == 0] = 1
    mean = np.bincount(shell.ravel(), power.ravel()) / np.maximum(np.bincount(shell.ravel()), 1)
    gain = np.maximum(1 - noise**2 / np.maximum(mean[shell], 1e-300), 0)
    gain[grid.five_point.symbol > -1e-12] = 1.0  # the mean of a picture is never noise
    return inverse(grid, gain * c_hat)
