"""Steppers against closed forms and by their order of convergence."""

import jax.numpy as jnp
import numpy as np
import pytest

from registry import GRIDS, rough_state
from unstill.analysis import growth_rates, reaction_jacobian
from unstill.simulation import STEPPERS, Grid, OnGrid, rollout
from unstill.systems import FitzHughNagumo, GrayScott, Lorenz, ReactionDiffusion, Schnakenberg, parameter

ORDERS = {"euler": 1, "rk4": 4, "etdrk4": 4}
BOUNDARIES = pytest.mark.parametrize("boundary", GRIDS)


def test_every_stepper_has_an_order():
    assert set(ORDERS) == set(STEPPERS)


class Heat(ReactionDiffusion):
    """∂u/∂t = D∇²u."""

    name, fields, diffusion, equations = "heat", ("u",), {"u": "D"}, ("∂u/∂t = D ∇²u",)
    D: float = parameter(0.2, (0, 1))

    def kinetics(self, u):
        return (0 * u,)

    def rest(self):
        return (0.0,)


def eigenmode(grid: Grid) -> tuple[np.ndarray, float]:
    """A mode of the five-point Laplacian and its eigenvalue, written down, not taken from `Grid.symbol`."""
    (H, W), dx = grid.shape, grid.dx
    i, j = np.mgrid[:H, :W]
    if grid.boundary == "periodic":
        mode = np.cos(2 * np.pi * (2 * i / H + j / W))
        angles = (4 * np.pi / H, 2 * np.pi / W)
    else:
        mode = np.cos(np.pi * 2 * (i + 0.5) / H) * np.cos(np.pi * (j + 0.5) / W)
        angles = (2 * np.pi / H, np.pi / W)
    return mode[None], sum(2 * np.cos(a) - 2 for a in angles) / dx**2


@BOUNDARIES
@pytest.mark.parametrize("dx", [1.0, 0.5])
def test_heat_equation_in_closed_form(boundary, dx):
    grid = Grid((12, 10), dx, boundary)
    mode, eigenvalue = eigenmode(grid)
    assert np.min(np.abs(grid.symbol - eigenvalue)) < 1e-12
    dt, steps = 0.1, 20
    euler = rollout(Heat(), mode, steps=steps, dt=dt, grid=grid)
    np.testing.assert_allclose(euler, (1 + dt * 0.2 * eigenvalue) ** steps * mode, atol=1e-13)
    exact = rollout(Heat(), mode, steps=steps, dt=dt, grid=grid, stepper="etdrk4")
    np.testing.assert_allclose(exact, np.exp(0.2 * eigenvalue * dt * steps) * mode, atol=1e-13)


@BOUNDARIES
@pytest.mark.parametrize("stepper", STEPPERS)
def test_order_of_convergence(stepper, boundary):
    """Against the finest solution of another scheme: all tend to one semi-discrete solution."""
    grid, system = GRIDS[boundary], GrayScott(Du=0.05, Dv=0.02)
    state = rough_state(system, grid)
    other = "etdrk4" if stepper == "rk4" else "rk4"

    def at(dt, name):
        return np.asarray(rollout(system, state, steps=round(4 / dt), dt=dt, grid=grid, stepper=name, engine="xla"))

    reference = at(0.02, other)
    errors = [np.abs(at(dt, stepper) - reference).max() for dt in (1.0, 0.5, 0.25)]
    rates = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    # asymptotic rates are met to a third of an order at these steps
    assert np.all(rates > ORDERS[stepper] - 0.35), (errors, rates)


@pytest.mark.parametrize("stepper", ["euler", "rk4"])
def test_order_of_convergence_on_lorenz(stepper):
    from scipy.integrate import solve_ivp

    state = np.array([1.0, 2.0, 20.0])
    f = lambda t, x: [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]  # noqa: E731
    truth = solve_ivp(f, (0, 0.5), state, rtol=1e-12, atol=1e-12, method="DOP853").y[:, -1]
    at = lambda n: np.asarray(rollout(Lorenz(), state, steps=n, dt=0.5 / n, stepper=stepper))  # noqa: E731
    errors = [np.abs(at(n) - truth).max() for n in (400, 800)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(ORDERS[stepper], abs=0.15)


@pytest.mark.parametrize("engine", ["native", "xla"])
@BOUNDARIES
@pytest.mark.parametrize("system", [Schnakenberg(), FitzHughNagumo()], ids=lambda s: s.name)
def test_growth_of_small_waves_against_the_dispersion_relation(system, boundary, engine):
    """A small eigenmode on the uniform state grows by the matrix (I + dt (J + Dℓ)) each step."""
    grid = GRIDS[boundary]
    mode, eigenvalue = eigenmode(grid)
    rest = np.array([float(c) for c in system.rest()])
    direction = np.array([1.0, -0.5])
    state = rest[:, None, None] + 1e-7 * direction[:, None, None] * mode
    out = np.asarray(rollout(system, state, steps=10, dt=0.01, grid=grid, engine=engine))
    matrix = reaction_jacobian(system, rest) + eigenvalue * np.diag([float(d) for d in system.diffusivities()])
    grown = np.linalg.matrix_power(np.eye(2) + 0.01 * matrix, 10) @ direction
    # second-order terms are 1e-14, round-off of the rest state 1e-16: relative to 1e-7 that is 1e-7
    np.testing.assert_allclose((out - rest[:, None, None]) / 1e-7, grown[:, None, None] * mode, atol=1e-6)
    largest = np.linalg.eigvals(matrix)
    ours = growth_rates(system, rest, np.array([eigenvalue]))[0]
    np.testing.assert_allclose(np.sort_complex(ours), np.sort_complex(largest), atol=1e-12)


def test_gray_scott_uniform_states_and_their_bifurcations():
    """Saddle-node at F = 4(F+k)²; Hopf where the trace vanishes: k = .05 → F = .025476 (science.md, closed form)."""
    k, F = 0.05, 0.025476
    g = F + k
    u = 0.5 * (1 - np.sqrt(1 - 4 * g**2 / F))
    v = F * (1 - u) / g
    system = GrayScott(F=F, k=k)
    np.testing.assert_allclose([float(r) for r in system.kinetics(u, v)], 0, atol=1e-15)
    jacobian = reaction_jacobian(system, (u, v))
    assert np.linalg.det(jacobian) == pytest.approx(g * (v**2 - F), rel=1e-12)
    assert np.trace(jacobian) == pytest.approx(k - v**2, rel=1e-12)
    assert abs(np.trace(jacobian)) < 1e-5  # the digits of F given above
    trivial = growth_rates(GrayScott(), (1.0, 0.0), np.array([0.0]))[0]
    np.testing.assert_allclose(trivial, [-0.035, -0.1])


def test_drift_commutes_with_vmap():
    grid = GRIDS["periodic"]
    states = jnp.stack([jnp.asarray(rough_state(GrayScott(), grid, seed)) for seed in range(3)])
    dynamics = OnGrid(GrayScott(), grid)
    np.testing.assert_allclose(dynamics.drift(states), jnp.stack([dynamics.drift(s) for s in states]), atol=1e-16)
