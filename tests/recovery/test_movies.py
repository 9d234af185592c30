"""Films of one field: derivatives against differences, covariances against dense ones, numbers against the truth."""

import jax
import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill._types import Status
from unstill.recovery.hidden_problem import Problem, Scaling
from unstill.recovery.movie_shooting import Film, Shooting, ring_power
from unstill.recovery.movie_start import Follower
from unstill.systems import Brusselator, GrayScott, Grid

TRUTH = {"Du": 0.16, "Dv": 0.08, "F": 0.018, "k": 0.049}
NAMES = tuple(TRUTH)


def film(side=32, frames=20, every=5, noise=0.01, steps=3000, seed=0, system=None, field=1):
    """Frames (T, H, W) of one field with white noise of this share, and all fields without, (T, C, H, W)."""
    system = system or GrayScott.make(**TRUTH)
    start = us.simulate(system, grid=Grid((side, side)), steps=steps, seed=seed).state[0]
    with jax.enable_x64(True):
        onward = us.rollout(system, start, grid=Grid((side, side)), steps=every * (frames - 1), save_every=every)
    states = np.concatenate([start[None], np.asarray(onward)])
    seen = states[:, field]
    return seen + noise * seen.std() * np.random.default_rng(seed + 1).normal(size=seen.shape), states


@pytest.fixture(scope="module")
def small():
    """A question of 8 frames of 10², shot in two."""
    seen, states = film(side=10, frames=8, steps=100)
    grid = Grid((10, 10))
    problem = Problem(GrayScott, grid, 1, NAMES, {})
    noise = 0.01 * float(seen.std())
    unsure = np.array([ring_power(grid, states[:, 0]), np.full((10, 10), noise**2)])
    return Shooting(problem, Scaling.of(problem, seen), Film(seen, 5, 1.0, noise), states, unsure, 4)


def _q():
    return np.log([*TRUTH.values()]) + np.array([0.02, -0.01, 0.03, 0.01])


def test_products_are_the_slopes_of_the_misfit_and_transposes_of_each_other(small):
    rng = np.random.default_rng(0)
    z, dq, dz = 0.1 * rng.normal(size=small.about.shape), rng.normal(size=4), rng.normal(size=small.about.shape)
    linear = small.linearised(_q(), z)
    ahead = linear.forward(dq, dz)
    h = 1e-5
    difference = (small.misfit(_q() + h * dq, z + h * dz) - small.misfit(_q() - h * dq, z - h * dz)) / (2 * h)
    np.testing.assert_allclose(ahead, difference, rtol=0, atol=1e-5 * np.abs(ahead).max())
    bar = rng.normal(size=ahead.shape)
    back = linear.backward(bar)
    assert (ahead * bar).sum() == pytest.approx(dq @ back[0] + (dz * back[1]).sum(), rel=1e-10)


def test_the_covariance_is_the_dense_one(small):
    linear = small.linearised(_q(), np.zeros_like(small.about))
    size, still = small.about.size, np.zeros(4)
    by_z = np.array([linear.forward(still, e.reshape(small.about.shape)).ravel() for e in np.eye(size)]).T
    by_q = linear.columns().reshape(4, -1).T
    cross = by_z.T @ by_q
    dense = np.linalg.inv(by_q.T @ by_q - cross.T @ np.linalg.solve(by_z.T @ by_z + np.eye(size), cross))
    found = linear.profile(np.eye(4))[0]
    np.testing.assert_allclose(np.sqrt(np.diag(found)), np.sqrt(np.diag(dense)), rtol=0.05)


def test_the_follower_slopes_are_those_of_its_residual():
    seen, _ = film(side=10, frames=8, steps=100, noise=0.0)
    problem = Problem(GrayScott, Grid((10, 10)), 1, NAMES, {})
    follower = Follower(problem, Scaling.of(problem, seen), Film(seen, 5, 1.0, 1e-3))
    _, slopes = follower.slopes(_q())
    for p, e in enumerate(1e-5 * np.eye(4)):
        difference = (follower.slopes(_q() + e)[0] - follower.slopes(_q() - e)[0]) / 2e-5
        np.testing.assert_allclose(slopes[:, p], difference, rtol=0, atol=1e-5 * np.abs(difference).max())


def test_a_follower_of_a_clean_film_comes_to_the_hidden_field():
    seen, states = film(side=16, frames=60, steps=1500, noise=0.0, every=1)
    problem = Problem(GrayScott, Grid((16, 16)), 1, NAMES, {})
    follower = Follower(problem, Scaling.of(problem, seen), Film(seen, 1, 1.0, 1e-3))
    wrong = np.abs(follower.states(np.log([*TRUTH.values()]))[:, 0] - states[:, 0]).max((1, 2))
    assert wrong[-1] < 0.5 * wrong[0]


def test_a_film_of_one_field_tells_all_numbers():
    """Brusselator, u seen: 12 frames, 0.5 units of time apart, 1 % noise."""
    system = Brusselator.make()
    seen, states = film(side=16, frames=12, steps=400, every=50, system=system, field=0)
    found = us.recover("brusselator", {"u": seen}, frames_dt=0.5)
    assert found.status is Status.CONVERGED
    assert found.fields.shape == states.shape
    assert np.abs(found.fields - states).std() < 0.02 * states.std()
    for name, value in system.values().items():
        each = found.parameters[name]
        assert each.value == pytest.approx(float(value), rel=0.01)
        assert abs(each.value - float(value)) < 4 * each.std


def test_a_film_of_another_system_is_refused():
    seen, _ = film(system=Brusselator.make(), frames=10, steps=1000, every=20, field=0)
    found = us.recover("gray-scott", {"v": 0.3 * (seen - seen.min()) / np.ptp(seen)}, frames_dt=20.0)
    assert found.status not in (Status.CONVERGED, Status.UNIDENTIFIABLE)
    assert all(each.interval95 is None for each in found.parameters.values())


@pytest.mark.parametrize(
    ("pictures", "options", "told"),
    [
        ({"v": np.random.default_rng(0).random((5, 16, 16))}, {}, "at least 6 frames"),
        ({"v": np.linspace(0, 1, 16)[:, None] * np.ones((8, 16, 16))}, {}, "the whole of a periodic or no-flux domain"),
        ({n: np.random.default_rng(0).random((8, 16, 16)) for n in "uv"}, {}, "must be left out where all fields"),
        ({"v": np.random.default_rng(0).random((8, 16, 16))}, {"system": "all"}, "`frames_dt` must be left out"),
    ],
)
def test_what_a_film_cannot_be(pictures, options, told):
    with pytest.raises(BadInput, match=told):
        us.recover(options.get("system", "gray-scott"), pictures, frames_dt=5.0)
