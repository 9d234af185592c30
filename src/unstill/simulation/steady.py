"""From a state that nearly rests to a true steady state: Newton's method, damped like a very long time step."""

import numpy as np

from .._errors import BadInput
from .._types import Status
from ..observations.steadiness import is_uniform
from ..systems import ReactionDiffusion
from ..systems.grid import Grid

LONGEST_STEP = 1e9  # in units of time: keeps the translations' zero eigenvalues from making the matrix singular
FIRST_STEP = 1e4  # tried first; units of time
ACCEPTED_RATIO, AIMED_RATIO = 0.5, 0.15  # of the second correction of a step to the first


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

    Args:
        system: Kinetics and diffusion.
        grid: Cells, cell size and boundary.
        state: Where to begin, (C, H, W).
        tolerance: Drift at which to end: the rms over cells of ∂c/∂t, largest of the fields, per unit time.
        max_iterations: Implicit steps at most.

    Returns the state of least drift that was met (float64), its drift, and `STEADY`, `NOT_CONVERGED`, or `DEAD` where
    no pattern is left.
    The steady state need not be stable: a wave or a chaotic state may be led to an unstable one, so
    polish only what simulation has brought near rest.
    """
    # Here, so that `simulate` starts without SciPy's sparse matrices.
    from .jacobian import drift_of, jacobian_pattern, kinetic_slopes, rms_drift
    from .multifrontal import Factorisation, SingularMatrix, elimination

    state = np.array(state, dtype=float)
    if state.shape != (len(system.fields), *grid.shape) or not np.isfinite(state).all():
        raise BadInput("state", f"must be finite, of shape {(len(system.fields), *grid.shape)}", state.shape)
    pattern, plan = jacobian_pattern(grid, len(state)), elimination(grid, len(state), 1)
    drift = drift_of(system, grid, state)
    size, step = rms_drift(drift), FIRST_STEP
    best, least = state, size  # on the way drift may rise: what soft motion stirs up, later steps settle
    for _ in range(max_iterations):
        if size <= tolerance:
            break
        slopes = kinetic_slopes(system, state)[1]
        jacobian = pattern.matrix([float(D) for D in system.diffusivities()], slopes, 1 / step)
        try:
            matrix = Factorisation(plan, jacobian)
        except SingularMatrix:
            step *= 0.3
            continue
        change = -matrix.solve(drift.ravel()).reshape(state.shape)
        # A second step with the same matrix. Their ratio measures the nonlinearity in units of the state: measured in
        # units of the drift, what soft motion stirs up in the stiff modes would forbid every useful step.
        unexplained = drift_of(system, grid, state + change) - change / step
        second = -matrix.solve(unexplained.ravel()).reshape(state.shape)
        ratio = float(np.linalg.norm(second) / np.linalg.norm(change))
        if ratio < ACCEPTED_RATIO:
            state = state + change + second
            drift = drift_of(system, grid, state)
            size = rms_drift(drift)
            if size < least:
                best, least = state, size
        step = (
            min(step * float(np.clip(AIMED_RATIO / max(ratio, 1e-300), 0.1, 30)), LONGEST_STEP)
            if ratio < np.inf
            else 0.1 * step
        )
    if is_uniform(best):
        return best, least, Status.DEAD
    return best, least, Status.STEADY if least <= tolerance else Status.NOT_CONVERGED
