"""Every strategy's derivative against differences of the same rollout in float64, and the Jacobian against it."""

import dataclasses
import functools

import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput, NumericalFailure
from unstill.fitting.coordinates import CONSTRAINTS, Coordinates
from unstill.fitting.followers import relax
from unstill.fitting.losses import find_loss
from unstill.fitting.objective import Evaluator, FitObjective
from unstill.fitting.problem import Problem
from unstill.fitting.strategies import STRATEGIES, make_strategy
from unstill.simulation import Grid, simulate
from unstill.systems import GrayScott

GRID = Grid((24, 24))
STEPS = 500
TRUTH = {"Du": 0.16, "Dv": 0.08, "F": 0.035, "k": 0.06}
AT = {"Du": 0.155, "Dv": 0.082, "F": 0.034, "k": 0.0595}
WINDOWS = {"tbptt": 100, "observed-start": STEPS, "curriculum": 32, "em": STEPS, "shooting": 40}
REST_LONGER = {"implicit"}  # has a test of its own: tests/simulation/test_implicit.py
GRADIENTS = [name for name in STRATEGIES if name not in REST_LONGER]


@functools.cache
def pictures() -> np.ndarray:
    """Two patterns (2, 2, 24, 24) after 3,000 steps."""
    return simulate(GrayScott.make(**TRUTH), grid=GRID, samples=2, init="discs", steps=3000, seed=1).state


@functools.cache
def objective(name, observed=(1,), loss="power-spectrum", constraint="log", states=(), **options) -> FitObjective:
    """500 steps from a fresh square in two samples, or from the pictures; a rollout over tens of e-foldings."""
    strategy = make_strategy(name, WINDOWS.get(name))
    targets = np.ascontiguousarray(pictures()[:, list(observed)])
    problem = Problem(GrayScott, GRID, 1.0, observed, targets, horizon=STEPS, until_change=0.0, **options)
    coordinates = Coordinates(GrayScott, {}, constraint, states + strategy.state_names)
    batch = dataclasses.replace(problem.draw(0), iteration=20 if name == "curriculum" else 0)
    return FitObjective(Evaluator(problem, strategy, find_loss(loss), coordinates), batch)


def place(objective: FitObjective):
    """The optimiser's variables at the parameters and the states of the strategy."""
    evaluator, problem, batch = objective.evaluator, objective.evaluator.problem, objective.batch
    values = {name: np.asarray(value) for name, value in AT.items()}
    values |= evaluator.strategy.free_states(problem, evaluator.coordinates.system(values), batch)
    if "state" in evaluator.coordinates.states:
        values["state"] = problem.start(batch)
    return evaluator.coordinates.numbers(values)


def held_value(objective: FitObjective, x):
    """The loss as a function of x with all that `prepare` found held where it is."""
    prepared = objective._prepared_at(objective.evaluator.coordinates.values(x))

    def value(x):
        values = objective.evaluator.coordinates.values(x)
        out = objective.evaluator.value(values, prepared.arrays, objective.batch.targets, prepared.steps)
        return float(out[0])

    return value, prepared


def differences(value, x, directions, h):
    """Central differences of fourth order along each direction: a dictionary like x."""

    def along(direction):
        f1, f2 = (
            [value({n: np.asarray(x[n] + sign * k * h * direction[n]) for n in x}) for sign in (1, -1)] for k in (1, 2)
        )  # fmt: skip
        return (8 * (f1[0] - f1[1]) - (f2[0] - f2[1])) / (12 * h)

    return np.array([along(direction) for direction in directions])


def directions_of(x, rng):
    """Each parameter by itself, and a random direction of each field of states."""
    out = []
    for name, value in x.items():
        zero = {n: np.zeros(np.shape(v)) for n, v in x.items()}
        out.append({**zero, name: np.ones(()) if np.ndim(value) == 0 else rng.standard_normal(value.shape)})
    return out


