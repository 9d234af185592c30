"""Point sets: closed-form densities are stationary, samples have them, moments obey their equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from unstill.discovery.point_sets import POINT_SETS
from unstill.systems import DoubleGyre, Hopf, VanDerPol

MEAN, SIGMA = np.array([1.0, -0.5]), np.array([[1.0, 0.4], [0.4, 0.5]])


def gaussian(x):
    return stats.multivariate_normal(MEAN, SIGMA).pdf(x)


def hopf(x, noise=0.2):
    r2 = np.sum(x**2, -1)
    return np.exp((r2 - r2**2 / 2) / noise)


# name → (density, where, covariance Σ of the noise)
STATIONARY = {
    "rotating_gaussian": (gaussian, (-1.0, 2.0), 0.0),
    "double_gyre": (lambda x: np.ones(len(x)), (0.0, 6.0), 0.0),
    "hopf": (hopf, (-1.5, 1.5), 0.2),
}


def divergence_of_flux(p, drift, x, noise: float, h: float = 1e-3):
    """∇·(p f − ½ Σ ∇p) by central differences of fourth order."""
    D, total = x.shape[1], np.zeros(len(x))
    stencil = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
    second = ((-2, -1 / 12), (-1, 4 / 3), (0, -5 / 2), (1, 4 / 3), (2, -1 / 12))
    for i in range(D):
        step = h * np.eye(D)[i]
        flux = sum(w * p(x + k * step) * drift(x + k * step)[:, i] for k, w in stencil) / h
        total += flux - noise / 2 * sum(w * p(x + k * step) for k, w in second) / h**2
    return total


@pytest.mark.parametrize("name", STATIONARY)
def test_closed_form_densities_are_stationary(name, rng):
    """∇·(p f) = ½ Σ ∇²p, and not for the same flow with the wrong density."""
    p, (low, high), noise = STATIONARY[name]
    dynamics = POINT_SETS[name].dynamics
    x = rng.uniform(low, high, (200, 2))

    def drift(x):
        return np.asarray(dynamics.drift(jnp.asarray(x)))

    size = np.abs(p(x)[:, None] * drift(x)).max()
    # h⁴ times fifth derivatives of order 10³, and round-off of 1e-16/h²
    np.testing.assert_allclose(divergence_of_flux(p, drift, x, noise), 0, atol=2e-7 * size)
    wrong = divergence_of_flux(lambda x: p(x) * np.exp(0.3 * x[:, 0]), drift, x, noise)
    assert np.abs(wrong).max() > 1e-2 * size


def test_the_turn_of_a_rotating_gaussian_has_no_say_in_its_density(rng):
    dynamics = POINT_SETS["rotating_gaussian"].dynamics
    x = rng.standard_normal((50, 2))
    jacobian = jax.jacfwd(lambda x: dynamics.drift(x))(jnp.asarray(x[0]))
    assert np.trace(jacobian) == pytest.approx(0, abs=1e-12)
    mahalanobis = np.linalg.solve(SIGMA, (x - MEAN).T).T
    speed = np.asarray(dynamics.drift(jnp.asarray(x)))
    np.testing.assert_allclose(np.sum(mahalanobis * speed, 1), 0, atol=1e-12)  # along the ellipses


def test_the_gyre_follows_its_stream_function(rng):
    x = jnp.asarray(rng.uniform(0, 6, (50, 2)))
    slopes = jax.vmap(jax.grad(lambda x: jnp.sin(x[0]) * jnp.sin(x[1])))(x)
    np.testing.assert_allclose(DoubleGyre().drift(x), jnp.stack([-slopes[:, 1], slopes[:, 0]], 1), atol=1e-14)
    border = jnp.array([[0.0, 1.0], [np.pi, 2.0], [1.0, 0.0], [4.0, np.pi]])
    flows = np.asarray(DoubleGyre().drift(border))
    np.testing.assert_allclose([flows[0, 0], flows[1, 0], flows[2, 1], flows[3, 1]], 0, atol=1e-15)


# Distributions of samples: Kolmogorov–Smirnov, at a level at which an honest sampler fails once in 10,000.

UNIFORM = {
    "ring: area": ("ring", lambda x: (np.sum(x**2, 1) - 1) / 3),
    "ring: angle": ("ring", lambda x: (np.arctan2(x[:, 1], x[:, 0]) / np.pi + 1) / 2),
    "double gyre: x": ("double_gyre", lambda x: x[:, 0] / (2 * np.pi)),
    "double gyre: y": ("double_gyre", lambda x: x[:, 1] / np.pi),
    "gaussian: radius": ("gaussian", lambda x: stats.chi2(2).cdf(_whitened(x))),
    "rotating gaussian: radius": ("rotating_gaussian", lambda x: stats.chi2(2).cdf(_whitened(x))),
    "two peaks: sum": ("two_peaks", lambda x: _two_normals(x.sum(1) / np.sqrt(2))),
    "two peaks: difference": ("two_peaks", lambda x: stats.norm.cdf((x[:, 0] - x[:, 1]) / np.sqrt(2), scale=0.5)),
}


def _whitened(x):
    return np.einsum("mi,ij,mj->m", x - MEAN, np.linalg.inv(SIGMA), x - MEAN)


def _two_normals(s):
    return (stats.norm.cdf(s, np.sqrt(2), 0.5) + stats.norm.cdf(s, -np.sqrt(2), 0.5)) / 2


@pytest.mark.parametrize("what", UNIFORM)
def test_samples_have_their_distribution(what):
    name, to_unit_interval = UNIFORM[what]
    values = to_unit_interval(POINT_SETS[name](8000, seed=17).x)
    assert stats.kstest(values, "uniform").pvalue > 1e-4


def test_noisy_hopf_points_have_the_radial_distribution():
    x = POINT_SETS["hopf"](4000, seed=3, independent=True).x
    r = np.linspace(0, 3, 4001)
    mass = np.cumsum(r * np.exp((r**2 - r**4 / 2) / 0.2))
    values = np.interp(np.hypot(*x.T), r, mass / mass[-1])
    assert stats.kstest(values, "uniform").pvalue > 1e-4
    assert stats.kstest(np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) + 0.5, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("name", ["van_der_pol", "hopf"])
def test_moments_of_noisy_points_obey_their_equations(name):
    """E[f·∇φ + ½ Σ ∇²φ] = 0 for φ = x², x y, y², x⁴; an exact consequence of stationarity."""
    points = POINT_SETS[name](4000, seed=9, independent=True)
    (x, y), (f, g) = points.x.T, np.asarray(points.drift.drift(jnp.asarray(points.x))).T
    noise = points.covariance[0, 0]
    for rate in (2 * x * f + noise, y * f + x * g, 2 * y * g + noise, 4 * x**3 * f + 6 * x**2 * noise):
        assert abs(rate.mean()) < 4.5 * rate.std() / np.sqrt(len(rate))
    # without the noise term the balance of x² is visibly wrong in at least one direction
    assert max(abs(np.mean(2 * a * b)) for a, b in ((x, f), (y, g))) > 0.05


@pytest.mark.parametrize("name", ["rossler", "lorenz"])
def test_raw_runs_are_solutions(name):
    """Neighbours in a run are one RK4 step of the true dynamics apart."""
    chosen = POINT_SETS[name]
    runs = chosen(400, raw=True, seed=2).x.reshape(10, 40, 3)
    dt = {"rossler": 0.02, "lorenz": 0.01}[name]
    x = jnp.asarray(runs[:, :-1])
    drift = chosen.dynamics.drift
    a = drift(x)
    b = drift(x + dt / 2 * a)
    c = drift(x + dt / 2 * b)
    d = drift(x + dt * c)
    np.testing.assert_allclose(runs[:, 1:], x + dt / 6 * (a + 2 * b + 2 * c + d), rtol=1e-12, atol=1e-12)


def test_z_scored_sets_come_back_by_their_mean_and_scale():
    scaled, raw = (POINT_SETS["lorenz"](500, seed=5, raw=raw) for raw in (False, True))
    mean, scale = raw.x.mean(0), raw.x.std(0)
    np.testing.assert_allclose(scaled.x * scale + mean, raw.x, atol=1e-12)
    rates = np.asarray(raw.drift.drift(jnp.asarray(raw.x)))
    np.testing.assert_allclose(scaled.drift.drift(jnp.asarray(scaled.x)), rates / scale, rtol=1e-9, atol=1e-9)


def test_closed_forms_of_cycles():
    """Hopf's cycle is an orbit of constant speed; Van der Pol's energy balance at small μ gives amplitude 2."""
    angle = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    circle = np.sqrt(2.0) * np.stack([np.cos(angle), np.sin(angle)], 1)
    rates = np.asarray(Hopf(mu=2.0, omega=1.5, b=-0.5).drift(jnp.asarray(circle)))
    np.testing.assert_allclose(np.sum(rates * circle, 1), 0, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*rates.T), np.sqrt(2.0) * 0.5, atol=1e-12)
    circle = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    gain = np.sum(circle * np.asarray(VanDerPol(mu=0.1).drift(jnp.asarray(circle))), 1)
    assert gain.mean() == pytest.approx(0, abs=1e-12)
