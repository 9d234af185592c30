"""The parts of `recover` one by one: against SciPy's sparse solver, dense least squares and finite differences."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from registry import REACTION_DIFFUSION, rough_state
from unstill.observations.camera import ABSOLUTE, Camera
from unstill.recovery.hidden import COHERENT, _block_covariance
from unstill.recovery.hidden_elimination import (
    Route,
    Unsolvable,
    choose_route,
    hidden_slopes,
    solve_hidden,
)
from unstill.recovery.hidden_penalty import FARTHEST, LOOSE, Penalty
from unstill.recovery.hidden_problem import Problem, Scaling
from unstill.recovery.hidden_refinement import covariance_of
from unstill.recovery.hidden_search import Balance, Fitted, descend, evaluate, linear_parameters, screen
from unstill.recovery.ties import ties_of
from unstill.simulation import Grid
from unstill.simulation.jacobian import drift_of
from unstill.systems import GrayScott, ReactionDiffusion, parameter

GRID = Grid((7, 7), 0.9)  # one grid for most tests: every other compiles anew
BOUNDARIES = pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
EVERY_FIELD = pytest.mark.parametrize(
    ("name", "field"), [(n, f) for n, cls in REACTION_DIFFUSION.items() for f in cls.fields]
)


def problem_of(cls, field: str, grid: Grid = GRID, **fixed) -> Problem:
    names = tuple(name for name in cls.parameters() if name not in fixed)
    return Problem(cls, grid, cls.fields.index(field), names, fixed)


def numbers_of(problem: Problem) -> np.ndarray:
    return np.array([problem.system_class.defaults()[name] for name in problem.names], float)


def quiet_state(cls) -> np.ndarray:
    """A state in which all terms matter, smooth enough that a hidden field exists beside it.

    Gierer–Meinhardt's a² = ν h − Dh ∇²h must be positive, and Dh is large.
    """
    state = rough_state(cls(), GRID, 3)
    rest = np.array([float(c) for c in cls().rest()])[:, None, None]
    middle = rest if np.all(rest) else state.mean((1, 2), keepdims=True)
    return middle + 0.03 * (state - state.mean((1, 2), keepdims=True))


def laplacian_matrix(grid: Grid) -> sp.csr_array:
    """∇² as a matrix, column by column from a padded stencil."""
    mode = {"periodic": "wrap", "no-flux": "edge"}[grid.boundary]

    def stencil(c):
        p = np.pad(c, 1, mode=mode)
        return (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * c) / grid.dx**2

    n = grid.shape[0] * grid.shape[1]
    return sp.csr_array(np.stack([stencil(e.reshape(grid.shape)).ravel() for e in np.eye(n)], 1))


# --- the hidden field -------------------------------------------------------------------------------------------------


@BOUNDARIES
@pytest.mark.parametrize("values", [(0.16, 0.08, 0.035, 0.065), (1.3, 0.01, 0.002, 0.2)])
def test_grayscotts_u_beside_v_is_scipys_solution(boundary, values, rng):
    """Du ∇²u − (v² + F) u + F = 0: a Helmholtz equation with a potential, written out and solved by SuperLU."""
    grid = Grid((9, 11), 0.8, boundary)
    problem, v = problem_of(GrayScott, "v", grid), rng.uniform(0, 0.5, (9, 11))
    Du, _, F, _ = values
    matrix = Du * laplacian_matrix(grid) - sp.diags_array(v.ravel() ** 2 + F)
    expected = spla.spsolve(sp.csc_array(matrix), np.full(v.size, -F)).reshape(v.shape)
    u, factor = solve_hidden(problem, choose_route(GrayScott, 1), np.array(values), v)
    np.testing.assert_allclose(u[0], expected, rtol=1e-11)
    b = rng.standard_normal(v.size)
    np.testing.assert_allclose(factor.solve(b), spla.spsolve(sp.csc_array(matrix), b), rtol=1e-9, atol=1e-12)
    assert expected.min() > 0  # the maximum principle: 0 < u ≤ 1
    assert expected.max() <= 1 + 1e-12


@EVERY_FIELD
def test_the_solved_equation_holds_at_every_cell(name, field):
    cls = REACTION_DIFFUSION[name]
    problem, route = problem_of(cls, field), choose_route(cls, cls.fields.index(field))
    picture, values = quiet_state(cls)[problem.observed], numbers_of(problem)
    hidden, _ = solve_hidden(problem, route, values, picture)
    state = problem.state(picture, hidden)
    np.testing.assert_array_equal(state[problem.observed], picture)
    drift = drift_of(problem.system(values), GRID, state)
    left = np.tensordot(np.array(route.solve), drift, 1)
    assert np.abs(left).max() < 1e-9 * max(1.0, np.abs(drift).max())


@EVERY_FIELD
def test_the_hidden_fields_derivatives_against_solving_anew(name, field):
    cls = REACTION_DIFFUSION[name]
    problem, route = problem_of(cls, field), choose_route(cls, cls.fields.index(field))
    picture, values = quiet_state(cls)[problem.observed], numbers_of(problem)
    hidden, factor = solve_hidden(problem, route, values, picture)
    slopes = hidden_slopes(route, factor, problem.drift_slopes(values, problem.state(picture, hidden)))
    for p, parameter_name in enumerate(problem.names):
        h = 1e-5 * max(abs(values[p]), 0.1)
        ends = [
            solve_hidden(problem, route, values + s * h * np.eye(len(values))[p], picture, hidden)[0] for s in (1, -1)
        ]
        numeric = (ends[0] - ends[1]) / (2 * h)
        # h² of the third derivative against 1e-12 of Newton's end over h
        scale = max(1e-3, np.abs(numeric).max())
        np.testing.assert_allclose(slopes[p], numeric, atol=1e-5 * scale, err_msg=parameter_name)


@pytest.mark.parametrize("camera", [Camera(None, None, 1.0), Camera(None, 0.1, None), Camera(None, 0.1, None, None)])
def test_the_residuals_derivatives_of_a_camera_a_tie_and_a_window_against_differences(camera):
    """Gain, offset and gamma move the seen field, and the hidden one with it; a tied parameter follows."""
    grid = Grid((9, 8), 0.9, "no-flux")
    ties = ties_of(GrayScott, {"Du^2/Dv": 0.4}, {})
    problem = Problem(GrayScott, grid, 1, ("Du", "F", "k"), {}, ties, camera, True)
    known = [{"gain": 1.7, "offset": 0.1, "gamma": 0.6, "blur": 0.05}[name] for name in camera.unknown]
    values = np.array([0.16, 0.035, 0.065, *known])
    assert problem.parameters(values)[0]["Dv"] == pytest.approx(0.16**2 / 0.4)
    picture = problem.optics.picture(np.array(known), rough_state(GrayScott(), grid)[1])[0]
    balance = Balance(problem, choose_route(GrayScott, 1), picture[None])
    _, slopes, states = balance.residual(values)
    for p, name in enumerate(problem.sought):
        h = 1e-5 * max(abs(values[p]), 0.1)
        ends = [balance.residual(values + s * h * np.eye(len(values))[p], states)[0] for s in (1, -1)]
        numeric = (ends[0] - ends[1]) / (2 * h)
        # h² of the third derivative: 1e-10 of it
        np.testing.assert_allclose(slopes[p], numeric, atol=1e-5 * np.abs(numeric).max(), err_msg=name)


@EVERY_FIELD
def test_the_residuals_derivatives_against_differences(name, field):
    """The whole chain: hidden field, drift, scales, division in spectral space."""
    cls = REACTION_DIFFUSION[name]
    problem, route = problem_of(cls, field), choose_route(cls, cls.fields.index(field))
    picture, values = quiet_state(cls)[problem.observed], numbers_of(problem)
    balance = Balance(problem, route, picture[None])
    residual, slopes, states = balance.residual(values)
    assert residual.shape == (1, *GRID.shape)
    assert slopes.shape == (len(values), 1, *GRID.shape)
    for p, parameter_name in enumerate(problem.names):
        h = 1e-5 * max(abs(values[p]), 0.1)
        ends = [balance.residual(values + s * h * np.eye(len(values))[p], states)[0] for s in (1, -1)]
        numeric = (ends[0] - ends[1]) / (2 * h)
        scale = max(1e-3, np.abs(numeric).max())
        np.testing.assert_allclose(slopes[p], numeric, atol=2e-5 * scale, err_msg=parameter_name)


@BOUNDARIES
def test_the_residual_is_the_fixed_points_change_by_scipy(boundary, rng):
    """(D K + q) r = test @ drift, with both scales measured here, solved as a sparse system in space."""
    grid = Grid((8, 7), 0.9, boundary)
    problem, values = problem_of(GrayScott, "v", grid), np.array([0.16, 0.08, 0.035, 0.065])
    v = rng.uniform(0.05, 0.4, grid.shape)
    residual, _, states = Balance(problem, choose_route(GrayScott, 1), v[None]).residual(values)
    u = states[0, 0]
    slope = 2 * u * v - 0.1
    size = v.std()
    operator = size * (-0.08 * laplacian_matrix(grid) + np.sqrt((slope**2).mean()) * sp.eye_array(v.size))
    drift = 0.08 * (laplacian_matrix(grid) @ v.ravel()) + (u * v * v - 0.1 * v).ravel()
    np.testing.assert_allclose(residual[0].ravel(), spla.spsolve(sp.csc_array(operator), drift), rtol=1e-9, atol=1e-12)


@EVERY_FIELD
def test_the_residual_moves_with_the_picture(name, field):
    """Translated, mirrored and turned pictures give translated, mirrored and turned residuals."""
    cls = REACTION_DIFFUSION[name]
    problem, route = problem_of(cls, field), choose_route(cls, cls.fields.index(field))
    picture, values = quiet_state(cls)[problem.observed], numbers_of(problem)
    first = Balance(problem, route, picture[None]).residual(values)[0][0]
    for change in (lambda c: np.roll(c, (2, 3), (-2, -1)), lambda c: c[..., ::-1], lambda c: np.rot90(c, 1, (-2, -1))):
        other = Balance(problem, route, change(picture).copy()[None]).residual(values)[0][0]
        np.testing.assert_allclose(other, change(first), rtol=1e-8, atol=1e-10)


def test_a_field_that_enters_nowhere_cannot_be_solved_for():
    class Blind(ReactionDiffusion):
        """u does not feel h, and h's own equation is not linear in h."""

        name, fields, diffusion = "blind", ("u", "h"), {"u": "D"}
        equations = ("∂u/∂t = D∇²u − u", "∂h/∂t = u − h⁵")
        D: float = parameter(0.1, (0, 1))

        def kinetics(self, u, h):
            return -u, u - h**5

        def rest(self):
            return (0.0, 0.0)

    problem = problem_of(Blind, "u", GRID)
    pointwise = Route(((1.0, 0.0),), (0.0, 1.0), 1, True)
    with pytest.raises(Unsolvable, match="does not enter"):
        solve_hidden(problem, pointwise, np.array([0.1]), np.ones(GRID.shape))


