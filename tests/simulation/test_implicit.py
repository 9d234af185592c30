"""The derivative of a steady state without its history, against steady states that were polished anew."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from unstill.fitting.coordinates import Coordinates
from unstill.fitting.losses import find_loss
from unstill.fitting.objective import Evaluator, FitObjective
from unstill.fitting.problem import Problem
from unstill.fitting.strategies import STRATEGIES
from unstill.simulation import Grid, OnGrid, implicit, simulate
from unstill.simulation.implicit import Deflated, steady_state
from unstill.simulation.jacobian import kinetic_slopes
from unstill.systems import GrayScott

GRID = Grid((24, 24))
SYSTEM = GrayScott.make(F=0.035, k=0.06)
NAMES = tuple(GrayScott.parameters())


@functools.cache
def rest() -> np.ndarray:
    """A pattern (2, 24, 24) at rest to round-off."""
    moved = simulate(SYSTEM, grid=GRID, init="discs", steps=20_000, seed=1).state[0]
    return us.polish(SYSTEM, GRID, moved, tolerance=1e-13)[0]


def moved_along(name: str, h: float):
    return SYSTEM.with_values(**{name: np.asarray(float(getattr(SYSTEM, name)) + h)})


def loss_of(state):
    """Blind to translations, which the derivative leaves out."""
    return find_loss("power-spectrum")(state[None], jnp.asarray(np.roll(rest(), 3, -1)[None]) * 0.9)


@pytest.mark.parametrize("name", NAMES)
def test_against_steady_states_polished_anew(name):
    """Curvature is strong: differences of h² are 7 % of the slope at h = 2e-3 of the parameter, so 2e-5 at h = 3e-5;
    polishing to 1e-13 along modes of 2e-5 per unit time, divided by h, adds some 1e-4."""
    state = rest()  # outside of the trace
    slope = jax.grad(lambda s: loss_of(steady_state(s, GRID, state)))(jax.tree.map(jnp.asarray, SYSTEM))
    h = 3e-5 * float(getattr(SYSTEM, name))
    ends = [us.polish(moved_along(name, s * h), GRID, rest(), tolerance=1e-13)[0] for s in (1, -1)]
    expected = float(loss_of(jnp.asarray(ends[0])) - loss_of(jnp.asarray(ends[1]))) / (2 * h)
    assert float(getattr(slope, name)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_the_moved_state_is_at_rest_to_second_order(name):
    """f(c + h dc, θ + h) = O(h²): half the step leaves a quarter of the drift."""
    system = jax.tree.map(jnp.asarray, SYSTEM)
    zero = jax.tree.map(jnp.zeros_like, system)
    direction = zero.with_values(**{name: jnp.ones(())})
    change = jax.jvp(lambda s: steady_state(s, GRID, rest()), (system,), (direction,))[1]

    def left(h):
        return float(jnp.abs(OnGrid(moved_along(name, h), GRID).drift(rest() + h * change)).max())

    h = 1e-3 * float(getattr(SYSTEM, name))
    first = float(jnp.abs(OnGrid(moved_along(name, h), GRID).drift(jnp.asarray(rest()))).max())
    assert left(h) < 0.2 * first
    assert left(h) / left(h / 2) == pytest.approx(4, rel=0.2)


def test_forward_and_reverse_agree_and_the_state_is_unchanged():
    system = jax.tree.map(jnp.asarray, SYSTEM)

    def loss(s):
        return loss_of(steady_state(s, GRID, rest()))

    np.testing.assert_array_equal(steady_state(system, GRID, rest()), rest())
    forward, reverse = jax.jacfwd(loss)(system), jax.jacrev(loss)(system)
    for name in NAMES:
        assert float(getattr(forward, name)) == pytest.approx(float(getattr(reverse, name)), rel=1e-8)


def test_translations_are_held_still(monkeypatch):
    """Right-hand sides along soft modes are projected out. The cells of so coarse a pattern pin it: translations decay
    at some 1e-5 per unit time, so the limit is raised here."""
    monkeypatch.setattr(implicit, "SOFT", 1e-4)
    slopes = kinetic_slopes(SYSTEM, rest())[1]
    inverse = Deflated(GRID, np.array([0.16, 0.08]), slopes)
    assert inverse.count == 2
    for axis in (-1, -2):  # ∂c/∂x is a null vector of J, up to the stencil's error
        k = 2 * np.pi * np.fft.fftfreq(24)
        k = k if axis == -1 else k[:, None]
        slide = np.real(np.fft.ifft2(1j * k * np.fft.fft2(rest()))).ravel()
        inside = inverse.V @ np.linalg.lstsq(inverse.V, slide)[0]
        assert np.linalg.norm(inside - slide) < 0.3 * np.linalg.norm(slide)
        assert np.linalg.norm(inverse.solve(inside)) < 1e-3 * np.linalg.norm(inside)


def test_solve_and_transpose_are_transposes(rng):
    inverse = Deflated(GRID, np.array([0.16, 0.08]), kinetic_slopes(SYSTEM, rest())[1])
    x, y = rng.standard_normal((2, 2 * 24 * 24))
    left, right = y @ inverse.solve(x), x @ inverse.solve(y, transposed=True)
    assert left == pytest.approx(right, rel=1e-6)


def test_the_strategy_hands_on_this_derivative():
    """At a state at rest, the fit's gradient is that of `steady_state`, times dθ/dq."""
    target = np.roll(rest(), 3, -1)[None] * 0.9
    problem = Problem(GrayScott, GRID, 1.0, (0, 1), target, until_change=1e-4)
    evaluator = Evaluator(problem, STRATEGIES["implicit"], find_loss("power-spectrum"), Coordinates(GrayScott, {}))
    batch = dataclasses.replace(problem.draw(0), start=rest()[None])
    x = evaluator.coordinates.numbers({name: float(getattr(SYSTEM, name)) for name in NAMES})
    loss, gradient = FitObjective(evaluator, batch).gradient(x)
    state = rest()  # outside of the trace
    slope = jax.grad(lambda s: loss_of(steady_state(s, GRID, state)))(jax.tree.map(jnp.asarray, SYSTEM))
    assert loss == pytest.approx(float(loss_of(jnp.asarray(rest()))), rel=1e-6)
    for name in NAMES:
        expected = float(getattr(slope, name)) * float(getattr(SYSTEM, name))
        assert float(gradient[name]) == pytest.approx(expected, rel=1e-5)
