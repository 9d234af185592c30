"""What a motion must not depend on, and what it must conserve: exact statements, over steppers, systems, boundaries."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from registry import GRIDS, REACTION_DIFFUSION, rough_state
from unstill.analysis import growth_rates, reaction_jacobian
from unstill.simulation import STEPPERS, Grid, OnGrid, rollout, simulate
from unstill.simulation.jacobian import drift_of
from unstill.systems import SYSTEMS, Brusselator, GrayScott, OrdinarySystem, ReactionDiffusion, parameter

SYSTEM = pytest.mark.parametrize("name", REACTION_DIFFUSION)
BOUNDARY = pytest.mark.parametrize("boundary", GRIDS)
STEPPER = pytest.mark.parametrize("stepper", STEPPERS)
ORDINARY = {name: cls for name, cls in SYSTEMS.items() if issubclass(cls, OrdinarySystem)}


class Heat(ReactionDiffusion):
    """∂a/∂t = A∇²a, ∂b/∂t = B∇²b − r b: linear, and so solved mode by mode."""

    name, fields, diffusion = "heat of two", ("a", "b"), {"a": "A", "b": "B"}
    equations = ("∂a/∂t = A∇²a", "∂b/∂t = B∇²b − r b")
    A: float = parameter(0.2, (0, 1))
    B: float = parameter(0.05, (0, 1))
    r: float = parameter(0.3, (0, 1))

    def kinetics(self, a, b):
        return 0 * a, -self.r * b

    def rest(self):
        return (0.0, 0.0)


class Mixed(ReactionDiffusion):
    """Nothing is made and nothing is lost: the reaction only turns a into b."""

    name, fields, diffusion = "mixed", ("a", "b"), {"a": "A", "b": "B"}
    equations = ("∂a/∂t = A∇²a − a b²", "∂b/∂t = B∇²b + a b²")
    A: float = parameter(0.2, (0, 1))
    B: float = parameter(0.1, (0, 1))

    def kinetics(self, a, b):
        return -a * b * b, a * b * b

    def rest(self):
        return (1.0, 0.0)


@functools.partial(jax.jit, static_argnames=("dt", "grid", "steps", "save_every", "stepper"))
def compiled(system, states, dt, grid, steps, save_every, stepper):
    """A batch by the XLA engine, compiled once a class, grid and stepper."""
    options = {"steps": steps, "dt": dt, "grid": grid, "save_every": save_every, "stepper": stepper}
    return jax.vmap(lambda c: rollout(system, c, engine="xla", **options))(states)


def moved(system, state, grid, *, steps=12, dt=None, stepper="euler", engine="native", save_every=None) -> np.ndarray:
    """One state (C, H, W) or a batch, by the native kernels where they do."""
    states, dt = (np.asarray(state) if np.ndim(state) == 4 else np.asarray(state)[None]), dt or system.dt
    if stepper == "euler" and engine == "native":
        move = functools.partial(rollout, system, steps=steps, dt=dt, grid=grid, engine="native", save_every=save_every)
        out = np.stack([np.asarray(move(c)) for c in states])
    else:
        numbers = jax.tree.map(jnp.asarray, system)
        out = np.asarray(compiled(numbers, states, dt, grid, steps, save_every, stepper))
    return out if np.ndim(state) == 4 else out[0]


def modes(grid: Grid):
    """Every eigenmode of the five-point Laplacian and its eigenvalue, written down from the textbook."""
    axes = []
    for n in grid.shape:
        j = np.arange(n)
        if grid.boundary == "periodic":
            k = np.minimum(j, n - j)
            waves = [np.cos(2 * np.pi * q * j / n) if 2 * q <= n else np.sin(2 * np.pi * q * j / n) for q in range(n)]
        else:
            k = j / 2
            waves = [np.cos(np.pi * q * (j + 0.5) / n) for q in range(n)]
        axes.append([(wave, -4 * np.sin(np.pi * q / n) ** 2) for wave, q in zip(waves, k, strict=True)])
    for (y, a), (x, b) in itertools.product(*axes):
        yield np.outer(y, x), (a + b) / grid.dx**2


# --- the Laplacian ----------------------------------------------------------------------------------------------------


@BOUNDARY
@pytest.mark.parametrize("shape", [(3, 3), (5, 4), (6, 7)])
def test_every_mode_is_an_eigenvector_and_the_symbol_holds_all_eigenvalues(boundary, shape):
    grid, n, found = Grid(shape, 0.7, boundary), int(np.prod(shape)), []
    for mode, eigenvalue in modes(grid):
        np.testing.assert_allclose(grid.laplacian(jnp.asarray(mode)), eigenvalue * mode, atol=1e-13 * 16)
        found.append(eigenvalue)
    np.testing.assert_allclose(np.sort(grid.symbol.ravel()), np.sort(found), atol=1e-12)
    dense = np.array(jax.vmap(grid.laplacian)(jnp.eye(n).reshape(-1, *shape))).reshape(n, n)
    np.testing.assert_array_equal(dense, dense.T)
    np.testing.assert_allclose(np.linalg.eigvalsh(dense), np.sort(found), atol=1e-12)


@BOUNDARY
def test_the_laplacian_of_a_parabola_is_exact_inside(boundary):
    grid = Grid((9, 8), 0.5, boundary)
    y, x = (0.5 * a for a in np.mgrid[:9, :8])
    np.testing.assert_allclose(grid.laplacian(jnp.asarray(3 * x**2 - y**2 + x * y))[1:-1, 1:-1], 4.0, atol=1e-12)


@BOUNDARY
def test_green_identity(boundary, rng):
    """⟨a ∇²b⟩ = −⟨∇a·∇b⟩, with differences over the faces between cells; no face at a wall."""
    grid = Grid((7, 9), 1.3, boundary)
    a, b = rng.standard_normal((2, *grid.shape))
    total = 0.0
    for axis in (0, 1):
        da, db = (np.roll(c, -1, axis) - c for c in (a, b))
        if boundary == "no-flux":
            da = np.delete(da, -1, axis)
            db = np.delete(db, -1, axis)
        total -= (da * db).sum() / grid.dx**2
    assert float((a * grid.laplacian(jnp.asarray(b))).sum()) == pytest.approx(total, rel=1e-12)


# --- closed forms of motion -------------------------------------------------------------------------------------------

AMPLIFICATION = {
    "euler": lambda z, w: 1 + z + w,
    "rk4": lambda z, w: sum((z + w) ** n / f for n, f in enumerate((1, 1, 2, 6, 24))),
}


@BOUNDARY
@pytest.mark.parametrize("stepper", AMPLIFICATION)
def test_every_mode_decays_by_the_steppers_own_polynomial(boundary, stepper):
    """One step multiplies a mode by R(dt·λ): for Euler and RK4 the Taylor polynomials of exp."""
    grid, dt = Grid((6, 5), 0.9, boundary), 0.6
    shapes, eigenvalues = map(np.array, zip(*modes(grid), strict=True))
    factors = np.stack([AMPLIFICATION[stepper](dt * D * eigenvalues, -dt * r) for D, r in ((0.2, 0.0), (0.05, 0.3))], 1)
    states = np.stack([shapes, shapes], 1)
    got = moved(Heat(), states, grid, steps=3, dt=dt, stepper=stepper, engine="xla")
    np.testing.assert_allclose(got, factors[:, :, None, None] ** 3 * states, atol=1e-13)


@BOUNDARY
def test_etdrk4_is_exact_for_diffusion_and_of_fourth_order_for_the_rest(boundary):
    """Field a only diffuses: exact at any step. Field b decays by kinetics, too: error of fifth order a step."""
    grid, errors = Grid((6, 5), 0.9, boundary), []
    shapes, eigenvalues = map(np.array, zip(*modes(grid), strict=True))
    states = np.stack([shapes, shapes], 1)
    for dt in (0.4, 0.2):
        exact = (
            np.exp(np.stack([0.2 * eigenvalues * dt, (0.05 * eigenvalues - 0.3) * dt], 1))[:, :, None, None] * states
        )
        out = moved(Heat(), states, grid, steps=1, dt=dt, stepper="etdrk4")
        np.testing.assert_allclose(out[:, 0], exact[:, 0], atol=1e-13)
        errors.append(np.abs(out - exact)[:, 1].max((1, 2)))
    assert errors[0].min() > 1e-12
    np.testing.assert_allclose(np.log2(errors[0] / errors[1]), 5, atol=0.2)


@pytest.mark.parametrize(
    ("name", "stepper", "boundary"),
    [*((name, "rk4", "periodic") for name in REACTION_DIFFUSION), ("gierer-meinhardt", "etdrk4", "no-flux")],
)
def test_the_semi_discrete_solution_is_scipys(name, stepper, boundary):
    """Against DOP853, SciPy's own integrator, of the drift."""
    system, grid = REACTION_DIFFUSION[name](), Grid((6, 5), 1.0, boundary)
    state = rough_state(system, grid)
    time = 40 * system.dt
    right = solve_ivp(
        lambda t, c: drift_of(system, grid, c.reshape(state.shape)).ravel(), (0, time), state.ravel(), rtol=1e-10,
        atol=1e-11, method="DOP853",
    ).y[:, -1].reshape(state.shape)  # fmt: skip
    ours = moved(system, state, grid, steps=200, dt=time / 200, stepper=stepper)
    # 200 steps of order 4: the error is some (time/200)⁴
    np.testing.assert_allclose(ours, right, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_systems_against_scipy(name):
    system = ORDINARY[name]()
    state = np.array([float(x) for x in system.rest()]) + 0.3
    drift = jax.jit(lambda x: system.drift(x))
    right = solve_ivp(
        lambda t, x: np.asarray(drift(x)), (0, 100 * system.dt), state, rtol=1e-11, atol=1e-12, method="DOP853"
    ).y[:, -1]
    ours = np.asarray(rollout(system, state, steps=400, dt=system.dt / 4, stepper="rk4"))
    np.testing.assert_allclose(ours, right, rtol=1e-6, atol=1e-7)


def test_turing_modes_grow_at_the_rates_of_the_dispersion_relation():
    """Brusselator above its Turing threshold b_c = (1 + a √(Du/Dv))²: direct motion against the closed form."""
    a, b, Du, Dv = 3.0, 4.5, 1.0, 8.0
    assert b > (1 + a * np.sqrt(Du / Dv)) ** 2
    system, grid, time, small = Brusselator(Du=Du, Dv=Dv, a=a, b=b), Grid((16, 4)), 0.2, 1e-5
    rest, k = np.array([a, b / a]), np.arange(1, 9)
    symbol = -4 * np.sin(np.pi * k / 16) ** 2
    diagonals = [np.array([[b - 1 + Du * s, a * a], [-b, -a * a + Dv * s]]) for s in symbol]  # by hand
    rates, vectors = zip(*(np.linalg.eig(matrix) for matrix in diagonals), strict=True)
    lead = [int(np.argmax(r.real)) for r in rates]
    np.testing.assert_allclose(
        growth_rates(system, rest, symbol)[:, 0].real, [r[i].real for r, i in zip(rates, lead, strict=True)], atol=1e-12
    )
    np.testing.assert_allclose(reaction_jacobian(system, rest), [[b - 1, a * a], [-b, -a * a]], atol=1e-13)
    assert max(r.real.max() for r in rates) > 0 > min(r.real.max() for r in rates)
    waves = np.cos(2 * np.pi * k[:, None, None] * np.arange(16)[:, None] / 16) * np.ones(4)
    first = np.stack([v[:, i].real for v, i in zip(vectors, lead, strict=True)])
    states = rest[:, None, None] + small * first[:, :, None, None] * waves[:, None]
    out = moved(system, states, grid, steps=200, dt=time / 200, stepper="rk4") - rest[:, None, None]
    # Only the share of the mode itself: what the nonlinearity makes at second order are other modes.
    share = np.einsum("kchw,khw->kc", out, waves) / np.einsum("khw,khw->k", waves, waves)[:, None] / small
    for j in range(len(k)):
        if abs(rates[j][lead[j]].imag) < 1e-12:
            np.testing.assert_allclose(share[j], np.exp(rates[j][lead[j]].real * time) * first[j], rtol=1e-7)


@pytest.mark.parametrize(
    ("stepper", "boundary"), [("euler", "periodic"), ("euler", "no-flux"), ("rk4", "no-flux"), ("etdrk4", "no-flux")]
)
def test_mass_is_conserved(stepper, boundary, rng):
    """a + b changes by diffusion alone, and the walls let nothing through: its sum stays to round-off."""
    grid = Grid((8, 7), 0.8, boundary)
    state = rng.uniform(0.1, 1, (2, *grid.shape))
    out = moved(Mixed(), state, grid, steps=50, dt=0.2, stepper=stepper, engine="xla")
    assert np.abs(out - state).max() > 0.05
    assert out.sum() == pytest.approx(state.sum(), rel=1e-13)


@STEPPER
def test_a_uniform_state_stays_uniform_and_moves_as_its_kinetics(stepper):
    state = np.broadcast_to(np.array([0.6, 0.3])[:, None, None], (2, 5, 6))
    out = moved(GrayScott(), state, Grid((5, 6), 0.5), steps=40, dt=0.2, stepper=stepper)
    assert np.ptp(out, (1, 2)).max() < 1e-14
    rates = lambda t, c: [0.035 * (1 - c[0]) - c[0] * c[1] ** 2, c[0] * c[1] ** 2 - 0.1 * c[1]]  # noqa: E731
    right = solve_ivp(rates, (0, 8), [0.6, 0.3], rtol=1e-12, atol=1e-13).y[:, -1]
    tolerance = 2e-3 if stepper == "euler" else 1e-7
    np.testing.assert_allclose(out[:, 0, 0], right, atol=tolerance)


# --- symmetries -------------------------------------------------------------------------------------------------------

CHANGES = {
    "quarter turn": lambda c: np.rot90(c, 1, (-2, -1)),
    "half turn": lambda c: np.rot90(c, 2, (-2, -1)),
    "transposed": lambda c: np.swapaxes(c, -2, -1),
    "upside down": lambda c: c[..., ::-1, :],
    "mirrored": lambda c: c[..., ::-1],
}
SHIFTS = {"down": lambda c: np.roll(c, 3, -2), "right and up": lambda c: np.roll(c, (-1, 2), (-2, -1))}


@pytest.mark.parametrize(
    ("stepper", "boundary"), [("euler", "periodic"), ("euler", "no-flux"), ("rk4", "no-flux"), ("etdrk4", "periodic")]
)
def test_motion_commutes_with_the_symmetries_of_the_grid(stepper, boundary):
    """Not to the last bit: the stencil's sum is taken in pairs, west and east before north and south."""
    grid, system = Grid((8, 8), 1.0, boundary), GrayScott()
    changes = {"nothing": lambda c: c} | CHANGES | (SHIFTS if boundary == "periodic" else {})
    state = rough_state(system, grid)
    first, *rest = moved(system, np.stack([change(state) for change in changes.values()]), grid, stepper=stepper)
    for (name, change), out in zip(list(changes.items())[1:], rest, strict=True):
        np.testing.assert_allclose(out, change(first), rtol=1e-12, atol=1e-13, err_msg=name)
        assert np.abs(out - first).max() > 1e-3


def mirrored(state: np.ndarray) -> np.ndarray:
    """The even continuation, (…, 2H, 2W)."""
    wide = np.concatenate([state, state[..., ::-1]], -1)
    return np.concatenate([wide, wide[..., ::-1, :]], -2)


@pytest.mark.parametrize(
    ("name", "stepper"), [*((name, "euler") for name in REACTION_DIFFUSION), ("gray-scott", "etdrk4")]
)
def test_no_flux_walls_are_mirrors(name, stepper):
    """A room with walls moves as a quarter of the torus that is its even continuation."""
    system, room, torus = REACTION_DIFFUSION[name](), Grid((5, 6), 1.2, "no-flux"), Grid((10, 12), 1.2)
    state, dt = rough_state(system, room), 0.5 * system.dt
    one = moved(system, state, room, dt=dt, stepper=stepper)
    two = moved(system, mirrored(state), torus, dt=dt, stepper=stepper)
    np.testing.assert_allclose(mirrored(one), two, rtol=1e-11, atol=1e-12)


@BOUNDARY
def test_cells_of_another_size_are_another_diffusion(boundary):
    """dx and D enter as D/dx² only."""
    one, two = (Grid((8, 7), dx, boundary) for dx in (1.0, 2.0))
    state = rough_state(GrayScott(), one)
    np.testing.assert_allclose(
        moved(GrayScott(), state, one, dt=0.5),
        moved(GrayScott(Du=0.64, Dv=0.32), state, two, dt=0.5),
        rtol=1e-13,
        atol=1e-13,
    )


def test_units_of_time_cancel():
    """All rates doubled and the step halved: the same numbers."""
    grid = Grid((6, 6))
    state = rough_state(GrayScott(), grid)

    class Twice(GrayScott):
        """Everything at double pace."""

        name = "twice"

        def kinetics(self, u, v):
            return tuple(2 * r for r in GrayScott.kinetics(self, u, v))

    one = moved(GrayScott(Du=0.1, Dv=0.05), state, grid, dt=0.8)
    two = moved(Twice(Du=0.2, Dv=0.1), state, grid, dt=0.4, engine="xla")
    np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-13)


