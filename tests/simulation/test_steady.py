"""Sparse factorisation, Jacobians and polishing, against independent NumPy, finite differences and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp

from registry import REACTION_DIFFUSION, rough_state
from unstill._errors import BadInput
from unstill._types import Status
from unstill.simulation.initial import initial_state
from unstill.simulation.jacobian import drift_of, jacobian_pattern, kinetic_slopes, parameter_slopes, rms_drift
from unstill.simulation.multifrontal import Factorisation, SingularMatrix, elimination, stencil_pattern
from unstill.simulation.steady import polish
from unstill.systems import FitzHughNagumo, GrayScott
from unstill.systems.grid import Grid, OnGrid

BOUNDARIES = ("periodic", "no-flux")


def stencil(c: np.ndarray, grid: Grid) -> np.ndarray:
    """∇² by padding: independent of the library's."""
    p = np.pad(c, 1, mode="wrap" if grid.boundary == "periodic" else "edge")
    return (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * c) / grid.dx**2


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(3, 4), (9, 23), (30, 17)])
@pytest.mark.parametrize(("fields", "reach"), [(1, 1), (2, 1), (2, 2), (3, 1)])
def test_factorisation_solves(shape, boundary, fields, reach, rng):
    grid = Grid(shape, 1.0, boundary)
    matrix = stencil_pattern(grid, fields, reach)
    matrix.data = rng.standard_normal(matrix.nnz)
    matrix = sp.csr_array(matrix + 40 * sp.eye_array(matrix.shape[0]))
    matrix.sort_indices()
    b = rng.standard_normal((matrix.shape[0], 2))
    plan = elimination(grid, fields, reach)
    factor = Factorisation(plan, matrix)
    np.testing.assert_allclose(matrix @ factor.solve(b), b, atol=1e-11)
    np.testing.assert_allclose(matrix.T @ factor.solve(b[:, 0], transposed=True), b[:, 0], atol=1e-11)
    even = sp.csr_array(matrix + matrix.T)
    even.sort_indices()
    np.testing.assert_allclose(even @ Factorisation(plan, even, symmetric=True).solve(b), b, atol=1e-11)
    with pytest.raises(SingularMatrix):
        Factorisation(plan, -even, symmetric=True)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_jacobians_match_finite_differences(name, boundary, rng):
    cls, grid = REACTION_DIFFUSION[name], Grid((7, 6), 0.8, boundary)
    system = cls()
    state = rough_state(system, grid)
    D = [float(d) for d in system.diffusivities()]
    by_hand = kinetic_slopes(system, state)[0] + np.array([d * stencil(c, grid) for d, c in zip(D, state, strict=True)])
    np.testing.assert_allclose(drift_of(system, grid, state), by_hand, atol=1e-12)
    direction, h = rng.standard_normal(state.shape), 1e-6
    central = (drift_of(system, grid, state + h * direction) - drift_of(system, grid, state - h * direction)) / (2 * h)
    J = jacobian_pattern(grid, len(state)).matrix(D, kinetic_slopes(system, state)[1])
    np.testing.assert_allclose(J @ direction.ravel(), central.ravel(), rtol=1e-6, atol=1e-6 * np.abs(central).max())
    for p, slope in zip(cls.parameters(), parameter_slopes(system, grid, tuple(cls.parameters()), state), strict=True):
        up, down = (system.with_values(**{p: getattr(system, p) + sign * 1e-6}) for sign in (1, -1))
        central = (drift_of(up, grid, state) - drift_of(down, grid, state)) / 2e-6
        np.testing.assert_allclose(slope, central, atol=1e-6 * max(1.0, np.abs(central).max()))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_normal_matrix_equals_the_product(boundary, rng):
    grid = Grid((8, 7), 1.0, boundary)
    pattern = jacobian_pattern(grid, 2)
    J = pattern.matrix([0.2, 0.1], rng.standard_normal((2, 2, 8, 7)), 0.3)
    w, d = rng.uniform(1, 2, (2, J.shape[0]))
    expected = J.T @ sp.diags_array(w) @ J + sp.diags_array(d)
    np.testing.assert_allclose(pattern.normal(J, w, d).toarray(), expected.toarray(), atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_polish_reaches_a_steady_state(boundary):
    # Spots settle in 200 time units on a grid of a few wavelengths; the oracle is the NumPy stencil.
    system, grid = FitzHughNagumo.make("spots"), Grid((32, 28), 1.0, boundary)
    start = jnp.asarray(initial_state(system, grid, init="noise", seed=2)[0])
    euler = jax.jit(
        lambda c: jax.lax.fori_loop(0, 20_000, lambda i, c: c + system.dt * OnGrid(system, grid).drift(c), c)
    )
    state, drift, status = polish(system, grid, np.asarray(euler(start)))
    assert status is Status.STEADY
    assert drift <= 1e-10
    (u, v), p = state, {n: float(x) for n, x in system.values().items()}
    left = [
        p["Du"] * stencil(u, grid) + u - u**3 - v,
        p["Dv"] * stencil(v, grid) + p["eps"] * (u - p["a"] * v - p["b"]),
    ]
    assert rms_drift(np.array(left)) < 2e-10
    assert u.std() > 0.1
    assert np.array_equal(polish(system, grid, state)[0], state)


def test_polish_names_what_it_cannot_do():
    grid = Grid((16, 16))
    dead = np.stack([np.ones(grid.shape), np.full(grid.shape, 1e-12)])
    assert polish(GrayScott(), grid, dead)[2] is Status.DEAD
    wave = initial_state(GrayScott.make("waves"), grid, init="square", seed=0)[0]
    _, drift, status = polish(GrayScott.make("waves"), grid, wave, max_iterations=2)
    assert status is Status.NOT_CONVERGED
    assert drift > 1e-10
    with pytest.raises(BadInput):
        polish(GrayScott(), grid, dead[:, :8])
