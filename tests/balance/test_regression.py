"""Generalised least squares and weak moments against NumPy, over draws with known covariances."""

import numpy as np
import pytest
from scipy import stats

from registry import REACTION_DIFFUSION, rough_state
from unstill.balance import (
    Model,
    TestSpace,
    drift_squares,
    field_moments,
    regress,
    step_moments,
)
from unstill.balance.moments import _diagonals, _shifts
from unstill.observations.spectrum import inverse, radial_bands, transform
from unstill.simulation import Grid, OnGrid
from unstill.simulation.jacobian import drift_of
from unstill.systems import GrayScott

GRIDS = {boundary: Grid((10, 8), 1.3, boundary) for boundary in ("periodic", "no-flux")}
BOUNDARY = pytest.mark.parametrize("boundary", GRIDS)
DRAWS = 200


# --- regression -------------------------------------------------------------------------------------------------------


def draw(rng, samples: int, rows: int, truth, mix, signal):
    """Rows r = −A θ + correlated noise, S samples: E[r + A θ] = 0."""
    A = signal + 0.05 * rng.standard_normal((samples, rows, len(truth)))
    return A, -(A @ truth) + rng.standard_normal((samples, rows)) @ mix.T


def z_squares(rng, samples: int, rows: int, **options):
    """δᵀ C⁻¹ δ of 200 draws: χ² with as many degrees of freedom as parameters, if the covariance is honest."""
    truth = np.array([0.7, -1.2])
    mix, signal = 0.3 * rng.standard_normal((rows, rows)), rng.standard_normal((rows, 2))
    found = []
    for seed in range(DRAWS):
        A, r = draw(rng, samples, rows, truth, mix, signal)
        fit = regress(A, r, np.ones((samples, rows)), np.ones(2), seed=seed, **options)
        error = fit.solution - truth
        found.append(error @ np.linalg.solve(fit.covariance, error))
    return np.array(found)


@pytest.mark.parametrize(("samples", "rows"), [(64, 5), (64, 24)])
def test_errors_are_chi_square_with_many_samples(samples, rows, rng):
    """Mean 2 ± 0.14 over 200 draws, and 95 % below the 95 % point; a few more, since 64 samples tell a covariance."""
    found = z_squares(rng, samples, rows)
    assert 1.6 < found.mean() < 3.0
    covered = np.mean(found < stats.chi2.ppf(0.95, 2))
    assert 0.85 < covered <= 1


def test_errors_with_few_samples_are_of_the_right_order(rng):
    """Below 8 samples the covariance is their scatter: heavy tails, so that the median is looked at."""
    found = z_squares(rng, 6, 10)
    assert 0.5 * stats.chi2.median(2) < np.median(found) < 4 * stats.chi2.median(2)


def test_rows_without_scatter_are_solved_exactly(rng):
    """Equations that hold to round-off give the solution to round-off, however many samples."""
    truth = rng.standard_normal(3)
    for samples in (1, 4, 40):
        A = rng.standard_normal((samples, 9, 3))
        fit = regress(A, -(A @ truth), np.ones((samples, 9)), np.ones(3))
        np.testing.assert_allclose(fit.solution, truth, rtol=1e-9)
        assert fit.misfit < 1e-9


def test_one_sample_is_numpys_least_squares(rng):
    """With equal sizes of the rows there is nothing to weight."""
    A, r = rng.standard_normal((1, 12, 3)), rng.standard_normal((1, 12))
    fit = regress(A, r, np.ones((1, 12)), np.ones(3))
    solution, (squares,), *_ = np.linalg.lstsq(A[0], -r[0])
    np.testing.assert_allclose(fit.solution, solution, rtol=1e-10)
    assert fit.misfit == pytest.approx(np.sqrt(squares / 12))


