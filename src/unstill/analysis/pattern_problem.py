"""The equations of a pattern at rest, and of the branch that it lies on: rates, derivatives, translations, lengths."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from ..observations.steadiness import contrast
from ..simulation.jacobian import drift_of, jacobian_pattern, kinetic_slopes, parameter_slopes, rms_drift
from ..simulation.multifrontal import Factorisation, SingularMatrix, elimination
from ..systems import Grid, ReactionDiffusion

_CALM = 1e-8  # drift of a state at rest, of its terms: far above round-off, far below what the lattice pulls with
_FAINT = 1e-3  # of the largest contrast: the scale of a field that hardly varies
_FLAT = 1e-6  # of the largest slope: a pattern that varies less along a direction is constant along it
_SHIFT = 1e-6  # of the largest slope of the kinetics: keeps a matrix from being singular on folds and translations
_TRIES = 5  # shifts, each three times the last, before a matrix is given up


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """0 = D∇²c + R(c; λ) for one parameter λ, `name`, of a system on a grid.

    Lengths count each field in units of `scale` (C,), its contrast at the start, and λ in units of `width`, that of its
    range: |(c, λ)|² = Σ_f ⟨c_f²⟩/scale_f²/C + λ²/width². A state rests where its drift is `calm` at most.
    """

    system: ReactionDiffusion
    grid: Grid
    name: str
    scale: Float[np.ndarray, " C"]
    width: float
    calm: float

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return len(self.scale), *self.grid.shape

    @property
    def size(self) -> int:
        """N = C·H·W, the number of unknowns of a state."""
        return int(np.prod(self.shape))

    @functools.cached_property
    def weights(self) -> Float[np.ndarray, " N"]:
        """Of the squares of a state's values in a length."""
        cells = self.grid.shape[0] * self.grid.shape[1]
        return np.repeat(1 / (self.scale**2 * cells * len(self.scale)), cells)

    def at(self, value: float) -> ReactionDiffusion:
        """The system at a value of the parameter."""
        return self.system.with_values(**{self.name: float(value)})

    def rates(self, state: Float[np.ndarray, "C H W"], value: float) -> Float[np.ndarray, " N"]:
        """F = ∂c/∂t."""
        return drift_of(self.at(value), self.grid, state).ravel()

    def jacobian(self, state: Float[np.ndarray, "C H W"], value: float) -> tuple[sp.csr_array, np.ndarray]:
        """∂F/∂c (N, N), and the slopes of the kinetics (C, C, H, W) in it."""
        system = self.at(value)
        slopes = kinetic_slopes(system, state)[1]
        matrix = jacobian_pattern(self.grid, len(state)).matrix([float(D) for D in system.diffusivities()], slopes)
        return matrix, slopes

    def slope(self, state: Float[np.ndarray, "C H W"], value: float) -> Float[np.ndarray, " N"]:
        """∂F/∂λ."""
        return parameter_slopes(self.at(value), self.grid, [self.name], state)[0].ravel()

    def factor(self, jacobian: sp.csr_array, slopes: np.ndarray) -> Factorisation:
        """LU of the Jacobian, its eigenvalues moved by a little."""
        return self.shifted(jacobian, _SHIFT * max(float(np.abs(slopes).max()), 1e-12))

    def shifted(self, jacobian: sp.csr_array, shift: float) -> Factorisation:
        """LU of J − shift·1; of a slightly larger shift where that is singular. Raises `SingularMatrix`."""
        plan = elimination(self.grid, len(self.scale), 1)
        for k in range(_TRIES):
            matrix = jacobian.copy()
            diagonal = matrix.indices == np.repeat(np.arange(self.size), np.diff(matrix.indptr))
            matrix.data[diagonal] -= shift * 3**k
            try:
                return Factorisation(plan, matrix)
            except SingularMatrix:
                continue
        raise SingularMatrix("matrix singular")

    def translations(self, state: Float[np.ndarray, "C H W"]) -> Float[np.ndarray, "N K"]:
        """An orthonormal basis of the directions in which a translation moves a state, K ≤ 2 of them.

        ∂c/∂x and ∂c/∂y by central differences. A pattern that is constant along an axis, or along a diagonal, has one;
        without periodic boundaries there is none.
        """
        if self.grid.boundary != "periodic":
            return np.zeros((self.size, 0))
        moves = [(np.roll(state, -1, axis) - np.roll(state, 1, axis)).ravel() for axis in (-2, -1)]
        root = np.sqrt(self.weights)
        basis, sizes, _ = np.linalg.svd(np.stack(moves, 1) * root[:, None], full_matrices=False)
        return basis[:, sizes > max(_FLAT * sizes.max(), _FLAT)] / root[:, None]


def problem_of(
    system: ReactionDiffusion, grid: Grid, name: str, ends: tuple[float, float], state: Float[np.ndarray, "C H W"]
) -> Problem:
    """The problem whose lengths and rates are measured by a state and a range."""
    size = contrast(state)
    scale = np.maximum(size, _FAINT * size.max())
    return Problem(system, grid, name, scale, ends[1] - ends[0], _CALM * terms(system, grid, state))


def terms(system: ReactionDiffusion, grid: Grid, state: Float[np.ndarray, "C H W"]) -> float:
    """The rms of what balances at rest, diffusion and kinetics, the larger of them."""
    rates = kinetic_slopes(system, state)[0]
    return max(rms_drift(rates), rms_drift(drift_of(system, grid, state) - rates), 1e-300)
