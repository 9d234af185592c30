"""Bifurcations of uniform states against closed forms: along one parameter, and in the plane of two."""

import functools
import json
from pathlib import Path
from typing import ClassVar

import jsonschema
import numpy as np
import pytest

import unstill as us
from unstill.analysis import bifurcations as closed
from unstill.analysis import growth_rates, reaction_jacobian
from unstill.analysis.branches import described
from unstill.analysis.dispersion import rates_at, reach
from unstill.analysis.hopf_criticality import FirstLyapunov
from unstill.analysis.local import HOPF, Local

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/stability.json").read_text(encoding="utf-8"))
CLOSE = 1e-8


@functools.cache
def along(name: str, low: float, high: float, system: str, **values: float):
    return us.stability(system, set=values, over={name: (low, high)})


def at(found, kind: str) -> list[float]:
    """The values of the parameter at which bifurcations of a kind were found."""
    (name,) = found.over
    return [point.parameters[name] for point in found.bifurcations if point.kind == kind]


def test_gray_scott_along_k():
    """At F = .03 and Du/Dv = 2, where the oscillation comes first."""
    found = along("k", 0.02, 0.08, "gray-scott", F=0.03)
    assert at(found, "Turing") == pytest.approx([float(closed.turing(2.0, 0.03))], abs=CLOSE)
    assert at(found, "saddle-node") == pytest.approx([np.sqrt(0.03) / 2 - 0.03], abs=CLOSE)
    (k,) = at(found, "Hopf")
    assert float(closed.hopf(k)) == pytest.approx(0.03, abs=CLOSE)
    assert k == pytest.approx(0.05317, abs=5e-6)
    assert [point.onset for point in found.bifurcations] == [True, False, False]
    assert len(found.bifurcations) == 3
    assert len(found.branches) == 2


@pytest.mark.parametrize(("k", "node", "oscillates"), [(0.04, 0.01, 0.015279), (0.05, 0.019098, 0.025476)])
def test_gray_scott_along_F(k, node, oscillates):
    found = along("F", 0.002, 0.2, "gray-scott", k=k)
    assert at(found, "saddle-node") == pytest.approx([float(F) for F in closed.saddle_node(k)], abs=CLOSE)
    assert at(found, "saddle-node")[0] == pytest.approx(node, abs=5e-7)
    assert at(found, "Hopf") == pytest.approx([float(closed.hopf(k))], abs=CLOSE)
    assert at(found, "Hopf") == pytest.approx([oscillates], abs=5e-7)
    for F in at(found, "Turing"):
        assert float(closed.turing(2.0, F)) == pytest.approx(k, abs=CLOSE)
    assert at(found, "Turing")


def test_brusselator():
    """I. Prigogine, R. Lefever (1968): Hopf at b = 1 + a², Turing at b = (1 + a √(Du/Dv))², q² = a/√(Du Dv)."""
    found = along("b", 0.5, 20.0, "brusselator", a=3.0, Du=2.0, Dv=16.0)
    assert at(found, "Hopf") == pytest.approx([10.0], abs=CLOSE)
    assert at(found, "Turing") == pytest.approx([(1 + 3 * np.sqrt(2 / 16)) ** 2], abs=CLOSE)
    turing, hopf = found.bifurcations
    assert turing.wavenumber**2 == pytest.approx(3 / np.sqrt(32), abs=CLOSE)
    assert (turing.onset, hopf.onset) == (True, False)
    assert hopf.period == pytest.approx(2 * np.pi / 3, abs=CLOSE)
    assert hopf.first_lyapunov < 0
    assert len(found.branches) == 1


def test_brusselator_without_turing_oscillates_at_onset():
    found = along("b", 0.5, 20.0, "brusselator", a=3.0, Du=2.0, Dv=1.0)
    assert [(point.kind, point.onset) for point in found.bifurcations] == [("Hopf", True)]


