"""What forbids the hidden-field road to say `converged`: each rule with its limit, and where that comes from."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.stats
from jaxtyping import Float

from .._types import Status
from ..observations.noise import Noise
from ..observations.spectrum import transform
from ..observations.steadiness import UNEXPLAINED
from ..systems.grid import Grid

# Noise below this share of the contrast changes nothing that the noise-free fit resolves.
FAINT = 1e-4
# An estimate of noise above this share of the contrast may be the pattern's own detail: only a given one is believed.
SWALLOWED = 0.3
# Of the contrast, left open by a noise-free fit. Measured over 10 Gray–Scott patterns at 48² and 96²: 2e-6 to 8e-4
# after 20,000 steps, with errors within the intervals; the same patterns to the power 1.1: 1.4e-3 to 2.9e-3, with
# errors of up to 24 % and 14 standard deviations.
RELAXED = 1e-3
_RINGS = 8  # bands of −∇²'s symbol that the misfit's power is averaged over
_EXCESS = 1.5  # of χ² per cell, besides chance: the level of noise is known to some 10 % of its variance only
_PEAK = 4.0  # of a ring's power against all, besides chance
_SIGMAS = 5.0
_CHANCE = 3.0  # standard deviations that a ring's power may lie above the noise by chance
# Of the noise, in a ring that the pattern reaches, besides chance; and of the contrast, all such rings together.
# Measured on 64²: at most 1.4 in 68 pictures of seven parameter sets with .5 to 10 % noise, but for one that relaxes
# (worms, .3 and .5 % noise: 2.3 to 4.7, and .06 to .23 % of the contrast), whose errors lie within their intervals;
# sharp pictures blurred over .5 to 1 cells: 1.9 to 5.4, and .5 to 2 %, with errors of up to ten standard deviations.
_STANDS_OUT, _STRUCTURE = 1.5, 4e-3
_REACH = 0.999  # of a pattern's power lies in the rings that it reaches
COLOURED = 0.05  # of the contrast: noise that is stronger elsewhere than in the corner may be so strong


@dataclasses.dataclass(frozen=True)
class Goodness:
    """χ² per cell of the misfit in units of the noise, its chance deviation, and the power of rings of its spectrum,
    1 for white noise of that level, with their chance deviations and numbers of modes; how many of the rings the
    pattern reaches, the noise as a share of the contrast, and whether its level was estimated."""

    chi2: float
    deviation: float
    rings: Float[np.ndarray, " R"]
    deviations: Float[np.ndarray, " R"]
    counts: Float[np.ndarray, " R"]
    reach: int
    share: float
    estimated: bool

    @classmethod
    def of(
        cls,
        grid: Grid,
        misfit: Float[np.ndarray, "M H W"],
        noise: Noise,
        pattern: Float[np.ndarray, "M H W"],
        degrees: float = 1.0,
    ) -> Goodness:
        """Of a fit's misfits, which keep this share of the noise's degrees of freedom; `pattern` is the pictures as the
        fit has them."""
        power = np.abs(transform(grid, misfit)) ** 2 / noise.std**2
        share = grid.five_point.symbol / grid.five_point.symbol.min()
        which = np.minimum((_RINGS * np.sqrt(share)).astype(int), _RINGS - 1)
        members = [which == r for r in range(_RINGS) if (which == r).any()]
        # modes of an FFT come in mirrored pairs, whose powers are the same
        pairs = 2 if grid.boundary == "periodic" else 1
        counts = np.array([member.sum() * len(misfit) / pairs for member in members])
        scatter = np.sqrt((1.0 if pairs == 2 else 2.0) / counts)
        chance = np.hypot(np.sqrt(2 / misfit.size), noise.relative_error)
        rings = np.array([power[:, member].mean() for member in members])
        shown = np.abs(transform(grid, pattern - pattern.mean((1, 2), keepdims=True))) ** 2
        held = np.cumsum([shown[:, member].sum() for member in members])
        return cls(
            chi2=float((misfit**2).mean() / noise.std**2 / max(degrees, 0.1)),
            deviation=float(chance),
            rings=rings,
            deviations=scatter,
            counts=counts * pairs,
            reach=int((held < _REACH * held[-1]).sum()) + 1,
            share=noise.std / max(float(pattern.std((1, 2)).mean()), 1e-300),
            estimated=noise.relative_error > 0,
        )

    @property
    def level(self) -> float:
        """The power that noise has in the rings of the pattern at most: that of the others, or the known one."""
        beyond = self.rings[self.reach :]
        return float(beyond.max()) if self.estimated and len(beyond) else 1.0

    def beyond(self, chance: float) -> Float[np.ndarray, " R"]:
        """What the rings of the pattern hold above that, and above so many chance deviations."""
        allowed = self.level * (1 + chance * self.deviations[: self.reach])
        return np.maximum(self.rings[: self.reach] - allowed, 0)

    @property
    def excess(self) -> float:
        """The misfit's energy beyond that of the noise, in units of the noise's variance: 0 where chance may be it."""
        return float((self.beyond(_CHANCE) * self.counts[: self.reach]).sum())

    @property
    def is_structured(self) -> bool:
        """Whether the misfit has the pattern's own wavelengths, beyond chance and beyond what relaxing leaves."""
        stands_out = self.rings[: self.reach] > self.level * (_STANDS_OUT + _SIGMAS * self.deviations[: self.reach])
        energy = self.beyond(0.0) * self.counts[: self.reach]
        return bool(stands_out.any() and self.share * np.sqrt(energy.sum() / self.counts.sum()) > _STRUCTURE)

    @property
    def colour(self) -> float:
        """The largest ring's power in units of χ², or of what chance may make of it: white noise of that power would
        hold the parameters less well than noise of this spectrum does."""
        level = max(min(self.chi2, 1 + _CHANCE * self.deviation), 1e-300)
        return max(float((self.rings / (1 + _CHANCE * self.deviations)).max()) / level, 1.0)

    def to_dict(self) -> dict[str, float]:
        """χ² per cell, the p-value of the largest ring's power as white noise of the misfit's own level, and that
        ring's power in units of χ²."""
        relative = self.rings / max(self.chi2, 1e-300)
        sigmas = float(((relative - 1) / self.deviations).max())
        p_value = min(1.0, len(self.rings) * float(scipy.stats.norm.sf(sigmas)))
        return {"chi2": self.chi2, "p_value": p_value, "largest_band": float(relative.max())}

    @property
    def most(self) -> float:
        """What χ² per cell may be at most, and its inverse at least: as far as the level of noise is known."""
        return _EXCESS + _SIGMAS * self.deviation

    @property
    def is_less(self) -> bool:
        """Whether the misfit is far below the noise: then it is no noise that the pictures hold."""
        return self.chi2 < 1 / self.most

    @property
    def is_noise(self) -> bool:
        """Whether the misfit is as large and as white as the noise: the model, or the noise, explains the picture."""
        if not 1 / self.most <= self.chi2 <= self.most or self.is_structured:
            return False
        return bool((self.rings <= _PEAK * max(self.chi2, 1.0) * (1 + _SIGMAS * self.deviations)).all())

    @property
    def is_coloured(self) -> bool:
        """Whether the misfit may be noise that is stronger, at wavelengths where there is no pattern, than it was
        estimated to be in the corner of the spectrum: compression, or a filter, has taken it from there."""
        weak = self.share * np.sqrt(self.chi2) <= COLOURED
        return bool(self.estimated and self.chi2 > self.most and weak and not self.is_structured)


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a fit ended: `system` what was fitted, in words, `residual` the share of the contrast that it left open,
    `drift` per unit time, `bounds` the determined parameters at an end of their range, `goodness` that of noisy
    pictures, `noise` their noise with its share of the contrast; whether they are a film."""

    system: str
    residual: float
    drift: float
    moving: bool
    bounds: list[str]
    exhausted: bool
    noise: Noise
    noise_share: float
    goodness: Goodness | None
    film: bool = False


def objection(end: Ended) -> tuple[Status, str] | None:
    """The first reason why a fit must not be called converged, or None."""
    left = f"{100 * end.residual:.2g} % of the contrast stays unexplained"
    if end.bounds:
        return Status.NO_FIT, (
            f"The best fit runs into the range of {', '.join(end.bounds)}, and {left}: the picture does not seem to "
            f"come from {end.system}."
        )
    if end.moving:
        return Status.MOVING, (
            f"The hidden-field route needs a steady pattern; this one drifts by {end.drift:.2g} per unit time ({left}, "
            f"{100 * UNEXPLAINED:g} % is the limit): it moves, or the picture was compressed, blurred or resampled, or "
            f"it is not of {end.system.removesuffix(' at rest')}."
        )
    if end.goodness is None:
        if end.residual > RELAXED:
            return Status.NOT_CONVERGED, (
                f"{left}, more than {'a film' if end.film else 'a pattern at rest'} leaves ({100 * RELAXED:g} %): "
                f"{'the descent is on its way' if end.film else 'it still relaxes'}, or its values are not absolute "
                f"(gain, gamma), or another discretisation or system made it. The values have no intervals."
            )
    elif end.goodness.is_less:
        return Status.NOT_CONVERGED, (
            f"What the fit leaves is far less than the noise (χ² {end.goodness.chi2:.3g} a cell): what was taken for "
            f"noise is part of the pattern, or weaker. Say how strong it is, or 0 for none."
        )
    elif not end.goodness.is_noise:
        return Status.NO_FIT, (
            f"What the fit leaves is not noise (χ² {end.goodness.chi2:.3g} a cell, up to "
            f"{end.goodness.rings.max():.3g} times the noise at some wavelengths): another system, a camera "
            f"(its curve, or a blur) or a window made this picture, or "
            f"{'its interval is another' if end.film else 'it moves'}."
        )
    elif end.noise.relative_error > 0 and end.noise_share > SWALLOWED:
        return Status.NOT_CONVERGED, (
            f"The estimated noise is {100 * end.noise_share:.0f} % of the contrast and may be part of the pattern. Say "
            f"how strong the noise is if it is known."
        )
    if end.exhausted:
        return Status.NOT_CONVERGED, "The descent ended at its largest number of iterations: the values are on the way."
    return None
