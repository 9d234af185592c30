"""Lyapunov exponents against closed forms, published values, determinants and an integrable null."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from registry import GRIDS, rough_state
from unstill._errors import BadInput, NumericalFailure
from unstill.analysis import ShearRotation, leading_exponent, lyapunov_spectrum, two_trajectory_exponent
from unstill.analysis.lyapunov import batch_means, kaplan_yorke, wandering
from unstill.simulation import Grid, OnGrid
from unstill.systems import GrayScott, Lorenz

START = np.array([1.0, 1.0, 25.0])


class Linear(eqx.Module):
    """dx/dt = A x."""

    matrix: jax.Array

    def drift(self, state):
        return self.matrix @ state


class Runaway(eqx.Module):
    """dx/dt = x²: infinite at t = 1/x₀."""

    def drift(self, state):
        return state**2


def rk4_growth(rate, dt):
    """ln|R(z)|/dt of the classical Runge–Kutta method, z = rate·dt."""
    z = np.asarray(rate) * dt
    return np.log(np.abs(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24)) / dt


def test_linear_systems_in_closed_form(rng):
    rates, dt = np.array([0.3, -0.2, -1.5]), 0.1
    basis = rng.standard_normal((3, 3))
    dynamics = Linear(jnp.asarray(basis @ np.diag(rates) @ np.linalg.inv(basis)))
    found = lyapunov_spectrum(dynamics, 1e-6 * START, time=40, transient=60, dt=dt)
    # directions align as exp(−0.5 t): 1e-13 after the transient
    np.testing.assert_allclose(found.exponents, rk4_growth(rates, dt), atol=1e-10)
    assert np.all(found.std < 1e-10)
    assert found.mean_divergence == pytest.approx(rates.sum(), abs=1e-10)
    assert found.kaplan_yorke == pytest.approx(2 + 0.1 / 1.5, abs=1e-4)
    np.testing.assert_allclose(found.history[-1], found.exponents, atol=1e-12)
    assert found.ts[-1] == pytest.approx(40)


def test_rotation_has_exponents_zero():
    turn = Linear(jnp.array([[0.0, -2.0], [2.0, 0.0]]))
    found = lyapunov_spectrum(turn, np.array([[3.0, 0.0]]), time=50, dt=0.01)
    # rk4 damps by |R(iz)| = 1 − z⁶/144: 5e-11 per unit time
    np.testing.assert_allclose(found.exponents, 0, atol=1e-9)
    assert found.mean_speed == pytest.approx(6)


def test_lorenz():
    """0.9056, 0, −14.5723 and D_KY = 2.062 (J. C. Sprott, Chaos and Time-Series Analysis, 2003)."""
    states = START + np.random.default_rng(0).standard_normal((12, 3))
    runs = [lyapunov_spectrum(Lorenz(), states, time=80, transient=20, dt=dt) for dt in (0.005, 0.002)]
    for found in runs:
        assert np.all(np.abs(found.exponents - [0.9056, 0, -14.5723]) < 3.5 * found.std)
        assert found.std[0] < 0.03
        assert found.kaplan_yorke == pytest.approx(2.062, abs=0.003)
        assert found.mean_divergence == pytest.approx(-(10 + 1 + 8 / 3), abs=1e-12)
        assert found.lost == 0
    # The sum rule holds to the stepper's error: of order 4.
    errors = [abs(found.sum - found.mean_divergence) for found in runs]
    assert errors[1] < 3e-7
    assert np.log(errors[0] / errors[1]) / np.log(2.5) == pytest.approx(4, abs=0.3)


def test_per_arc_length_does_not_know_the_pace():
    slow = lyapunov_spectrum(Lorenz(), START, time=20, dt=0.005, count=1)
    fast = lyapunov_spectrum(Faster(Lorenz()), START, time=2, dt=0.0005, count=1)
    np.testing.assert_allclose(fast.exponents, 10 * slow.exponents, rtol=1e-6)
    np.testing.assert_allclose(fast.per_arc_length, slow.per_arc_length, rtol=1e-6)


class Faster(eqx.Module):
    """Ten times the drift."""

    dynamics: Lorenz

    def drift(self, state):
        return 10 * self.dynamics.drift(state)


@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_dead_gray_scott(dt):
    """At (1, 0) the slowest mode is the uniform one of u: Euler multiplies it by 1 − F·dt (science.md: −.0222)."""
    state = np.stack([np.ones((8, 8)), np.zeros((8, 8))])
    system, grid = GrayScott(F=0.022, k=0.061), Grid((8, 8))
    found = leading_exponent(system, state, time=2000, transient=1000, dt=dt, grid=grid)
    assert found.value == pytest.approx(np.log(1 - 0.022 * dt) / dt, abs=1e-12)
    low, high = found.interval95
    assert low <= found.value <= high


def test_dead_gray_scott_by_another_stepper():
    state = np.stack([np.ones((4, 4)), np.zeros((4, 4))])
    options = {"time": 400, "transient": 600, "renormalise_every": 20, "segments": 2}
    found = leading_exponent(GrayScott(F=0.022, k=0.061), state, dt=1.0, stepper="rk4", **options)
    assert found.value == pytest.approx(rk4_growth(-0.022, 1.0), abs=1e-12)


def test_half_precision_of_the_session_does_not_matter():
    """Verbs compute in float64 whatever the user's global setting, in the native engine and in XLA."""
    state = np.stack([np.ones((8, 8)), np.zeros((8, 8))])
    jax.config.update("jax_enable_x64", False)
    try:
        native = leading_exponent(GrayScott(F=0.03), state, time=2000, transient=1000)
        xla = lyapunov_spectrum(Linear(jnp.array([[-0.25]])), np.ones(1), time=10)
    finally:
        jax.config.update("jax_enable_x64", True)
    assert native.value == pytest.approx(np.log(0.97), abs=1e-12)
    assert xla.exponents[0] == pytest.approx(rk4_growth(-0.25, 0.01), abs=1e-12)


