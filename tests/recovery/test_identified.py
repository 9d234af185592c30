"""What pictures determine, and whole recoveries: null directions, freedoms of scale, symmetries, units."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest

from registry import REACTION_DIFFUSION, rough_state
from unstill._errors import BadInput, NumericalFailure
from unstill._types import Status
from unstill.balance.moments import Model
from unstill.recovery import Estimate, recover
from unstill.recovery.hidden import recover_hidden
from unstill.recovery.hidden_combinations import (
    Combination,
    _echelon,
    _whole,
    combinations,
    determined_products,
    null_directions,
    undetermined,
)
from unstill.recovery.hidden_problem import Problem, Scaling
from unstill.recovery.weak import recover_weak
from unstill.recovery.weak_freedom import freedoms, is_linear
from unstill.simulation import Grid, polish, simulate
from unstill.simulation.jacobian import drift_of
from unstill.systems import FitzHughNagumo, GrayScott, ReactionDiffusion, Schnakenberg, parameter

BOUNDARIES = pytest.mark.parametrize("boundary", ["periodic", "no-flux"])


# --- what is determined -----------------------------------------------------------------------------------------------


def test_null_directions_are_those_of_the_slopes_whatever_their_units(rng):
    J = rng.standard_normal((3, 40))
    J = np.vstack([J, 2 * J[0] - J[2]])  # row 3 is a combination
    for units in (np.ones(4), np.array([1e-6, 1.0, 1e5, 1e-2])):
        null = null_directions((J * units[:, None]).reshape(4, 1, 5, 8))
        expected = np.array([2, 0, -1, -1]) / units
        expected /= np.linalg.norm(expected)
        assert null.shape == (4, 1)
        assert abs(null[:, 0] @ expected) == pytest.approx(1, abs=1e-9)
    assert null_directions(J[:3].reshape(3, 1, 5, 8)).shape == (3, 0)


def scaling_of(logarithmic) -> Scaling:
    n = len(logarithmic)
    return Scaling(np.array(logarithmic), np.ones(n), np.zeros(n), np.full(n, 10.0), np.zeros(n), np.ones(n))


class Four(ReactionDiffusion):
    """Four parameters, of which the last two could be added."""

    name, fields, diffusion, dt = "four", ("u",), {"u": "a"}, 0.1
    equations = ("∂u/∂t = a∇²u + b − (c + d) u",)
    a: float = parameter(1.0, (0, 10), unit="length²/time")
    b: float = parameter(1.0, (0, 10), unit="concentration/time")
    c: float = parameter(1.0, (0, 10), unit="1/time")
    d: float = parameter(1.0, (0, 10), unit="1/time")

    def kinetics(self, u):
        return (self.b - (self.c + self.d) * u,)


def combinations_of(null, covariance, scaling: Scaling, values) -> list[Combination]:
    problem = Problem(Four, Grid((4, 4)), 0, tuple("abcd"), {})
    return combinations(determined_products(null, problem, scaling, values), covariance, problem, scaling, values)


@pytest.mark.parametrize(
    ("null", "count", "text"),
    [
        ([1, 1, 0, 0], 1, "a/b"),
        ([1, -1, 0, 0], 1, "a·b"),
        ([2, 1, 0, 0], 1, "a/b^2"),
        ([1, 2, 1, 0], 2, None),
        ([1, 1, 1, 1], 3, None),
    ],
)
def test_combinations_are_the_powers_that_a_null_direction_leaves_alone(null, count, text, rng):
    """Each is constant along the family θ·exp(t null), and its error is that of log θ projected on it."""
    null = np.array(null, float)[:, None]
    values = rng.uniform(0.5, 2, 4)
    A = rng.standard_normal((4, 4))
    covariance = A @ A.T
    found = combinations_of(null / np.linalg.norm(null), covariance, scaling_of([True] * 4), values)
    assert len(found) == count
    assert text is None or str(found[0]) == text
    assert np.linalg.matrix_rank([[c.exponents.get(name, 0.0) for name in "abcd"] for c in found]) == count
    for combination in found:
        e = np.array([combination.exponents.get(name, 0.0) for name in "abcd"])
        assert combination.value == pytest.approx(np.prod(values**e))
        assert np.prod((values * np.exp(0.7 * null[:, 0])) ** e) == pytest.approx(combination.value)
        assert combination.std == pytest.approx(np.sqrt(e @ covariance @ e))


def test_directions_that_are_no_powers_have_no_combinations():
    irrational = np.array([1.0, np.sqrt(2), 0, 0])[:, None]
    assert combinations_of(irrational, np.eye(4), scaling_of([True] * 4), np.ones(4)) == []
    signed = np.array([1.0, 1.0, 0, 0])[:, None]
    assert combinations_of(signed, np.eye(4), scaling_of([False] * 4), np.ones(4)) == []
    assert combinations_of(np.zeros((4, 0)), np.eye(4), scaling_of([True] * 4), np.ones(4)) == []


def test_a_sum_takes_the_place_of_a_member_that_bends_the_family(rng):
    """As with Gray–Scott's v of unknown gain: a → s²a, b → s b, c → s²c, c + d → s (c + d)."""
    a, b, c, d = values = rng.uniform(0.5, 2, 4)
    null = np.array([2, 1, 2, (c + d - 2 * c) / d])[:, None]
    found = combinations_of(null / np.linalg.norm(null), np.eye(4), scaling_of([True] * 4), values)
    expressions = [str(each).replace("·", "*").replace("^", "**") for each in found]
    assert len(found) == 3
    assert any("(c+d)" in text for text in expressions)
    s = 1.3
    for text, each in zip(expressions, found, strict=True):
        assert eval(text, dict(zip("abcd", values, strict=True))) == pytest.approx(each.value)
        moved = {"a": s**2 * a, "b": s * b, "c": s**2 * c, "d": s * (c + d) - s**2 * c}
        assert eval(text, moved) == pytest.approx(each.value)


