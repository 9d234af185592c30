"""Derivatives of a drift on a grid: pointwise slopes of the kinetics, and the sparse Jacobian, in float64."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp

from .._jax import enable_x64
from ..systems import ReactionDiffusion
from ..systems.grid import Grid, OnGrid
from .multifrontal import stencil_pattern


@jax.jit
def _rates(grid_free_system, state):
    def kinetics(*fields):
        return tuple(jnp.broadcast_to(r, fields[0].shape) for r in grid_free_system.kinetics(*fields))

    fields = tuple(state)
    slopes = []
    for j in range(len(fields)):
        direction = tuple(jnp.full_like(c, float(i == j)) for i, c in enumerate(fields))
        rates, slope = jax.jvp(kinetics, fields, direction)
        slopes.append(jnp.stack(slope))
    return jnp.stack(rates), jnp.stack(slopes, 1)


def kinetic_slopes(system: ReactionDiffusion, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R(c) of shape (C, H, W) and ∂R_i/∂c_j of shape (C, C, H, W), float64, from JAX's forward derivative."""
    with enable_x64():
        rates, slopes = _rates(system, jnp.asarray(state))
        return np.asarray(rates), np.asarray(slopes)


@functools.partial(jax.jit, static_argnames=("grid", "names"))
def _parameter_slopes(system, grid, names, values, state):
    def drift(values):
        return OnGrid(system.with_values(**dict(zip(names, values, strict=True))), grid).drift(state)

    return jax.jacfwd(drift)(values)


def parameter_slopes(system: ReactionDiffusion, grid: Grid, names: Sequence[str], state: np.ndarray) -> np.ndarray:
    """∂(drift)/∂θ_p for the parameters `names`, shape (P, C, H, W), diffusion included."""
    with enable_x64():
        values = tuple(jnp.asarray(float(getattr(system, name))) for name in names)
        return np.stack(
            [np.asarray(s) for s in _parameter_slopes(system, grid, tuple(names), values, jnp.asarray(state))]
        )


@functools.partial(jax.jit, static_argnames="grid")
def _drift(system, grid, state):
    return OnGrid(system, grid).drift(state)


def drift_of(system: ReactionDiffusion, grid: Grid, state: np.ndarray) -> np.ndarray:
    """∂c/∂t = D∇²c + R(c), shape (C, H, W), float64."""
    with enable_x64():
        return np.asarray(_drift(system, grid, jnp.asarray(state)))


def rms_drift(drift: np.ndarray) -> float:
    """Root mean square over cells of ∂c/∂t, the largest of the fields: the project's measure of unsteadiness."""
    return float(np.sqrt((drift**2).mean((-1, -2))).max())


class JacobianPattern:
    """The sparsity of J = ∂(drift)/∂c, and the two fills that recovery and polishing need: J and JᵀWJ.

    Unknown (field c, cell i) has the number c·n + i. Both fills keep structural zeros, so that one symbolic
    factorisation (`multifrontal.elimination`) serves all of them.
    """

    def __init__(self, grid: Grid, fields: int):
        self.fields, self.n = fields, grid.shape[0] * grid.shape[1]
        self.pattern = stencil_pattern(grid, fields, 1)
        self.pattern.sort_indices()
        size = self.pattern.shape[0]
        self.row = np.repeat(np.arange(size), np.diff(self.pattern.indptr))
        self.column = self.pattern.indices
        laplacian = _laplacian(grid)
        self.laplacian = laplacian
        same_field = self.row // self.n == self.column // self.n
        self._weights = np.zeros(self.pattern.nnz)
        self._weights[same_field] = np.asarray(
            laplacian[self.row[same_field] % self.n, self.column[same_field] % self.n]
        ).ravel()
        self._same_cell = np.flatnonzero(self.row % self.n == self.column % self.n)

    def matrix(
        self, diffusivities: Sequence[float] | np.ndarray, slopes: np.ndarray, shift: float = 0.0
    ) -> sp.csr_array:
        """D∇² + ∂R/∂c − shift·1 as CSR of shape (C·n, C·n)."""
        data = self._weights * np.asarray(diffusivities, float)[self.row // self.n]
        r, c = self.row[self._same_cell], self.column[self._same_cell]
        data[self._same_cell] += slopes.reshape(self.fields, self.fields, self.n)[r // self.n, c // self.n, r % self.n]
        data[self._same_cell[r == c]] -= shift
        return sp.csr_array((data, self.column, self.pattern.indptr), self.pattern.shape)

    @functools.cached_property
    def _products(self):
        """For JᵀJ: which pairs of entries of one row multiply, and where in the CSR data the product belongs."""
        counts = np.diff(self.pattern.indptr)
        first = np.repeat(np.arange(len(self.row)), counts[self.row])
        starts = self.pattern.indptr[self.row]
        second = np.arange(len(first)) - np.repeat(
            np.cumsum(counts[self.row]) - counts[self.row] - starts, counts[self.row]
        )
        size = self.pattern.shape[0]
        keys = self.column[first].astype(np.int64) * size + self.column[second]
        unique, target = np.unique(keys, return_inverse=True)
        indptr = np.searchsorted(unique, np.arange(size + 1) * size)
        return first, second, target, (unique % size).astype(np.int32), indptr.astype(np.int32)

    def normal(self, jacobian: sp.csr_array, weights: np.ndarray, diagonal: np.ndarray) -> sp.csr_array:
        """Jᵀ diag(weights) J + diag(diagonal), CSR, with the full pattern of reach 2."""
        first, second, target, indices, indptr = self._products
        data = np.bincount(
            target, jacobian.data[first] * jacobian.data[second] * weights[self.row[first]], minlength=len(indices)
        )
        out = sp.csr_array((data, indices, indptr), jacobian.shape)
        out.setdiag(out.diagonal() + diagonal)
        return out


@functools.lru_cache(maxsize=8)
def jacobian_pattern(grid: Grid, fields: int) -> JacobianPattern:
    """The pattern, computed once a grid and number of fields."""
    return JacobianPattern(grid, fields)


def _laplacian(grid: Grid) -> sp.csr_array:
    """∇² of a five- or nine-point stencil as a CSR matrix, from one-dimensional second differences."""

    def second_difference(n: int) -> sp.csr_array:
        out = sp.lil_array(-2 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1))
        if grid.boundary == "periodic":
            out[0, n - 1] = out[n - 1, 0] = 1
        else:
            out[0, 0] = out[n - 1, n - 1] = -1
        return out.tocsr()

    rows, columns = (second_difference(n) for n in grid.shape)
    eye_rows, eye_columns = (sp.eye_array(n, format="csr") for n in grid.shape)
    stencil = sp.kron(rows, eye_columns) + sp.kron(eye_rows, columns)
    if grid.scheme == "nine-point":
        stencil = stencil + sp.kron(rows, columns) / 6
    return sp.csr_array(stencil / grid.dx**2)
