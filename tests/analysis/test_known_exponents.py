"""Lyapunov spectra against closed forms, published numbers and SciPy; intervals that hold the truth."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from registry import ORDINARY
from unstill._errors import BadInput
from unstill.analysis import leading_exponent, lyapunov_spectrum
from unstill.analysis.lyapunov import batch_means
from unstill.flows.diagnosis import Rescaled
from unstill.systems import DoubleGyre, Hopf, Lorenz, OrdinarySystem, Rossler, VanDerPol

PUBLISHED = {  # J. C. Sprott, Chaos and Time-Series Analysis (Oxford, 2003), tables A.3 and A.4
    "lorenz": (Lorenz(), (0.9056, 0, -14.5723)),
    "rossler": (Rossler(), (0.0714, 0, -5.3943)),
}


def starts(system: OrdinarySystem, count: int, spread: float = 0.1) -> np.ndarray:
    rest = np.array([float(x) for x in system.rest()])
    return rest + spread * np.random.default_rng(2).standard_normal((count, len(rest)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_exponents(name):
    system, known = PUBLISHED[name]
    found = lyapunov_spectrum(system, starts(system, 16), time=150, transient=150, dt=0.01)
    assert np.all(np.abs(found.exponents - known) < 3.5 * found.std)
    assert np.all(found.std < [0.02, 0.02, 0.08])  # so that the line above says something
    assert found.sum == pytest.approx(found.mean_divergence, abs=2e-4)  # the stepper's error


def over_one_period(mu: float) -> float:
    """μ(1 − ⟨x²⟩) over one period of the Van der Pol cycle, by SciPy at 1e-10."""

    def rates(t, state):
        x, y, _ = state
        return y, mu * (1 - x**2) * y - x, mu * (1 - x**2)

    def downwards(t, state):
        return state[1]

    downwards.direction = -1
    found = solve_ivp(rates, (0, 150 + 10 * mu), (2.0, 0.0, 0.0), events=downwards, rtol=1e-10, atol=1e-12)
    (ts,), (states,) = found.t_events, found.y_events
    return (states[-1, 2] - states[-2, 2]) / (ts[-1] - ts[-2])


@pytest.mark.parametrize("mu", [0.1, 1.0, 3.0])
def test_van_der_pol(mu):
    known = over_one_period(mu)
    assert mu != 1.0 or known == pytest.approx(-1.0594, abs=1e-4)
    found = lyapunov_spectrum(VanDerPol(mu=mu), starts(VanDerPol(), 8), time=211.3, transient=100, dt=0.01)
    # over a time T not a multiple of the period, tangent vectors gain or lose ln(max|f|/min|f|) at most: 6/T
    np.testing.assert_allclose(found.exponents, [0, known], atol=0.03)
    assert found.sum == pytest.approx(found.mean_divergence, abs=1e-5)


@pytest.mark.parametrize(("mu", "omega", "b"), [(1.0, 1.0, 0.0), (0.3, -2.0, 0.0), (1.0, 1.0, 2.0), (2.0, 0.5, -1.0)])
def test_hopf_cycle(mu, omega, b):
    found = lyapunov_spectrum(Hopf(mu=mu, omega=omega, b=b), starts(Hopf(), 4), time=20, transient=120, dt=0.005)
    # after e^{−2μ·120} the motion is a rotation; RK4's own growth rate of it is (ω + bμ)⁶dt⁵/144 < 1e-9
    np.testing.assert_allclose(found.exponents, [0, -2 * mu], atol=1e-6)
    assert found.mean_speed == pytest.approx(np.sqrt(mu) * abs(omega + b * mu), rel=1e-6)


@pytest.mark.parametrize("mu", [-0.2, -1.0])
def test_hopf_focus(mu):
    found = lyapunov_spectrum(Hopf(mu=mu), starts(Hopf(), 4), time=10, transient=20 / abs(mu), dt=0.01)
    np.testing.assert_allclose(found.exponents, [mu, mu], atol=1e-5)


def test_lorenz_at_rest_has_the_roots_of_its_linear_equation():
    sigma, rho, beta = 10.0, 14.0, 8 / 3
    q = np.sqrt(beta * (rho - 1))
    roots = np.linalg.eigvals([[-sigma, sigma, 0], [1, -1, -q], [q, q, -beta]])
    state = np.array([q, q, rho - 1])
    found = lyapunov_spectrum(Lorenz(rho=rho), state, time=200, transient=20, dt=0.002)
    # the pair turns: each of its exponents is reached as 1/t, their sum at once
    np.testing.assert_allclose(found.exponents, np.sort(roots.real)[::-1], atol=0.01)
    assert found.exponents[:2].sum() == pytest.approx(np.sort(roots.real)[1:].sum(), abs=1e-3)
    assert found.sum == pytest.approx(-(sigma + 1 + beta), abs=1e-6)


def test_double_gyre_keeps_its_stream_function_and_shows_no_chaos():
    states = np.random.default_rng(3).uniform(0.3, np.pi - 0.3, (6, 2))
    short, long = (lyapunov_spectrum(DoubleGyre(), states, time=t, transient=t, dt=0.02) for t in (50, 200))
    np.testing.assert_allclose(short.exponents.sum(), 0, atol=1e-9)
    # shear: neighbours part as t, so from t to 2t by ln 2/t at most
    assert 0 <= short.exponents[0] < np.log(2) / 50 * 1.5
    assert 0 <= long.exponents[0] < np.log(2) / 200 * 1.5


class HenonHeiles(eqx.Module):
    """H = (p² + q²)/2 + x²y − y³/3: state (x, y, p_x, p_y)."""

    def drift(self, state):
        x, y, px, py = (state[..., i] for i in range(4))
        return jnp.stack([px, py, -x - 2 * x * y, -y - x**2 + y**2], -1)


def test_hamiltonian_spectra_are_symmetric():
    """λᵢ = −λ₅₋ᵢ, two of them 0; chaotic at E = 1/6 (M. Hénon & C. Heiles, Astron. J. 69, 73 (1964))."""
    energy, y, py = 1 / 6 - 1e-3, 0.1, 0.1
    px = np.sqrt(2 * (energy - py**2 / 2 - y**2 / 2 + y**3 / 3))
    found = lyapunov_spectrum(HenonHeiles(), np.array([[0.0, y, px, py]]), time=2000, transient=200, dt=0.05)
    assert found.sum == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found.exponents, -found.exponents[::-1], atol=5e-3)
    assert abs(found.exponents[1]) < 0.02
    assert 0.06 < found.exponents[0] < 0.2


class Linear(eqx.Module):
    """dx/dt = A x."""

    matrix: jax.Array

    def drift(self, state):
        return self.matrix @ state


class Beside(eqx.Module):
    """Two systems that do not see each other."""

    first: OrdinarySystem
    second: Linear

    def drift(self, state):
        D = len(self.first.fields)
        return jnp.concatenate([self.first.drift(state[:D]), self.second.drift(state[D:])])


def test_systems_side_by_side_have_both_spectra():
    both = Beside(Hopf(), Linear(jnp.diag(jnp.array([-0.5, -3.0]))))
    found = lyapunov_spectrum(both, np.array([1.0, 0.0, 1e-3, 1e-3]), time=40, transient=40, dt=0.01)
    np.testing.assert_allclose(found.exponents, [0, -0.5, -2, -3], atol=1e-5)
    assert found.mean_divergence == pytest.approx(-5.5, abs=1e-5)


def test_intervals_of_linear_systems_hold_the_real_parts():
    """40 matrices with complex pairs, whose local growth oscillates: 160 intervals, at most 5 % and a little miss."""
    rng, hits = np.random.default_rng(11), []
    for _ in range(40):
        matrix = rng.standard_normal((4, 4))
        found = lyapunov_spectrum(
            Linear(jnp.asarray(matrix)), 1e-9 * rng.standard_normal(4), time=41, transient=40, dt=0.01
        )
        real = np.sort(np.linalg.eigvals(matrix).real)[::-1]
        low, high = found.interval95.T
        hits += list((low - 1e-6 <= real) & (real <= high + 1e-6))  # 1e-6: RK4's own rates
        np.testing.assert_allclose(found.exponents, real, atol=0.35)
        assert found.sum == pytest.approx(np.trace(matrix), abs=1e-4)
    assert np.mean(hits) > 0.9


ELLIPSE = Rescaled(Hopf(), np.zeros(2), np.array([1.0, 3.0]))  # of period 2π, and its growth of π
RESONANT = {  # name: dynamics, start, exponents, half a period
    "ellipse": (ELLIPSE, np.array([1.0, 0.3]), (0, -2), np.pi),
    "focus": (Linear(jnp.array([[-0.1, -4.0], [1.0, -0.1]])), np.array([1e-6, 0.0]), (-0.1, -0.1), np.pi / 2),
    "van der Pol": (VanDerPol(), np.array([1.0, 0.0]), (0, -1.0594), 6.66329 / 2),
}


@pytest.mark.parametrize("name", RESONANT)
def test_intervals_hold_where_segments_are_nearly_whole_half_periods(name):
    """20 segments of one half period and a little: all err alike, and their scatter alone is too sure of itself."""
    dynamics, start, known, half = RESONANT[name]
    held, naive = [], []
    for share in np.linspace(0.98, 1.02, 6):
        found = lyapunov_spectrum(dynamics, start, time=20 * half * share, transient=40, dt=0.01, renormalise_every=2)
        low, high = found.interval95.T
        held += list((low <= known) & (known <= high))
        low, high = batch_means(found.segments[None])[2].T
        naive += list((low <= known) & (known <= high))
        assert np.all(np.abs(found.exponents - known) <= 2.1 * found.std)  # Student's factor, 19 degrees of freedom
    assert all(held)
    assert np.mean(naive) < 0.8


def test_intervals_of_chaos_are_as_wide_as_they_were():
    """The bound of periodic motion is not what makes Lorenz's intervals: they shrink as 1/√T."""
    found = lyapunov_spectrum(Lorenz(), starts(Lorenz(), 4), time=60, transient=20, dt=0.01)
    width = np.diff(found.interval95)[:, 0]
    np.testing.assert_allclose(width[0], np.diff(batch_means(found.segments[None])[2])[0, 0], rtol=0.5)
    assert np.all(np.abs(found.exponents - PUBLISHED["lorenz"][1]) < 2 * found.std + 0.01)


