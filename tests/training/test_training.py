"""The optimisers against closed forms, the loop's records and stops, and states that are kept and taken up again."""

import dataclasses
import threading

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from unstill._errors import BadInput
from unstill._jax import enable_x64, host_call
from unstill._types import Status
from unstill.training import OPTIMISERS, as_arrays, from_arrays, make_optimiser, minimise
from unstill.training.epochs import draw, signs
from unstill.training.optimisers import (
    AdaptiveRate,
    EvolutionStrategy,
    LevenbergMarquardt,
    Objective,
    Optax,
    flatten,
    unflatten,
)

A = np.random.default_rng(3).standard_normal((7, 3))
B = np.random.default_rng(4).standard_normal(7)
ROOT = np.linalg.lstsq(A, B)[0]
START = {"a": np.array([2.0, -1.0]), "b": np.float64(0.5) * np.ones(())}
every_optimiser = pytest.mark.parametrize("name", OPTIMISERS)


class Linear:
    """|A x − b|², whose minimum is known; `sound` says which points are, and the values asked for are counted."""

    def __init__(self, sound=lambda x: True):
        self.sound, self.asked = sound, []

    def value(self, x):
        self.asked.append(flatten(x))
        r = A @ flatten(x) - B
        return float(r @ r), self.sound(flatten(x))

    def gradient(self, x):
        r = A @ flatten(x) - B
        return float(r @ r), unflatten(2 * A.T @ r, x)

    def residual(self, x):
        return A @ flatten(x) - B, A


def away(x) -> float:
    return float(np.abs(flatten(x) - ROOT).max())


def test_variables_are_flattened_and_back():
    x = {"field": np.arange(6.0).reshape(2, 3), "number": np.array(7.0)}
    back = unflatten(flatten(x), x)
    np.testing.assert_array_equal(flatten(x), [0, 1, 2, 3, 4, 5, 7])
    assert all(back[n].shape == x[n].shape and (back[n] == x[n]).all() for n in x)
    assert isinstance(Linear(), Objective)


# --- Levenberg–Marquardt ----------------------------------------------------------------------------------------------


def test_one_undamped_step_solves_linear_least_squares():
    step = LevenbergMarquardt(damping=0.0, longest=np.inf).step(Linear(), START, {"damping": np.float64(0)})
    assert away(step.x) < 1e-12
    assert step.loss == pytest.approx(Linear().value(START)[0])
    assert step.record["rate"] == 0


def test_a_damped_step_is_the_formula_of_more():
    damping = 0.3
    H, g = A.T @ A, A.T @ (A @ flatten(START) - B)
    expected = flatten(START) - np.linalg.solve(H + damping * np.diag(np.diag(H)), g)
    step = LevenbergMarquardt(longest=np.inf).step(Linear(), START, {"damping": np.float64(damping)})
    np.testing.assert_allclose(flatten(step.x), expected, rtol=1e-9)
    assert step.state["damping"] == pytest.approx(damping / 5)


def test_the_longest_change_is_capped_and_unsound_trials_raise_the_damping():
    method = LevenbergMarquardt(longest=0.01)
    step = method.step(Linear(), START, method.init(START))
    assert np.abs(flatten(step.x) - flatten(START)).max() == pytest.approx(0.01)
    near = Linear(lambda x: bool(np.abs(x - flatten(START)).max() < 0.3))
    step = LevenbergMarquardt(longest=np.inf).step(near, START, method.init(START))
    tried = step.record["rates_tried"]
    assert len(tried) > 1
    np.testing.assert_allclose(np.diff(np.log(tried)), np.log(4))
    assert np.abs(flatten(step.x) - flatten(START)).max() < 0.3


def test_levenberg_marquardt_stops_at_the_minimum_and_where_no_trial_is_sound():
    method = LevenbergMarquardt()
    at = unflatten(ROOT, START)
    step = method.step(Linear(), at, method.init(at))
    assert step.status is Status.CONVERGED
    assert away(step.x) < 1e-6
    step = method.step(Linear(lambda x: False), START, method.init(START))
    assert (flatten(step.x) == flatten(START)).all()
    assert step.record["rate"] is None


