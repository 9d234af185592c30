"""Uniform states and what grows on them, against closed forms, denser sampling and a simulation."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from unstill.analysis import bifurcations as closed
from unstill.analysis import growth_rates
from unstill.analysis.dispersion import judge, rates_at
from unstill.analysis.local import Local, determinant, on_pairs
from unstill.analysis.uniform_states import box_of, find_uniform_states

FIELDS = [cls for cls in us.SYSTEMS.values() if issubclass(cls, us.ReactionDiffusion)]


def states_of(system, **options):
    found, _ = find_uniform_states(Local(system), np.zeros((1, 0)), box_of([system], {}), **options)
    return found[0]


def cubic(system) -> list[tuple[float, float]]:
    """FitzHugh–Nagumo: v = (u − b)/a and u − u³ − v = 0."""
    roots = np.roots([1, 0, 1 / system.a - 1, -system.b / system.a])
    return [(u, (u - system.b) / system.a) for u in roots[np.abs(roots.imag) < 1e-9].real]


def known(system) -> list[tuple[float, float]]:
    """All uniform states, in closed form."""
    if isinstance(system, us.GrayScott):
        return closed.uniform_states(system.F, system.k)
    return cubic(system) if isinstance(system, us.FitzHughNagumo) else [system.rest()]


@pytest.mark.parametrize("cls", FIELDS, ids=lambda cls: cls.name)
def test_all_states_of_every_preset(cls):
    systems = [cls.make(preset) for preset in cls.presets]
    points = np.array([list(system.values().values()) for system in systems])
    found, continuum = find_uniform_states(Local(cls(), list(cls.parameters())), points, box_of(systems, {}))
    assert not continuum
    for system, states in zip(systems, found, strict=True):
        np.testing.assert_allclose(states, np.array(sorted(known(system))), rtol=1e-12, atol=1e-12)


def test_all_states_of_gray_scott_everywhere(rng):
    """Three or one, over the whole plane, with few starts."""
    points = np.stack([rng.uniform(0.001, 0.12, 150), rng.uniform(0, 0.07, 150)], 1)
    found, continuum = find_uniform_states(
        Local(us.GrayScott(), ("F", "k")), points, box_of([us.GrayScott()], {}), starts=128
    )
    assert not continuum
    for (F, k), states in zip(points, found, strict=True):
        np.testing.assert_allclose(states, np.array(sorted(closed.uniform_states(F, k))), rtol=1e-10, atol=1e-12)


def test_states_are_independent_of_the_seed():
    system = us.FitzHughNagumo(a=2.0, b=0.1)
    first, second = (states_of(system, seed=seed) for seed in (0, 1))
    assert len(first) == 3
    np.testing.assert_allclose(first, second, rtol=1e-12)


class Reaction(us.ReactionDiffusion):
    """Two fields, the first of which has a rate of the subclass."""

    name: ClassVar = "reaction"
    fields: ClassVar = ("u", "v")
    diffusion: ClassVar = {"u": "D"}
    equations: ClassVar = ("∂u/∂t = D ∇²u + r(u, v)", "∂v/∂t = u − v")
    D: float = us.parameter(1.0, (0, 10))

    def kinetics(self, u, v):
        return self.rate(u, v), u - v

    def rest(self):
        return 0.5, 0.5


class Runaway(Reaction):
    def rate(self, u, v):
        return 1 + u * u


class Fading(Reaction):
    """A rate that only tends to 0 has no state, however small it becomes."""

    def rate(self, u, v):
        return jnp.exp(-u) + 0 * v


class Conserved(Reaction):
    """u + v is conserved: a line of states."""

    def rate(self, u, v):
        return v - u


@pytest.mark.parametrize("cls", [Runaway, Fading])
def test_a_system_without_a_uniform_state(cls, tmp_path):
    found = us.stability(cls)
    assert found.states == []
    assert found.status is us.Status.NOT_CONVERGED
    assert "no uniform state found in the box u from -100 to 100" in found.message
    assert not found.failed
    assert (found.save(tmp_path / "run") / "stability.png").exists()
    along = us.stability(cls, over={"D": (0.5, 2.0)})
    assert along.branches == along.bifurcations == []


def test_a_continuum_of_states_is_named_and_left_out():
    found = us.stability(Conserved)
    assert found.continuum
    assert found.states == []
    assert "only a continuum" in found.message


def test_a_box_limits_where_states_are_looked_for():
    found = us.stability("fitzhugh-nagumo", set={"a": 2.0}, box={"u": (0.1, 10.0)})
    assert [state.values["u"] for state in found.states] == pytest.approx([np.sqrt(0.5)])
    assert found.box["u"] == (0.1, 10.0)


# --- what grows -------------------------------------------------------------------------------------------------------

JACOBIANS = {
    "Turing": (np.array([[1.0, -2.0], [3.0, -4.0]]), np.array([1.0, 40.0]), "Turing-unstable", "stable node"),
    "stable": (np.array([[-1.0, -2.0], [3.0, -4.0]]), np.array([1.0, 2.0]), "stable", "stable focus"),
    "Hopf": (np.array([[1.0, -4.0], [3.0, -0.5]]), np.array([1.0, 1.0]), "Hopf-unstable", "unstable focus"),
    "saddle": (np.array([[1.0, 2.0], [3.0, -4.0]]), np.array([1.0, 1.0]), "unstable", "saddle"),
    "node": (np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, 0.5]), "unstable", "unstable node"),
    "marginal": (np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([1.0, 1.0]), "marginal", "degenerate"),
    "still": (np.array([[1.0, -2.0], [3.0, -4.0]]), np.array([0.0, 1.0]), "Turing-unstable", "stable node"),
    "one": (np.array([[0.5]]), np.array([2.0]), "unstable", "unstable node"),
}


@pytest.mark.parametrize("name", JACOBIANS)
def test_verdicts_bands_and_the_fastest_wave(name):
    J, D, verdict, kind = JACOBIANS[name]
    state = judge({}, J, D)
    assert (state.verdict, state.type) == (verdict, kind)
    q = np.linspace(0, 12, 20001)
    leading = rates_at(J, D, q)[:, 0].real
    inside = np.zeros(len(q), bool)
    for low, high in state.bands:
        inside |= (q > low) & (q < high)
        for end in (low, high):
            if 0 < end < np.inf:
                assert rates_at(J, D, np.array([end]))[0, 0].real == pytest.approx(0, abs=1e-9)
    sure = np.abs(leading) > 1e-9
    np.testing.assert_array_equal(inside[sure & (q > 0)], leading[sure & (q > 0)] > 0)
    if state.fastest is not None and np.isfinite(state.bands[-1][1]):
        assert state.fastest.rate >= leading.max() - 1e-12
        assert state.fastest.rate == pytest.approx(leading.max(), rel=1e-6)
    assert (state.fastest is None) == (not state.bands)


def test_a_field_that_does_not_diffuse_may_grow_at_every_wavenumber():
    J, D, *_ = JACOBIANS["still"]
    ((low, high),) = judge({}, J, D).bands
    assert high == np.inf
    assert low == pytest.approx(np.sqrt(2.0))  # det(J − q² D) = 2 − q²


def test_schnakenberg_in_closed_form():
    """J. D. Murray, Mathematical Biology II (3rd ed.), section 2.3: h(q²) = Du Dv q⁴ − (Dv f_u + Du g_v) q² + det J."""
    system = us.Schnakenberg()
    (state,) = us.stability(system).states
    a, b, Du, Dv = system.a, system.b, system.Du, system.Dv
    s = a + b
    matrix = np.array([[(b - a) / s, s**2], [-2 * b / s, -(s**2)]])
    np.testing.assert_allclose(state.jacobian, matrix, rtol=1e-12)
    ends = np.sort(np.roots([Du * Dv, -(Dv * matrix[0, 0] + Du * matrix[1, 1]), s**2]))
    np.testing.assert_allclose(state.bands, [np.sqrt(ends)], rtol=1e-12)
    assert state.fastest.wavelength == pytest.approx(2 * np.pi / state.fastest.wavenumber)
    pair = state.eigenvalues
    assert pair.sum() == pytest.approx(np.trace(matrix))
    assert pair.prod() == pytest.approx(s**2)
    assert state.period == pytest.approx(2 * np.pi / abs(pair[0].imag))


@pytest.mark.parametrize(("system", "cells"), [(us.Brusselator.make("hexagons"), 16), (us.Schnakenberg(), 20)])
def test_a_small_wave_grows_in_a_simulation_as_said(system, cells):
    """Euler multiplies an eigenvector of J − q² D by 1 + σ dt in each step, q² the stencil's own."""
    grid, steps, dt = us.Grid((3, cells), 0.5), 300, 1e-4
    (state,) = us.stability(system).states
    squared = -float(grid.symbol[0, 1])
    matrix = state.jacobian - squared * np.diag(state.diffusion)
    values, vectors = np.linalg.eig(matrix)
    i = int(np.argmax(values.real))
    wave = np.cos(2 * np.pi * np.arange(cells) / cells) * np.ones((3, 1))
    c = np.array(list(state.values.values()))[:, None, None]
    begin = c + 1e-7 * vectors[:, i].real[:, None, None] * wave
    end = us.simulate(system, begin[None], grid=grid, steps=steps, dt=dt, dtype="float64").state[0]
    grown = np.sum((end - c) * wave) / np.sum((begin - c) * wave)
    sigma = rates_at(state.jacobian, state.diffusion, np.sqrt([squared]))[0, 0]
    assert abs(sigma.imag) < 1e-12
    assert np.log(grown) / steps == pytest.approx(np.log1p(dt * sigma.real), rel=1e-6)
    rates = growth_rates(system, list(state.values.values()), np.array([-squared]))
    np.testing.assert_allclose(rates[0, 0], sigma, rtol=1e-12)


# --- matrices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_matrices_on_pairs_and_determinants(rng, count):
    A = rng.standard_normal((count, count))
    values = np.linalg.eigvals(A)
    i, j = np.triu_indices(count, 1)
    np.testing.assert_allclose(np.poly(np.linalg.eigvals(on_pairs(A))), np.poly(values[i] + values[j]), rtol=1e-9)
    np.testing.assert_allclose(float(determinant(jnp.asarray(A))), np.linalg.det(A), rtol=1e-12)