@pytest.mark.parametrize("name", ORDINARY)
def test_every_system_keeps_the_sum_rule(name):
    system = ORDINARY[name]()
    found = lyapunov_spectrum(system, starts(system, 3), time=20, transient=10, dt=system.dt / 4)
    assert found.sum == pytest.approx(found.mean_divergence, abs=1e-4)


def test_leading_exponent_is_the_first_of_the_spectrum():
    system = VanDerPol()  # both calls see the same orbit, since it is not chaotic
    states = starts(system, 3)
    options = {"time": 30.0, "transient": 30.0, "dt": 0.005, "segments": 10, "renormalise_every": 5, "seed": 4}
    one, all_three = leading_exponent(system, states, **options), lyapunov_spectrum(system, states, **options)
    # QR of more vectors leaves the first where it is
    assert one.value == pytest.approx(all_three.exponents[0], abs=1e-9)
    assert one.time == pytest.approx(all_three.ts[-1])
    np.testing.assert_allclose(one.segments, all_three.segments[:, 0], atol=1e-9)
    with pytest.raises(TypeError, match="count"):
        leading_exponent(system, states, count=2, **options)


@pytest.mark.parametrize("bounds", [(np.zeros(2), 1.0), (1.0, -1.0), (np.zeros(3), np.zeros(3))])
def test_wrong_bounds(bounds):
    with pytest.raises(BadInput, match="`bounds`"):
        lyapunov_spectrum(Lorenz(), starts(Lorenz(), 1), time=10, bounds=bounds)
