"""Films hold both ends: the state that they begin with, and the one at exactly the time that was asked for."""

import dataclasses

import numpy as np
import pytest

from unstill._errors import BadInput, NumericalFailure
from unstill._types import Status
from unstill.simulation import Grid, film, initial_state, simulate
from unstill.systems import FitzHughNagumo, GrayScott, Lorenz

GRID = Grid((16, 12))


@pytest.fixture(scope="module")
def states():
    return initial_state(GrayScott(), GRID, init="discs", samples=2, seed=1)


@pytest.mark.parametrize("time", [7.0, 10.0, 33.25, 0.3, 1000 / 3])
@pytest.mark.parametrize("frames", [1, 4, 10, 1000])
def test_a_film_begins_with_the_state_and_ends_at_the_time(states, time, frames):
    found = film(GrayScott(), states, grid=GRID, time=time, frames=frames)
    assert found.frames is not None
    assert found.ts is not None
    np.testing.assert_array_equal(found.frames[0], states)
    np.testing.assert_array_equal(found.frames[-1], found.state)
    assert found.ts[0] == 0
    assert found.ts[-1] == pytest.approx(time, rel=1e-12)
    assert len(found.frames) == len(found.ts) <= frames + 1
    assert found.dt <= 1.0
    assert np.all(np.diff(found.ts) > 0)


def test_each_frame_is_what_the_simulation_computes_at_its_time(states):
    found = film(GrayScott(), states, grid=GRID, steps=23, frames=4)
    assert found.ts is not None
    np.testing.assert_array_equal(found.ts, [0, 6, 12, 18, 23])
    assert found.dt == 1.0
    for time in found.ts[1:]:
        alone = simulate(GrayScott(), states, grid=GRID, steps=int(time))
        np.testing.assert_array_equal(found.at(time), alone.state)


def test_a_time_of_whole_steps_keeps_the_step(states):
    assert film(GrayScott(), states, grid=GRID, time=0.6, dt=0.2).dt == 0.2
    assert film(GrayScott(), states, grid=GRID, time=0.5, dt=0.2).dt == pytest.approx(0.5 / 3)


def test_single_states_points_and_precisions(states):
    one = film(GrayScott(), states[0], steps=2, dtype="float32")
    assert one.frames is not None
    assert one.frames.shape == (3, 1, 2, 16, 12)
    assert one.frames.dtype == np.float32
    orbit = film(Lorenz(), np.ones(3), time=1.0, frames=10, stepper="rk4")
    assert orbit.frames is not None
    assert orbit.frames.shape[1:] == (1, 3)
    np.testing.assert_array_equal(orbit.frames[0, 0], np.ones(3))


def test_a_film_of_a_blow_up_holds_what_was_finite():
    system = dataclasses.replace(FitzHughNagumo(), eps=50.0)
    state = initial_state(system, GRID, init="noise", samples=1, seed=0)
    found = film(system, state, grid=GRID, steps=3000, dt=0.019, frames=3000)
    assert found.status == (Status.BLOW_UP,)
    assert found.frames is not None
    assert found.ts is not None
    assert np.isfinite(found.frames).all()
    assert found.ts[-1] < 3000 * 0.019
    with pytest.raises(NumericalFailure, match="before the second picture"):
        film(system, state, grid=GRID, steps=3000, dt=0.019, frames=1)


def test_a_film_ends_at_one_place(states):
    with pytest.raises(BadInput, match="`time` must be left out where `steps` is given"):
        film(GrayScott(), states, time=5.0, steps=5)
