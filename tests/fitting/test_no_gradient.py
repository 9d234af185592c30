"""A gradient that is not finite beside a finite loss has a name, by parameter, in `fit` and in `rollout`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from unstill._errors import NumericalFailure
from unstill._types import Status

GRID = us.Grid((6, 6))


class Rooted(us.ReactionDiffusion):
    """−k√u where there is any u: the rate is fine at u = 0, and its derivative by u, going backwards, is 0 · ∞."""

    name, fields, diffusion, equations = "rooted", ("u",), {"u": "D"}, ("∂u/∂t = D ∇²u − k √u",)
    D: float = us.parameter(0.1, (0, 1))
    k: float = us.parameter(0.2, (0, 1))

    def kinetics(self, u):
        return (-self.k * jnp.where(u > 0, jnp.sqrt(u), 0.0),)

    def rest(self):
        return (1.0,)


def _half_empty():
    """Still empty two cells from the border after two steps: u = 0 is met again by the second step."""
    u = np.ones((1, 6, 6))
    u[:, :, :5] = 0
    return u


def test_fit_ends_with_the_parameter_and_the_cause():
    options = {"strategy": "observed-start", "loss": "pixel", "optimiser": "adam", "dt": 0.1, "window": 3}
    found = us.fit(Rooted, {"u": _half_empty()}, start={"D": 0.1, "k": 0.1}, grid=GRID, iterations=2, **options)
    assert found.status is Status.NO_GRADIENT
    assert found.failed
    assert "its gradient by D, k is not finite" in found.message
    assert "`where` around a root" in found.message


@pytest.mark.parametrize("engine", ["native", "xla"])
@pytest.mark.parametrize("compiled", [False, True])
def test_debugging_a_rollout_names_the_parameter(engine, compiled):
    def mean(system, debug):
        state = jnp.asarray(_half_empty())
        return us.rollout(system, state, steps=3, dt=0.1, grid=GRID, engine=engine, debug=debug).mean()

    def slope(debug):
        function = jax.grad(lambda D: mean(Rooted().with_values(D=D), debug))
        return (jax.jit(function) if compiled else function)(0.1)

    assert np.isnan(slope(False))
    with pytest.raises(Exception if compiled else NumericalFailure, match="derivative by D is not finite"):
        slope(True)


def test_debugging_changes_nothing_where_all_is_well():
    start = us.initial_state(us.GrayScott(), GRID, init="noise")[0]

    def mean(F, debug):
        return us.rollout(us.GrayScott().with_values(F=F), start, steps=5, grid=GRID, debug=debug)[1].mean()

    assert jax.grad(mean)(0.03, True) == jax.grad(mean)(0.03, False)


def test_what_comes_after_the_rollout_is_told_apart():
    def rooted(state):
        end = us.rollout(Rooted(), state, steps=1, dt=0.1, grid=GRID, debug=True)
        return jnp.sqrt(0.0 * end).sum()

    with pytest.raises(NumericalFailure, match="what the rollout returned"):
        jax.grad(rooted)(jnp.ones((1, 6, 6)))
