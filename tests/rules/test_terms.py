"""The terms of rules: one definition for NumPy and JAX, units, closed forms, files."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate

import unstill as us
from unstill._jax import enable_x64
from unstill.rules.arrays import rule_arrays, rule_of
from unstill.rules.neighbourhood import NEIGHBOURHOODS, Neighbourhood
from unstill.rules.rule import Rule
from unstill.rules.terms import Polynomials, spread, visited_splines
from unstill.systems import GrayScott

RNG = np.random.default_rng(3)
boundaries = pytest.mark.parametrize("boundary", ["periodic", "no-flux"])


def made(kind: str, boundary: str = "periodic", fields=("u", "v"), dx: float = 0.7):
    pictures = RNG.random((3, len(fields), 12, 10)) + np.arange(1, len(fields) + 1)[:, None, None]
    where = Neighbourhood.make(fields, NEIGHBOURHOODS, us.Grid((12, 10), dx, boundary))
    if kind == "splines":
        return visited_splines(where, pictures), pictures
    return Polynomials(where, **spread(where, pictures), degree=3), pictures


@boundaries
def test_neighbours_are_those_of_the_grid(boundary):
    """The Laplacian is the engine's; ∇⁴ its square; gradients those of plane waves."""
    grid = us.Grid((12, 10), 0.7, boundary)
    where = Neighbourhood.make(("u", "v"), NEIGHBOURHOODS, grid)
    c = RNG.random((2, 12, 10))
    found = dict(zip(where.names, where.features(c), strict=True))
    with enable_x64():
        once = np.asarray(grid.laplacian(jnp.asarray(c)))
        twice = np.asarray(grid.laplacian(jnp.asarray(once)))
    np.testing.assert_allclose(found["lap v"], once[1], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found["bilap u"], twice[0], rtol=1e-12, atol=1e-11)


def test_gradients_of_plane_waves():
    x = 2 * np.pi * np.arange(12) / 12
    waves = np.stack([np.sin(x)[:, None] * np.ones(10), np.cos(x)[:, None] * np.ones(10)])
    where = Neighbourhood.make(("u", "v"), "gradient", us.Grid((12, 10)))
    slope = np.sin(2 * np.pi / 12)  # of central differences
    found = dict(zip(where.names, where.features(waves), strict=True))
    np.testing.assert_allclose(found["grad u·grad v"], -(slope**2) * waves[0] * waves[1], atol=1e-12)
    np.testing.assert_allclose(found["grad u·grad u"], slope**2 * waves[1] ** 2, atol=1e-12)


@pytest.mark.parametrize("turned", [lambda c: np.rot90(c, 1, (-2, -1)), lambda c: c[..., ::-1]])
def test_features_turn_with_the_picture(turned):
    where = Neighbourhood.make(("u", "v"), NEIGHBOURHOODS, us.Grid((12, 10)))
    c = RNG.random((2, 12, 12))
    np.testing.assert_allclose(where.features(turned(c)), turned(where.features(c)), atol=1e-12)


@boundaries
@pytest.mark.parametrize("kind", ["polynomials", "splines"])
def test_numpy_and_jax_give_the_same(kind, boundary):
    terms, pictures = made(kind, boundary)
    with enable_x64():
        jitted = np.asarray(terms(jnp.asarray(pictures)))
    np.testing.assert_allclose(terms(pictures), jitted, rtol=1e-10, atol=1e-10)
    assert terms(pictures).shape == (3, len(terms.names), 12, 10)


def test_coefficients_in_natural_units():
    """The same field from standardised monomials and from the features' own."""
    terms, pictures = made("polynomials")
    table = RNG.standard_normal((2, len(terms.names)))
    natural = table @ terms.natural()
    features = terms.neighbourhood.features(pictures)
    own = np.stack([np.prod([x**k for x, k in zip(np.moveaxis(features, 1, 0), e, strict=True)], 0)
                    for e in terms.exponents], 1)  # fmt: skip
    np.testing.assert_allclose(
        np.einsum("aj,mjyx->mayx", natural, own),
        np.einsum("aj,mjyx->mayx", table, terms(pictures)),
        rtol=1e-6,
        atol=1e-6,
    )