@pytest.mark.parametrize(
    ("exponents", "text"),
    [
        ({"Dv": 1.0, "eps": -1.0}, "Dv/eps"),
        ({"F": 1.0, "Du": -1.0, "k": -2.0}, "F/(Du·k^2)"),
        ({"a": -1.0}, "1/a"),
        ({"a": 2.0, "b": 1.0}, "a^2·b"),
    ],
)
def test_combinations_read_as_fractions(exponents, text):
    assert str(Combination(exponents, 1.0, 0.1)) == text


def test_whole_exponents_and_the_echelon(rng):
    np.testing.assert_allclose(_whole(np.array([1.0, -0.5, 1 / 3])), [6, -3, 2])
    assert _whole(np.array([1.0, 0.1234])) is None
    rows = rng.standard_normal((2, 4))
    reduced = _echelon(rows)
    np.testing.assert_allclose(reduced[:, :2], np.eye(2), atol=1e-12)
    np.testing.assert_allclose(np.linalg.matrix_rank(np.vstack([rows, reduced]), tol=1e-9), 2)


def test_a_parameter_is_free_in_a_null_direction_or_when_it_is_a_factor_e_off():
    null = np.array([[0.0], [1.0], [1e-4]])
    free = undetermined(null, np.diag([4.0, 0.01, 0.01]), np.eye(3))
    assert free.tolist() == [True, True, False]


class Free(ReactionDiffusion):
    """Schnakenberg's equations with every coefficient a parameter, so that only ratios can be found."""

    name, fields, diffusion, dt = "free", ("u", "v"), {"u": "Du", "v": "Dv"}, 0.02
    equations = ("∂u/∂t = Du∇²u + a − c u + d u²v", "∂v/∂t = Dv∇²v + b − d u²v")
    Du: float = parameter(0.5, (0, 20))
    Dv: float = parameter(10.0, (0, 200))
    a: float = parameter(0.1, (0, 5))
    b: float = parameter(0.9, (0, 5))
    c: float = parameter(1.0, (0, 5))
    d: float = parameter(1.0, (0, 5))

    def kinetics(self, u, v):
        rate = self.d * u * u * v
        return self.a - self.c * u + rate, self.b - rate

    def rest(self):
        return (1.0, 0.9)


def freedoms_of(cls, *, steady: bool):
    """Exponents by name of each freedom."""
    grid, names = Grid((24, 20)), tuple(cls.parameters())
    theta = np.array(list(cls.defaults().values()), float)
    found = freedoms(Model(cls, grid, names), theta, rough_state(cls(), grid)[None], steady=steady)
    return [{n: e for n, e in zip(names, w.exponents(theta), strict=True) if abs(e) > 1e-9} for w in found]


def test_freedoms_of_scale_by_hand():
    """FitzHugh–Nagumo at rest: Dv with ε. Free: all together, in motion and at rest, since d stands in both lines."""
    (held,) = freedoms_of(FitzHughNagumo, steady=True)
    assert held == pytest.approx({"Dv": 1, "eps": 1})
    for steady in (True, False):
        (held,) = freedoms_of(Free, steady=steady)
        assert held == pytest.approx(dict.fromkeys(Free.parameters(), 1))
    assert freedoms_of(FitzHughNagumo, steady=False) == []
    assert freedoms_of(GrayScott, steady=True) == freedoms_of(GrayScott, steady=False) == []


def test_a_picture_at_rest_leaves_a_system_without_fixed_coefficients_its_scale():
    """0 = c f for any c: not "converged" at nothing ± nothing, but the ratios."""
    grid = Grid((24, 24))
    moved = simulate(Schnakenberg(), grid=grid, init="noise", steps=5_000, seed=1)
    state = polish(Schnakenberg(), grid, moved.state[0])[0]
    assert state.std((1, 2)).min() > 0.1
    found = recover_weak(Free, grid, state[None], noise={"u": 0.0, "v": 0.0})
    assert found.status is Status.UNIDENTIFIABLE
    assert set(found.values.values()) == {None}
    defaults = Free.defaults()
    assert len(found.combinations) == 5
    for text, (value, _) in found.combinations.items():
        above, below = text.split("/")
        assert value == pytest.approx(defaults[above] / defaults[below], rel=2e-3)  # it still drifts a little


