"""Regimes with known answers, at sizes that take a second each."""

from typing import ClassVar

import numpy as np
import pytest

import unstill as us
from unstill.analysis.bifurcations import uniform_states
from unstill.atlas.evidence import evidence, packed, unpacked
from unstill.atlas.regimes import Regime, find_regime
from unstill.simulation import initial_state

P = us.GrayScott.presets["pearson"]


def _gray_scott(D: float, F: float, k: float) -> us.GrayScott:
    """Smaller diffusion makes a small box large."""
    return us.GrayScott(Du=D, Dv=D / 2, F=F, k=k)


def _found(system, n: int, time: float, *, dt: float = 1.0, init: str = "square"):
    grid = us.Grid((n, n))
    state = initial_state(system, grid, init=init, samples=1, seed=0)[0]
    return find_regime(system, grid, state, time=time, dt=dt)


def test_dead():
    found = _found(_gray_scott(P["Du"], 0.098, 0.057), 16, 4000)
    assert found.regime is Regime.UNIFORM_TRIVIAL
    assert found.time < 4000  # it ended early
    assert found.means == pytest.approx([1, 0], abs=1e-6)


def test_dead_where_the_feed_is_slow():
    """u comes back as exp(−F t): the state is uniform long before it is at rest."""
    found = _found(_gray_scott(0.16, 0.005, 0.07), 16, 8000)
    assert found.regime is Regime.UNIFORM_TRIVIAL


def test_uniform_elsewhere():
    found = _found(_gray_scott(P["Du"], 0.06, 0.045), 16, 4000)
    assert found.regime is Regime.UNIFORM_NONTRIVIAL
    _, (u, v), _ = uniform_states(0.06, 0.045)
    assert found.means == pytest.approx([u, v], abs=1e-5)


def test_a_step_that_is_too_long_is_halved():
    """dt·(8 Du + F + v²) > 2: at dt = 1 a checkerboard flips for ever, though 4 Du·dt < 1."""
    found = _found(_gray_scott(P["Du"], 0.0959, 0.03), 16, 4000)
    assert found.regime is Regime.UNIFORM_NONTRIVIAL
    assert found.dt == 0.5


def test_steady_spots():
    found = _found(_gray_scott(0.05, 0.022, 0.059), 24, 10_000)
    assert found.regime is Regime.STEADY
    assert found.drift < 1e-6
    assert found.contrasts[1] > 0.05


def test_a_labyrinth_creeps():
    found = _found(us.GrayScott.make("maze"), 32, 6000)
    assert found.regime is Regime.SLOW
    assert found.recurrence.straightness > 0.5


def test_chaos_is_positive_three_times():
    found = _found(_gray_scott(0.05, 0.014, 0.053), 32, 10_000)
    assert found.regime is Regime.CHAOTIC
    assert len(found.checks) == 2
    for each in (found.exponent, *found.checks):
        assert each.interval95[0] > 0
    assert found.exponent.value == pytest.approx(2.8e-3, abs=1.5e-3)  # science.md: +.0028 at Pearson's numerics


def test_chaos_that_ended():
    found = _found(_gray_scott(0.035, 0.014, 0.053), 24, 10_000)
    assert found.regime is Regime.TRANSIENT_CHAOS
    assert found.before.value * found.before.time > np.log(1e4)


def test_a_uniform_oscillation_has_its_period():
    """Brusselator beyond its Hopf bifurcation b = 1 + a²; the period by an independent integrator."""
    from scipy.integrate import solve_ivp

    a, b = 1.0, 2.5
    found = _found(us.Brusselator(a=a, b=b), 8, 60.0, dt=0.01, init="noise")
    assert found.regime is Regime.OSCILLATORY

    def kinetics(t, c):
        return a - (b + 1) * c[0] + c[0] ** 2 * c[1], b * c[0] - c[0] ** 2 * c[1]

    def crosses(t, c):
        return c[0] - a

    crosses.direction = 1
    way = solve_ivp(kinetics, (0, 100), (1.2, 2.4), rtol=1e-10, atol=1e-12, events=crosses)
    assert found.period == pytest.approx(np.diff(way.t_events[0])[-1], rel=5e-3)


class TwoClocks(us.ReactionDiffusion):
    """Two oscillators that do not know each other."""

    name: ClassVar = "two-clocks"
    fields: ClassVar = ("x", "y", "z", "w")
    diffusion: ClassVar = {}
    equations: ClassVar = ("ẋ = (1 − r²) x − ω y", "ẏ = ω x + (1 − r²) y", "the same with ratio·ω", "")
    dt: ClassVar = 0.01
    ratio: us.systems.base.Number = us.parameter(0.6180339887, (0, 5), "of the frequencies")

    def kinetics(self, x, y, z, w):
        one, two = 0.1 * (1 - x * x - y * y), 0.1 * (1 - z * z - w * w)
        return one * x - y, one * y + x, two * z - self.ratio * w, two * w + self.ratio * z

    def rest(self):
        return 0.0, 0.0, 0.0, 0.0

    def patch(self):
        return 1.0, 0.0, 1.0, 0.0