# --- founding system A's rate -----------------------------------------------------------------------------------------


def test_the_founding_rates_in_their_order():
    method = AdaptiveRate(rate=1.0)
    np.testing.assert_allclose(
        method.rates(), [1, 1e-1, 1e-2, 1e-3, 1e-4, 1.2, 1.2**2, 1.2**3, 1.2**4]
    )  # fmt: skip
    objective = Linear(lambda x: False)
    step = method.step(objective, START, {})
    assert step.record["rates_tried"] == method.rates()
    assert step.status is Status.BLOW_UP
    assert "no rate of 1, 0.1, 0.01, 0.001, 0.0001, 1.2, 1.44, 1.73, 2.07 gave a sound" in step.message
    assert (flatten(step.x) == flatten(START)).all()
    slope = flatten(Linear().gradient(START)[1]) + 5e-4 * flatten(START)
    np.testing.assert_allclose(objective.asked, [flatten(START) - r * slope for r in method.rates()])


@pytest.mark.parametrize("sound_try", [0, 2, 4, 6, 8])
def test_the_first_sound_rate_is_taken(sound_try):
    seen = iter(i == sound_try for i in range(9))
    step = AdaptiveRate(rate=0.1).step(Linear(lambda x: next(seen)), START, {})
    assert step.status is None
    assert step.record["rate"] == AdaptiveRate(rate=0.1).rates()[sound_try]
    assert len(step.record["rates_tried"]) == sound_try + 1


@pytest.mark.parametrize("name", [name for name in OPTIMISERS if name not in ("cma-es", "hybrid")])
def test_a_gradient_that_is_not_finite_ends_the_run(name):
    class Broken(Linear):
        def gradient(self, x):
            return 1.0, {**x, "a": np.array([np.nan, 1.0])}

        def residual(self, x):
            J = np.ones((7, 3))
            J[4, 1] = np.inf
            return np.ones(7), J

    method = make_optimiser(name)
    step = method.step(Broken(), START, method.init(START))
    assert step.status is Status.NO_GRADIENT
    assert "its gradient by a is not finite: usually a `where`" in step.message
    assert (flatten(step.x) == flatten(START)).all()


# --- Optax and CMA-ES -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_optax_methods_are_optax_itself(name):
    ours = make_optimiser(name, 0.01)
    assert isinstance(ours, Optax)
    reached = minimise(ours, lambda i: Linear(), START, iterations=20)
    theirs = optax.chain(optax.clip_by_global_norm(10.0), getattr(optax, name)(0.01))
    x = jax.tree.map(jnp.asarray, START)
    state = theirs.init(x)
    for _ in range(20):
        gradient = jax.grad(lambda x: jnp.sum((A @ jnp.append(x["a"], x["b"]) - B) ** 2))(x)
        updates, state = theirs.update(gradient, state, x)
        x = optax.apply_updates(x, updates)
    np.testing.assert_allclose(flatten(reached.x), np.append(x["a"], x["b"]), rtol=1e-12)


def test_cma_es_finds_the_minimum_without_gradients():
    reached = minimise(make_optimiser("cma-es", seed=1), lambda i: Linear(), START, iterations=300)
    assert reached.status is Status.CONVERGED
    assert reached.iterations < 300
    assert away(reached.x) < 1e-3


def test_cma_es_without_a_sound_point_is_a_blow_up():
    reached = minimise(make_optimiser("cma-es"), lambda i: Linear(lambda x: False), START, iterations=100)
    assert reached.status is Status.BLOW_UP
    assert (flatten(reached.x) != ROOT).all()


def test_cma_es_passes_by_unsound_points():
    half = Linear(lambda x: bool(x[0] >= ROOT[0]))  # the minimum is on the border of what is sound
    reached = minimise(EvolutionStrategy(seed=2), lambda i: half, START, iterations=150)
    assert away(reached.x) < 0.05


