"""Optimisers beside independent ones: Levenberg–Marquardt in boxes against SciPy's bounded solvers, the founding
descent against its recursion, CMA-ES and its hybrid generation by generation."""

import numpy as np
import pytest
import scipy.optimize

from unstill._errors import BadInput
from unstill._types import Status
from unstill.training import as_arrays, from_arrays, make_optimiser, minimise
from unstill.training.optimisers import AdaptiveRate, EvolutionStrategy, Hybrid, LevenbergMarquardt, flatten, unflatten

START = {"a": np.array([0.2, -0.1]), "b": np.array([[0.3], [0.1]])}


class Problem:
    """|r(x)|² of a function of the flattened variables, in a box where there is one."""

    def __init__(self, residual, jacobian, low=-np.inf, high=np.inf):
        self.r, self.J, self.low, self.high = residual, jacobian, low, high
        self.seen: list[np.ndarray] = []

    def value(self, x):
        self.seen.append(flatten(x))
        return float(np.sum(self.r(flatten(x)) ** 2)), bool(
            np.all((flatten(x) >= self.low) & (flatten(x) <= self.high))
        )

    def gradient(self, x):
        r, J = self.residual(x)
        return float(r @ r), unflatten(2 * J.T @ r, x)

    def residual(self, x):
        return self.r(flatten(x)), self.J(flatten(x))


class Boxed(Problem):
    def project(self, x):
        return unflatten(np.clip(flatten(x), self.low, self.high), x)


def linear(seed: int, rows: int = 9):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((rows, 4)), rng.standard_normal(rows)
    return A, b, lambda x: A @ x - b, lambda x: A


# --- boxes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_linear_least_squares_with_one_bound_is_scipys(seed):
    """Any one variable, bounded half way to where it wants to go, below or above."""
    A, b, r, J = linear(seed)
    low, high, i = np.full(4, -np.inf), np.full(4, np.inf), seed % 4
    root, start = np.linalg.lstsq(A, b)[0], flatten(START)
    (high if root[i] > start[i] else low)[i] = (root[i] + start[i]) / 2
    wanted = scipy.optimize.lsq_linear(A, b, (low, high), method="bvls", tol=1e-14)
    assert wanted.active_mask[i] != 0
    problem = Boxed(r, J, low, high)
    found = minimise(LevenbergMarquardt(), lambda i: problem, START, iterations=100)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(flatten(found.x), wanted.x, atol=1e-6)
    assert np.all((np.array(problem.seen) >= low) & (np.array(problem.seen) <= high))  # no trial leaves the box
    # what stops at its bound pulls the others along: undamped, one step is the whole way
    method = LevenbergMarquardt(damping=0.0, longest=np.inf)
    one = method.step(Boxed(r, J, low, high), START, {"damping": np.float64(0)})
    np.testing.assert_allclose(flatten(one.x), wanted.x, atol=1e-9)