@pytest.mark.parametrize(("ratio", "regime"), [(0.6180339887, Regime.QUASI_PERIODIC), (0.5, Regime.OSCILLATORY)])
def test_two_frequencies(ratio, regime):
    found = _found(TwoClocks(ratio=ratio), 4, 400.0, dt=0.01, init="noise")
    assert found.regime is regime
    if regime is Regime.OSCILLATORY:
        assert found.period == pytest.approx(4 * np.pi, rel=5e-3)


def test_an_unstable_state_that_nothing_kicks_is_not_chaos():
    """Of a square without noise the other cells stand exactly at the unstable state 0, whose rate is 0.1."""
    found = _found(TwoClocks(ratio=0.5), 4, 200.0, dt=0.01)
    assert found.exponent.value == pytest.approx(0.1, rel=0.1)
    assert found.regime is Regime.UNDECIDED


def test_units_do_not_matter():
    """A limit cycle in units ten million times as large has the same regime and period."""

    class Molar(us.Brusselator):
        def kinetics(self, u, v):
            return tuple(1e-7 * rate for rate in super().kinetics(u * 1e7, v * 1e7))

        def rest(self):
            return tuple(1e-7 * c for c in super().rest())

    start = 1e-7 * np.array([1.2, 2.4])[:, None, None] * np.ones((2, 8, 8))
    found = find_regime(Molar(a=1.0, b=2.5), us.Grid((8, 8)), start, time=60.0, dt=0.01)
    assert found.regime is Regime.OSCILLATORY
    assert found.period == pytest.approx(6.57, abs=0.02)  # as in units of its own, above


@pytest.mark.parametrize("dt", [0.01, 0.05])
def test_a_relaxation_oscillation_has_its_own_period_at_any_step(dt):
    """Brusselator a = 1, b = 3: 7.157 by SciPy's DOP853 at 1e-10."""
    found = _found(us.Brusselator(a=1.0, b=3.0), 8, 4000 * dt if dt > 0.02 else 80.0, dt=dt, init="noise")
    assert found.regime is Regime.OSCILLATORY
    assert found.period == pytest.approx(7.157, rel=0.02)


def test_a_pattern_that_still_grows_is_undecided():
    """Waves grow at 0.013 on the Brusselator's uniform state here: it neither rests nor is it slow."""
    system = us.Brusselator(a=3.0, b=4.27)
    grid = us.Grid((32, 32))
    rest = np.array(system.rest())[:, None, None]
    state = rest + 1e-5 * np.random.default_rng(0).standard_normal((2, 32, 32))
    for time in (60.0, 200.0):
        assert find_regime(system, grid, state, time=time, dt=0.01).regime is Regime.UNDECIDED


def test_a_piece_of_a_cycle_is_not_slow():
    found = _found(us.Brusselator(a=1.0, b=2.5), 8, 8.0, dt=0.002, init="noise")
    assert found.regime is Regime.UNDECIDED


def test_a_blow_up_before_the_first_look():
    state = 1e5 * np.ones((2, 8, 8))
    found = us.classify(us.Brusselator(a=3.0, b=5.0), state, time=40.0)
    assert found.regimes[0] is Regime.BLOW_UP


class Explodes(us.ReactionDiffusion):
    """dc/dt = c²."""

    name: ClassVar = "explodes"
    fields: ClassVar = ("c",)
    diffusion: ClassVar = {"c": "D"}
    equations: ClassVar = ("∂c/∂t = D ∇²c + c²",)
    D: us.systems.base.Number = us.parameter(0.1, (0, 1), "diffusion")

    def kinetics(self, c):
        return (c * c,)

    def rest(self):
        return (0.5,)

    def patch(self):
        return (1.0,)


def test_blow_up():
    found = _found(Explodes(), 8, 2000.0, dt=0.1)
    assert found.regime is Regime.BLOW_UP
    assert found.dt == 0.1 / 8
    assert np.isfinite(found.state).all()


@pytest.mark.parametrize("make", [lambda: _found(_gray_scott(0.05, 0.014, 0.053), 16, 4000)])
def test_a_finding_comes_back_from_its_arrays(make):
    found = make()
    again = unpacked(packed(found, ("u", "v")))
    assert evidence(again, ("u", "v")) == evidence(found, ("u", "v"))
    assert np.array_equal(again.state, found.state)
    assert np.array_equal(again.trace, found.trace)