def test_a_hidden_field_that_explodes_is_named():
    """Nearly no diffusion and no loss: u = F/(v² + F) is fine, but 1e12 of it is not where the loss is 1e-12 of F."""
    picture = np.zeros(GRID.shape)

    class Growing(GrayScott):
        """u is fed and hardly lost."""

        name = "growing"

        def kinetics(self, u, v):
            return self.F - 1e-12 * u - u * v * v, GrayScott.kinetics(self, u, v)[1]

    with pytest.raises(Unsolvable, match="not finite"):
        solve_hidden(problem_of(Growing, "v"), choose_route(Growing, 1), numbers_of(problem_of(Growing, "v")), picture)


# --- coordinates of the search ----------------------------------------------------------------------------------------


@EVERY_FIELD
def test_numbers_and_values_of_the_search_are_inverse(name, field, rng):
    scaling = Scaling.of(problem := problem_of(REACTION_DIFFUSION[name], field))
    q = scaling.numbers(numbers_of(problem)) + rng.uniform(-0.5, 0.5, len(problem.names))
    values = scaling.values(q)
    np.testing.assert_allclose(scaling.numbers(values), q, atol=1e-12)
    numeric = (scaling.values(q + 1e-6) - scaling.values(q - 1e-6)) / 2e-6
    np.testing.assert_allclose(scaling.slope(values), numeric, rtol=1e-8)


