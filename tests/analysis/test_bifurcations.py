"""Gray–Scott's bifurcation curves against tabulated numbers and against eigenvalues on both sides of each curve."""

import numpy as np
import pytest
from scipy.optimize import brentq

from unstill._errors import BadInput
from unstill.analysis import bifurcations as bif
from unstill.analysis import growth_rates, reaction_jacobian
from unstill.systems import GrayScott

WAVES = -(np.linspace(0, 3, 3001) ** 2)  # −q²
SIDES = pytest.mark.parametrize("side", [-1, 1])
STEP = 1e-5  # how far from a curve its two sides are looked at


def patterned(F, k):
    return bif.uniform_states(float(F), float(k))[1]


def jacobian(F, k):
    return reaction_jacobian(GrayScott(F=float(F), k=float(k)), patterned(F, k))


@pytest.mark.parametrize(("F", "k"), [(0.03, 0.055), (0.012, 0.03), (0.05, 0.061), (0.09, 0.02)])
def test_uniform_states_rest_and_have_the_stated_trace_and_determinant(F, k):
    states = bif.uniform_states(F, k)
    assert len(states) == 3
    assert states[0] == (1.0, 0.0)
    assert states[1][1] > states[2][1]
    system = GrayScott(F=F, k=k)
    for u, v in states:
        np.testing.assert_allclose(np.array([float(r) for r in system.kinetics(u, v)]), 0, atol=1e-16)
    for u, v in states[1:]:
        matrix = reaction_jacobian(system, (u, v))
        assert np.linalg.det(matrix) == pytest.approx((F + k) * (v**2 - F), rel=1e-10)
        assert np.trace(matrix) == pytest.approx(k - v**2, rel=1e-9)
    assert np.linalg.det(reaction_jacobian(system, states[1])) > 0 > np.linalg.det(reaction_jacobian(system, states[2]))


@pytest.mark.parametrize(("k", "node", "oscillates"), [
    (0.040, 0.010000, 0.015279), (0.050, 0.019098, 0.025476), (0.060, 0.040000, 0.045066),
])  # fmt: skip
def test_tabulated_values_at_given_k(k, node, oscillates):
    assert bif.saddle_node(k)[0] == pytest.approx(node, abs=5e-7)
    assert bif.hopf(k) == pytest.approx(oscillates, abs=5e-7)


@pytest.mark.parametrize(("F", "waves", "oscillates", "node"), [
    (0.030, 0.05510, 0.05317, 0.05660), (0.050, 0.06103, 0.06123, 0.06180),
])  # fmt: skip
def test_tabulated_values_at_given_F(F, waves, oscillates, node):
    """At σ = 2; the last two from the functions of k, solved for k."""
    assert bif.turing(2.0, F) == pytest.approx(waves, abs=5e-6)
    assert brentq(lambda k: float(bif.hopf(k)) - F, 0.01, 0.0625) == pytest.approx(oscillates, abs=5e-6)
    assert brentq(lambda k: float(bif.saddle_node(k)[0]) - F, 0.01, 0.0625) == pytest.approx(node, abs=5e-6)


def test_turing_and_hopf_cross_where_stated():
    F = np.linspace(0.046, 0.048, 201)
    gap = bif.hopf(bif.turing(2.0, F)) - F
    crossing = F[np.flatnonzero(np.diff(np.sign(gap)))]
    assert crossing == pytest.approx([0.0471], abs=5e-5)


def test_points_of_codimension_two():
    k, F = bif.TAKENS_BOGDANOV
    assert bif.saddle_node(k) == (F, F)
    assert bif.hopf(k) == bif.neutral_saddle(k) == F
    k, F = bif.BAUTIN
    assert bif.hopf(k) == pytest.approx(F, rel=1e-14)


@SIDES
@pytest.mark.parametrize("k", [0.01, 0.04, 0.06])
def test_saddle_node_is_where_states_are_born(k, side):
    low, high = bif.saddle_node(k)
    assert len(bif.uniform_states(low + side * STEP, k)) == (3 if side > 0 else 1)
    assert len(bif.uniform_states(high + side * STEP, k)) == (1 if side > 0 else 3)


