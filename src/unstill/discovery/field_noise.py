"""White measurement noise of pictures: its level, and its bias taken out of any statistic."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from ..observations.noise import known_noise, white_noise_levels
from ..simulation import Grid


def noise_levels(
    noise: Mapping[str, float] | str, fields: tuple[str, ...], grid: Grid, pictures: Float[np.ndarray, "M C H W"]
) -> Float[np.ndarray, " C"]:
    """Standard deviations by field: given, or told from the flat end of the spectra; raises `BadInput`."""
    if isinstance(noise, str):
        if noise not in ("auto", "estimate", "none"):
            raise BadInput("noise", "must be a number for each field, or auto, estimate or none", repr(noise))
        return np.zeros(len(fields)) if noise == "none" else np.asarray(white_noise_levels(grid, pictures))
    known = known_noise(noise, fields)
    levels = np.array([float(known.get(name, 0.0)) for name in fields])
    spread = pictures.std((0, 2, 3))
    if (levels >= spread).any():
        worst = int(np.argmax(levels / spread))
        raise BadInput(
            "noise", "must be below the standard deviation of the field", f"{fields[worst]}={levels[worst]:g}"
        )
    return levels


def without_noise(
    statistic: Callable[[np.ndarray], np.ndarray],
    picture: Float[np.ndarray, "*F C H W"],
    levels: Float[np.ndarray, " C"],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """What a statistic of a picture would be without its noise, and what the noise adds to it, in expectation.

    Noise is taken out by adding more of it (simulation–extrapolation; Cook & Stefanski, J. Am. Stat. Assoc. 89, 1314,
    1994, doi:10.1080/01621459.1994.10476871): with λ times the variance added, the mean T(λ) is a polynomial in λ for a
    polynomial statistic, and T(−1) = 3 T(0) − 3 T(1) + T(2) + O(noise⁶). Noise is added with both signs, so that odd
    orders cancel.
    """
    plain = statistic(picture)
    if not levels.any():
        return plain, np.zeros_like(plain)
    kick = levels[:, None, None] * rng.standard_normal(picture.shape)
    once, twice = (
        (statistic(picture + factor * kick) + statistic(picture - factor * kick)) / 2 for factor in (1.0, np.sqrt(2.0))
    )
    clean = 3 * plain - 3 * once + twice
    return clean, plain - clean