def test_schnakenberg():
    """Hopf where b − a = (a + b)³; Turing where (Dv f_u + Du g_v)² = 4 Du Dv det J."""
    a, d = 0.1, 20.0
    found = along("b", 0.05, 3.0, "schnakenberg", a=a, Du=0.5, Dv=10.0)
    hopf = [b for b in np.roots([1, 3 * a, 3 * a**2 - 1, a**3 + a]).real if b > 0]
    assert at(found, "Hopf") == pytest.approx(sorted(hopf), abs=CLOSE)
    for b in at(found, "Turing"):
        s = a + b
        assert d * (b - a) / s - s**2 == pytest.approx(2 * np.sqrt(d) * s, abs=CLOSE)
    assert len(at(found, "Turing")) == 2
    # The uniform state does not depend on diffusion: a branch of one state.
    found = along("Dv", 1.0, 20.0, "schnakenberg", a=0.1, b=0.9, Du=0.5)
    ratio = ((1 + np.sqrt(1.8)) / 0.8) ** 2  # 0.8 d − 1 = 2 √d
    assert at(found, "Turing") == pytest.approx([0.5 * ratio], abs=CLOSE)
    assert 8.56 < 2 * at(found, "Turing")[0] < 8.58


def test_fitzhugh_nagumo_has_a_pitchfork_and_folds():
    """b = 0: u² = 1 − 1/a leaves (0, 0) at a = 1. At a = 2: folds at u = ± 1/√6, and waves just before each."""
    found = along("a", 0.1, 4.0, "fitzhugh-nagumo", b=0.0)
    assert at(found, "branch point") == pytest.approx([1.0], abs=1e-6)
    assert at(found, "Hopf") == pytest.approx([0.25], abs=CLOSE)  # tr J = 1 − ε a
    first, second = (point for point in found.bifurcations if point.kind == "Turing")
    assert first.state["u"] == pytest.approx(-second.state["u"], abs=CLOSE)
    found = along("b", -2.0, 2.0, "fitzhugh-nagumo", a=2.0)
    u = np.sqrt((1 - 1 / 2) / 3)
    fold = u - 2 * (u - u**3)
    assert at(found, "saddle-node") == pytest.approx(sorted([fold, -fold]), abs=CLOSE)
    waves = at(found, "Turing")  # 1e-4 away from the folds
    assert waves == pytest.approx([-waves[1], waves[1]], abs=CLOSE)
    assert 0 < abs(fold) - waves[1] < 1e-3


def test_branches_are_states_and_know_their_stability():
    found = along("k", 0.02, 0.08, "gray-scott", F=0.03)
    for branch in found.branches:
        for k, state, stable in zip(branch.values, branch.states, branch.stable, strict=True):
            known = closed.uniform_states(0.03, float(np.clip(k, 0, None)))
            assert min(np.abs(np.array(each) - state).max() for each in known) < 1e-9 or len(known) == 1
            if state[1] > 1e-9:
                assert stable == (k < at(found, "Hopf")[0] and state[1] > 0.2)
            else:
                assert stable


# --- the plane --------------------------------------------------------------------------------------------------------


@functools.cache
def plane():
    return us.stability("gray-scott", over={"k": (0.02, 0.07), "F": (0.001, 0.1)})


def test_the_plane_of_gray_scott_is_that_of_the_closed_forms():
    curves = {curve.kind: curve for curve in plane().curves}
    assert sorted(curves) == ["Hopf", "Turing", "saddle-node"]
    assert len(plane().curves) == 3
    k, F = curves["saddle-node"].parameters.T
    np.testing.assert_allclose(F, 4 * (F + k) ** 2, atol=CLOSE)
    k, F = curves["Hopf"].parameters.T
    np.testing.assert_allclose(closed.hopf(k), F, atol=CLOSE)
    assert k.min() == pytest.approx(0.02)
    assert k.max() == pytest.approx(1 / 16)
    k, F = curves["Turing"].parameters.T
    np.testing.assert_allclose(closed.turing(2.0, F), k, atol=CLOSE)
    assert F.max() == pytest.approx(0.1)
    for curve in curves.values():
        steps = np.hypot(*(np.diff(curve.parameters, axis=0) / [0.05, 0.099]).T)
        assert steps.max() < 0.05