@SIDES
@pytest.mark.parametrize("k", [0.01, 0.04, 0.06])
def test_hopf_is_where_a_complex_pair_crosses(k, side):
    F = bif.hopf(k) + side * 1e-2 * (bif.hopf(k) - bif.saddle_node(k)[0])
    pair = np.linalg.eigvals(jacobian(F, k))
    assert np.all(np.abs(pair.imag) > 0)
    assert np.all(np.sign(pair.real) == -side)  # stable above


@SIDES
@pytest.mark.parametrize("k", [0.02, 0.05])
def test_neutral_saddle_has_opposite_eigenvalues(k, side):
    F = float(bif.neutral_saddle(k))

    def saddle(F):
        return np.linalg.eigvals(reaction_jacobian(GrayScott(F=F, k=k), bif.uniform_states(F, k)[2]))

    assert saddle(F).sum() == pytest.approx(0, abs=1e-15)
    assert saddle(F).prod() < 0
    assert np.sign(saddle(F + side * STEP).sum().real) == -side


@SIDES
@pytest.mark.parametrize(("sigma", "F"), [(2.0, 0.05), (2.0, 0.09), (2.0, 0.03), (4.0, 0.05), (1.5, 0.06)])
def test_turing_is_where_a_wave_begins_to_grow(sigma, F, side):
    k = float(bif.turing(sigma, F)) + side * STEP
    system = GrayScott(Du=0.08 * sigma, Dv=0.08, F=F, k=k)
    matrices = jacobian(F, k) + WAVES[:, None, None] * np.diag([0.08 * sigma, 0.08])
    assert (np.linalg.det(matrices).min() < 0) == (side > 0)
    if np.trace(jacobian(F, k)) < 0:  # stable without diffusion: then the determinant decides
        rates = growth_rates(system, patterned(F, k), WAVES)
        assert (rates.real.max() > 0) == (side > 0)
        assert rates[0].real.max() < 0


def test_curves_are_those_of_the_functions():
    found = bif.curves(2.0, k_range=(0.02, 0.07), F_range=(0.001, 0.1))
    assert list(found) == ["saddle-node", "Hopf", "Turing"]
    k, F = found["Hopf"]
    np.testing.assert_allclose(bif.hopf(k), F, rtol=1e-9)
    k, F = found["Turing"]
    np.testing.assert_allclose(bif.turing(2.0, F), k, rtol=1e-9)
    k, F = found["saddle-node"]
    np.testing.assert_allclose(F, 4 * (F + k) ** 2, rtol=1e-12)
    for k, F in found.values():
        assert k.min() >= 0.02
        assert F.max() <= 0.1
        assert np.hypot(np.diff(k), np.diff(F)).max() < 2.1 * np.hypot(0.05, 0.099) / 400


def test_a_window_may_cut_a_curve_in_two():
    """At k < .06 the saddle-node's nose is outside: nothing may be drawn across."""
    k, F = bif.curves(2.0, k_range=(0.05, 0.06), F_range=(0.0, 0.2))["saddle-node"]
    gap = np.isnan(k)
    assert gap.sum() == 1
    assert not gap[[0, -1]].any()
    i = int(np.flatnonzero(gap)[0])
    assert F[i - 1] == pytest.approx(0.04, abs=1e-3)  # the two roots at k = .06: .04 and .09
    assert F[i + 1] == pytest.approx(0.09, abs=1e-3)
    assert bif.curves(2.0, k_range=(0.2, 0.3)) == {}


def test_beyond_their_ends_curves_are_undefined():
    assert np.isnan(bif.saddle_node(0.07)).all()
    assert np.isnan(bif.hopf([0.07, 0.2])).all()
    assert np.isnan(bif.turing(1.0, 0.07))
    assert bif.uniform_states(0.03, 0.07) == [(1.0, 0.0)]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bif.turing(0.0, 0.03), ["`sigma`", "positive"]),
        (lambda: bif.curves(-1.0), ["`sigma`"]),
        (lambda: bif.curves(2.0, k_range=(0.1, 0.0)), ["`k_range`", "low < high"]),
        (lambda: bif.uniform_states(0.0, 0.05), ["`F`", "positive"]),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(BadInput) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