@EVERY_FIELD
def test_starts_lie_within_the_ranges_around_the_defaults_and_repeat(name, field):
    scaling = Scaling.of(problem := problem_of(REACTION_DIFFUSION[name], field))
    starts = scaling.starts(32)
    infos = problem.system_class.parameters()
    for values in map(scaling.values, starts):
        for parameter_name, value in zip(problem.names, values, strict=True):
            info = infos[parameter_name]
            assert info.low - 1e-12 <= value <= info.high * (1 + 1e-12)
    np.testing.assert_array_equal(starts, scaling.starts(32))
    assert len(np.unique(starts.round(9), axis=0)) == 32
    inside = [p for p in range(len(problem.names)) if np.ptp(starts[:, p]) > 0]
    assert inside
    middle = np.median(starts, 0)
    log = scaling.logarithmic
    # Sobol points of a cube of ± one decade: their median is the default, where the range leaves room
    room = (scaling.numbers(scaling.high) > np.log(10) + np.log(scaling.scale)) & log
    np.testing.assert_allclose(middle[room], np.log(scaling.scale)[room], atol=0.2)


def test_parameters_that_enter_the_tested_equation_alone_and_linearly():
    """Gray–Scott with v seen: u is solved for with Du and F; Dv and k stand in v's equation only."""
    problem = problem_of(GrayScott, "v")
    assert linear_parameters(problem, choose_route(GrayScott, 1)) == [1, 3]
    assert linear_parameters(problem_of(GrayScott, "v", k=0.06), choose_route(GrayScott, 1)) == [1]