@SYSTEM
def test_a_strip_that_repeats_moves_as_one_period(name):
    """Two copies of a pattern on a torus of double length: nobody can tell, to the last bit."""
    system, small, large = REACTION_DIFFUSION[name](), Grid((6, 5)), Grid((6, 10))
    state = rough_state(system, small)
    one = np.concatenate([moved(system, state, small)] * 2, -1)
    np.testing.assert_array_equal(one, moved(system, np.concatenate([state] * 2, -1), large))


@pytest.mark.parametrize(("stepper", "boundary"), [("euler", "periodic"), ("euler", "no-flux"), ("rk4", "periodic")])
def test_motion_is_a_semigroup(stepper, boundary):
    """n steps and then m are n + m, and frames do not change the motion; natively to the last bit."""
    grid, system = GRIDS[boundary], GrayScott()
    state = rough_state(system, grid)
    frames = moved(system, state, grid, steps=12, save_every=4, stepper=stepper)
    now, tolerance = state, 0.0 if stepper == "euler" else 1e-14
    for frame in frames:
        now = moved(system, now, grid, steps=4, stepper=stepper)
        np.testing.assert_allclose(now, frame, rtol=0, atol=tolerance)


def test_the_order_of_a_batch_does_not_matter():
    """To the last bit: samples share nothing, parameters of their own included."""
    grid = Grid((8, 8))
    values = {"F": np.array([0.02, 0.03, 0.04, 0.05]), "k": np.array([0.05, 0.055, 0.06, 0.065])}
    states = np.stack([rough_state(GrayScott(), grid, seed) for seed in range(4)])
    order = np.array([2, 0, 3, 1])
    one = simulate(GrayScott(**values), states, grid=grid, steps=30)
    two = simulate(GrayScott(**{n: v[order] for n, v in values.items()}), states[order], grid=grid, steps=30)
    np.testing.assert_array_equal(one.state[order], two.state)
    np.testing.assert_array_equal(one.drift[order], two.drift)
    for m in range(4):
        alone = simulate(GrayScott(**{n: float(v[m]) for n, v in values.items()}), states[m], grid=grid, steps=30)
        np.testing.assert_array_equal(alone.state[0], one.state[m])