@pytest.mark.parametrize(("name", "rate"), [("newton", None), ("adam", -1.0), ("adam", 0.0), ("adam", np.nan)])
def test_unknown_names_and_rates_are_refused(name, rate):
    with pytest.raises(BadInput) as error:
        make_optimiser(name, rate)
    assert error.value.argument == ("optimiser" if rate is None else "rate")


@pytest.mark.parametrize("name", [name for name in OPTIMISERS if name != "hybrid"])
def test_a_rate_reaches_the_optimiser(name):
    method = make_optimiser(name, 0.123)
    assert 0.123 in dataclasses.asdict(method).values()
    assert type(method) is type(OPTIMISERS[name])


# --- the loop ---------------------------------------------------------------------------------------------------------


@every_optimiser
def test_every_optimiser_lowers_the_loss_and_records_each_iteration(name):
    rows, kept = [], []
    reached = minimise(
        make_optimiser(name), lambda i: Linear(), START, iterations=4, record=rows.append, keep=kept.append,
        describe=lambda objective, x: {"at": flatten(x)},
    )  # fmt: skip
    assert [row["iteration"] for row in rows] == list(range(reached.iterations))
    assert [outcome.iterations for outcome in kept] == list(range(1, reached.iterations + 1))
    assert (rows[0]["at"] == flatten(START)).all()
    assert all(np.isfinite(row["loss"]) and row["seconds"] >= 0 for row in rows)
    assert Linear().value(reached.x)[0] < Linear().value(START)[0]


def interrupted_at(n: int):
    def objective(i):
        if i == n:
            raise KeyboardInterrupt
        return Linear()

    return objective


@pytest.mark.parametrize("place", ["objective", "step", "describe"])
def test_an_interrupt_keeps_the_last_whole_step(place):
    whole = minimise(make_optimiser("adam"), lambda i: Linear(), START, iterations=3)
    seen = iter(range(9))

    class Stopping(Linear):
        def gradient(self, x):
            if place == "step" and next(seen) == 3:
                raise KeyboardInterrupt
            return super().gradient(x)

    def describe(objective, x):
        if place == "describe" and next(seen) == 3:
            raise KeyboardInterrupt
        return {}

    make = interrupted_at(3) if place == "objective" else lambda i: Stopping()
    rows = []
    reached = minimise(make_optimiser("adam"), make, START, iterations=9, record=rows.append, describe=describe)
    assert reached.status is Status.INTERRUPTED
    assert reached.iterations == len(rows) == 3
    assert (flatten(reached.x) == flatten(whole.x)).all()


def test_halt_ends_the_run_with_its_status():
    reached = minimise(
        make_optimiser("adam"), lambda i: Linear(), START, iterations=5, halt=lambda objective: (Status.DEAD, "flat")
    )
    assert (reached.status, reached.message, reached.iterations) == (Status.DEAD, "flat", 1)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "levenberg-marquardt", "adaptive"])
def test_a_resumed_run_repeats_every_bit(name, tmp_path):
    method = make_optimiser(name)
    whole = minimise(method, lambda i: Linear(), START, iterations=8)
    part = minimise(method, interrupted_at(3), START, iterations=8)
    np.savez(tmp_path / "state.npz", **as_arrays(method, part))
    with np.load(tmp_path / "state.npz") as arrays:
        back = from_arrays(method, START, dict(arrays))
    assert back.iterations == 3
    rest = minimise(method, lambda i: Linear(), back.x, state=back.state, first=back.iterations, iterations=8)
    assert flatten(rest.x).tobytes() == flatten(whole.x).tobytes()
    assert rest.iterations == whole.iterations