def test_a_start_is_given_the_best_values_of_its_linear_parameters():
    """`screen` against bounded least squares by trying: no other Dv and k near by fit better."""
    problem, route = problem_of(GrayScott, "v"), choose_route(GrayScott, 1)
    balance, scaling = Balance(problem, route, quiet_state(GrayScott)[1][None]), Scaling.of(problem)
    q = scaling.numbers(np.array([0.1, 0.2, 0.05, 0.1]))
    raw = evaluate(balance, scaling, q)
    assert raw is not None
    cost, better = screen(balance, scaling, q, [1, 3])
    assert cost <= raw.cost
    np.testing.assert_array_equal(better[[0, 2]], q[[0, 2]])
    assert screen(balance, scaling, q, []) == (raw.cost, pytest.approx(q))


class Linear(Balance):
    """A residual A θ − b, whose minimum is known; not to be evaluated where `refused` says so."""

    def __init__(self, A, b, refused=lambda values: False):
        self.A, self.b, self.refused = A, b, refused
        self.problem = problem_of(GrayScott, "v", Du=0.16, F=0.03)

    def residual(self, values, starts=None):
        if self.refused(values):
            raise Unsolvable("refused")
        r = self.A @ values - self.b
        return r.reshape(1, -1, 1), self.A.T.reshape(2, 1, -1, 1), np.zeros((1, 2, len(self.b), 1))


def test_the_descent_ends_at_the_least_squares_solution(rng):
    A = rng.standard_normal((12, 2))
    b = A @ [0.3, 0.1] + 0.01 * rng.standard_normal(12)
    balance = Linear(A, b)
    scaling = Scaling.of(balance.problem)
    at = evaluate(balance, scaling, scaling.numbers(np.array([0.02, 0.02])))
    assert at is not None
    end = descend(balance, scaling, at, 60)
    solution, (squares,), *_ = np.linalg.lstsq(A, b)
    np.testing.assert_allclose(scaling.values(end.q), solution, rtol=1e-7)
    assert end.cost == pytest.approx(0.5 * squares / 12, rel=1e-10)


def test_the_descent_stays_in_the_ranges_and_where_the_hidden_field_can_be_solved_for(rng):
    A = rng.standard_normal((12, 2))
    balance = Linear(A, A @ [0.2, 0.9])  # k may be 0.3 at most
    scaling = Scaling.of(balance.problem)
    start = scaling.numbers(np.array([0.1, 0.1]))
    at = evaluate(balance, scaling, start)
    assert at is not None
    assert scaling.values(descend(balance, scaling, at, 60).q)[1] == pytest.approx(0.3)
    fenced = Linear(A, A @ [0.2, 0.2], refused=lambda values: bool(values[1] > 0.15))
    end = descend(fenced, scaling, at, 60)
    assert scaling.values(end.q)[1] <= 0.15
    assert evaluate(fenced, scaling, scaling.numbers(np.array([0.1, 0.2]))) is None


# --- the refinement ---------------------------------------------------------------------------------------------------


