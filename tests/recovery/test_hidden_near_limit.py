"""Hidden fields where diffusion is near the stability limit of the motion's step: fits go there, and must not meet a
wall. Every system's second equation is linear in its hidden field, so an elliptic solve by SciPy is the oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from registry import REACTION_DIFFUSION, rough_state
from unstill._errors import NumericalFailure
from unstill.fitting.followers import follow, relax
from unstill.simulation import Grid

NEAR = 0.9496  # of dx²/(4 dt): 0.2374 at dx = dt = 1
LINEAR = {  # seen field, diffusion of the hidden one, its supply and decay: D∇²h + supply − decay h = 0
    "gray-scott": (1, "Du", lambda p, v: (p["F"] + 0 * v, v**2 + p["F"])),
    "schnakenberg": (0, "Dv", lambda p, u: (p["b"] + 0 * u, u**2)),
    "brusselator": (0, "Dv", lambda p, u: (p["b"] * u, u**2)),
    "fitzhugh-nagumo": (0, "Dv", lambda p, u: (p["eps"] * (u - p["b"]), p["eps"] * p["a"] + 0 * u)),
    "gierer-meinhardt": (0, "Dh", lambda p, a: (a**2, p["nu"] + 0 * a)),
}


def laplacian(grid: Grid) -> sp.csc_array:
    """The five-point Laplacian as a Kronecker sum."""

    def second(n: int):
        T = sp.diags_array([np.ones(n - 1), np.full(n, -2.0), np.ones(n - 1)], offsets=[-1, 0, 1]).tolil()
        if grid.boundary == "periodic":
            T[0, -1] = T[-1, 0] = 1
        else:  # a ghost cell like the edge cell
            T[0, 0] = T[-1, -1] = -1
        return T

    rows, columns = grid.shape
    return sp.csc_array(sp.kron(second(rows), sp.eye(columns)) + sp.kron(sp.eye(rows), second(columns))) / grid.dx**2


def solved(name: str, grid: Grid, values: dict[str, float], seen: np.ndarray) -> np.ndarray:
    _, diffusion, terms = LINEAR[name]
    supply, decay = terms(values, seen)
    h = spla.spsolve(sp.csc_array(sp.diags_array(decay.ravel()) - values[diffusion] * laplacian(grid)), supply.ravel())
    return h.reshape(grid.shape)


def near_the_limit(name: str, boundary: str):
    cls, (seen, diffusion, _) = REACTION_DIFFUSION[name], LINEAR[name]
    grid = Grid((8, 12), 1.0, boundary)
    system = cls().with_values(**{diffusion: NEAR * grid.dx**2 / (4 * cls.dt)})
    values = {key: float(value) for key, value in system.values().items()}
    picture = rough_state(cls(), grid)[seen]
    return system, grid, seen, values, 2 * picture if name == "gray-scott" else picture  # v to 0.45: the rates add up


@pytest.mark.parametrize(
    ("name", "boundary"), [*((name, "no-flux") for name in REACTION_DIFFUSION), ("gray-scott", "periodic")]
)
def test_a_hidden_field_comes_to_rest_where_the_elliptic_problem_says(name, boundary):
    system, grid, seen, values, picture = near_the_limit(name, boundary)
    found, tail, steps = relax(system, grid, (seen,), picture[None, None], dt=type(system).dt)
    expected = solved(name, grid, values, picture)
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-7 * np.abs(expected).max())
    assert steps <= 5_000
    assert tail & (tail - 1) == 0


@pytest.mark.parametrize("name", ["gray-scott", "gierer-meinhardt"])
def test_its_derivatives_are_those_of_the_elliptic_problem(name):
    """By every parameter and by the picture, against central differences of the solve."""
    system, grid, seen, values, picture = near_the_limit(name, "periodic")
    dt = type(system).dt
    found, tail, _ = relax(system, grid, (seen,), picture[None, None], dt=dt)
    bump = np.random.default_rng(1).standard_normal(grid.shape)

    def hidden(parameters, share):
        moved = system.with_values(**parameters)
        return follow(
            moved, grid, (seen,), jnp.asarray(picture + share * bump)[None], jnp.asarray(found[0]),
            steps=2 * tail, dt=dt,
        )[0]  # fmt: skip

    point = {key: jnp.asarray(value) for key, value in values.items()}
    slopes, along = jax.jacfwd(hidden, (0, 1))(point, jnp.zeros(()))
    np.testing.assert_allclose(hidden(point, jnp.zeros(())), found[0, 0], atol=1e-8 * np.abs(found).max())
    scale = max(float(np.abs(values[key] * slope).max()) for key, slope in slopes.items())
    for key, value in values.items():
        h = 1e-5 * max(abs(value), 0.1)
        ends = [solved(name, grid, {**values, key: value + s * h}, picture) for s in (1, -1)]
        difference = (ends[0] - ends[1]) / (2 * h)
        np.testing.assert_allclose(
            slopes[key], difference, atol=1e-3 * max(np.abs(difference).max(), 1e-3 * scale), err_msg=key
        )
    ends = [solved(name, grid, values, picture + s * 1e-5 * bump) for s in (1, -1)]
    difference = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(along, difference, atol=1e-3 * np.abs(difference).max())


def test_whole_steps_of_the_motion_would_swing_at_the_limit():
    """Why `relax` halves the step: of 1 + dt (D∇² − decay) a whole step has an eigenvalue below −1, and waves of two
    cells grow; half a step has none larger than the slowest, which the decay rules."""
    _, grid, _, values, picture = near_the_limit("gray-scott", "periodic")
    rates = np.linalg.eigvalsh(values["Du"] * laplacian(grid).toarray() - np.diag((picture**2 + values["F"]).ravel()))
    assert (1 + rates).min() < -1
    assert np.abs(1 + rates / 2).max() == pytest.approx(1 + rates.max() / 2)


def test_rest_is_reached_sample_by_sample_in_one_call():
    system, grid, seen, values, picture = near_the_limit("gray-scott", "periodic")
    pictures = np.stack([picture, 0.5 * picture, np.roll(picture, 3, 0)])
    found, _, _ = relax(system, grid, (seen,), pictures[:, None], dt=1.0)
    for one, hidden in zip(pictures, found[:, 0], strict=True):
        np.testing.assert_allclose(hidden, solved("gray-scott", grid, values, one), atol=1e-7)
    np.testing.assert_allclose(found[2, 0], np.roll(found[0, 0], 3, 0), atol=1e-9)


def test_beyond_twice_the_limit_the_step_is_unstable():
    system, grid, seen, _, picture = near_the_limit("gray-scott", "periodic")
    with pytest.raises(NumericalFailure, match="the hidden field u does not come to rest"):
        relax(system.with_values(Du=0.55), grid, (seen,), picture[None, None], dt=1.0)
