"""How much measurement noise a heap of points carries: the level at which the weak form closes best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.optimize
from jaxtyping import Float

from .nullspace import Rows, independent
from .weak_form import WeakForm

_MOST = 0.3  # of the standard deviation of a variable
_ROUNDS = 3


def estimate_noise(forms: Sequence[WeakForm], Q: Float[np.ndarray, "P p"]) -> float:
    """The standard deviation of the noise in units of each variable's, one number for all, between 0 and 0.3.

    It minimises the least eigenvalue of Σ Aᵀ C⁻¹ A, in which A has the bias of that noise taken out and C is held; C is
    then taken at the new best field, three times. It fails where the library cannot hold the true field: missing terms
    and noise open the balances alike.
    """
    ones, level = np.ones(forms[0].dimension), 0.0

    def rows(s: float) -> Rows:
        return Rows(forms, [form.clean_matrix(s * ones) for form in forms], Q)

    for _ in range(_ROUNDS):
        found = independent(rows(level), np.eye(Q.shape[1]))

        def least(s: float, halves=found.halves) -> float:
            return float(np.linalg.eigvalsh(rows(s).normal(halves))[0])

        grid = np.linspace(0, _MOST, 16)
        start = grid[int(np.argmin([least(s) for s in grid]))]
        around = (max(start - grid[1], 0.0), min(start + grid[1], _MOST))
        level = float(scipy.optimize.minimize_scalar(least, bounds=around, method="bounded").x)
    return level