@pytest.mark.parametrize("boundary", GRIDS)
def test_native_sum_is_the_log_determinant(boundary):
    """Σλ = ⟨ln|det(I + dt ∂f/∂c)|⟩/dt along the orbit, from dense Jacobians and NumPy."""
    grid, dt, steps = Grid((4, 5), 1.0, boundary), 0.7, 60
    system = GrayScott()
    state = rough_state(system, grid)
    found = lyapunov_spectrum(system, state, time=steps * dt, dt=dt, grid=grid, renormalise_every=2, segments=3)
    dynamics = OnGrid(system, grid)
    jacobian = jax.jit(jax.jacfwd(dynamics.drift))
    c, total = state, 0.0
    for _ in range(steps):
        slope = np.asarray(jacobian(jnp.asarray(c))).reshape(c.size, c.size)
        total += np.linalg.slogdet(np.eye(c.size) + dt * slope)[1]
        c = c + dt * np.asarray(dynamics.drift(jnp.asarray(c)))
    # between two decompositions the fastest directions shrink by 1e-3 at most: few digits are lost
    assert found.sum == pytest.approx(total / (steps * dt), rel=1e-11)
    assert found.exponents.shape == (40,)


def test_an_orbit_on_a_grid_may_be_one_of_several():
    grid, system = Grid((8, 6)), GrayScott()
    states = np.stack([rough_state(system, grid, seed) for seed in range(3)])
    options = {"count": 2, "time": 400.0, "renormalise_every": 10, "grid": grid}
    together = lyapunov_spectrum(system, states, **options)
    alone = [lyapunov_spectrum(system, state, **options) for state in states]
    np.testing.assert_allclose(together.orbits, [found.orbits[0] for found in alone], atol=1e-12)
    assert together.mean_divergence is None  # 2 of 96 exponents


def test_shear_fools_two_trajectories_and_not_qr(rng):
    states = rng.standard_normal((8, 2))
    naive = two_trajectory_exponent(ShearRotation(), states, time=20, dt=0.01)
    assert naive.mean() > 0.08
    found = lyapunov_spectrum(ShearRotation(), states, time=100, transient=400, dt=0.01)
    # after the transient t₀ the tangent vector grows as t: ln((t₀ + t)/t₀)/t, and there is no volume to gain
    assert found.exponents[0] == pytest.approx(np.log(5 / 4) / 100, abs=3e-4)
    assert found.sum == pytest.approx(0, abs=1e-7)
    assert found.mean_divergence == pytest.approx(0, abs=1e-12)
    assert found.exponents[0] < naive.mean() / 30


def test_two_trajectories_see_exponential_growth():
    grow = Linear(jnp.diag(jnp.array([0.4, 0.4])))
    found = two_trajectory_exponent(grow, np.ones((3, 2)), time=5, dt=0.01)
    np.testing.assert_allclose(found, 0.4, atol=1e-6)  # differences of 1e-6 of numbers near 1


