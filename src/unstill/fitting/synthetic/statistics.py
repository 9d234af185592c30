"""What pictures are compared by: numbers that do not know where their pieces lie, smooth in the parameters."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float

from ...analysis.patterns import pattern_statistics
from ...observations.noise import estimate_noise
from ...observations.steadiness import LOST, contrast
from ...simulation import Grid


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Statistics of pictures of the observed fields, as a camera with the targets' own noise sees them.

    Of each field: quantiles and mean; the share of area above the half-way level; and the logarithms of the
    wavelength, of the border's length, and of the rms of gradient and Laplacian: 13 numbers.
    """

    grid: Grid
    targets: Float[np.ndarray, "M K H W"]

    @functools.cached_property
    def noise(self) -> Float[np.ndarray, " K"]:
        """Standard deviation of the white noise that is seen in the targets, field by field."""
        levels = [estimate_noise(self.grid, self.targets[:, j]) for j in range(self.targets.shape[1])]
        return np.array([level.std if level.detected else 0.0 for level in levels])

    @functools.cached_property
    def least_contrast(self) -> Float[np.ndarray, " K"]:
        """Below it nothing of the targets' pattern is left."""
        return LOST * contrast(self.targets).mean(0)

    @functools.cached_property
    def of_targets(self) -> Float[np.ndarray, "M S"]:
        return np.stack([self._of_one(picture) for picture in self.targets])

    def of(self, states: Float[np.ndarray, "M K H W"], rng: np.random.Generator) -> Float[np.ndarray, "M S"]:
        """Of simulated pictures, noise added; NaN for those without a pattern."""
        noisy = states + self.noise[:, None, None] * rng.standard_normal(states.shape)
        seen = np.isfinite(states).all((1, 2, 3)) & (contrast(states) > self.least_contrast).all(1)
        nothing = np.full(self.of_targets.shape[1], np.nan)
        return np.stack([self._of_one(p) if alive else nothing for p, alive in zip(noisy, seen, strict=True)])

    def _of_one(self, picture: Float[np.ndarray, "K H W"]) -> Float[np.ndarray, " S"]:
        return np.concatenate([_of_field(self.grid, c) for c in picture])


def _of_field(grid: Grid, c: Float[np.ndarray, "H W"]) -> Float[np.ndarray, " S"]:
    look = pattern_statistics(grid, c)
    if look.wavelength is None or look.area is None or not look.perimeter:
        return np.full(len(look.quantiles) + 6, np.nan)
    slope = np.sqrt(sum(np.mean(np.diff(c, axis=axis) ** 2) for axis in (0, 1)))
    bend = np.sqrt(np.mean(sum(np.diff(c, 2, axis=axis)[_inner(axis)] for axis in (0, 1)) ** 2))
    lengths = np.log([look.wavelength, look.perimeter, slope, bend])
    return np.concatenate([look.quantiles, [c.mean(), look.area], lengths])


def _inner(axis: int) -> tuple[slice, slice]:
    """Second differences along one axis where those along the other exist too."""
    return (slice(None), slice(1, -1)) if axis == 0 else (slice(1, -1), slice(None))
