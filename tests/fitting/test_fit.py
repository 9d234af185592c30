"""`fit` from end to end: what it finds, what it refuses to call found, and motions that are repeated bit for bit."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from unstill._errors import BadInput, NumericalFailure
from unstill._result import Estimate
from unstill._types import Status
from unstill.fitting import STRATEGIES, fit
from unstill.fitting.fit import plan_of
from unstill.fitting.replay import replay
from unstill.fitting.roads import plan_roads, prepare
from unstill.observations.task import check
from unstill.simulation import Grid, simulate
from unstill.systems import GrayScott

GRID = Grid((48, 48))
SMALL = Grid((24, 24))
START = {"Du": 0.127, "Dv": 0.127, "F": 0.05, "k": 0.05}  # founding system A's
SPOTS = {"Du": 0.16, "Dv": 0.08, "F": 0.035, "k": 0.065}


@functools.cache
def spots() -> np.ndarray:
    """v of two patterns nearly at rest, (2, 48, 48)."""
    return simulate(GrayScott.make("spots"), grid=GRID, samples=2, init="discs", steps=20_000).state[:, 1]


@functools.cache
def small() -> np.ndarray:
    """v of two small patterns, (2, 24, 24), still moving."""
    return simulate(GrayScott.make(F=0.035, k=0.06), grid=SMALL, samples=2, init="discs", steps=2000).state[:, 1]


def errors(found, truth) -> dict[str, float]:
    return {name: float(found.values[name]) / value - 1 for name, value in truth.items()}


def test_from_the_founding_start_to_the_truth_by_v_alone():
    """No truth, no initial state and no u is used; the founding optimiser did not get there."""
    found = fit("gray-scott", {"v": spots()}, start=START)
    assert found.status is Status.CONVERGED
    assert (found.strategy, found.loss_name, found.optimiser) == ("observed-start", "pixel", "levenberg-marquardt")
    assert max(map(abs, errors(found, SPOTS).values())) < 0.01
    assert found.history[0]["parameters"] == pytest.approx(START)
    assert found.history[-1]["loss"] < 1e-4 * found.history[0]["loss"]
    assert found.sample_steps > 0
    assert found.states.shape == (2, 2, 48, 48)
    u = simulate(GrayScott.make("spots"), grid=GRID, samples=2, init="discs", steps=20_000).state[:, 0]
    assert np.abs(found.states[:, 0] - u).max() < 0.02  # the hidden field came with it


def test_a_statistical_loss_finds_what_moves():
    """Snapshots of u and v in a moving state, 8 runs at 8 times: 64 of 64² leave chance a few per cent."""
    system, grid = GrayScott.make("waves"), Grid((64, 64))
    film = simulate(system, grid=grid, samples=8, init="discs", steps=14_000, save_every=1_000, seed=2)
    assert film.frames is not None
    assert set(film.status) == {Status.MOVING}
    moving = film.frames[-8:].reshape(-1, 2, *grid.shape)
    start = {"Du": 0.1, "Dv": 0.12, "F": 0.026, "k": 0.03}
    found = fit(
        "gray-scott", {"u": moving[:, 0], "v": moving[:, 1]}, strategy="observed-start", loss="stationarity", window=1,
        start=start,
    )  # fmt: skip
    truth = {name: float(value) for name, value in system.values().items()}
    assert found.status is Status.CONVERGED
    assert 0.1 < found.loss < 3
    assert max(map(abs, errors(found, truth).values())) < 0.1


def test_a_picture_of_nothing_is_no_fit(rng):
    """Filtered noise has a pattern's scale and contrast, and is no state of rest of anything."""
    waves = np.fft.rfft2(rng.standard_normal((48, 48)))
    k = np.hypot(np.fft.fftfreq(48)[:, None], np.fft.rfftfreq(48)[None])
    picture = np.fft.irfft2(waves * np.exp(-(((k - 0.08) / 0.02) ** 2)), s=(48, 48))
    picture = 0.15 + 0.1 * picture / picture.std()
    found = fit("gray-scott", {"v": picture}, start=START, strategy="observed-start", iterations=40)
    assert found.status is not Status.CONVERGED


def test_uniform_pictures_determine_nothing():
    found = fit("gray-scott", {"v": np.full((24, 24), 0.3)}, start=START, strategy="observed-start")
    assert found.status is not Status.CONVERGED


@pytest.mark.parametrize("strategy", ["bptt", "tbptt", "forward"])
def test_a_dead_prediction_is_said(strategy):
    start = {"Du": 0.16, "Dv": 0.08, "F": 0.02, "k": 0.07}  # far beyond the saddle-node: v dies
    options = {"window": 50} if strategy == "tbptt" else {}
    found = fit("gray-scott", {"v": small()}, start=start, strategy=strategy, horizon=1500, iterations=5, **options)
    assert found.status is Status.DEAD
    assert "no pattern" in found.message
    assert len(found.history) == 1
    assert found.history[0]["dead"]