def test_points_of_codimension_two_of_gray_scott():
    points = {point.kind: point for point in plane().bifurcations}
    assert len(points) == len(plane().bifurcations) == 3
    for kind, expected in (("Takens–Bogdanov", closed.TAKENS_BOGDANOV), ("Bautin", closed.BAUTIN)):
        assert tuple(points[kind].parameters.values()) == pytest.approx(expected, abs=CLOSE)
    k, F = points["Turing–Hopf"].parameters.values()
    assert pytest.approx(0.0471, abs=5e-5) == F
    assert float(closed.hopf(k)) == pytest.approx(F, abs=CLOSE)
    assert float(closed.turing(2.0, F)) == pytest.approx(k, abs=CLOSE)


def test_onsets_end_where_turing_and_hopf_cross():
    """Above it waves come first, below it the oscillation."""
    crossing = next(point.parameters["F"] for point in plane().bifurcations if point.kind == "Turing–Hopf")
    for curve in plane().curves:
        F = curve.parameters[:, 1]
        if curve.kind != "saddle-node":
            np.testing.assert_array_equal(curve.onset, crossing < F if curve.kind == "Turing" else crossing > F)
        else:
            assert not curve.onset.any()


@functools.cache
def brusselator_plane():
    return us.stability("brusselator", over={"b": (2.0, 14.0), "a": (1.0, 4.0)})


def test_the_plane_of_the_brusselator_is_that_of_the_closed_forms():
    assert sorted(curve.kind for curve in brusselator_plane().curves) == ["Hopf", "Turing"]
    for curve in brusselator_plane().curves:
        b, a = curve.parameters.T
        expected = 1 + a**2 if curve.kind == "Hopf" else (1 + a * np.sqrt(2 / 16)) ** 2
        np.testing.assert_allclose(b, expected, atol=CLOSE)
        assert (b.min(), b.max()) == pytest.approx(
            (2.0, 14.0) if curve.kind == "Hopf" else (2.0, (1 + np.sqrt(2)) ** 2)
        )


# --- any system -------------------------------------------------------------------------------------------------------


class Thomas(us.ReactionDiffusion):
    """Substrate inhibition, with poles at negative u (examples/my_system.py)."""

    name: ClassVar = "thomas"
    fields: ClassVar = ("u", "v")
    diffusion: ClassVar = {"u": "Du", "v": "Dv"}
    equations: ClassVar = ("", "")
    Du: float = us.parameter(1.0, (0, 10))
    Dv: float = us.parameter(30.0, (0, 100))
    a: float = us.parameter(92.0, (0, 500))

    def kinetics(self, u, v):
        h = 18.5 * u * v / (1 + u + 0.1 * u * u)
        return self.a - u - h, 1.5 * (64.0 - v) - h

    def rest(self):
        return 10.0, 9.0


@functools.cache
def thomas():
    return us.stability(Thomas, over={"a": (50.0, 200.0)})


@pytest.mark.parametrize("found", [
    thomas,
    lambda: along("b", -2.0, 2.0, "fitzhugh-nagumo", a=2.0),
    lambda: along("b", 0.05, 3.0, "schnakenberg", a=0.1, Du=0.5, Dv=10.0),
])  # fmt: skip
def test_every_bifurcation_is_one(found):
    """Its state rests, and the growth rate that its kind says is 0 is."""
    found = found()
    assert found.bifurcations
    for point in found.bifurcations:
        system = found.system.with_values(**point.parameters)
        c = list(point.state.values())
        assert np.abs([float(rate) for rate in system.kinetics(*c)]).max() < 1e-9
        for name, value in point.parameters.items():
            assert found.over[name][0] <= value <= found.over[name][1]
        J = reaction_jacobian(system, c)
        q = point.wavenumber or 0.0
        rates = np.linalg.eigvals(J - q**2 * np.diag([float(D) for D in system.diffusivities()]))
        assert np.abs(np.real(rates)).min() < 1e-7 * np.abs(J).max()
        if point.kind == "Hopf":
            assert np.imag(rates).max() == pytest.approx(2 * np.pi / point.period)
        if q:
            near = growth_rates(system, c, -((q * np.linspace(0.9, 1.1, 21)) ** 2))[:, 0].real
            assert near.argmax() == 10 or not point.onset


