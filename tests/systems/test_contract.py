"""A user's class keeps to its contract, or is refused in one line; drifts take one state and many, however written."""

import itertools
import types
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill.flows.integrate import move
from unstill.systems import Grid, OnGrid


class OfOne(us.OrdinarySystem):
    """Lorenz as the documentation says: one state (D,)."""

    name, fields, equations = "of-one", ("x", "y", "z"), ("", "", "")
    sigma: float = us.parameter(10.0, (0, 100))

    def drift(self, state):
        x, y, z = state
        return jnp.array([self.sigma * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    def rest(self):
        return 1.0, 1.0, 25.0


class OfMany(OfOne):
    """The same for states (M, D) alone."""

    def drift(self, state):
        x, y, z = state[:, 0], state[:, 1], state[:, 2]
        return jnp.stack([self.sigma * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], 1)


@pytest.mark.parametrize("cls", [OfOne, OfMany])
@pytest.mark.parametrize("shape", [(3,), (3, 3), (5, 3), (2, 3, 3)])
def test_a_drift_of_one_state_or_of_many_takes_both(cls, shape, rng):
    states = jnp.asarray(rng.standard_normal(shape))  # (3, 3): M = D, where unpacking a batch would go unnoticed
    np.testing.assert_allclose(cls().drift(states), us.Lorenz().drift(states), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cls", [OfOne, OfMany])
def test_parameters_sample_by_sample_go_with_their_samples(cls, rng):
    states, sigmas = jnp.asarray(rng.standard_normal((4, 3))), jnp.array([1.0, 2.0, 3.0, 4.0])
    found = cls(sigma=sigmas).drift(states)
    np.testing.assert_allclose(found, [cls(sigma=s).drift(x) for s, x in zip(sigmas, states, strict=True)], rtol=1e-12)


def test_orbits_of_as_many_as_variables_are_moved_right(rng):
    start = rng.standard_normal((3, 3))
    np.testing.assert_allclose(
        move(OfOne(), start, dt=0.01, steps=20), move(us.Lorenz(), start, dt=0.01, steps=20), rtol=1e-9
    )


def _ordinary(rule, rest=(1.0, 1.0)):
    body = {
        "__module__": "a_user", "name": "mine", "fields": ("x", "y"), "equations": ("", ""), "drift": rule,
        "rest": lambda self: rest,
    }  # fmt: skip
    return type("Mine", (us.OrdinarySystem,), body)()


def _spatial(rule, rest=(1.0, 1.0)):
    body = {
        "__module__": "a_user", "name": "mine", "fields": ("u", "v"), "diffusion": {}, "equations": ("", ""),
        "kinetics": rule, "rest": lambda self: rest,
    }  # fmt: skip
    return OnGrid(type("Mine", (us.ReactionDiffusion,), body)(), Grid((3, 3)))


count = itertools.count()
BROKEN = {
    "too long": (lambda self, s: jnp.zeros(3), "a rate for each field"),
    "no array": (lambda self, s: (s[0], s[1]), "a tuple for a state"),
    "an error": (lambda self, s: s @ jnp.ones((5, 5)), "a rate for each field"),
    "a counter": (lambda self, s: s * next(count), "pure `drift`"),
    "a random number": (lambda self, s: s + np.random.default_rng().standard_normal(2), "pure `drift`"),
    "not finite": (lambda self, s: jnp.log(-s), r"dx/dt not finite at x = 1, y = 1"),
}
BROKEN_IN_SPACE = {
    "a mean": (lambda self, u, v: (u - u.mean(), v), "of that cell alone"),
    "a counter": (lambda self, u, v: (u * next(count), v), "pure `kinetics`"),
    "not finite": (lambda self, u, v: (u, v / (u - 1)), r"dv/dt not finite at u = 1, v = 1"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_drift_is_one_clear_line(fault):
    rule, message = BROKEN[fault]
    with pytest.raises(BadInput, match=message) as refused:
        _ordinary(rule).drift(jnp.ones(2))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("fault", BROKEN_IN_SPACE)
def test_broken_kinetics_are_one_clear_line(fault):
    rule, message = BROKEN_IN_SPACE[fault]
    with pytest.raises(BadInput, match=message) as refused:
        _spatial(rule)
    assert "\n" not in str(refused.value)


def test_sound_classes_pass():
    assert _ordinary(lambda self, s: -s).drift(jnp.ones((2, 2))).shape == (2, 2)
    assert _spatial(lambda self, u, v: (u * v, 1.0)).drift(jnp.ones((2, 3, 3))).shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("shape", "dx", "words"),
    [
        ((64, 64), (1.0, 1.5), ["`dx`", "not square are not supported yet", "(1.0, 1.5)"]),
        ((64,), 1.0, ["`size`", "only two dimensions", "(64,)"]),
        ((8, 8, 8), 1.0, ["`size`", "only two dimensions", "(8, 8, 8)"]),
        (64, 1.0, ["`size`", "only two dimensions", "64"]),
        ((2, 64), 1.0, ["`size`", "at least 3 cells"]),
        ((8.5, 8), 1.0, ["`size`", "whole numbers"]),
    ],
)
def test_grids_that_are_not_supported_say_so(shape, dx, words):
    asked: Any = types.SimpleNamespace(shape=shape, dx=dx, boundary="periodic")  # past the tests' own checks of types
    with pytest.raises(BadInput) as refused:
        Grid.__post_init__(asked)
    assert all(word in str(refused.value) for word in words)