def test_dead_pictures_do_not_make_a_fit():
    flat = np.full((1, 24, 24), 0.3)
    found = fit("gray-scott", {"v": flat}, start=START, strategy="observed-start", iterations=3)
    assert found.status is not Status.CONVERGED


def test_all_rates_failing_ends_the_run_and_keeps_what_was_seen():
    found = fit(
        "gray-scott", {"v": small()}, start=START | {"k": 0.06, "F": 0.04}, strategy="bptt", optimiser="adaptive",
        rate=1e12, constraint="founding", horizon=300, until_change=0.0, iterations=3,
    )  # fmt: skip
    assert found.status is Status.BLOW_UP
    assert "no rate of 1e+12, 1e+11" in found.message
    assert len(found.history) == 1
    assert found.history[0]["rate"] is None
    assert {name: float(v) for name, v in found.values.items()} == pytest.approx(START | {"k": 0.06, "F": 0.04})


def test_a_smooth_field_of_a_parameter_is_seen():
    """F falls and rises over the picture; from a uniform start its shape appears and the loss falls."""
    wave = 0.035 + 0.004 * np.cos(2 * np.pi * np.arange(48) / 48)[:, None] * np.ones((1, 48))
    system = GrayScott.make(k=0.06).with_values(F=wave)
    state = simulate(system, grid=GRID, init="discs", steps=20_000, seed=3).state
    found = fit(
        "gray-scott", {"u": state[:, 0], "v": state[:, 1]}, strategy="observed-start", loss="pixel", cellwise=("F",),
        start={"F": 0.035}, fix={"Du": 0.16, "Dv": 0.08, "k": 0.06}, iterations=60, smoothness=1e-3, dt=1.0,
    )  # fmt: skip
    assert found.optimiser == "adam"
    assert found.history[-1]["loss"] < 0.2 * found.history[0]["loss"]
    F = found.values["F"]
    assert F.shape == (48, 48)
    assert np.corrcoef(F.ravel(), wave.ravel())[0, 1] > 0.8
    assert found.parameters["k"] == Estimate.exact(0.06)
    assert found.parameters["F"] == Estimate(float(F.mean()))


def test_smoothness_is_the_roughness_of_the_docs():
    task = check("gray-scott", {"v": small()}, grid=SMALL)
    plan = plan_of(start=START, strategy="bptt", cellwise=("F",), smoothness=0.7, horizon=20, until_change=0.0)
    road = plan_roads(task, plan)[0]
    F = 0.03 + 0.01 * np.random.default_rng(0).random((24, 24))
    value = float(road.evaluator._roughness({"F": jnp.asarray(F), "k": jnp.asarray(0.05)}))
    squares = [np.mean((F - np.roll(F, 1, a)) ** 2) for a in (0, 1)]
    assert value == pytest.approx(0.7 * sum(squares) / F.mean() ** 2)


def test_free_initial_states_lower_the_loss():
    found = fit(
        "gray-scott", {"v": small()}, start={"Du": 0.16, "Dv": 0.08, "F": 0.035, "k": 0.06}, strategy="bptt",
        loss="pixel", pair="each", horizon=200, until_change=0.0, iterations=12, free_state=True,
    )  # fmt: skip
    losses = [row["loss"] for row in found.history]
    assert found.optimiser == "adam"
    assert losses[-1] < 0.9 * losses[0]


def test_a_users_loss(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import jax.numpy as jnp\n\ndef mine(predicted, target):\n    return jnp.mean((predicted - target) ** 4)\n"
    )
    found = fit(
        "gray-scott", {"v": small()}, start=START, strategy="observed-start", loss=f"{tmp_path}/mine.py:mine",
        iterations=3,
    )  # fmt: skip
    assert found.optimiser == "adam"
    assert found.loss < found.history[0]["loss"]


def test_several_starts_are_tried_until_one_converges():
    wrong = {"Du": 0.12, "Dv": 0.1, "F": 0.01, "k": 0.09}
    found = fit("gray-scott", {"v": spots()[:1]}, start=wrong, starts=3, strategy="observed-start", iterations=2)
    assert [row["start"] for row in found.history] == sorted(row["start"] for row in found.history)
    assert {row["start"] for row in found.history} == {0, 1, 2}
    assert found.status is Status.NOT_CONVERGED


def test_the_same_plan_repeats_every_bit():
    start = START | {"F": 0.04, "k": 0.058}
    options = {"strategy": "tbptt", "window": 20, "horizon": 60, "until_change": 0.0, "batch": 1, "iterations": 3}
    a, b = (fit("gray-scott", {"v": small()}, start=start, **options) for _ in range(2))
    assert [row["checksum"] for row in a.history] == [row["checksum"] for row in b.history]
    assert a.states.tobytes() == b.states.tobytes()
    other = fit("gray-scott", {"v": small()}, start=start, **options, seed=1)
    assert other.history[0]["checksum"] != a.history[0]["checksum"]


# --- replays ----------------------------------------------------------------------------------------------------------