def test_single_precision_follows_double_as_far_as_it_can():
    grid, system = Grid((8, 8)), GrayScott()
    state = rough_state(system, grid)
    one, two = (simulate(system, state, grid=grid, steps=100, dtype=d) for d in ("float32", "float64"))
    assert one.state.dtype == np.float32
    # 100 steps, each off by half an ulp of 1 (6e-8), nearly independent
    np.testing.assert_allclose(one.state, two.state, atol=5e-6)
    assert np.abs(one.state - two.state).max() > 1e-9


@pytest.mark.parametrize("boundary", GRIDS)
def test_drift_is_the_rms_of_the_larger_field_by_numpy(boundary):
    grid, system = GRIDS[boundary], GrayScott()
    state = rough_state(system, grid)
    found = simulate(system, state, grid=grid, steps=1)
    u, v = found.state[0]
    pad = {"periodic": "wrap", "no-flux": "edge"}[boundary]

    def laplacian(c):
        p = np.pad(c, 1, mode=pad)
        return p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * c

    rates = 0.16 * laplacian(u) - u * v**2 + 0.035 * (1 - u), 0.08 * laplacian(v) + u * v**2 - 0.1 * v
    assert found.drift[0] == pytest.approx(max(np.sqrt(np.mean(r**2)) for r in rates), rel=1e-12)


@SYSTEM
def test_a_drift_is_what_a_short_step_does(name):
    system, grid = REACTION_DIFFUSION[name](), GRIDS["periodic"]
    state = rough_state(system, grid)
    dt = 1e-6
    rate = (moved(system, state, grid, steps=1, dt=dt) - state) / dt
    expected = np.asarray(OnGrid(system, grid).drift(jnp.asarray(state)))
    np.testing.assert_allclose(rate, expected, atol=1e-8 * max(1.0, np.abs(expected).max()))