def penalty_at(rng, boundary="periodic", camera=ABSOLUTE, window=False):
    grid = Grid((6, 5), 1.0, boundary)
    problem = dataclasses.replace(problem_of(GrayScott, "v", grid), camera=camera, window=window)
    states = np.stack([rough_state(GrayScott(), grid, seed) for seed in (0, 1)])
    known = np.array([{"gain": 1.7, "offset": 0.1, "gamma": 0.6, "blur": 0.05}[name] for name in camera.unknown])
    values = np.array([0.16, 0.08, 0.035, 0.065, *known])
    pictures = problem.optics.picture(known, states[:, 1])[0] + 0.02 * rng.standard_normal((2, *grid.shape))
    scaling = Scaling.of(problem, pictures)
    q = scaling.numbers(values)
    return Penalty(problem, scaling, pictures, 0.02, states, q), q, states


def stacked(penalty: Penalty, q, states, level):
    """All weighted residuals as one vector: its squares are twice the cost."""
    parts = []
    for state, picture in zip(states, penalty.pictures, strict=True):
        drift, misfit = penalty.parts(q, state, picture)
        parts += [(drift / (level * penalty.unit(q)[:, None, None])).ravel(), misfit.ravel() / penalty.noise]
    known = penalty.problem.camera.blur_std
    blur = penalty.scaling.values(q)[-1:] / known if known else np.zeros(0)
    return np.concatenate([*parts, blur])


every_camera = pytest.mark.parametrize(
    ("boundary", "camera", "window"),
    [
        ("periodic", ABSOLUTE, False),
        ("no-flux", ABSOLUTE, False),
        ("no-flux", Camera(None, None, 1.0), True),
        ("periodic", Camera(None, None, None), False),
        ("periodic", Camera(blur=0.08), False),
        ("no-flux", Camera(None, None, 1.0, None), True),
        ("periodic", Camera(None, 0.1, 1.0, None, 0.03), False),
    ],
)


def dense(penalty: Penalty, q, states, level, damping):
    """The Jacobian of all residuals by central differences, the residuals, and their damped normal equations."""

    def residuals(x):
        return stacked(penalty, x[: len(q)], x[len(q) :].reshape(states.shape), level)

    x, h = np.concatenate([q, states.ravel()]), 1e-6
    J = np.stack([(residuals(x + h * e) - residuals(x - h * e)) / (2 * h) for e in np.eye(len(x))], 1)
    H = J.T @ J
    soft = (damping + LOOSE * penalty.problem.open) / penalty.concentration_noise**2
    H[len(q) :, len(q) :] += soft * np.eye(states.size)
    return J, residuals(x), H


@every_camera
def test_a_step_of_the_refinement_is_the_dense_gauss_newton_step(boundary, camera, window, rng):
    """Normal equations by NumPy: same step, same Schur complement, so that the elimination of the fields is exact."""
    penalty, q, states = penalty_at(rng, boundary, camera, window)
    level, damping = 0.3, 1e-3
    assert penalty.cost(q, states, level) == pytest.approx(0.5 * np.sum(stacked(penalty, q, states, level) ** 2))
    J, r, H = dense(penalty, q, states, level, damping)
    g = J.T @ r
    A, B, C = H[: len(q), : len(q)], H[: len(q), len(q) :], H[len(q) :, len(q) :]
    schur = A - B @ np.linalg.solve(C, B.T)
    here = penalty.at(q, states, level, damping)
    dq, dstates = here.step()
    np.testing.assert_allclose(here.information, schur, rtol=1e-5, atol=1e-6 * np.abs(schur).max())
    expected = -np.linalg.solve(H, g)
    cap = min(1.0, 0.3 / np.abs(expected[: len(q)]).max())
    np.testing.assert_allclose(dq, cap * expected[: len(q)], rtol=1e-4, atol=1e-6)
    rest = -np.linalg.solve(C, g[len(q) :] + B.T @ dq)
    np.testing.assert_allclose(dstates.ravel(), rest, rtol=1e-4, atol=1e-6)


