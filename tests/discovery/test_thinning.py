"""Terms of the one field of independent points: the scatter of the weak form, and the least cost of all sets."""

import itertools

import numpy as np
import pytest
from scipy.stats import chi2

from unstill.discovery import discover
from unstill.discovery.library import find_library
from unstill.discovery.nullspace import Rows, independent
from unstill.discovery.point_problem import Problem
from unstill.discovery.thinning import _RIDGES, Thinning, price_of_a_term
from unstill.observations.points import Points

CORRELATED = np.array([[1.0, 0.3], [0.3, 0.8]])


def problem_of(seed: int, count: int = 3000, library: str = "poly1", stochastic: bool = False) -> Problem:
    x = np.random.default_rng(seed).standard_normal((count, 2)) @ np.linalg.cholesky(CORRELATED).T
    return Problem.build(
        [Points(x).sorted()], (), find_library(library, ("x", "y")), names=("x", "y"), fixed={},
        covariance=None, stochastic=stochastic, tests="fourier", functionals=60, seed=0,
    )  # fmt: skip


def rows_of(problem: Problem) -> Rows:
    return Rows(problem.forms, [form.matrix for form in problem.forms], problem.Q)


@pytest.mark.parametrize("stochastic", [False, True])
def test_scatter_against_the_sum_over_points(stochastic):
    """Columns of Z_m written out: E[δAᵀHᵀHδA] = Σ_m Z_mᵀHᵀH Z_m/M²."""
    form = problem_of(0, 600, stochastic=stochastic).forms[0]
    half = np.random.default_rng(1).standard_normal((form.functionals.count,) * 2)
    Z = np.concatenate([G[:, :, None] * factor[:, None, :] for G, factor in form.columns()], 2)
    HZ = np.einsum("ij,mjp->mip", half, Z)
    np.testing.assert_allclose(form.scatter(half), np.einsum("mip,miq->pq", HZ, HZ) / 600**2, rtol=1e-9, atol=1e-12)


def test_scatter_foretells_what_the_statistic_is_of_scatter_alone():
    """eᵀSe at weights of e itself is the number of functionals that the ridge leaves."""
    rows = rows_of(problem_of(2))
    t = independent(rows, np.eye(6)).t
    (C,) = rows.covariances(t, fine=False)
    v = np.linalg.eigvalsh(C / np.sqrt(np.diag(C)) / np.sqrt(np.diag(C))[:, None])
    expected = (v / (v + _RIDGES[-1])).sum()
    halves = rows.halves([C], _RIDGES[-1])
    assert t @ rows.scatter(halves) @ t == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_the_least_cost_of_all_sets_is_found(seed):
    problem = problem_of(seed)
    rows, T = rows_of(problem), problem.triangle
    e = np.linalg.solve(T, independent(rows, np.eye(6)).t)
    pinned, price = int(np.argmax(np.abs(e))), price_of_a_term(6, 1.0)
    thinning = Thinning.of(rows, T, pinned, price)
    found = thinning.thinned(e)
    assert found[pinned] == pytest.approx(1)
    others = np.delete(np.arange(6), pinned)
    costs = {
        sets: thinning.cost(np.where(np.isin(np.arange(6), [*map(int, sets), pinned]), e, 0))
        for n in range(1, 6)
        for sets in itertools.combinations(others, n)
    }
    assert (
        thinning.cost(found) <= min(costs.values()) + 0.1 * price
    )  # iterated weights end at slightly different fields of one set
    rotation = np.array([[0, -CORRELATED[0, 1], CORRELATED[0, 0]], [0, -CORRELATED[1, 1], CORRELATED[0, 1]]])
    np.testing.assert_array_equal(found != 0, rotation.ravel() != 0)


def test_false_terms_are_taken_out_from_a_field_that_is_off():
    """Eight false terms of twelve, each of a twentieth of a standard deviation to begin with."""
    problem = problem_of(5, 4000, "poly2")
    rotation = np.zeros((2, 6))
    rotation[:, 1:3] = [[-CORRELATED[0, 1], CORRELATED[0, 0]], [-CORRELATED[1, 1], CORRELATED[0, 1]]]
    start = rotation.ravel() + 0.05 * np.random.default_rng(0).standard_normal(12)
    pinned = int(np.argmax(np.abs(start)))
    found = Thinning.of(rows_of(problem), problem.triangle, pinned, price_of_a_term(12, 1.0)).thinned(start)
    np.testing.assert_array_equal(found != 0, rotation.ravel() != 0)


@pytest.mark.parametrize("count", [1000, 4000])
def test_a_turning_gaussian_has_no_false_terms(count):
    """The search alone kept every term here; the set of the updated estimate is cheaper."""
    exact = [[False, False, True], [False, True, False]]
    right = 0
    for seed in range(5):
        found = discover(np.random.default_rng(seed).standard_normal((count, 2)), "poly1", seed=0)
        right += int((np.asarray(found.coefficients) != 0).tolist() == exact)
    assert right >= 4  # each false term has a chance of about 1 %


def test_the_price_is_that_of_a_family():
    assert chi2.sf(price_of_a_term(60, 1.0), 1) * 60 == pytest.approx(0.01)
    assert price_of_a_term(60, 2.0) == pytest.approx(2 * price_of_a_term(60, 0.5))