@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_linearity_in_the_parameters_by_second_differences(name):
    cls, grid = REACTION_DIFFUSION[name], Grid((24, 20))
    theta = np.array(list(cls.defaults().values()), float)
    state = rough_state(cls(), grid)

    def drift(values):
        return drift_of(cls().with_values(**dict(zip(cls.parameters(), values, strict=True))), grid, state)

    curved = 0.0
    for i, j in itertools.product(range(len(theta)), repeat=2):
        a, b = 0.3 * theta[i] * np.eye(len(theta))[i], 0.2 * theta[j] * np.eye(len(theta))[j]
        curved = max(curved, np.abs(drift(theta + a + b) - drift(theta + a) - drift(theta + b) + drift(theta)).max())
    assert is_linear(Model(cls, grid, tuple(cls.parameters())), theta, state[None]) == (curved < 1e-10)


# --- whole recoveries -------------------------------------------------------------------------------------------------


@functools.cache
def labyrinth():
    """A small pattern at rest to round-off, and its grid."""
    grid = Grid((24, 24))
    moved = simulate(GrayScott.make("maze"), grid=grid, init="discs", steps=12_000, seed=4)
    return grid, polish(GrayScott.make("maze"), grid, moved.state[0])[0]


TRUTH = GrayScott.presets["maze"]


@pytest.mark.parametrize(
    "change", [lambda c: c, lambda c: np.roll(np.rot90(c, 1, (-2, -1)), (5, -3), (-2, -1))], ids=["as is", "turned"]
)
def test_a_picture_at_rest_gives_its_parameters_however_it_lies(change):
    grid, state = labyrinth()
    found = recover_hidden(GrayScott, grid, "v", change(state[1]).copy()[None])
    assert found.status is Status.CONVERGED
    for name, value in TRUTH.items():
        assert found.values[name] == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(found.fields[0], change(state), atol=1e-5)


def test_all_fields_of_a_picture_at_rest_give_the_same():
    grid, state = labyrinth()
    found = recover_weak(GrayScott, grid, state[None], noise={"u": 0.0, "v": 0.0})
    assert found.steady
    for name, value in TRUTH.items():
        assert found.values[name] == pytest.approx(value, rel=1e-6)


def test_cells_of_another_size_are_another_diffusion():
    """The same picture taken with dx = 2 has four times the diffusion, and nothing else."""
    _, state = labyrinth()
    found = recover("gray-scott", {"u": state[0], "v": state[1]}, grid=Grid((24, 24), 2.0), noise={"u": 0.0, "v": 0.0})
    expected = {n: value * (4 if n in ("Du", "Dv") else 1) for n, value in TRUTH.items()}
    for name, value in expected.items():
        assert found.parameters[name].value == pytest.approx(value, rel=1e-6)


def test_fixed_parameters_are_kept_and_have_no_error():
    grid, state = labyrinth()
    found = recover("gray-scott", {"v": state[1]}, grid=grid, fix={"F": TRUTH["F"], "Du": TRUTH["Du"]})
    assert found.parameters["F"] == Estimate(TRUTH["F"], 0.0, (TRUTH["F"], TRUTH["F"]))
    assert found.parameters["k"].value == pytest.approx(TRUTH["k"], rel=1e-5)
    assert list(found.identifiable) == ["Du", "Dv", "F", "k"]
    np.testing.assert_array_equal(found.state, found.fields[0])
    with pytest.raises(NumericalFailure, match="no state was recovered"):
        _ = dataclasses.replace(found, fields=found.fields[:0]).state


def test_an_estimate_of_a_normal_distribution_holds_95_per_cent():
    from scipy.stats import norm

    estimate = Estimate.normal(2.0, 0.5)
    assert estimate.interval95 is not None
    low, high = estimate.interval95
    assert norm.cdf(high, 2.0, 0.5) - norm.cdf(low, 2.0, 0.5) == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"dt": -1.0}, "dt"),
        ({"dt": float("nan")}, "dt"),
        ({"observe": "u,v,w"}, "observe"),
        ({"grid": Grid((8, 8))}, "grid"),
        ({"fix": dict(TRUTH)}, "fix"),
        ({"noise": {"u": 0.1}}, "noise"),
        ({"noise": {"v": float("inf")}}, "noise"),
        ({"start": {"F": 9.0}}, "F"),
    ],
)
def test_calls_that_cannot_be_meant(options, argument):
    with pytest.raises(BadInput) as error:
        recover("gray-scott", {"v": labyrinth()[1][1]}, **options)
    assert error.value.argument == argument