def check(objective, value, x, rng, *, rel, h=1e-5):
    gradient = objective.gradient(x)[1]
    directions = directions_of(x, rng)
    found = np.array([sum(np.vdot(gradient[n], d[n]) for n in x) for d in directions])
    expected = differences(value, x, directions, h)
    assert np.abs(expected).max() > 1e-6  # something to see
    np.testing.assert_allclose(found, expected, rtol=rel, atol=rel * 0.01 * np.abs(expected[: len(AT)]).max())


@pytest.mark.parametrize("observed", [(1,), (0, 1)], ids=["v", "uv"])
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_against_central_differences(name, observed, rng):
    """What the host prepared is held: a warm-up is not differentiated, nor are EM's fields. A patterned regime: 500
    steps in float64 leave 1e-6 of the gradient in each component."""
    if name == "forward" and observed == (0, 1):
        pytest.skip("the same rollout as with v alone")
    loss = STRATEGIES[name].loss
    looked = objective(name, observed, loss)
    x = place(looked)
    value, prepared = held_value(looked, x)
    assert prepared.steps == WINDOWS.get(name, STEPS)
    check(looked, value, x, rng, rel=1e-6)


@pytest.mark.parametrize("name", ["bptt", "forward"])
def test_a_whole_rollout_needs_nothing_held(name, rng):
    looked = objective(name)
    check(looked, lambda x: looked.value(x)[0], place(looked), rng, rel=1e-6)


def test_forward_and_reverse_mode_agree():
    a, b = (objective(name).gradient(place(objective(name))) for name in ("forward", "bptt"))
    assert a[0] == b[0]
    for name in AT:
        np.testing.assert_allclose(a[1][name], b[1][name], rtol=1e-9)


def test_the_truncated_gradient_forgets_the_warm_up():
    """It is the derivative of the window alone: not that of the whole rollout, to which it is biased."""
    truncated, whole = objective("tbptt"), objective("bptt")
    g, full = (np.array([float(o.gradient(place(o))[1][n]) for n in AT]) for o in (truncated, whole))
    assert np.abs(g - full).max() > 0.05 * np.abs(full).max()


@pytest.mark.parametrize("name", ["observed-start", "curriculum"])
def test_the_hidden_field_is_differentiated_too(name, rng):
    """Against differences of pictures' hidden fields that were brought to rest anew: the Neumann series is cut where
    its rest has fallen to 1e-3, the rest's tolerance adds 1e-10/h."""
    looked = objective(name, (1,), "pixel")
    check(looked, lambda x: looked.value(x)[0], place(looked), rng, rel=2e-3, h=1e-3)


def test_em_holds_the_hidden_field():
    em, full = objective("em", (1,), "pixel"), objective("observed-start", (1,), "pixel")
    x = place(em)
    assert em.value(x)[0] == pytest.approx(full.value(x)[0], rel=1e-6)
    assert abs(em.gradient(x)[1]["F"] / full.gradient(x)[1]["F"] - 1) > 0.01


def test_initial_states_have_gradients(rng):
    looked = objective("bptt", states=("state",))
    x = place(looked)
    assert x["state"].shape == (2, 2, 24, 24)
    check(looked, lambda x: looked.value(x)[0], x, rng, rel=1e-6, h=1e-5)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_gradients_by_the_optimisers_numbers(constraint, rng):
    looked = objective("observed-start", (0, 1), "pixel", constraint)
    check(looked, lambda x: looked.value(x)[0], place(looked), rng, rel=1e-6)


@pytest.mark.parametrize("loss", ["pixel", "power-spectrum", "stationarity"])
@pytest.mark.parametrize("name", [n for n in GRADIENTS if n != "shooting"])
def test_the_jacobian_belongs_to_the_gradient(name, loss):
    """Σr² is the loss and 2Jᵀr its gradient."""
    if loss == "stationarity" and name != "observed-start":
        pytest.skip("a loss of ensembles that start at their pictures")
    looked = objective(name, (0, 1), loss)
    x = place(looked)
    r, J = looked.residual(x)
    value, gradient = looked.gradient(x)
    assert J.shape == (len(r), 4)
    assert r @ r == pytest.approx(value, rel=1e-10)
    g = np.array([float(gradient[n]) for n in AT])
    scale = np.abs(g).max()
    np.testing.assert_allclose(2 * J.T @ r, g, rtol=1e-6, atol=1e-7 * scale)


