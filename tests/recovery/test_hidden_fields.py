"""Two roads to a hidden field against each other, run to rest (`fit`) and solved for (`recover`); sparse solves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from registry import REACTION_DIFFUSION, rough_state
from unstill._errors import BadInput, NumericalFailure
from unstill.fitting.followers import clamped, follow, held, join, relax
from unstill.recovery.hidden_elimination import choose_route, hidden_slopes, solve_hidden
from unstill.recovery.hidden_problem import Problem
from unstill.simulation import Grid, OnGrid
from unstill.simulation.jacobian import jacobian_pattern, kinetic_slopes
from unstill.simulation.multifrontal import Factorisation, SingularMatrix, elimination
from unstill.systems import GrayScott

BOUNDARY = pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
NAMES = tuple(GrayScott.parameters())
VALUES = np.array([0.16, 0.08, 0.035, 0.065])


def picture_of_v(grid: Grid) -> np.ndarray:
    return rough_state(GrayScott(), grid)[1]


@BOUNDARY
def test_running_the_hidden_field_to_rest_is_solving_for_it(boundary):
    """u beside v: 20,000 Euler steps at most against one sparse Cholesky factorisation; and the derivatives alike."""
    grid = Grid((8, 7), 1.0, boundary)
    v = picture_of_v(grid)
    problem, route = Problem(GrayScott, grid, 1, NAMES, {}), choose_route(GrayScott, 1)
    solved, factor = solve_hidden(problem, route, VALUES, v)
    moved, tail, steps = relax(GrayScott(), grid, (1,), v[None, None], dt=1.0)
    assert 0 < steps <= 20_000
    np.testing.assert_allclose(moved[0], solved, atol=1e-8)
    slopes = hidden_slopes(route, factor, problem.drift_slopes(VALUES, problem.state(v, solved)))
    tangents = jax.jacfwd(
        lambda theta: follow(
            GrayScott().with_values(**dict(zip(NAMES, theta, strict=True))), grid, (1,), jnp.asarray(v[None]),
            jnp.asarray(moved[0]), steps=4 * tail, dt=1.0,
        )
    )(jnp.asarray(VALUES))  # fmt: skip
    np.testing.assert_allclose(np.moveaxis(np.asarray(tangents), -1, 0), slopes, atol=1e-3 * np.abs(slopes).max())


def test_a_held_picture_is_a_parameter_of_a_smaller_system():
    """The clamped system moves the hidden field as the whole one would for one step, and keeps the equation's facts."""
    grid, state = Grid((8, 7)), rough_state(GrayScott(), Grid((8, 7)))
    small = held(GrayScott(), (1,), state[1:])
    assert small.fields == ("u",)
    assert set(small.parameters()) == {*NAMES, "v"}
    np.testing.assert_allclose(
        OnGrid(small, grid).drift(jnp.asarray(state[:1])),
        OnGrid(GrayScott(), grid).drift(jnp.asarray(state))[:1],
        rtol=1e-13,
        atol=1e-15,
    )
    assert clamped(GrayScott, (1,)) is clamped(GrayScott, (1,))
    assert clamped(GrayScott, (0,)).equations == GrayScott.equations[1:]


@pytest.mark.parametrize("name", REACTION_DIFFUSION)
@pytest.mark.parametrize("seen", [0, 1])
def test_fields_are_joined_in_the_systems_order(name, seen, rng):
    states = rng.standard_normal((3, 2, 4, 5))
    joined = join((seen,), states[:, [seen]], states[:, [1 - seen]])
    np.testing.assert_array_equal(joined, states)


def test_what_has_no_hidden_field_cannot_follow_one():
    with pytest.raises(BadInput, match="must leave a field hidden"):
        follow(
            GrayScott(), Grid((8, 7)), (0, 1), jnp.zeros((2, 8, 7)), jnp.zeros((0, 8, 7)), steps=1, dt=1.0
        )  # fmt: skip


