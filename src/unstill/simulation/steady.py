"""From a state that nearly rests to a true steady state: Newton's method, damped like a very long time step."""

import numpy as np

from .._errors import BadInput
from .._types import Status
from ..systems import ReactionDiffusion
from .grid import Grid
from .jacobian import drift_of, jacobian_pattern, kinetic_slopes, rms_drift
from .multifrontal import Factorisation, SingularMatrix, elimination

LONGEST_STEP = 1e9  # in units of time: keeps the translations' zero eigenvalues from making the matrix singular
DEAD_CONTRAST = 1e-6  # a field whose range is below this share of its size carries no pattern


def is_uniform(state: np.ndarray) -> bool:
    """Whether no field of a state (C, H, W) carries a pattern."""
    spread = np.ptp(state, axis=(-1, -2))
    return bool(np.all(spread <= DEAD_CONTRAST * np.maximum(np.abs(state).max((-1, -2)), 1e-3)))


def polish(
    system: ReactionDiffusion,
    grid: Grid,
    state: np.ndarray,
    *,
    tolerance: float = 1e-10,
    max_iterations: int = 60,
) -> tuple[np.ndarray, float, Status]:
    """The steady state 0 = D∇²c + R(c) near `state`, by pseudo-transient continuation.

    Each iteration is one implicit Euler step, (1/τ − J) δ = D∇²c + R(c), with τ growing as the drift falls
    ("switched evolution relaxation": C. T. Kelley, D. E. Keyes, SIAM J. Numer. Anal. 35, 508 (1998),
    doi:10.1137/S0036142996304796). Small steps follow the dynamics, long ones are Newton's; soft modes
    (translations, a labyrinth's defects) feel 1/τ and are not thrown far away.

    Arguments: `state` of shape (C, H, W); `tolerance` on the drift, the rms over cells of ∂c/∂t, largest of the fields.
    Returns the state (float64), its drift, and `STEADY`, `NOT_CONVERGED`, or `DEAD` where no pattern is left.
    The steady state need not be stable: a wave or a chaotic state may be led to an unstable one, so
    polish only what simulation has brought near rest.
    """
    state = np.array(state, dtype=float)
    if state.shape != (len(system.fields), *grid.shape) or not np.isfinite(state).all():
        raise BadInput("state", f"must be finite, of shape {(len(system.fields), *grid.shape)}", state.shape)
    pattern, plan = jacobian_pattern(grid, len(state)), elimination(grid, len(state), 1)
    drift = drift_of(system, grid, state)
    size, step = rms_drift(drift), None
    for _ in range(max_iterations):
        if size <= tolerance:
            break
        rates, slopes = kinetic_slopes(system, state)
        if step is None:
            step = 10 / max(np.sqrt((slopes**2).mean()), 1e-12)
        jacobian = pattern.matrix([float(D) for D in system.diffusivities()], slopes, 1 / step)
        try:
            change = -Factorisation(plan, jacobian).solve(drift.ravel()).reshape(state.shape)
        except SingularMatrix:
            step *= 0.3
            continue
        new = state + change
        new_drift = drift_of(system, grid, new)
        new_size = rms_drift(new_drift)
        if not np.isfinite(new_size) or new_size > 2 * size:
            step *= 0.1
            continue
        step = min(step * np.clip(size / max(new_size, 1e-300), 0.5, 10) * 1.5, LONGEST_STEP)
        state, drift, size = new, new_drift, new_size
    if is_uniform(state):
        return state, size, Status.DEAD
    return state, size, Status.STEADY if size <= tolerance else Status.NOT_CONVERGED
