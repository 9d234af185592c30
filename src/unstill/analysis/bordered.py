"""Linear systems with a few more rows and columns than a Jacobian, solved by GMRES with a neighbour's factorisation."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from ..simulation.multifrontal import Factorisation

_MOST = 40  # iterations: far more than a good factorisation needs, fewer than a new one costs


@dataclasses.dataclass(frozen=True, eq=False)
class Bordered:
    """A = [J B; Rᵀ E] with J (N, N) and a border of a few columns B, rows R and a corner E.

    With E = N + K equations it stays regular where J is singular along the border's directions: on folds, and for
    patterns that can be moved (H. B. Keller, in P. H. Rabinowitz (ed.), Applications of Bifurcation Theory, Academic
    Press 1977, p. 359). `units` (N,) are the sizes in which the equations of J are counted.
    """

    jacobian: sp.csr_array
    columns: Float[np.ndarray, "N K"]
    rows: Float[np.ndarray, "N K"]
    corner: Float[np.ndarray, "K K"]
    units: Float[np.ndarray, " N"]

    def times(self, x: Float[np.ndarray, " E"]) -> Float[np.ndarray, " E"]:
        """A x, in units."""
        N = len(self.units)
        upper = (self.jacobian @ x[:N] + self.columns @ x[N:]) / self.units
        return np.concatenate([upper, self.rows.T @ x[:N] + self.corner @ x[N:]])


class Inverse:
    """A⁻¹ of a bordered matrix near the one to be solved, by block elimination with the LU of its Jacobian."""

    def __init__(self, factor: Factorisation, near: Bordered):
        self._factor, self._near, self._N = factor, near, len(near.units)
        self._solved = factor.solve(near.columns)
        self._inner = near.corner - near.rows.T @ self._solved

    def times(self, r: Float[np.ndarray, " E"]) -> Float[np.ndarray, " E"]:
        """A⁻¹ r for r in units."""
        first = self._factor.solve(r[: self._N] * self._near.units)
        border = np.linalg.solve(self._inner, r[self._N :] - self._near.rows.T @ first)
        return np.concatenate([first - self._solved @ border, border])


def gmres(matrix: Bordered, inverse: Inverse, rhs: Float[np.ndarray, " E"], tolerance: float) -> np.ndarray | None:
    """x with |A x − rhs| ≤ tolerance |rhs|, or `None`.

    GMRES, preconditioned from the right: Y. Saad, Iterative Methods for Sparse Linear Systems (2nd ed.), algorithm 9.5.
    """
    size = float(np.linalg.norm(rhs))
    if size == 0:
        return np.zeros_like(rhs)
    basis, H = [rhs / size], np.zeros((_MOST + 1, _MOST))
    for k in range(_MOST):
        try:
            new = matrix.times(inverse.times(basis[k]))
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(new).all():
            return None
        space = np.array(basis)
        for _ in range(2):  # orthogonal to round-off
            part = space @ new
            new, H[: k + 1, k] = new - part @ space, H[: k + 1, k] + part
        H[k + 1, k] = np.linalg.norm(new)
        target = size * np.eye(k + 2)[0]
        y = np.linalg.lstsq(H[: k + 2, : k + 1], target, rcond=None)[0]
        if np.linalg.norm(H[: k + 2, : k + 1] @ y - target) <= tolerance * size:
            return inverse.times(y @ space)
        basis.append(new / H[k + 1, k])
    return None