def test_a_resumed_evolution_goes_on_from_its_mean_and_spread():
    method = make_optimiser("cma-es")
    part = minimise(method, lambda i: Linear(), START, iterations=5)
    back = from_arrays(method, START, as_arrays(method, part))
    assert (flatten(back.x) == flatten(part.x)).all()
    assert back.state["spread"] == part.state["spread"]
    rest = minimise(method, lambda i: Linear(), back.x, state=back.state, first=5, iterations=200)
    assert away(rest.x) < 1e-3


def test_a_state_of_another_command_is_refused():
    method = make_optimiser("adam")
    arrays = as_arrays(method, minimise(method, lambda i: Linear(), START, iterations=1))
    with pytest.raises(BadInput, match="`resume` must find the state of the same command"):
        from_arrays(method, {"a": np.zeros(3), "b": np.zeros(())}, arrays)
    with pytest.raises(BadInput, match="`resume`"):
        from_arrays(make_optimiser("levenberg-marquardt"), START, arrays)


# --- float64 on the way to the host -----------------------------------------------------------------------------------


@pytest.fixture
def float32_by_default():
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", True)


@pytest.mark.usefixtures("float32_by_default")
def test_float64_stays_float64_through_a_callback():
    """The setting that `enable_x64` makes holds in this thread only; callbacks run in others."""
    seen = []

    def third(x, n):
        seen.append((x.dtype, n.dtype, threading.get_ident()))
        return x / 3, n + 1, x.astype(np.float32)

    shapes = [jax.ShapeDtypeStruct((4,), d) for d in (np.float64, np.int32, np.float32)]
    x, n = np.linspace(1, 2, 4) / 7, np.arange(4, dtype=np.int32)
    with enable_x64():
        called = jax.jit(lambda x, n: host_call(third, shapes, x, n))
        out, counted, narrow = called(x, n)
        batched = jax.vmap(called)(np.stack([x, 2 * x]), np.stack([n, n]))[0]
        assert np.asarray(out).tobytes() == (x / 3).tobytes()
        assert np.asarray(batched)[1].tobytes() == (2 * x / 3).tobytes()
        np.testing.assert_array_equal(counted, n + 1)
        assert narrow.dtype == jnp.float32
    assert {dtypes[:2] for dtypes in seen} == {(np.dtype("float64"), np.dtype("int32"))}


def test_draws_are_the_same_in_32_and_in_64_bits():
    """Users train without the 64 bits under which these tests run."""

    def drawn():
        key = jax.random.key(4)
        return np.asarray(draw(key, 50, 1000)), np.asarray(signs(key, (2, 25)))

    wide = drawn()
    jax.config.update("jax_enable_x64", False)
    try:
        usual = drawn()
    finally:
        jax.config.update("jax_enable_x64", True)
    for a, b in zip(wide, usual, strict=True):
        assert a.dtype == b.dtype == np.int32
        np.testing.assert_array_equal(a, b)
    assert set(usual[1].ravel()) == {-1, 1}


def test_a_bound_holds_one_parameter_and_lets_the_others_go():
    """Least squares in a box: SciPy's bounded solver is the independent answer."""
    from scipy.optimize import lsq_linear

    rng = np.random.default_rng(4)
    A, b, high = rng.standard_normal((12, 3)), rng.standard_normal(12), 0.05
    wanted = lsq_linear(A, b, (-np.inf, [high, np.inf, np.inf]), tol=1e-12).x
    assert wanted[0] == pytest.approx(high)

    class Boxed:
        def value(self, x):
            r, _ = self.residual(x)
            return float(r @ r), bool(x["x"][0] <= high)

        def gradient(self, x):
            raise NotImplementedError

        def residual(self, x):
            return A @ x["x"] - b, A

        def project(self, x):
            return {"x": np.minimum(x["x"], [high, np.inf, np.inf])}

    x = {"x": np.array([-0.1, 0.0, 0.0])}
    found = minimise(LevenbergMarquardt(), lambda i: Boxed(), x, iterations=40)
    np.testing.assert_allclose(found.x["x"], wanted, atol=1e-6)
