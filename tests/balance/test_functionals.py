"""Test functionals, weak-form means and their noise correction, generalised least squares."""

import jax.numpy as jnp
import numpy as np
import pytest

from registry import REACTION_DIFFUSION, rough_state
from unstill.balance import (
    Model,
    TestSpace,
    field_moments,
    regress,
    step_moments,
)
from unstill.simulation import Grid, OnGrid
from unstill.systems import FitzHughNagumo, GrayScott

GRIDS = {boundary: Grid((16, 12), 1.3, boundary) for boundary in ("periodic", "no-flux")}


def _model(cls, grid):
    return Model(cls, grid, tuple(cls.parameters())), np.array(list(cls.defaults().values()))


def _space(grid, state, **options):
    return TestSpace(grid, tuple(state.mean((1, 2))), tuple(state.std((1, 2))), **options)


@pytest.mark.parametrize("boundary", GRIDS)
@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_functional_rates_are_derivatives_along_the_drift(name, boundary):
    cls, grid = REACTION_DIFFUSION[name], GRIDS[boundary]
    state = rough_state(cls(), grid)
    model, theta = _model(cls, grid)
    space = _space(grid, state)
    f = np.asarray(OnGrid(cls(), grid).drift(jnp.asarray(state)))
    moments = field_moments(model, space, state[None], theta, noise=(0.0, 0.0))[0]
    rates = np.einsum("nia,ia->n", space.gradients, moments[..., 0])
    h = 1e-5 / np.abs(f).max()
    ahead, here, behind = (space.values(state + step * f) for step in (h, 0, -h))
    # Central differences are exact to h²; their round-off is 1e-16/h.
    np.testing.assert_allclose(rates, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-7 * np.abs(rates).max())
    second = step_moments(model, space, state[None], theta)[0]
    h *= 30
    ahead, behind = (space.values(state + step * f) for step in (h, -h))
    curvature = (ahead - 2 * here + behind) / (2 * h**2)
    np.testing.assert_allclose(second, curvature, rtol=1e-4, atol=1e-4 * np.abs(second).max())


def test_columns_are_derivatives_by_the_parameters():
    grid = GRIDS["periodic"]
    state = rough_state(FitzHughNagumo(), grid)
    model, theta = _model(FitzHughNagumo, grid)
    space = _space(grid, state)
    moments = field_moments(model, space, state[None], theta, noise=(0.0, 0.0))[0]
    for j, e in enumerate(1e-5 * np.eye(len(theta))):
        up, down = (
            field_moments(model, space, state[None], t, noise=(0.0, 0.0))[0, ..., 0] for t in (theta + e, theta - e)
        )
        np.testing.assert_allclose(moments[..., 1 + j], (up - down) / 2e-5, atol=1e-8)


def test_tiles_average_to_the_whole():
    grid = Grid((16, 16))
    state = rough_state(GrayScott(), grid)
    model, theta = _model(GrayScott, grid)
    whole = field_moments(model, _space(grid, state), state[None], theta, noise=(0.0, 0.0))
    tiles = field_moments(model, _space(grid, state), state[None], theta, noise=(0.0, 0.0), tiles=4)
    assert tiles.shape[0] == 16
    np.testing.assert_allclose(tiles.mean(0), whole[0], atol=1e-13)


@pytest.mark.parametrize("boundary", GRIDS)
@pytest.mark.parametrize("cls", [GrayScott, FitzHughNagumo])
def test_noise_correction_is_unbiased(cls, boundary, rng):
    grid, copies = GRIDS[boundary], 1000
    state = rough_state(cls(), grid)
    model, theta = _model(cls, grid)
    space = _space(grid, state)
    noise = tuple(0.3 * state.std((1, 2)))
    noisy = state + np.array(noise)[:, None, None] * rng.standard_normal((copies, *state.shape))
    truth = field_moments(model, space, state[None], theta, noise=(0.0, 0.0))[0]
    corrected = field_moments(model, space, noisy, theta, noise=noise)
    plain = field_moments(model, space, noisy, theta, noise=(0.0, 0.0))

    def z_scores(moments):
        error = moments.std(0) / np.sqrt(copies)
        kept = error > 1e-12 * np.abs(truth).max()
        return ((moments.mean(0) - truth)[kept] / error[kept]).ravel()

    # About 600 correlated unit normals: none beyond 5; without the correction the bias stands out by far.
    assert np.abs(z_scores(corrected)).max() < 5
    assert np.abs(z_scores(plain)).max() > 12


def test_regression_is_right_and_honest(rng):
    truth, errors = np.array([1.0, -2.0]), []
    rows, samples = 30, 48
    mix = rng.standard_normal((rows, rows)) * np.geomspace(1, 1e-2, rows)
    signal = rng.standard_normal((rows, 2))
    for seed in range(60):
        A = signal + 0.1 * rng.standard_normal((samples, rows, 2))
        r = -(A @ truth) + rng.standard_normal((samples, rows)) @ mix.T
        fit = regress(A, r, np.abs(A @ truth), np.ones(2), seed=seed)
        errors.append((fit.solution - truth) / np.sqrt(np.diag(fit.covariance)))
    # 120 z-scores, a few too wide for the small number of samples
    assert 0.6 < np.sqrt(np.mean(np.square(errors))) < 1.6


def test_earlier_knowledge_holds_what_the_rows_leave_free(rng):
    A = np.concatenate([rng.standard_normal((40, 9, 1)), np.zeros((40, 9, 1))], 2)
    r = -3 * A[..., 0] + 0.01 * rng.standard_normal((40, 9))
    fit = regress(A, r, np.abs(r), np.ones(2), information=np.diag([0, 1 / 0.2**2]))
    assert fit.solution[1] == pytest.approx(0)
    assert np.sqrt(fit.covariance[1, 1]) == pytest.approx(0.2, rel=0.05)