def test_splines_are_scipys_and_add_up_to_one():
    terms, pictures = made("splines", fields=("c",))
    terms = dataclasses.replace(terms, kept=tuple((i,) for i in range(6)))
    values = terms(pictures)[:, -6:]
    np.testing.assert_allclose(values.sum(1), 1, atol=1e-9)
    ((low, high),) = terms.ranges
    knots = np.concatenate([[low] * 3, np.linspace(low, high, 4), [high] * 3])
    x = np.clip(pictures[:, 0], low, high - 1e-9 * (high - low))
    matrix = scipy.interpolate.BSpline.design_matrix(x.ravel(), knots, 3).toarray()
    np.testing.assert_allclose(np.moveaxis(values, 1, -1).reshape(-1, 6), matrix, atol=1e-9)


def gray_scott_rule(values) -> Rule:
    """Gray–Scott's own right-hand side, written as a rule."""
    terms, _ = made("polynomials", dx=1.0)
    names, table = terms.names, np.zeros((2, len(terms.names)))
    Du, Dv, F, k = (float(values[n]) for n in ("Du", "Dv", "F", "k"))
    for a, coefficients in enumerate(
        [{"1": F, "u": -F, "lap u": Du, "u v^2": -1.0}, {"v": -F - k, "lap v": Dv, "u v^2": 1.0}]
    ):
        for name, value in coefficients.items():
            table[a, names.index(name)] = value
    return Rule(np.linalg.solve(terms.natural().T, table.T).T, terms, 1.0)


def test_a_rule_is_a_dynamics():
    """Gray–Scott written as a rule drifts and moves as Gray–Scott does, on any grid; kinetics and diffusivities too."""
    system = GrayScott.make("waves")
    rule, state = gray_scott_rule(GrayScott.presets["waves"]), RNG.random((2, 2, 9, 14))
    with enable_x64():
        drift = np.asarray(us.OnGrid(system, us.Grid((9, 14))).drift(jnp.asarray(state)))
    np.testing.assert_allclose(rule(state), drift, atol=1e-9)
    np.testing.assert_allclose(rule(state[0]), drift[0], atol=1e-9)
    np.testing.assert_allclose(np.asarray(rule(jnp.asarray(state, jnp.float32))), drift, atol=2e-3)
    moved = us.simulate(rule, state, steps=5, dt=0.5)
    np.testing.assert_allclose(moved.state, us.simulate(system, state, steps=5, dt=0.5).state, atol=1e-8)
    np.testing.assert_allclose(rule.diffusivities(state), [0.16, 0.08], rtol=1e-5)
    u, v = np.array([0.3, 0.8]), np.array([0.1, 0.2])
    F, k = GrayScott.presets["waves"]["F"], GrayScott.presets["waves"]["k"]
    rates = rule.kinetics(np.stack([u, v]))
    np.testing.assert_allclose(rates, [F * (1 - u) - u * v**2, u * v**2 - (F + k) * v], atol=1e-9)


def test_torch_in_torch_out():
    torch = pytest.importorskip("torch")
    rule, state = gray_scott_rule(GrayScott.presets["waves"]), RNG.random((2, 2, 9, 14))
    found = rule(torch.as_tensor(state))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), rule(state), atol=1e-12)


@pytest.mark.parametrize("state", [np.zeros((3, 8, 8)), np.zeros((8, 8)), np.zeros((1, 2, 2, 8))])
def test_rules_refuse_other_states(state):
    with pytest.raises(us.BadInput, match="`state` must have"):
        gray_scott_rule(GrayScott.presets["waves"])(state)


@pytest.mark.parametrize("kind", ["polynomials", "splines"])
def test_rules_survive_their_arrays(kind):
    import json

    terms, pictures = made(kind, "no-flux")
    rule = Rule(RNG.standard_normal((2, len(terms.names))), terms, 0.3)
    arrays = rule_arrays(rule)
    back = rule_of(json.loads(str(arrays.pop("about"))), arrays)
    np.testing.assert_array_equal(back(pictures), rule(pictures))
    assert back.dt == 0.3
    with pytest.raises(ValueError, match="fit together"):
        rule_of(json.loads(str(rule_arrays(rule)["about"])), arrays | {"coefficients": np.zeros((2, 3))})