@pytest.mark.parametrize("high", [0.5, 0.9, 3.0])
def test_rosenbrocks_valley_in_a_box_is_scipys(high):
    """10 (y − x²) and 1 − x: at a bound x ≤ 0.5 the minimum is at (0.5, 0.25), without one at (1, 1)."""

    def r(x):
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    def J(x):
        return np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])

    bounds = (np.array([-2.0, -2.0]), np.array([high, 3.0]))
    wanted = scipy.optimize.least_squares(r, [-1.2, 1.0], J, bounds=bounds, xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    start = {"x": np.array([-1.2, 1.0])}
    found = minimise(LevenbergMarquardt(), lambda i: Boxed(r, J, *bounds), start, iterations=300)
    np.testing.assert_allclose(found.x["x"], [min(high, 1), min(high, 1) ** 2], atol=1e-5)
    np.testing.assert_allclose(wanted, found.x["x"], atol=1e-4)


def test_where_the_start_is_in_a_corner_that_holds_it_stays():
    _, _, r, J = linear(0)
    at = flatten(START)
    outwards = np.sign(-J(at).T @ r(at))
    low, high = np.where(outwards > 0, at - 1, at), np.where(outwards > 0, at, at + 1)
    found = minimise(LevenbergMarquardt(), lambda i: Boxed(r, J, low, high), START, iterations=30)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(flatten(found.x), at, atol=1e-12)


def test_a_singular_problem_moves_along_what_is_seen_only():
    """Two variables that enter as their sum: it is solved for, and their difference stays as it was."""
    A = np.array([[1.0, 1.0], [2.0, 2.0]])
    problem = Problem(lambda x: A @ x - [3.0, 6.0], lambda x: A)
    found = minimise(LevenbergMarquardt(), lambda i: problem, {"x": np.array([0.5, -0.5])}, iterations=60)
    assert found.x["x"].sum() == pytest.approx(3, abs=1e-6)
    assert found.x["x"][0] - found.x["x"][1] == pytest.approx(1, abs=1e-6)


# --- founding system A's descent --------------------------------------------------------------------------------------


def test_the_founding_descent_is_a_linear_recursion():
    """x ← x − r (2 Aᵀ(A x − b) + w x): the n-th iterate in closed form, with weight decay at work."""
    A, b, r, J = linear(3)
    rate, decay, n = 0.01, 0.3, 25
    method = AdaptiveRate(rate=rate, weight_decay=decay)
    found = minimise(method, lambda i: Problem(r, J), START, iterations=n)
    step = np.eye(4) - rate * (2 * A.T @ A + decay * np.eye(4))
    rest = np.linalg.solve(2 * A.T @ A + decay * np.eye(4), 2 * A.T @ b)
    expected = rest + np.linalg.matrix_power(step, n) @ (flatten(START) - rest)
    np.testing.assert_allclose(flatten(found.x), expected, rtol=1e-10)
    assert found.x["b"].shape == (2, 1)


def test_a_rate_shrinks_for_one_step_only():
    """Where the base rate leaves what is sound a tenth of it is taken, and the next step tries the base rate anew."""
    _, _, r, J = linear(4)
    rows = []
    box = np.abs(flatten(START)) + 0.2
    problem = Problem(r, J, -box, box)
    minimise(AdaptiveRate(rate=0.5), lambda i: problem, START, iterations=5, record=rows.append)
    assert any(len(row["rates_tried"]) > 1 for row in rows)
    assert all(row["rates_tried"][0] == 0.5 for row in rows)
    for row in rows:
        np.testing.assert_allclose(row["rates_tried"], 0.5 * 0.1 ** np.arange(len(row["rates_tried"])))


# --- CMA-ES and the hybrid --------------------------------------------------------------------------------------------


def run(method, iterations: int, seed: int = 3, **options):
    _, _, r, J = linear(seed)
    rows = []
    reached = minimise(method, lambda i: Problem(r, J), START, iterations=iterations, record=rows.append, **options)
    return reached, rows


def test_an_evolution_repeats_with_its_seed_and_logs_the_means_loss():
    one, rows = run(make_optimiser("cma-es", seed=4), 6)
    two, _ = run(make_optimiser("cma-es", seed=4), 6)
    other, _ = run(make_optimiser("cma-es", seed=5), 6)
    assert flatten(one.x).tobytes() == flatten(two.x).tobytes()
    assert flatten(one.x).tobytes() != flatten(other.x).tobytes()
    _, _, r, _ = linear(3)
    assert rows[0]["loss"] == pytest.approx(np.sum(r(flatten(START)) ** 2))
    assert rows[-1]["best"] < rows[0]["loss"]
    assert one.state["generation"] == 6


def test_an_evolution_asks_for_its_population_and_for_its_mean():
    _, _, r, J = linear(3)
    problem = Problem(r, J)
    method = EvolutionStrategy(population=7, spread=0.01)
    method.step(problem, START, method.init(START))
    assert len(problem.seen) == 8
    np.testing.assert_array_equal(problem.seen[0], flatten(START))
    assert np.abs(np.array(problem.seen[1:]) - flatten(START)).max() < 0.01 * 6


def test_the_hybrid_is_one_method_after_the_other():
    """The same generations as CMA-ES alone, then Levenberg–Marquardt from their mean: a few steps to the bottom."""
    method = make_optimiser("hybrid", seed=4)
    assert isinstance(method, Hybrid)
    searched, _ = run(method, method.switch)
    alone, _ = run(make_optimiser("cma-es", seed=4), method.switch)
    assert flatten(searched.x).tobytes() == flatten(alone.x).tobytes()
    assert searched.status is Status.NOT_CONVERGED
    reached, rows = run(method, 40)
    assert reached.status is Status.CONVERGED
    A, b, _, _ = linear(3)
    np.testing.assert_allclose(flatten(reached.x), np.linalg.lstsq(A, b)[0], atol=1e-6)
    assert all("best" in row for row in rows[: method.switch])
    assert all("rates_tried" in row for row in rows[method.switch :])


def test_a_resumed_hybrid_polishes_on_bit_for_bit():
    method = make_optimiser("hybrid", seed=4)
    part, _ = run(method, method.switch + 1)
    back = from_arrays(method, START, as_arrays(method, part))
    assert back.state["generation"] == method.switch
    whole, _ = run(method, method.switch + 3)
    _, _, r, J = linear(3)
    on = minimise(
        method, lambda i: Problem(r, J), back.x, state=back.state, first=back.iterations, iterations=whole.iterations
    )
    assert flatten(on.x).tobytes() == flatten(whole.x).tobytes()
    with pytest.raises(BadInput, match="`rate` must be left out: hybrid has none"):
        make_optimiser("hybrid", 0.1)


@pytest.mark.parametrize("name", ["levenberg-marquardt", "hybrid"])
def test_a_status_that_nobody_knows_is_refused(name):
    method = make_optimiser(name)
    reached, _ = run(method, 1)
    arrays = as_arrays(method, reached)
    with pytest.raises(BadInput, match="known status"):
        from_arrays(method, START, arrays | {"status": np.asarray("fine")})
    with pytest.raises(BadInput, match="state of the same command"):
        from_arrays(method, START, {name: value for name, value in arrays.items() if name != "iterations"})


@pytest.mark.parametrize("correlation", [-0.9, -0.5, 0.5, 0.9])
def test_two_bounds_that_both_pull_are_scipys(correlation):
    """The free step leads out over both bounds, and only one of them holds at the minimum of the negative ones."""
    A = np.linalg.cholesky(np.array([[1.0, correlation], [correlation, 1.0]])).T
    b, high = A @ [1.0, 0.5], np.zeros(2)
    problem = Boxed(lambda x: A @ x - b, lambda x: A, np.full(2, -np.inf), high)
    found = minimise(LevenbergMarquardt(), lambda i: problem, {"x": np.array([-1.0, -1.0])}, iterations=100)
    wanted = scipy.optimize.lsq_linear(A, b, (-np.inf, high), method="bvls", tol=1e-14)
    np.testing.assert_allclose(flatten(found.x), wanted.x, atol=1e-6)
    assert found.status is Status.CONVERGED
