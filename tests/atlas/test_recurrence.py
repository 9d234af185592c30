"""What a motion's own record says: known motions."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from unstill.atlas import recurrence as module

T = np.arange(400.0)


def recurrence(ts, motion):
    """A motion (N, P) as the record of one field."""
    return module.recurrence(ts, motion[:, None])


def _wave(frequency: float) -> np.ndarray:
    phase = 2 * np.pi * frequency * T
    return np.stack([np.sin(phase), np.cos(phase) + 0.3 * np.cos(2 * phase)], 1)


@pytest.mark.parametrize("period", [7.3, 18.62, 61.8])
def test_a_periodic_motion_comes_back(period):
    found = recurrence(T, _wave(1 / period))
    assert found.period == pytest.approx(period, rel=5e-3)
    assert found.turns == pytest.approx(1, rel=0.02)
    assert found.periodic
    assert not found.creeps


def test_a_rhythm_of_three_turns_is_periodic():
    found = recurrence(T, _wave(1 / 15) + 0.5 * _wave(1 / 45))
    assert found.period == pytest.approx(45, rel=0.02)
    assert found.periodic


@pytest.mark.parametrize("ratio", [0.6180339887, 0.2137, np.sqrt(2)])
def test_two_frequencies_return_after_many_turns(ratio):
    found = recurrence(T, np.concatenate([_wave(0.0537), 0.6 * _wave(0.0537 * ratio)], 1))
    assert found.returns
    assert not found.periodic


def test_noise_and_chaos_do_not_come_back(rng):
    assert not recurrence(T, rng.standard_normal((400, 6))).returns

    def lorenz(t, x):
        return 10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]

    way = solve_ivp(lorenz, (0, 90), (1, 1, 20), t_eval=np.linspace(50, 90, 400), rtol=1e-9)
    assert not recurrence(way.t, way.y.T).returns


def test_a_creep_is_straight_and_a_walk_to_rest_fades():
    found = recurrence(T, np.outer(np.exp(-T / 100), [1.0, 2.0]))
    assert found.straightness == pytest.approx(1)
    assert found.goes
    assert found.fades
    assert found.depth is None


def test_an_oscillation_that_settles_is_no_period():
    found = recurrence(T, _wave(1 / 18) * np.exp(-T / 150)[:, None])
    assert found.fades
    assert not found.periodic
    grows = recurrence(T, _wave(1 / 18) * np.exp(T / 150)[:, None])
    assert not grows.lasts
    assert not grows.periodic


def test_the_distance_to_itself_is_the_plain_sum():
    """By the transform, and by the definition."""
    x = np.random.default_rng(0).standard_normal((37, 3)).cumsum(0)
    x -= x.mean(0)
    plain = [((x[lag:] - x[:-lag]) ** 2).sum() / ((x[lag:] ** 2).sum() + (x[:-lag] ** 2).sum()) for lag in range(1, 19)]
    assert module._distances(x) == pytest.approx(plain)


def test_what_rests_or_is_short_has_no_recurrence():
    assert recurrence(T, np.ones((400, 3))) is None
    assert recurrence(T[:5], _wave(0.1)[:5]) is None


def test_a_pattern_that_changes_slowly_creeps_and_one_that_takes_off_does_not():
    pattern = 1 + np.linspace(-1, 1, 7)
    slow = recurrence(T, pattern + np.outer(T / 400, 0.3 * pattern[::-1]))
    assert slow.creeps
    takes_off = recurrence(T, pattern + np.outer(np.exp(T / 40), 1e-4 * pattern[::-1]))
    assert takes_off.goes
    assert not takes_off.creeps
    uniform = recurrence(T, np.repeat(np.sin(T / 900)[:, None], 5, 1))  # a piece of a uniform oscillation
    assert uniform.reach == np.inf
    assert not uniform.creeps


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_units_of_fields_do_not_matter(unit, rng):
    motion = np.stack([_wave(1 / 18), rng.standard_normal((400, 2)).cumsum(0)], 1)
    one, other = (module.recurrence(T, motion * np.array([1.0, scale])[:, None]) for scale in (1.0, unit))
    assert one.straightness == pytest.approx(other.straightness)
    assert one.depth == pytest.approx(other.depth)


def test_looks_that_are_too_few_are_told():
    assert recurrence(T, _wave(1 / 4.3)).coarse
    assert not recurrence(T, _wave(1 / 14.3)).coarse
