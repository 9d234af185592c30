"""Continuous updating on heaps whose field is known: its bias, its covariance against a Monte Carlo, its objective
against SciPy's minimiser."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from threadpoolctl import threadpool_limits

from unstill._errors import BadInput
from unstill.discovery.library import find_library
from unstill.discovery.nullspace import Rows, independent
from unstill.discovery.point_problem import Problem
from unstill.discovery.updating import Updating
from unstill.observations.points import Points

SIGMA = np.array([[1.0, 0.6], [0.6, 1.5]])
TRUTH = np.zeros((2, 3))  # 1, x, y: of all linear fields only J Σ⁻¹ x preserves N(0, Σ)
TRUTH[:, 1:] = np.array([[0.0, 1.0], [-1.0, 0.0]]) @ np.linalg.inv(SIGMA)


def problem_of(x, fixed=None, functionals=60) -> Problem:
    return Problem.build(
        [Points(x).sorted()], (), find_library("poly1", ("x", "y")), names=("x", "y"), fixed=fixed or {},
        covariance=None, stochastic=False, tests="fourier", functionals=functionals, seed=0,
    )  # fmt: skip


def rows_of(problem: Problem) -> Rows:
    return Rows(problem.forms, [form.matrix for form in problem.forms], problem.Q)


def heap(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 2)) @ np.linalg.cholesky(SIGMA).T


def unit(t):
    return t / np.linalg.norm(t)


def estimated(seed: int, count: int = 1500):
    """The minimum and its covariance, and the true direction, scaled to end on the tangent plane of the minimum."""
    problem = problem_of(heap(seed, count))
    rows = rows_of(problem)
    updating, every = Updating(rows), np.eye(len(problem.triangle))
    found = updating.minimum(independent(rows, every).t, every)
    assert found is not None
    t, covariance = found
    truth = unit(problem.triangle @ TRUTH.ravel())
    return updating, t, covariance, truth / (truth @ t)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As `discover` does: more threads only wait for one another."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def draws(one_thread):
    return [estimated(seed) for seed in range(30)]


def test_the_covariance_is_that_of_a_monte_carlo(draws):
    """eᵀ Cov⁺ e is χ² with five degrees of freedom: mean 5, variance 10."""
    squared = [(truth - t) @ np.linalg.pinv(covariance, rcond=1e-9) @ (truth - t) for _, t, covariance, truth in draws]
    assert np.mean(squared) == pytest.approx(5, abs=4 * np.sqrt(10 / len(draws)))
    assert max(squared) < 30
    for _, t, covariance, _ in draws:
        np.testing.assert_allclose(covariance @ t, 0, atol=1e-12)  # along the sphere
        assert np.linalg.matrix_rank(covariance, tol=1e-9 * np.trace(covariance)) == 5


def test_no_bias_is_left_in_its_own_deviations(draws):
    """Along fixed directions of coefficients the mean of 30 errors is 0 to four of its deviations."""
    along = np.random.default_rng(0).standard_normal((4, 6))
    scores = [along @ (truth - t) / np.sqrt(np.einsum("ij,jk,ik->i", along, C, along)) for _, t, C, truth in draws]
    assert np.abs(np.mean(scores, 0)).max() < 4 / np.sqrt(len(draws))


def test_the_distance_of_the_truth_is_that_of_the_covariance(draws):
    """At the minimum `normal_at` measures eᵀNe = (e/tᵀe − t)ᵀ Cov⁺ (e/tᵀe − t), for any e with any length."""
    for updating, t, covariance, truth in draws[:5]:
        N = updating.normal_at(t)
        expected = (truth - t) @ np.linalg.pinv(covariance, rcond=1e-9) @ (truth - t)
        assert np.sqrt(truth @ N @ truth) == pytest.approx(np.sqrt(expected), abs=0.03)  # the last step was below 0.01
        assert np.sqrt(max(t @ N @ t, 0)) < 0.03
        assert np.linalg.eigvalsh(N)[0] > -1e-9 * np.trace(N)


def test_scipy_finds_the_same_minimum():
    """½ rᵀΩ(t)⁻¹ r written out from the contributions of the points, with the same rows and ridge. What the weights
    that close the balances add is of higher order: a fraction of a standard deviation."""
    problem = problem_of(heap(7, 4000))
    rows = rows_of(problem)
    updating, form = Updating(rows), problem.forms[0]
    (own,) = updating.heaps
    t, covariance = updating.minimum(independent(rows, np.eye(6)).t, np.eye(6))
    B = scipy.linalg.null_space(t[None])
    root = np.linalg.cholesky(B.T @ covariance @ B)

    def objective(s):
        moved = unit(t + B @ root @ s)
        g, weight = form.contributions(problem.Q @ moved)
        g = g[:, own.chosen]
        C = (g * weight[:, None]).T @ g / form.count
        r = own.A @ moved
        return 0.5 * r @ np.linalg.solve(C + np.diag(1e-4 * np.diag(C)), r)

    found = scipy.optimize.minimize(objective, np.zeros(5), method="BFGS", options={"gtol": 1e-3})
    assert np.linalg.norm(found.x) < 0.5
    # the second derivative at the minimum is the inverse of the model covariance: about 1 in these units
    curvature = scipy.optimize.approx_fprime(found.x, lambda s: scipy.optimize.approx_fprime(s, objective, 1e-2), 1e-2)
    np.testing.assert_allclose(np.linalg.eigvalsh((curvature + curvature.T) / 2), 1, atol=0.4)


def test_fewer_directions_are_searched_where_terms_are_left_out():
    """Within the span of the true terms the covariance has their rank, and the estimate stays in it."""
    problem = problem_of(heap(3, 2000))
    kept = TRUTH.ravel() != 0
    inside = np.linalg.qr(problem.triangle[:, kept])[0]
    found = Updating(rows_of(problem)).minimum(problem.triangle @ TRUTH.ravel(), inside)
    assert found is not None
    t, covariance = found
    np.testing.assert_allclose(inside @ (inside.T @ t), t, atol=1e-12)
    raw = np.linalg.solve(problem.triangle, t)
    np.testing.assert_allclose(raw[~kept], 0, atol=1e-10)
    assert np.linalg.matrix_rank(covariance, tol=1e-9 * np.trace(covariance)) == kept.sum() - 1
    np.testing.assert_allclose(raw / raw[2] * TRUTH[0, 2], TRUTH.ravel(), atol=0.15)


def test_more_points_shrink_it_as_they_should():
    few, many = (np.trace(estimated(11, count)[2]) for count in (1000, 4000))
    assert few / many == pytest.approx(4, rel=0.4)


@pytest.mark.parametrize(
    ("fixed", "options", "words"),
    [
        ({(i, j): 0.0 for i in range(2) for j in range(3)}, {}, "leave something to find"),
        ({}, {"functionals": 2}, "`functionals` must be at least"),
    ],
)
def test_problems_that_ask_for_nothing_or_too_little(fixed, options, words):
    with pytest.raises(BadInput, match=words):
        problem_of(heap(0, 300), fixed, **options)
