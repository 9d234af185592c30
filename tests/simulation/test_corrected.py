"""Solves with a spectral Laplacian against dense matrices."""

import numpy as np
import pytest

import unstill as us
from unstill._jax import enable_x64
from unstill.observations.spectrum import inverse
from unstill.simulation.corrected import Corrected, Part, normal_solver, sparse_grid
from unstill.simulation.jacobian import drift_of, jacobian_pattern, kinetic_slopes
from unstill.simulation.multifrontal import Factorisation, elimination
from unstill.systems.grid import BOUNDARIES

SHAPE, D = (14, 12), np.array([0.16, 0.08])


def case(boundary: str):
    """A smooth state, the Jacobian's sparse part and the whole at it."""
    grid, rng = us.Grid(SHAPE, 1.0, boundary, "spectral"), np.random.default_rng(3)
    waves = inverse(grid, rng.standard_normal((2, *SHAPE)) * np.exp(2 * grid.symbol))
    state = np.array([0.6, 0.3])[:, None, None] + waves / np.abs(waves).max() * 0.1
    slopes = kinetic_slopes(us.GrayScott(Du=D[0], Dv=D[1]), state)[1]
    part = Part.of(grid, state[1])
    sparse = part.sparse(D, slopes)
    return grid, state, sparse, part.whole(sparse, D)


def dense(operator) -> np.ndarray:
    return np.asarray(operator @ np.eye(operator.shape[0]))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_jacobian_is_that_of_the_drift(boundary):
    grid, state, _, J = case(boundary)
    direction = np.random.default_rng(1).standard_normal(state.shape)
    h, system = 1e-6, us.GrayScott(Du=D[0], Dv=D[1])
    with enable_x64():
        change = drift_of(system, grid, state + h * direction) - drift_of(system, grid, state - h * direction)
    np.testing.assert_allclose(J @ direction.ravel(), change.ravel() / (2 * h), atol=1e-8)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_solves_are_those_of_the_dense_matrix(boundary):
    grid, _, sparse, J = case(boundary)
    factor = Factorisation(elimination(sparse_grid(grid), 2, 1), sparse)
    rhs = np.random.default_rng(2).standard_normal((J.shape[0], 3))
    np.testing.assert_allclose(
        Corrected(J, factor, definite=False).solve(rhs), np.linalg.solve(dense(J), rhs), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(J.T @ rhs, dense(J).T @ rhs, atol=1e-10)


def test_normal_equations_are_those_of_the_dense_matrix():
    grid, _, sparse, J = case("periodic")
    near, rng = sparse_grid(grid), np.random.default_rng(4)
    weights, diagonal = rng.uniform(1, 30, J.shape[0]), rng.uniform(0.5, 2, J.shape[0])
    rhs = rng.standard_normal((J.shape[0], 2))
    solve = normal_solver(elimination(near, 2, 2), jacobian_pattern(near, 2), sparse, J, weights, diagonal)
    matrix = dense(J).T @ (weights[:, None] * dense(J)) + np.diag(diagonal)
    np.testing.assert_allclose(solve(rhs), np.linalg.solve(matrix, rhs), rtol=1e-3, atol=1e-5)


def test_a_sparse_laplacian_has_no_remainder():
    grid = us.Grid(SHAPE, scheme="nine-point")
    part = Part.of(grid, np.zeros(SHAPE))
    sparse = part.sparse(D, np.zeros((2, 2, *SHAPE)))
    assert part.remainder is None
    assert part.whole(sparse, D) is sparse