def test_thomas_has_one_turing_band_in_the_quadrant_of_amounts():
    """Its branches stop at the poles: no change of sign across one is taken for a bifurcation."""
    waves = [point for point in thomas().bifurcations if point.kind == "Turing" and min(point.state.values()) > 0]
    assert [point.onset for point in waves] == [True, True]
    assert waves[0].parameters["a"] < 92 < waves[1].parameters["a"]
    assert not [point for point in thomas().bifurcations if point.kind == "branch point"]


# --- more fields than two ---------------------------------------------------------------------------------------------


class Shifted(us.ReactionDiffusion):
    """Three fields around 0 with J = A + μ: every growth rate is that of μ = 0, and μ more."""

    name: ClassVar = "shifted"
    fields: ClassVar = ("u", "v", "w")
    diffusion: ClassVar = {"u": "Du", "v": "Dv", "w": "Dw"}
    equations: ClassVar = ("", "", "")
    A: ClassVar = ((-1.0, -2.0, -2.0), (2.0, 0.5, 0.0), (2.0, 0.0, -3.0))
    Du: float = us.parameter(0.01, (0, 10))
    Dv: float = us.parameter(0.4, (0, 50))
    Dw: float = us.parameter(0.4, (0, 50))
    mu: float = us.parameter(-2.0, (-5, 5))

    def kinetics(self, *c):
        return tuple(
            sum(a * x for a, x in zip(row, c, strict=True)) + self.mu * c[i] - c[i] ** 3 for i, row in enumerate(self.A)
        )

    def rest(self):
        return 0.0, 0.0, 0.0


class Waving(Shifted):
    """A pair oscillates fastest at q = 0.56: two fields are never enough for that."""

    name: ClassVar = "waving"
    A: ClassVar = ((0.3, 1.2, 2.1), (0.1, 1.6, 2.9), (-0.5, -1.4, -2.9))
    Du: float = us.parameter(0.05, (0, 10))
    Dv: float = us.parameter(1.0, (0, 50))
    Dw: float = us.parameter(4.0, (0, 50))


class Patterned(Shifted):
    """Murray's activator and inhibitor, and a field that follows them."""

    name: ClassVar = "patterned"
    A: ClassVar = ((1.0, -2.0, 0.0), (3.0, -4.0, 0.0), (0.0, 1.0, -1.0))
    Du: float = us.parameter(1.0, (0, 10))
    Dv: float = us.parameter(40.0, (0, 50))
    Dw: float = us.parameter(1.0, (0, 50))


def reference(system) -> tuple[float, float, bool]:
    """Wavenumber and growth rate of the fastest wave by brute force, and whether it oscillates."""
    J = np.array(system.A) + system.mu * np.eye(3)
    D = np.array(system.diffusivities())
    q = np.linspace(0, 6 * reach(J, D), 200_001)
    leading = rates_at(J, D, q)[:, 0]
    i = int(np.argmax(leading.real))
    return float(q[i]), float(leading[i].real), abs(leading[i].imag) > 1e-9


@pytest.mark.parametrize(("cls", "kind"), [(Shifted, "Hopf"), (Waving, "wave"), (Patterned, "Turing")])
def test_three_fields(cls, kind):
    q, rate, oscillates = reference(cls(mu=0.0))
    found = us.stability(
        cls(mu=-rate - 0.3), over={"mu": (-rate - 0.3, -rate + 0.2)}, box=dict.fromkeys("uvw", (-3, 3))
    )
    onsets = [point for point in found.bifurcations if point.onset and np.abs(list(point.state.values())).max() < 1e-6]
    assert len(onsets) == 1
    assert onsets[0].parameters["mu"] == pytest.approx(-rate, abs=1e-6)
    assert onsets[0].kind == kind
    assert (q > 0) == (kind != "Hopf")
    assert onsets[0].wavenumber == (pytest.approx(q, rel=1e-3) if q > 0 else None)
    assert (onsets[0].period is not None) == oscillates


# --- the first Lyapunov coefficient -----------------------------------------------------------------------------------