def test_weights_come_near_to_the_best_linear_estimate(rng):
    """Against generalised least squares with the covariance of the rows known, which no estimator of the kind beats."""
    rows, samples, truth = 8, 200, np.array([0.5, 2.0])
    mix = np.diag(np.geomspace(0.02, 2, rows)) @ np.linalg.qr(rng.standard_normal((rows, rows)))[0]
    signal = rng.standard_normal((rows, 2))
    weight = np.linalg.inv(mix @ mix.T)
    best = np.linalg.inv(signal.T @ weight @ signal) / samples
    plain = np.linalg.pinv(signal)
    worst = plain @ mix @ mix.T @ plain.T / samples
    errors = []
    for seed in range(60):
        A = np.broadcast_to(signal, (samples, rows, 2))
        r = -(A @ truth) + rng.standard_normal((samples, rows)) @ mix.T
        errors.append(regress(A, r, np.ones((samples, rows)), np.ones(2), seed=seed).solution - truth)
    spread = np.trace(np.cov(np.transpose(errors)))
    assert np.trace(worst) > 20 * np.trace(best)  # so that the weights matter
    assert spread < 2.5 * np.trace(best)


def test_units_of_parameters_and_rows_and_the_order_of_rows_do_not_matter(rng):
    A, r = draw(rng, 40, 9, np.array([0.7, -1.2]), 0.3 * np.eye(9), rng.standard_normal((9, 2)))
    sizes = rng.uniform(1, 2, (40, 9))
    base = regress(A, r, sizes, np.ones(2))
    units, factor, order = np.array([1e3, 1e-4]), np.geomspace(1e-3, 1e3, 9), rng.permutation(9)
    cases = {
        "parameters": (regress(A * units, r, sizes, 1 / units), units),
        "rows": (regress(A * factor[:, None], r * factor, sizes * factor, np.ones(2)), np.ones(2)),
        "order": (regress(A[:, order], r[:, order], sizes[:, order], np.ones(2)), np.ones(2)),
    }
    for name, (fit, unit) in cases.items():
        np.testing.assert_allclose(fit.solution * unit, base.solution, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(fit.covariance * np.outer(unit, unit), base.covariance, rtol=1e-4, err_msg=name)


def test_rows_whose_terms_vanish_are_left_out(rng):
    A, r = draw(rng, 30, 6, np.array([0.7, -1.2]), 0.1 * np.eye(6), rng.standard_normal((6, 2)))
    sizes = np.ones((30, 6))
    base = regress(A, r, sizes, np.ones(2))
    padded = [np.concatenate([a, np.zeros_like(a[:, :3])], 1) for a in (A, r, sizes)]
    more = regress(*padded, np.ones(2))
    np.testing.assert_allclose(more.solution, base.solution, rtol=1e-12)
    np.testing.assert_allclose(more.covariance, base.covariance, rtol=1e-12)


def test_earlier_knowledge_weighs_like_data(rng):
    """A Gaussian prior and a Gaussian likelihood of one row: the mean of both by their precisions."""
    truth, s, samples, prior = 0.05, 0.4, 400, 0.03
    A = np.ones((samples, 1, 1))
    r = -(A @ [truth]) + s * rng.standard_normal((samples, 1))
    fit = regress(A, r, np.ones((samples, 1)), np.ones(1), information=np.array([[1 / prior**2]]))
    precision = samples / s**2
    # A variance from 400 samples is good to 7 %, and so are the weights.
    assert fit.covariance[0, 0] == pytest.approx(1 / (precision + 1 / prior**2), rel=0.15)
    assert fit.solution[0] == pytest.approx(-r.mean() * precision / (precision + 1 / prior**2), rel=0.1)


# --- moments ----------------------------------------------------------------------------------------------------------


def space_of(grid: Grid, state, **options) -> TestSpace:
    return TestSpace(grid, tuple(state.mean((1, 2))), tuple(state.std((1, 2))), **options)


def model_of(cls, grid):
    return Model(cls, grid, tuple(cls.parameters())), np.array(list(cls.defaults().values()), float)


@BOUNDARY
@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_moments_are_means_over_cells_by_numpy(name, boundary):
    """⟨z f⟩ and ⟨z ∂f/∂θ⟩ with NumPy's test fields and the drift by differences of parameters."""
    cls, grid = REACTION_DIFFUSION[name], GRIDS[boundary]
    state, (model, theta) = rough_state(cls(), grid), model_of(cls, grid)
    space = space_of(grid, state)
    fields = space.test_fields(state)
    assert len(fields) == space.field_count
    moments = field_moments(model, space, state[None], theta, noise=(0.0, 0.0))[0]

    def drift(values):
        return drift_of(cls().with_values(**dict(zip(model.free, values, strict=True))), grid, state)

    columns = [drift(theta)]
    for p in range(len(theta)):
        e = 1e-6 * np.eye(len(theta))[p]
        columns.append((drift(theta + e) - drift(theta - e)) / 2e-6)
    expected = np.einsum("ihw,jahw->iaj", fields, np.array(columns)) / state[0].size
    np.testing.assert_allclose(moments, expected, atol=1e-7 * np.abs(expected).max())


@BOUNDARY
def test_hessians_are_second_derivatives_of_the_monomials(boundary, rng):
    """∂²m/∂c_a∂c_b by differences of the gradient's definition, at one cell."""
    grid = GRIDS[boundary]
    state = rough_state(GrayScott(), grid)
    space = space_of(grid, state, degree=4, bands=3)
    rows, columns = len(space.functional_exponents), len(space.field_exponents)
    gradient, h = space.gradients[:rows, :columns], 1e-6
    for b in range(2):
        step = np.zeros((2, *grid.shape))
        step[b] = h
        up, down = (space.test_fields(state + s * step)[:columns] for s in (1, -1))
        numeric = np.einsum("ija,jhw->iahw", gradient, (up - down) / (2 * h))
        table = np.einsum("ija,jhw->iahw", space.hessians[..., b], space.test_fields(state)[:columns])
        np.testing.assert_allclose(table, numeric, rtol=1e-6, atol=1e-6 * np.abs(numeric).max())
    np.testing.assert_allclose(space.hessians, space.hessians.swapaxes(-1, -2), atol=1e-12)


@BOUNDARY
def test_step_moments_of_quadratic_forms_are_the_energy_of_the_drift(boundary):
    """½ f·∇²φ·f of φ = ⟨z_a G z_b⟩ is ⟨f_a G f_b⟩ over the scales; over all bands with the mean it is ⟨f_a f_b⟩."""
    grid = GRIDS[boundary]
    state, (model, theta) = rough_state(GrayScott(), grid), model_of(GrayScott, grid)
    space = space_of(grid, state, degree=2, bands=4)
    second = step_moments(model, space, state[None], theta)[0][len(space.functional_exponents) :]
    f = drift_of(GrayScott(), grid, state)
    second = second.reshape(len(space.pairs), -1).sum(1)
    scale = np.array(space.scale)
    for (a, b), total in zip(space.pairs, second, strict=True):
        covariance = np.mean(f[a] * f[b]) - f[a].mean() * f[b].mean()
        assert total == pytest.approx(covariance / (scale[a] * scale[b]), rel=1e-9)


@BOUNDARY
def test_drift_squares_and_differences_by_numpy(boundary):
    grid = GRIDS[boundary]
    model, theta = model_of(GrayScott, grid)
    states, others = (np.stack([rough_state(GrayScott(), grid, s) for s in seeds]) for seeds in ((0, 1, 2), (3, 4, 5)))
    drifts, beside = (np.stack([drift_of(GrayScott(), grid, c) for c in some]) for some in (states, others))
    rates = np.stack([np.stack([np.asarray(r) for r in GrayScott().kinetics(*c)]) for c in states])
    squares, terms = drift_squares(model, states, theta)
    np.testing.assert_allclose(squares, (drifts**2).mean((0, 2, 3)), rtol=1e-11)
    np.testing.assert_allclose(terms, (rates**2 + (drifts - rates) ** 2).mean((0, 2, 3)), rtol=1e-11)
    np.testing.assert_allclose(
        drift_squares(model, states, theta, minus=others)[0], ((drifts - beside) ** 2).mean((0, 2, 3)), rtol=1e-11
    )
    moved = step_moments(model, space_of(grid, states[0]), states, theta, minus=states)
    np.testing.assert_allclose(moved, 0, atol=1e-15)


@BOUNDARY
def test_moments_do_not_feel_where_a_picture_lies(boundary):
    """Sums over all cells: mirrored, and on a torus translated, pictures have the same moments."""
    grid = GRIDS[boundary]
    state, (model, theta) = rough_state(GrayScott(), grid), model_of(GrayScott, grid)
    space = space_of(grid, state)
    noise = tuple(0.1 * state.std((1, 2)))
    changes = [state, state[:, ::-1].copy(), state[..., ::-1].copy()]
    changes += [np.roll(state, (3, 2), (-2, -1))] if boundary == "periodic" else [state[:, ::-1, ::-1].copy()]
    moments = field_moments(model, space, np.stack(changes), theta, noise=noise)
    for other in moments[1:]:
        np.testing.assert_allclose(other, moments[0], atol=1e-12 * np.abs(moments[0]).max())


@BOUNDARY
def test_the_diagonal_of_a_filter_is_a_cells_share_in_itself(boundary):
    grid = GRIDS[boundary]
    bands = radial_bands(grid, 4)
    found = _diagonals(grid, np.concatenate([bands, grid.symbol[None]]))
    for symbol, diagonal in zip([*bands, grid.symbol], found, strict=True):
        for cell in [(0, 0), (3, 5), (9, 7)]:
            spike = np.zeros(grid.shape)
            spike[cell] = 1.0
            assert diagonal[cell] == pytest.approx(inverse(grid, symbol * transform(grid, spike))[cell], abs=1e-12)


@pytest.mark.parametrize("noise", [(0.2, 0.0), (0.0, 0.3), (0.2, 0.3)])
def test_imaginary_nodes_undo_gaussian_noise_on_polynomials(noise):
    """E P(y + i s ξ) = exp(−s²∂²/2) P: for y⁴ it is y⁴ − 6 s² y² + 3 s⁴, for y² z² the product of two."""
    shifts, weights = _shifts(noise)
    assert weights.sum() == pytest.approx(1)
    y, z = 0.7, -1.1
    a, b = y + shifts[:, 0], z + shifts[:, 1]
    s, t = noise
    for values, expected in [
        (a**4, y**4 - 6 * s**2 * y**2 + 3 * s**4),
        (a**2 * b**2, (y**2 - s**2) * (z**2 - t**2)),
        (a**3 * b**3, (y**3 - 3 * s**2 * y) * (z**3 - 3 * t**2 * z)),
        (b**7, z**7 - 21 * t**2 * z**5 + 105 * t**4 * z**3 - 105 * t**6 * z),
    ]:
        assert (weights * values).sum().real == pytest.approx(expected, rel=1e-12)


def test_on_a_stationary_ensemble_the_functionals_rates_vanish_in_the_mean():
    """A travelling wave, u_t = −s u_x: ⟨∇φ·f⟩ = 0 for every functional by itself, though f is not 0."""
    import jax.numpy as jnp

    grid = Grid((12, 12))
    space = TestSpace(grid, (0.5, 0.2), (0.3, 0.1), degree=3, bands=5)
    x = 2 * np.pi * np.arange(12) / 12
    wave = np.stack([np.tile(0.5 + 0.3 * np.cos(x), (12, 1)), np.tile(0.2 + 0.1 * np.sin(2 * x + 0.3), (12, 1))])
    speed = np.stack([np.tile(0.3 * np.sin(x), (12, 1)), np.tile(-0.2 * np.cos(2 * x + 0.3), (12, 1))])
    moments = np.einsum("ihw,ahw->ia", space.test_fields(wave), speed) / 144
    rates = np.einsum("nia,ia->n", space.gradients, moments)
    # Monomials beyond degree 1 alias on a grid of 12 cells only where their waves reach the Nyquist wave.
    np.testing.assert_allclose(rates, 0, atol=1e-12)
    still = OnGrid(GrayScott(), grid).drift(jnp.asarray(wave))
    rates = np.einsum("nia,ia->n", space.gradients, np.einsum("ihw,ahw->ia", space.test_fields(wave), still) / 144)
    assert np.abs(rates).max() > 1e-3
