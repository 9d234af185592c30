"""Linear algebra with the spectral Laplacian: what nine points can say of it is sparse and factorised, the rest is
applied in the basis of waves.

With ∇² ≈ a∇²₉ + b at the wavelengths of a state, and the remainder E = ∇² − a∇²₉ − b, the Jacobian is J = J₉ + D E,
J₉ = D(a∇²₉ + b) + ∂R/∂c. The factor of J₉ preconditions J, that of J₉ᵀWJ₉ the normal equations: for short waves the
two differ by a bounded factor, and the soft modes of a pattern, which decide, are made of its own waves, where ∇²₉ errs
as isotropically as −q² itself. For J that is 15 to 40 steps, for normal equations 30 at a penalty of .3, 140 at .03
(Gray–Scott spots, 64²). Conjugate gradients and GMRES: Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed.
2003, algorithms 9.1 and 9.5.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg, gmres

from ..observations.spectrum import inverse, transform
from ..systems.grid import Grid
from .jacobian import JacobianPattern, jacobian_pattern
from .multifrontal import Factorisation, SingularMatrix

# Of the right-hand side: aimed at for a state and for a step of its parameters, and accepted.
_PRECISE, _OF_A_STEP, _ENOUGH = 1e-10, 1e-6, 1e-5
_STEPS = 600

Operator = sp.csr_array | LinearOperator


def sparse_grid(grid: Grid) -> Grid:
    """The same cells with a Laplacian that is sparse."""
    return dataclasses.replace(grid, scheme="nine-point") if grid.scheme == "spectral" else grid


@dataclasses.dataclass(frozen=True)
class Part:
    """∇² = scale ∇²_s + shift + remainder with a sparse ∇²_s, the last by its eigenvalues (H, W); 1, 0 and None where
    ∇² is sparse itself."""

    grid: Grid
    scale: float = 1.0
    shift: float = 0.0
    remainder: np.ndarray | None = None

    @classmethod
    def of(cls, grid: Grid, field: np.ndarray) -> "Part":
        """The scale and shift that suit the waves of a field (H, W), by least squares in its spectrum."""
        near = sparse_grid(grid)
        if near is grid:
            return cls(grid)
        waves = np.abs(transform(grid, field - field.mean()))
        weight = np.sqrt(-near.symbol) * waves / max(float(waves.max()), 1e-300)
        design = np.stack([near.symbol, np.ones_like(weight)], -1).reshape(-1, 2) * weight.reshape(-1, 1)
        scale, shift = np.linalg.lstsq(design, (weight * grid.symbol).ravel())[0]
        return cls(grid, float(scale), float(shift), grid.symbol - scale * near.symbol - shift)

    def sparse(self, diffusivities: Sequence[float] | np.ndarray, slopes: np.ndarray) -> sp.csr_array:
        """The sparse part of the Jacobian, of shape (C·n, C·n)."""
        D = np.asarray(diffusivities, float)
        if self.shift:
            slopes = slopes + (np.diag(D) * self.shift)[:, :, None, None]
        return jacobian_pattern(sparse_grid(self.grid), len(D)).matrix(self.scale * D, slopes)

    def whole(self, sparse: sp.csr_array, diffusivities: Sequence[float] | np.ndarray) -> Operator:
        """The Jacobian, which is its sparse part where there is no remainder; an operator also has `.T`."""
        remainder, D = self.remainder, np.asarray(diffusivities, float)
        if remainder is None or not np.any(D):
            return sparse

        def spread(x: np.ndarray) -> np.ndarray:
            fields = np.moveaxis(x.reshape(len(D), *self.grid.shape, -1), -1, 0)
            moved = D[:, None, None] * inverse(self.grid, remainder * transform(self.grid, fields))
            return np.moveaxis(moved, 0, -1).reshape(x.shape)

        def forward(x: np.ndarray) -> np.ndarray:
            return sparse @ x + spread(x)

        def backward(x: np.ndarray) -> np.ndarray:
            return sparse.T @ x + spread(x)

        return LinearOperator(
            sparse.shape, matvec=forward, rmatvec=backward, matmat=forward, rmatmat=backward, dtype=np.dtype(float)
        )


class Corrected:
    """J⁻¹ by the factor of its sparse part; `definite` where J is symmetric and negative definite.
    Raises `SingularMatrix` where the iteration stalls."""

    def __init__(self, operator: LinearOperator, factor, *, definite: bool):
        self._operator, self._factor, self._definite = operator, factor, definite

    def solve(self, rhs: np.ndarray) -> np.ndarray:
        sign = -1.0 if self._definite else 1.0
        method = cg if self._definite else gmres
        return sign * _solved(
            method, lambda x: sign * (self._operator @ x), lambda x: sign * self._factor.solve(x), rhs, _PRECISE
        )


def normal_solver(
    plan, pattern: JacobianPattern, sparse: sp.csr_array, J: Operator, weights: np.ndarray, diagonal: np.ndarray,
    more: sp.csr_array | None = None,
) -> Callable[[np.ndarray], np.ndarray]:  # fmt: skip
    """x by rhs of (Jᵀ diag(weights) J + diag(diagonal) + more) x = rhs; `more` has the pattern of a normal matrix, and
    needs a sparse J. Making and calling it raise `SingularMatrix`."""
    matrix = pattern.normal(sparse, weights, diagonal)
    if more is not None:
        matrix.data = matrix.data + more.data
    factor = Factorisation(plan, matrix, symmetric=True)
    if not isinstance(J, LinearOperator):
        return factor.solve
    w, d = weights[:, None], diagonal[:, None]
    return lambda rhs: _solved(cg, lambda x: J.T @ (w * (J @ x)) + d * x, factor.solve, rhs, _OF_A_STEP)


def _solved(method: Callable, apply: Callable, precondition: Callable, rhs: np.ndarray, precise: float) -> np.ndarray:
    """The solutions for all columns of rhs as one system, whose blocks are the same: a pass serves all columns."""
    columns = rhs.reshape(len(rhs), -1)
    sizes = np.maximum(np.linalg.norm(columns, axis=0), 1e-300)

    def flat(function: Callable) -> LinearOperator:
        def of_all(x: np.ndarray) -> np.ndarray:
            return function(x.reshape(columns.shape)).ravel()

        return LinearOperator((columns.size, columns.size), of_all, dtype=np.dtype(float))

    options = {"maxiter": _STEPS} if method is cg else {"restart": 60, "maxiter": _STEPS // 60}
    b, operator = (columns / sizes).ravel(), flat(apply)
    x, left = method(operator, b, M=flat(precondition), rtol=precise, **options)
    if left and not np.linalg.norm(operator @ x - b) <= _ENOUGH * np.linalg.norm(b):
        raise SingularMatrix("the iteration for a spectral Laplacian stalls")
    return (x.reshape(columns.shape) * sizes).reshape(rhs.shape)
