"""Steps on a branch of patterns at rest: Newton's method with phase conditions, and the branch's direction."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from ..simulation.jacobian import rms_drift
from ..simulation.multifrontal import Factorisation, SingularMatrix
from .bordered import Bordered, Inverse, gmres
from .pattern_problem import Problem

_ITERATIONS, _CLOSE = 8, 1e-9  # Newton steps at most; the last one's length, after which one more is taken
_FARTHEST = 2.0  # length of all steps together
_INEXACT, _EXACT = 1e-6, 1e-11  # of a step's equations, left open by GMRES; where some of them are nearly singular


@dataclasses.dataclass(frozen=True, eq=False)
class Direction:
    """A direction on the branch: of the state (N,), and of the parameter; of unit length."""

    state: Float[np.ndarray, " N"]
    value: float

    def reversed(self) -> Direction:
        return Direction(-self.state, -self.value)


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """A pattern at rest with all that steps from it need: its Jacobian and LU, and how translations move it (`moves`).

    `held`: those of them along which steps are held still; none where the lattice holds the pattern (`pinned`).
    """

    state: Float[np.ndarray, "C H W"]
    value: float
    jacobian: sp.csr_array
    slopes: Float[np.ndarray, "C C H W"]
    factor: Factorisation
    moves: Float[np.ndarray, "N K"]
    held: Float[np.ndarray, "N L"]
    drift: float

    @property
    def pinned(self) -> bool:
        return self.held.shape[1] < self.moves.shape[1]


def place(problem: Problem, state: Float[np.ndarray, "C H W"], value: float, pinned: bool = False) -> Place:
    """A pattern that is at rest already. Raises `SingularMatrix`."""
    jacobian, slopes = problem.jacobian(state, value)
    factor, moves = problem.factor(jacobian, slopes), problem.translations(state)
    held = moves[:, :0] if pinned else moves
    return Place(
        np.asarray(state), float(value), jacobian, slopes, factor, moves, held, drift_at(problem, state, value)
    )


def drift_at(problem: Problem, state: Float[np.ndarray, "C H W"], value: float) -> float:
    """How fast a state still moves."""
    return rms_drift(problem.rates(state, value).reshape(state.shape))


def length(problem: Problem, state: np.ndarray, value: float) -> float:
    """Length of a difference."""
    return float(np.sqrt(problem.weights @ state.ravel() ** 2 + (value / problem.width) ** 2))


def dot(problem: Problem, a: Direction, b: Direction) -> float:
    """The cosine of the angle between two directions."""
    return float(problem.weights @ (a.state * b.state) + a.value * b.value / problem.width**2)


def _matrix(problem: Problem, jacobian: sp.csr_array, slope: np.ndarray, moves: np.ndarray, along: Direction):
    """The bordered matrix: unknowns (c, λ, speeds), equations (rates, arclength, phases)."""
    K = moves.shape[1]
    columns = np.column_stack([slope, moves])
    rows = np.column_stack([problem.weights * along.state, problem.weights[:, None] * moves])
    corner = np.zeros((K + 1, K + 1))
    corner[0, 0] = along.value / problem.width**2
    return Bordered(jacobian, columns, rows, corner, 1 / np.sqrt(problem.weights))


def corrected(
    problem: Problem, near: Place, along: Direction, distance: float
) -> tuple[Float[np.ndarray, "C H W"], float, int] | None:
    """The pattern at rest in the plane across `along`, at a distance from another: state, value, Newton steps.

    Solves F(c, λ) + Σ aᵢ Tᵢ = 0 with the phase conditions ⟨Tᵢ, c − near⟩ = 0 for the translations Tᵢ of `near`, which
    choose one of all that a pattern can be moved to; the speeds aᵢ are unknowns, and 0 unless the lattice pulls at it
    (H. Uecker, D. Wetzel, J. D. M. Rademacher, Numer. Math. Theor. Meth. Appl. 7, 58 (2014), section 2).
    `None` where Newton's method does not converge.
    """
    state, value = near.state + distance * along.state.reshape(near.state.shape), near.value + distance * along.value
    speeds, gone, last = np.zeros(near.held.shape[1]), 0.0, False
    solver = _Solver(problem, near)
    for count in range(_ITERATIONS):
        step = solver.step(along, distance, state, value, speeds)
        if step is None:
            return None
        N = problem.size
        state, value, speeds = state + step[:N].reshape(state.shape), value + step[N], speeds + step[N + 1 :]
        far = length(problem, step[:N], step[N])
        gone += far
        if not gone < _FARTHEST:
            return None
        if last:
            return state, float(value), count + 1
        last = far < _CLOSE
    return None


class _Solver:
    """Newton steps near a place, with its LU as long as that helps GMRES, then with that of where they have come."""

    def __init__(self, problem: Problem, near: Place):
        self._problem, self._near = problem, near
        self._inverse: Inverse | None = None
        self._left = _EXACT if near.pinned else _INEXACT

    def step(
        self, along: Direction, distance: float, state: np.ndarray, value: float, speeds: np.ndarray
    ) -> np.ndarray | None:
        """Of the state, the parameter and the speeds; `None` where the numbers or the matrix allow none."""
        problem, near = self._problem, self._near
        jacobian, slopes = problem.jacobian(state, value)
        slope, open_ = problem.slope(state, value), problem.rates(state, value) + near.held @ speeds
        if not (np.isfinite(slopes).all() and np.isfinite(open_).all() and np.isfinite(slope).all()):
            return None
        matrix = _matrix(problem, jacobian, slope, near.held, along)
        away = Direction((state - near.state).ravel(), value - near.value)
        rest = [distance - dot(problem, along, away), *(-near.held.T @ (problem.weights * away.state))]
        rhs = np.concatenate([-open_ / matrix.units, rest])
        begun = self._inverse is not None
        step = gmres(matrix, self._inverse, rhs, self._left) if self._inverse is not None else None
        if step is not None:
            return step
        try:
            self._inverse = Inverse(problem.factor(jacobian, slopes) if begun else near.factor, matrix)
        except SingularMatrix:
            return None
        return gmres(matrix, self._inverse, rhs, self._left)


def settled(problem: Problem, near: Place, value: float) -> tuple[Float[np.ndarray, "C H W"], float] | None:
    """The pattern at rest at a value of the parameter, near another; `None` where Newton's method does not converge."""
    along = Direction(np.zeros(problem.size), problem.width)
    found = corrected(problem, near, along, (value - near.value) / problem.width)
    return None if found is None else (found[0], value)


def direction(problem: Problem, at: Place, along: Direction) -> Direction | None:
    """The branch's direction at a place, on the side of `along`."""
    matrix = _matrix(problem, at.jacobian, problem.slope(at.state, at.value), at.held, along)
    rhs = np.zeros(problem.size + 1 + at.held.shape[1])
    rhs[problem.size] = 1
    found = gmres(matrix, Inverse(at.factor, matrix), rhs, _EXACT)
    if found is None:
        return None
    state, value = found[: problem.size], float(found[problem.size])
    size = length(problem, state, value)
    return Direction(state / size, value / size)
