"""What counts as dead and what as steady, in every verb: one rule each, its tolerances with their reasons.

**Dead.** A field's *contrast* is its standard deviation over cells. It is *uniform* where that is within round-off and
what a filter leaves of white noise (`contrast_floor`); pictures are dead where all their fields are uniform. Two
questions are others, and have thresholds of their own: whether a motion is about to be uniform (`is_dying`: to wait for
round-off would take for ever), and whether a contrast is lost against a known one (`LOST`, `FADING`, `ALL_NOISE`).

**Steady.** Something is left open, a drift or a residual, and may be: within a share of what it is measured by, and
what noise adds, in quadrature (`is_steady`). The share depends on what it is a share of: in a simulation the drift is
known exactly, elsewhere it is what a method could not explain, of terms, of contrast or of diffusion.
"""

import numpy as np
from jaxtyping import Float

Number = float | np.ndarray

UNIFORM = 1e-5  # of the largest value: above the round-off of float32, far below any pattern
FILTERED = 0.5  # of the standard deviation of white noise: a Wiener filter leaves less
ALL_NOISE = 0.8  # of an unfiltered picture's contrast: if noise is so much of it, it may be all, as far as is known
LOST = 0.01  # of the contrast that is fitted: nothing pulls a prediction back from below
FADING = 1e-4  # of |patch − rest|, which sets a system's patterns going: below, a field is dying out

STEADY_DRIFT = 1e-6  # of a simulation, per unit time, where the user names no tolerance
# Of the rms of the drift's terms, every field seen. Gray–Scott's maze and spots after 20,000 steps are at 0.002 to
# 0.005, the slowest of the moving presets at 0.1.
STEADY_SHARE = 0.03
UNEXPLAINED = 0.01  # of the seen field's contrast, the others hidden: what a fit of the parameters leaves open
# Of the diffusion: what the sparsest balances leave open. Gray–Scott patterns after 20,000 steps are at 0.005 and
# below, moving ones at 0.5 and above.
AT_REST = 0.1


def contrast(c: Float[np.ndarray, "*B H W"]) -> Float[np.ndarray, "*B"]:
    """Standard deviation over the cells of each field of each state."""
    return np.asarray(c.std((-2, -1)))


def contrast_floor(c: Float[np.ndarray, "*B H W"], noise: Number | tuple[float, ...] | list[float] = 0.0):
    """What round-off, and noise of this level after a filter, make fields vary by; one number for each level."""
    return UNIFORM * np.abs(c).max() + FILTERED * np.asarray(noise)


def is_uniform(c: Float[np.ndarray, "*B H W"]) -> bool:
    """Whether no field of any of these states carries a pattern."""
    return bool((contrast(c) <= contrast_floor(c)).all())


def is_dying(state: Float[np.ndarray, "C H W"], drift: float) -> bool:
    """Uniform in every field to 1/1000 of the largest mean, and still: nothing more will come."""
    scale = max(float(np.abs(state.mean((-2, -1))).max()), 1e-12)
    return bool(np.ptp(state, axis=(-2, -1)).max() <= 1e-3 * scale and drift <= 1e-4 * scale)


def is_steady(left: Number, allowed: Number, noise: Number = 0.0) -> bool:
    """Whether what is left open is within what is allowed and what noise adds, in quadrature; for every one of them."""
    return bool(np.all(left <= np.hypot(allowed, noise)))