REPLAYED = [name for name in STRATEGIES if name not in ("implicit", "shooting")]


def replayed(name: str) -> dict:
    window = 30 if name in ("tbptt", "observed-start", "em", "curriculum") else None
    return {
        "start": START | {"F": 0.04, "k": 0.058}, "strategy": name, "window": window, "horizon": 120,
        "until_change": 0.0, "batch": 1, "iterations": 2,
    }  # fmt: skip


@pytest.mark.parametrize("name", REPLAYED)
def test_a_replay_repeats_training_to_the_last_bit(name):
    found = fit("gray-scott", {"v": small()}, **replayed(name))
    task, plan = check("gray-scott", {"v": small()}), plan_of(**replayed(name))
    for row in found.history:
        film = replay(task, plan, row, frames=7)  # compares the checksum of training
        assert film.frames is not None
        assert film.ts is not None
        assert film.ts[-1] == row["rollout_steps"]
        np.testing.assert_array_equal(film.frames[-1], film.state)
        assert len(film.frames) <= 2 * 7 + 2


def test_a_log_that_was_changed_is_refused():
    plan = plan_of(**replayed("bptt"))
    row = dict(fit("gray-scott", {"v": small()}, **replayed("bptt")).history[0])
    task = check("gray-scott", {"v": small()})
    nudged = {**row, "parameters": {**row["parameters"], "F": row["parameters"]["F"] * (1 + 1e-15) + 1e-17}}
    with pytest.raises(NumericalFailure, match="does not repeat bit for bit"):
        replay(task, plan, nudged)
    with pytest.raises(NumericalFailure, match="does not repeat"):
        replay(task, plan_of(**replayed("bptt"), seed=1), row)
    del row["checksum"]
    with pytest.raises(BadInput, match="cannot be replayed"):
        replay(task, plan, row)


@pytest.mark.parametrize("options", [{"strategy": "shooting"}, {"strategy": "bptt", "cellwise": ("F",)}], ids=str)
def test_fits_whose_variables_are_not_logged_are_not_replayed(options):
    task = check("gray-scott", {"v": small()})
    with pytest.raises(BadInput, match="cannot be replayed"):
        replay(task, plan_of(start=START, **options), {"road": 0, "iteration": 0, "checksum": 0, "parameters": START})


# --- bad plans --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"start": {}}, "start"), ({"start": {"F": 0.05}}, "start"), ({"start": START | {"Q": 1.0}}, "start"),
        ({"start": START | {"F": 5.0}}, "F"), ({"start": START | {"Du": 0.25}}, "start"), ({"dt": 50.0}, "start"),
        ({"start": START | {"F": 0.1}, "constraint": "founding"}, "start"), ({"strategy": "no"}, "strategy"),
        ({"loss": "no"}, "loss"), ({"optimiser": "no"}, "optimiser"), ({"constraint": "no"}, "constraint"),
        ({"init": "no", "strategy": "bptt"}, "init"), ({"strategy": "bptt", "window": 5}, "window"),
        ({"strategy": "tbptt", "horizon": 999}, "window"), ({"strategy": "tbptt", "window": 9, "horizon": 8}, "window"),
        ({"free_state": True}, "free_state"), ({"strategy": "em", "free_state": True}, "free_state"),
        ({"cellwise": ("Du",)}, "cellwise"), ({"cellwise": ("Q",)}, "cellwise"),
        ({"cellwise": ("F",), "fix": {"F": 0.03}}, "cellwise"),
        ({"cellwise": ("F",), "optimiser": "cma-es"}, "optimiser"),
        ({"cellwise": ("F",), "optimiser": "levenberg-marquardt"}, "optimiser"), ({"rate": -1.0}, "rate"),
        ({"strategy": "shooting", "batch": 1}, "batch"), ({"fix": {"Q": 1.0}}, "fix"),
        ({"fix": {"Du": 0.1, "Dv": 0.1, "F": 0.03, "k": 0.06}}, "fix"), ({"fix": {"F": 7.0}}, "F"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_plans_are_refused_before_anything_is_computed(options, argument):
    with pytest.raises(BadInput) as error:  # noqa: PT012
        plan = plan_of(**({"start": START} | options))
        prepare(check("gray-scott", {"v": small()}, fix=plan.fix), plan)
    assert error.value.argument == argument


@pytest.mark.parametrize(
    ("pictures", "options", "argument"),
    [
        (np.zeros((2, 24, 24)), {"grid": Grid((12, 24))}, "grid"), (np.zeros((2, 3, 24, 24)), {}, "pictures"),
        (np.full((2, 24, 24), np.nan), {}, "pictures"), (np.zeros((2, 24, 24)), {"observe": "u"}, "observe"),
        (np.zeros((2, 24, 24)), {"observe": "w"}, "observe"),
    ],
)  # fmt: skip
def test_bad_targets_are_refused(pictures, options, argument):
    with pytest.raises(BadInput) as error:
        fit("gray-scott", {"v": pictures}, start=START, **options)
    assert error.value.argument == argument