class NormalForm(us.ReactionDiffusion):
    """ż = (μ + iω) z + (a + ib) z |z|² with z = u + iv, and a third field that decays and is driven by |z|²."""

    name: ClassVar = "normal-form"
    fields: ClassVar = ("u", "v", "w")
    diffusion: ClassVar = {"u": "D"}
    equations: ClassVar = ("", "", "")
    D: float = us.parameter(1.0, (0, 10))
    mu: float = us.parameter(0.0, (-1, 1))
    omega: float = us.parameter(1.7, (0, 10))
    a: float = us.parameter(-0.4, (-5, 5))
    b: float = us.parameter(0.3, (-5, 5))
    c: float = us.parameter(0.0, (-5, 5))

    def kinetics(self, u, v, w):
        r = u * u + v * v
        rate = (self.mu + self.a * r + self.c * w) * u - (self.omega + self.b * r) * v
        return rate, (self.mu + self.a * r + self.c * w) * v + (self.omega + self.b * r) * u, r - 2 * w

    def rest(self):
        return 0.0, 0.0, 0.0


@pytest.mark.parametrize(("a", "c"), [(-0.4, 0.0), (0.7, 0.0), (-0.4, 1.0), (0.2, -3.0)])
def test_first_lyapunov_of_the_normal_form(a, c):
    """w = |z|²/2 adiabatically, to the order that counts: l₁ = 2 (a + c/2)/ω where |q| = 1 (Kuznetsov, eq. 3.20)."""
    local = Local(NormalForm(a=a, c=c), ("mu",))
    l1 = FirstLyapunov(local)(np.zeros(4))
    assert l1 == pytest.approx(2 * (a + c / 2) / 1.7, rel=1e-10)
    assert described(local, HOPF, np.zeros(4), FirstLyapunov(local)).period == pytest.approx(2 * np.pi / 1.7)


# --- what comes back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [
    lambda: us.stability("brusselator"),
    lambda: along("k", 0.02, 0.08, "gray-scott", F=0.03),
    lambda: along("b", -2.0, 2.0, "fitzhugh-nagumo", a=2.0),
    plane,
])  # fmt: skip
def test_results_keep_to_their_schema(found):
    jsonschema.validate(json.loads(json.dumps(found().to_dict(), allow_nan=False)), SCHEMA)


def test_progress_is_told_and_the_log_kept(tmp_path):
    seen = []
    us.stability(
        "brusselator", over={"b": (1.0, 12.0)}, progress=lambda *each: seen.append(each), resume=us.Checkpoint(tmp_path)
    )
    assert [each[:2] for each in seen] == [(1, 2), (2, 2)]
    assert [entry.get("bifurcations") for entry in us.Checkpoint(tmp_path).log()] == [None, 2]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: us.stability("lorenz"), ["`system`", "reaction–diffusion", "lorenz"]),
        (lambda: us.stability(us.Lorenz()), ["`system`", "reaction–diffusion", "lorenz"]),
        (lambda: us.stability(us.GrayScott(), preset="maze"), ["`preset`", "left out", "maze"]),
        (lambda: us.stability(us.GrayScott(), set={"F": 0.03}), ["`set`", "left out"]),
        (lambda: us.stability(us.GrayScott(F=np.array([0.03, 0.04]))), ["`system`", "one value a parameter", "2 of F"]),
        (lambda: us.stability("gray-scott", preset="mase"), ["`preset`", "maze"]),
        (lambda: us.stability("gray-scott", over={"Q": (0, 1)}), ["`over`", "a parameter of gray-scott", "'Q'"]),
        (lambda: us.stability("gray-scott", over={"k": (0.1, 0.05)}), ["`over`", "low < high"]),
        (lambda: us.stability("gray-scott", over={"k": (0, 9)}), ["`over`", "[0, 0.3]", "0 to 9"]),
        (lambda: us.stability("gray-scott", over=dict.fromkeys(("k", "F", "Du"), (0, 0.1))), ["`over`", "one", "two"]),
        (lambda: us.stability("gray-scott", box={"w": (0, 1)}), ["`box`", "a field of gray-scott", "'w'"]),
        (lambda: us.stability("gray-scott", box={"v": (1, 1)}), ["`box`", "low < high"]),
        (lambda: us.stability("gray-scott", starts=0), ["`starts`"]),
    ],
)  # fmt: skip
def test_bad_input(call, words):
    with pytest.raises(us.BadInput) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
