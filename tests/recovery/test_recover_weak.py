"""Recovery with every field seen: closed forms, every system, moving ensembles, noise, symmetries, refusals."""

import functools

import numpy as np
import pytest

from registry import REACTION_DIFFUSION
from unstill import BadInput
from unstill._types import Status
from unstill.recovery.weak import recover_weak
from unstill.simulation import Grid, simulate
from unstill.systems import FitzHughNagumo, GrayScott

GRID = Grid((64, 64))


@functools.cache
def _steady(name: str, boundary: str = "periodic") -> np.ndarray:
    """A pattern of the default parameters (maze for Gray–Scott) that has nearly come to rest."""
    cls = REACTION_DIFFUSION[name]
    gray_scott = name == "gray-scott"
    system = cls.make("maze") if gray_scott else cls()
    init = "discs" if gray_scott else "noise"
    return simulate(system, grid=Grid((64, 64), boundary=boundary), steps=12_000, init=init, seed=1).state


@functools.cache
def _waves() -> np.ndarray:
    """32 pictures of a moving ensemble: 4 runs, 8 times."""
    run = simulate(GrayScott.make("waves"), grid=GRID, steps=4_000, init="discs", samples=4, seed=2)
    run = simulate(GrayScott.make("waves"), run.state, grid=GRID, steps=8_000, save_every=1_000)
    return np.asarray(run.frames)[1:].reshape(-1, 2, 64, 64)


def _values(result):
    return np.array([result.fitted[n] for n in result.free])


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_every_system_from_one_steady_picture(name, boundary):
    cls = REACTION_DIFFUSION[name]
    truth = {**cls.defaults(), **(cls.presets["maze"] if name == "gray-scott" else {})}
    start = {n: 1.5 * value for n, value in truth.items()}
    result = recover_weak(cls, Grid((64, 64), boundary=boundary), _steady(name, boundary), start=start)
    assert result.status == Status.CONVERGED
    assert result.steady
    assert result.identifiable
    for parameter in result.identifiable:
        # What is left of the transient: a drift of 1e-3 of its terms
        assert result.values[parameter] == pytest.approx(truth[parameter], rel=2e-3, abs=1e-4)
    for text, (value, _) in result.combinations.items():
        a, b = text.split("/")
        assert value == pytest.approx(truth[a] / truth[b], rel=2e-3)


def test_steady_fitzhugh_nagumo_gives_only_a_ratio():
    result = recover_weak(FitzHughNagumo, GRID, _steady("fitzhugh-nagumo"))
    assert result.identifiable == ("Du", "a", "b")
    assert result.values["Dv"] is result.std["eps"] is None
    assert list(result.combinations) == ["Dv/eps"]
    known = recover_weak(FitzHughNagumo, GRID, _steady("fitzhugh-nagumo"), fix={"eps": 4.0})
    assert known.values["Dv"] == pytest.approx(12.5, rel=2e-3)
    assert known.std["eps"] == 0.0


def test_mean_balance_in_closed_form():
    state = _steady("gray-scott")
    u, v = state[0]
    result = recover_weak(GrayScott, GRID, state)
    rate = np.mean(u * v * v)
    assert result.values["F"] == pytest.approx(rate / (1 - u.mean()), rel=2e-3)
    assert result.values["F"] + result.values["k"] == pytest.approx(rate / v.mean(), rel=2e-3)


def test_noise_is_estimated_and_its_bias_taken_out(rng):
    state = _steady("gray-scott")
    level = 0.05 * state.std((0, 2, 3))
    noisy = state + level[:, None, None] * rng.standard_normal(state.shape)
    result = recover_weak(GrayScott, GRID, noisy)
    assert result.status == Status.CONVERGED
    assert list(result.noise.values()) == pytest.approx(level, rel=0.1)
    truth = np.array(list(GrayScott.presets["maze"].values()))
    error = np.sqrt(np.diag(result.covariance))
    # Du is several per cent off without the correction; 4 parameters, so 3.5 standard deviations
    np.testing.assert_array_less(np.abs(_values(result) - truth), 3.5 * error)
    np.testing.assert_array_less(error / truth, 0.02)


@pytest.mark.parametrize("dt", [1.0, None])
def test_a_moving_ensemble(dt):
    result = recover_weak(GrayScott, GRID, _waves(), dt=dt)
    truth = np.array(list(GrayScott.presets["waves"].values()))
    assert result.status == Status.CONVERGED
    assert not result.steady
    np.testing.assert_allclose(_values(result), truth, rtol=0.03)
    np.testing.assert_array_less(np.abs(_values(result) - truth), 5 * np.sqrt(np.diag(result.covariance)))
    assert result.drift_per_time > 1e-3
    if dt is None:
        h, error = result.dt
        assert abs(h - 1) < 4 * error


def test_order_translation_and_reflection_do_not_matter(rng):
    states = _waves()
    base = recover_weak(GrayScott, GRID, states, dt=1.0)
    moved = np.roll(states, (5, -9), (2, 3))[..., ::-1]
    same = recover_weak(GrayScott, GRID, moved, dt=1.0)
    np.testing.assert_allclose(_values(same), _values(base), rtol=1e-6)
    # The order decides only which pictures share a fold of the cross-fitting.
    shuffled = recover_weak(GrayScott, GRID, states[rng.permutation(len(states))], dt=1.0)
    np.testing.assert_array_less(np.abs(_values(shuffled) - _values(base)), 1.5 * np.sqrt(np.diag(base.covariance)))


def test_one_moving_picture_is_not_a_success():
    result = recover_weak(GrayScott, GRID, _waves()[:1], dt=1.0)
    assert result.status in (Status.MOVING, Status.NO_FIT)
    assert not result.steady


def test_uniform_pictures_are_dead(rng):
    dead = np.broadcast_to(np.array([1.0, 0.0])[:, None, None], (3, 2, 64, 64))
    assert recover_weak(GrayScott, GRID, dead).status == Status.DEAD
    noisy = dead + 0.01 * rng.standard_normal(dead.shape)
    result = recover_weak(GrayScott, GRID, noisy)
    assert result.status == Status.DEAD
    assert result.values == {"Du": None, "Dv": None, "F": None, "k": None}


def test_pictures_of_something_else_do_not_fit(rng):
    y, x = np.mgrid[:64, :64]
    waves = [np.cos(2 * np.pi * (kx * x + ky * y) / 64 + p) for kx, ky, p in rng.integers(1, 5, (12, 3))]
    pictures = 0.4 + 0.1 * np.array(waves).reshape(3, 2, 2, 64, 64).sum(2)
    assert recover_weak(GrayScott, GRID, pictures).status in (Status.NO_FIT, Status.MOVING)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"states": np.ones((1, 3, 64, 64))}, "states"),
        ({"states": np.full((1, 2, 64, 64), np.nan)}, "states"),
        ({"fix": {"G": 1.0}}, "fix"),
        ({"start": {"Dw": 1.0}}, "start"),
        ({"noise": {"w": 1.0}}, "noise"),
        ({"noise": {"u": -1.0}}, "noise"),
    ],
)
def test_bad_input(change, argument):
    options = {"states": np.ones((1, 2, 64, 64)), **change}
    with pytest.raises(BadInput) as error:
        recover_weak(GrayScott, GRID, options.pop("states"), **options)
    assert error.value.argument == argument