def test_a_hidden_field_that_does_not_rest_is_a_numerical_failure():
    """An unstable step: D = 5 on cells of 1 bears dt = 0.05 only."""
    with pytest.raises(NumericalFailure, match="does not come to rest") as error:
        relax(GrayScott(Du=5.0), Grid((8, 7)), (1,), picture_of_v(Grid((8, 7)))[None, None], dt=1.0)
    assert str(error.value.status) == "blow-up"


# --- sparse factorisations --------------------------------------------------------------------------------------------


@BOUNDARY
@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_solves_with_jacobians_are_those_of_superlu(name, boundary, rng):
    """The Jacobians of an implicit step of each system, direct and transposed, several right-hand sides at once."""
    system, grid = REACTION_DIFFUSION[name](), Grid((13, 11), 0.9, boundary)
    state = rough_state(system, grid)
    slopes = kinetic_slopes(system, state)[1]
    J = jacobian_pattern(grid, 2).matrix([float(D) for D in system.diffusivities()], slopes, 0.37)
    factor, reference = Factorisation(elimination(grid, 2, 1), J), spla.splu(sp.csc_array(J))
    b = rng.standard_normal((J.shape[0], 3))
    for transposed in (False, True):
        expected = reference.solve(b, trans="T" if transposed else "N")
        scale = np.abs(expected).max()
        np.testing.assert_allclose(factor.solve(b, transposed=transposed), expected, atol=1e-9 * scale)
        np.testing.assert_allclose(factor.solve(b[:, 1], transposed=transposed), expected[:, 1], atol=1e-9 * scale)


@BOUNDARY
@pytest.mark.parametrize("shape", [(3, 3), (4, 40), (17, 16)])
@pytest.mark.parametrize("reach", [1, 2])
def test_every_unknown_is_eliminated_once_and_sees_only_later_ones(boundary, shape, reach):
    grid = Grid(shape, 1.0, boundary)
    plan = elimination(grid, 2, reach)
    assert sorted(plan.permutation) == list(range(2 * shape[0] * shape[1]))
    assert [front.start for front in plan.fronts[1:]] == [front.end for front in plan.fronts[:-1]]
    for front in plan.fronts:
        assert front.end > front.start
        assert np.all(front.border >= front.end)
        assert np.all(np.diff(front.border) > 0)
    children = [child for front in plan.fronts for child in front.children]
    assert len(children) == len(set(children))  # each front's update goes to one place
    entries = np.concatenate([front.source for front in plan.fronts])
    assert len(np.unique(entries)) == plan.nnz == len(entries)


def test_matrices_that_cannot_be_factorised_are_refused(rng):
    grid = Grid((6, 5))
    plan, pattern = elimination(grid, 1, 1), jacobian_pattern(grid, 1)
    with pytest.raises(ValueError, match="sparsity pattern"):
        Factorisation(plan, sp.csr_array(np.eye(30)))
    zero = pattern.matrix([0.0], np.zeros((1, 1, 6, 5)))
    for symmetric in (False, True):
        with pytest.raises(SingularMatrix):
            Factorisation(plan, zero, symmetric=symmetric)


@BOUNDARY
def test_the_laplacian_matrix_and_its_null_vector(boundary, rng):
    """Constants are the null space of ∇²: a shift σ then gives 1/σ of the mean back."""
    grid = Grid((9, 8), 0.7, boundary)
    pattern = jacobian_pattern(grid, 1)
    matrix = pattern.matrix([1.0], np.zeros((1, 1, 9, 8)), 1e-6)
    b = rng.standard_normal(72)
    x = Factorisation(elimination(grid, 1, 1), matrix).solve(b)
    assert x.mean() == pytest.approx(-b.mean() / 1e-6, rel=1e-6)
    c = rng.standard_normal((9, 8))
    np.testing.assert_allclose(
        (pattern.laplacian @ c.ravel()).reshape(9, 8), grid.laplacian(jnp.asarray(c)), atol=1e-12
    )