@every_camera
def test_the_curved_part_of_a_step_solves_for_what_the_linear_residuals_miss(boundary, camera, window, rng):
    penalty, q, states = penalty_at(rng, boundary, camera, window)
    level, damping, P = 0.3, 1e-3, len(q)
    J, r, H = dense(penalty, q, states, level, damping)
    dq, dstates = 0.01 * rng.standard_normal(P), 0.01 * rng.standard_normal(states.shape)
    missed = stacked(penalty, q + dq, states + dstates, level) - r - J @ np.concatenate([dq, dstates.ravel()])
    if camera.blur_std:
        missed[-1] = 0.0  # taken as linear
    expected = -np.linalg.solve(H, J.T @ missed)
    more, fields = penalty.at(q, states, level, damping).curved(dq, dstates)
    assert 1e-4 < np.abs(expected[:P]).max() < FARTHEST
    np.testing.assert_allclose(more, expected[:P], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(fields.ravel(), expected[P:], rtol=1e-3, atol=1e-5)


@every_camera
def test_one_number_more_is_that_of_dense_algebra(boundary, camera, window, rng):
    penalty, q, states = penalty_at(rng, boundary, camera, window)
    level, damping, P = 0.3, 1e-3, len(q)
    J, r, H = dense(penalty, q, states, level, damping)
    drifts = 1e-3 * rng.standard_normal(states.shape) * penalty.problem.inside
    misfits = 1e-2 * rng.standard_normal(penalty.pictures.shape) * penalty.problem.pixels
    weighted = drifts / (level * penalty.unit(q)[:, None, None])
    parts = [x.ravel() for one in zip(weighted, misfits / penalty.noise, strict=True) for x in one]
    column = np.concatenate([*parts, np.zeros(1 if camera.blur_std else 0)])
    G, C = J.T @ column, H[P:, P:]
    found = penalty.at(q, states, level, damping).column(drifts, misfits)
    assert found.own == pytest.approx(column @ column - G[P:] @ np.linalg.solve(C, G[P:]), rel=1e-5)
    mixed = G[:P] - H[:P, P:] @ np.linalg.solve(C, G[P:])
    np.testing.assert_allclose(found.mixed, mixed, rtol=1e-4, atol=1e-6 * np.abs(mixed).max())
    slope = column @ r - G[P:] @ np.linalg.solve(C, (J.T @ r)[P:])
    assert found.slope == pytest.approx(slope, rel=1e-4, abs=1e-6 * abs(column @ r))


def test_a_gain_that_grows_stills_no_drift(rng):
    """Drifts are measured at the concentrations that the camera reads: as from a start with that gain. (Measured at the
    first ones, a photograph with 5 % noise lost its way to a gain of 1,800 and rates of nearly 0.)"""
    penalty, q, states = penalty_at(rng, camera=Camera(None, None, 1.0))
    values = penalty.scaling.values(q)
    values[penalty.problem.sought.index("gain")] *= 50
    grown, fainter = penalty.scaling.numbers(values), states.copy()
    fainter[:, 1] /= 50
    again = Penalty(penalty.problem, penalty.scaling, penalty.pictures, penalty.noise, fainter, grown)
    np.testing.assert_allclose(penalty.unit(grown), again.unit(grown), rtol=1e-12)


def test_covariance_without_the_null_directions(rng):
    A = rng.standard_normal((9, 4))
    np.testing.assert_allclose(covariance_of(A.T @ A, np.zeros((4, 0))), np.linalg.inv(A.T @ A), rtol=1e-9)
    null = np.linalg.qr(rng.standard_normal((4, 1)))[0]
    singular = (np.eye(4) - null @ null.T) @ A.T @ A @ (np.eye(4) - null @ null.T)
    found = covariance_of(singular, null)
    np.testing.assert_allclose(found, np.linalg.pinv(singular, rcond=1e-10), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found @ null, 0, atol=1e-12)


def test_the_covariance_of_a_picture_without_noise_is_the_sandwich(rng):
    """For a residual of independent cells it is s² (JJᵀ)⁻¹ in the mean, plus what is told of coherent drift."""
    slopes, s, n = rng.standard_normal((2, 1, 96, 96)), 1e-3, 96 * 96
    H = np.einsum("pmij,qmij->pq", slopes, slopes)
    found = []
    for _ in range(200):
        residual = s * rng.standard_normal((1, 96, 96))
        fit = Fitted(np.zeros(2), 0.0, residual, slopes, np.zeros((1, 2, 96, 96)))
        extra = COHERENT**2 * n * (residual**2).mean() * np.linalg.inv(H)
        found.append(_block_covariance(fit, np.zeros((2, 0))) - extra)
    # 36 blocks: each estimate is good to 24 %, the mean of 200 to 2 %
    np.testing.assert_allclose(np.mean(found, 0), s**2 * np.linalg.inv(H), rtol=0.08, atol=0.08 * s**2 / n)