@pytest.mark.parametrize(("correlation", "orbits"), [(0.0, 1), (0.0, 6), (0.5, 1)])
def test_intervals_hold_the_truth(correlation, orbits, rng):
    """Coverage over 600 draws; neighbours correlated at 0.5 without the covariance term would give 75 %."""
    hits = []
    for _ in range(600):
        noise = rng.standard_normal((orbits, 60))
        for b in range(1, 60):
            noise[:, b] = correlation * noise[:, b - 1] + np.sqrt(1 - correlation**2) * noise[:, b]
        mean, std, interval = batch_means(noise[:, 20:, None])
        hits.append(interval[0, 0] <= 0 <= interval[0, 1])
        assert std[0] > 0
        assert interval.mean() == pytest.approx(mean[0], abs=1e-12)
    # 0.5: AR(1) has covariances beyond neighbours (2/3 of the variance is seen), hence 86 % and not 95 %
    assert (0.82 if correlation else 0.93) < np.mean(hits) <= (0.92 if correlation else 0.99)


def test_orbits_of_different_kinds_widen_the_interval():
    local = np.zeros((4, 20, 1)) + np.array([0.0, 0.0, 1.0, 1.0])[:, None, None]
    _, std, _ = batch_means(local)
    assert std[0] == pytest.approx(np.sqrt((1 / 3) / 4))


def test_wandering_bounds_the_error_of_periodic_growth(rng):
    """S = λt + A sin(t + φ) − A sin φ: the bound is 2A/T up to the line's tilt, which is the error itself."""
    for periods, phase in zip(rng.uniform(5, 50, 100), rng.uniform(0, 2 * np.pi, 100), strict=True):
        ts = np.linspace(0, 2 * np.pi * periods, 2001)[1:]
        growth = 0.3 * ts + 2.0 * (np.sin(ts + phase) - np.sin(phase))
        bound = wandering(growth[:, None], ts)[0]
        error = growth[-1] / ts[-1] - 0.3
        assert abs(error) <= bound
        assert 4.0 / ts[-1] * (1 - 1 / periods) <= bound <= 4.0 / ts[-1] + abs(error)


def test_wandering_of_a_random_walk_has_kuipers_law(rng):
    """max − min of a Brownian bridge exceeds 1.747 in 5 % of cases; 500 steps see a little less of it."""
    walks = np.cumsum(rng.standard_normal((500, 2000)), 0)
    found = wandering(walks, np.arange(1.0, 501)) * np.sqrt(500)
    assert np.mean(found > 1.747) == pytest.approx(0.045, abs=0.015)
    assert np.mean(found) == pytest.approx(np.sqrt(np.pi / 2), abs=0.07)


def test_kaplan_yorke():
    assert kaplan_yorke(np.array([0.906, 0.0, -14.57])) == pytest.approx(2.0622, abs=1e-4)
    assert kaplan_yorke(np.array([-1.0, -2.0])) == 0
    assert kaplan_yorke(np.array([1.0, -1.0])) == 2
    assert kaplan_yorke(np.array([1.0, -0.5]), complete=False) is None


def test_lost_orbits_are_counted():
    states = np.array([[-1.0], [-2.0], [0.5], [-1.5]])  # the third is infinite at t = 2
    found = lyapunov_spectrum(Runaway(), states, time=10)
    assert found.lost == 0.25
    assert len(found.orbits) == 3
    found = lyapunov_spectrum(Runaway(), states, time=10, bounds=(-1.7, 5.0), renormalise_every=1)
    assert found.lost == 0.5
    with pytest.raises(NumericalFailure, match="all 1 orbits") as caught:
        lyapunov_spectrum(Runaway(), states[2], time=10)
    assert caught.value.status == "blow-up"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lyapunov_spectrum(Lorenz(), START, time=0.5), ["`time`", "= 2", "0.5", "fewer segments"]),
        (lambda: lyapunov_spectrum(Lorenz(), START, time=50, count=4), ["`count`", "3", "4"]),
        (lambda: lyapunov_spectrum(Lorenz(), START, time=50, dt=-1), ["`dt`", "-1"]),
        (lambda: lyapunov_spectrum(Lorenz(), START, time=50, transient=-1), ["`transient`"]),
        (lambda: lyapunov_spectrum(Lorenz(), START, time=50, segments=1), ["`segments`", "2"]),
        (lambda: lyapunov_spectrum(Lorenz(), START, time=50, renormalise_every=0), ["`renormalise_every`"]),
        (lambda: lyapunov_spectrum(Lorenz(), START, time=50, stepper="rk5"), ["`stepper`", "rk4"]),
        (lambda: lyapunov_spectrum(Lorenz(), START * np.nan, time=50), ["`state`", "finite"]),
        (lambda: leading_exponent(GrayScott(), START, time=5000), ["`state`", "(C, H, W)"]),
        (lambda: leading_exponent(GrayScott(), np.ones((3, 8, 8)), time=5000), ["`state`", "(2, 8, 8)"]),
        (lambda: two_trajectory_exponent(Lorenz(), START, time=1, separation=0), ["`separation`", "positive"]),
    ],
)
def test_bad_input_names_argument_rule_value(call, words):
    with pytest.raises(BadInput) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