def test_what_an_iteration_tells():
    looked = FitObjective(objective("bptt").evaluator, objective("bptt").batch)
    x = place(looked)
    looked.gradient(x)
    told = looked.first
    assert set(told["gradients"]) == set(AT)
    assert told["rollout_steps"] == STEPS
    assert told["finite"]
    assert not told["dead"]
    assert told["prediction_range"][0] < told["prediction_range"][1]
    assert looked.steps_differentiated == 2 * STEPS
    assert looked.steps == 2 * STEPS  # the look for steadiness
    looked.value(x)
    assert looked.steps == 4 * STEPS


def test_the_derivative_at_the_prediction():
    """`prediction_slope` is |∂L/∂c|, here in closed form: 2|c − target|/n."""
    looked = objective("observed-start", (0, 1), "pixel")
    looked = FitObjective(looked.evaluator, looked.batch)
    loss = looked.gradient(place(looked))[0]
    cells = looked.batch.targets.size
    assert looked.first["prediction_slope"] == pytest.approx(2 * np.sqrt(loss / cells), rel=1e-6)


# --- what strategies are ----------------------------------------------------------------------------------------------


def test_windows_of_a_curriculum_double():
    lengths = [STRATEGIES["curriculum"].length(i) for i in range(0, 60, 4)]
    assert lengths[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert set(lengths[9:]) == {256}


@pytest.mark.parametrize(
    ("name", "window", "argument"), [("bptt", 10, "window"), ("tbptt", 0, "window"), ("bppt", None, "strategy")]
)
def test_strategies_refuse(name, window, argument):
    with pytest.raises(BadInput) as error:
        make_strategy(name, window)
    assert error.value.argument == argument


def test_at_the_truth_pictures_at_rest_stay(rng):
    moved = simulate(GrayScott.make(**TRUTH), pictures()[:1], grid=GRID, steps=20_000).state[0]
    state = us.polish(GrayScott.make(**TRUTH), GRID, moved)[0]
    problem = Problem(GrayScott, GRID, 1.0, (1,), state[None, 1:])
    truth = {name: np.asarray(v) for name, v in TRUTH.items()}
    for name in ("observed-start", "em", "curriculum"):
        evaluator = Evaluator(problem, STRATEGIES[name], find_loss("pixel"), Coordinates(GrayScott, {}))
        look = FitObjective(evaluator, problem.draw(0)).look_at(truth)
        assert look.loss < 1e-16
        assert look.sound


def test_a_hidden_field_that_does_not_come_to_rest_is_said():
    system = GrayScott.make(**TRUTH).with_values(Du=np.asarray(0.6))  # beyond the stability limit
    with pytest.raises(NumericalFailure, match="hidden field u does not come to rest"):
        relax(system, GRID, (1,), pictures()[:, 1:], dt=1.0)


def test_batches_repeat_with_their_seed_and_know_no_target_twice():
    targets = np.random.default_rng(0).random((20, 1, 24, 24))
    problem = Problem(GrayScott, GRID, 1.0, (1,), targets, batch=6, seed=3)
    one, two = problem.draw(4), problem.draw(4)
    assert (one.index == two.index).all()
    assert len(set(one.index.tolist())) == 6
    np.testing.assert_array_equal(one.targets, targets[one.index])
    np.testing.assert_array_equal(problem.start(one), problem.start(two))
    assert (problem.draw(5).index != one.index).any()
    assert (problem.start(problem.draw(5)) != problem.start(one)).any()


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"targets": np.zeros((2, 1, 12, 24))}, "targets"), ({"targets": np.zeros((2, 2, 24, 24))}, "targets"),
        ({"targets": np.full((2, 1, 24, 24), np.nan)}, "targets"), ({"horizon": 0}, "horizon"), ({"batch": 0}, "batch"),
    ],
)  # fmt: skip
def test_problems_refuse(changes, argument):
    options = {"targets": np.zeros((2, 1, 24, 24)), **changes}
    with pytest.raises(BadInput) as error:
        Problem(GrayScott, GRID, 1.0, (1,), **options)
    assert error.value.argument == argument
