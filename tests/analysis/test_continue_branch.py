"""Branches of patterns against closed forms, dense eigenvalues and independent simulations."""

import functools
import itertools

import numpy as np
import pytest

import unstill as us
from lattice_stripes import FOLD, ONSET, Stripes, amplitudes, eigenvalues, stripes
from unstill.analysis import pattern_modes, pattern_rest
from unstill.analysis.bordered import Bordered, Inverse, gmres
from unstill.analysis.branch_result import verdict_of
from unstill.analysis.pattern_branch import Follow
from unstill.analysis.pattern_problem import problem_of
from unstill.analysis.pattern_rest import NoRest, brought_to_rest
from unstill.analysis.pattern_steps import place
from unstill.simulation.multifrontal import SingularMatrix, one_thread

LINE = us.Grid((3, 8))
BOX = us.Grid((16, 16))
# Where a spot in 16 × 16 cells at k = 0.066 dies as F rises: between these the last state that `simulate` kept alive
# (until_drift 1e-9, each run from the last living state) and the first that died; benchmarks/test_continuation.py.
DIES = 0.08442382, 0.08442444


@functools.cache
def branch():
    return us.continue_branch(Stripes(r=0.1), stripes(0.1, LINE), over={"r": (-0.3, 0.15)}, grid=LINE)


STEPS = {0.06: 0.035, 0.075: 0.06, 0.084: 0.075}  # F in steps that a spot survives


@functools.cache
def spot(F=0.035):
    y, x = np.mgrid[:16, :16]
    v = 0.3 * np.exp(-(((x - 8) ** 2 + (y - 8) ** 2) / 9))
    start = np.stack([1 - 2 * v, v])[None] if F == 0.035 else spot(STEPS[F]).state
    return us.simulate(us.GrayScott.make("spots", F=F, k=0.066), start, until_drift=1e-7, max_steps=60_000)


# --- closed forms -----------------------------------------------------------------------------------------------------


def test_points_are_the_known_stripes_to_round_off():
    found = branch()
    assert found.status is us.Status.CONVERGED
    assert found.ends == ("uniform", "edge")
    for point in found.points:
        a = np.abs(point.state[0]).max()
        assert min(abs(a - each) for each in amplitudes(point.value)) < 1e-12
        np.testing.assert_allclose(np.abs(point.state[1]), a / 17, rtol=1e-10)
        assert point.drift < 1e-13
    assert found.points[-1].value == 0.15
    assert found.points[0].value == pytest.approx(ONSET, abs=3e-3)


def test_the_fold_is_the_known_one():
    (fold,) = branch().folds
    assert fold.value == pytest.approx(FOLD, rel=1e-12)
    assert fold.error < 1e-12
    assert np.abs(fold.state[0]).max() ** 2 == pytest.approx(0.5, rel=1e-5)
    assert abs(fold.crossing) < 1e-9
    assert not fold.lattice


def test_eigenvalues_and_their_number_are_the_known_ones():
    for point in branch().points:
        known = eigenvalues(point.value, np.abs(point.state[0]).max(), LINE)
        np.testing.assert_allclose(point.modes.values.real, known.real, atol=1e-10)
        assert point.modes.unstable == (known.real > 1e-9).sum()
        assert point.modes.complete


def test_changes_away_from_the_fold_are_said_where_they_are():
    found, seen = branch(), 0
    for a, b in itertools.pairwise(found.points):
        expected = abs(b.modes.unstable - a.modes.unstable) > found.folds_between(a, b)
        told = [c for c in found.changes if c.arclength == (a.arclength, b.arclength)]
        assert len(told) == expected
        seen += expected
    assert seen == len(found.changes) > 0


def test_states_in_the_file_are_those_of_the_points():
    arrays = branch().arrays()["branch.npz"]
    np.testing.assert_array_equal(arrays["values"][arrays["at"]], branch().values)
    assert arrays["states"].shape == (len(branch().points), 2, 3, 8)
    assert (np.diff(arrays["arclength"]) > 0).all()


# --- Gray–Scott -------------------------------------------------------------------------------------------------------


def test_the_fold_of_a_spot_is_where_simulation_loses_it():
    found = us.continue_branch(spot(0.084), over={"F": (0.0839, 0.12)}, step=0.5)
    (fold,) = found.folds
    assert DIES[0] < fold.value < DIES[1]
    assert abs(fold.crossing) < 1e-9
    assert max(point.drift for point in found.points) < 1e-12
    below = [point.modes.stable for point in found.points if point.arclength < fold.arclength]
    above = [point.modes.unstable for point in found.points if point.arclength > fold.arclength]
    assert sorted([set(below), set(above)], key=str) in ([{True}, {1}], [{1}, {True}])


def test_leading_eigenvalues_are_those_of_the_dense_matrix():
    F = 0.022  # where an oscillation grows
    found = us.continue_branch(spot(), over={"F": (F, 0.036)}, step=1.0)
    point = min(found.points, key=lambda each: each.value)
    assert point.value == F
    at = place(problem_of(spot().dynamics, BOX, "F", (0.02, 0.04), point.state), point.state, F)
    with one_thread():
        known = np.linalg.eigvals(at.jacobian.toarray())
    known = known[np.argsort(-known.real)]
    ours = np.concatenate([point.modes.values, point.modes.translations])
    ours = ours[np.argsort(-ours.real)][:8]
    np.testing.assert_allclose(ours.real, known[:8].real, atol=1e-10)
    np.testing.assert_allclose(np.sort(np.abs(ours.imag)), np.sort(np.abs(known[:8].imag)), atol=1e-10)
    assert len(point.modes.translations) == 2
    assert point.modes.unstable == 2


def test_oscillations_that_begin_to_grow_are_told_as_such():
    found = us.continue_branch(spot(), over={"F": (0.02, 0.035)}, step=0.3)
    assert [(change.kind, sorted(change.unstable)) for change in found.changes] == [("oscillating", [0, 2])]
    low, high = sorted(found.changes[0].between)
    assert low < 0.0240 < high  # where the dense eigenvalues of spots on this branch cross


# --- lattices of spots ------------------------------------------------------------------------------------------------


@functools.cache
def small_spot():
    """A branch of spots in 12 × 12 cells, all eigenvalues computed, from F = 0.022, where an oscillation grows."""
    y, x = np.mgrid[:12, :12]
    v = 0.3 * np.exp(-(((x - 6) ** 2 + (y - 6) ** 2) / 9))
    start = np.stack([1 - 2 * v, v])[None]
    run = us.simulate(us.GrayScott.make("spots", k=0.066), start, until_drift=1e-7, max_steps=60_000)
    return us.continue_branch(run, over={"F": (0.022, 0.12)}, step=0.4)


def waves_of_a_lattice(state, F):
    """Eigenvalues of 2 × 2 copies of a state: its Jacobian, with the sign changed of what crosses the box's edges."""
    problem = problem_of(small_spot().system, us.Grid((12, 12)), "F", (0.02, 0.12), state)
    jacobian = place(problem, state, F).jacobian.toarray()
    y, x = np.divmod(np.arange(288) % 144, 12)
    across = [np.abs(each[:, None] - each) == 11 for each in (y, x)]
    with one_thread():
        found = [
            np.linalg.eigvals(jacobian * np.where(across[0], a, 1) * np.where(across[1], b, 1))
            for a in (1, -1)
            for b in (1, -1)
        ]
    values = np.concatenate(found).astype(complex)
    return values[np.argsort(-values.real)]


@pytest.mark.parametrize("place_on_branch", ["oscillating", "beyond the fold"])
def test_all_modes_that_grow_on_a_lattice_of_spots_are_found(place_on_branch):
    points = small_spot().points
    point = min(points, key=lambda each: each.value) if place_on_branch == "oscillating" else points[-1]
    known = waves_of_a_lattice(point.state, point.value)
    state = np.tile(point.state, (1, 2, 2))
    problem = problem_of(small_spot().system, us.Grid((24, 24)), "F", (0.02, 0.12), state)
    modes = pattern_modes.leading_modes(problem, place(problem, state, point.value))
    ours = np.concatenate([modes.values, modes.translations])
    ours, growing = ours[np.argsort(-ours.real)], (known.real > 1e-9).sum()
    assert modes.complete
    assert growing >= 4
    assert (ours.real > 1e-9).sum() == growing
    np.testing.assert_allclose(ours[:growing].real, known[:growing].real, atol=1e-9)


def test_a_lattice_of_spots_has_the_fold_of_one():
    (fold,) = small_spot().folds
    before = [point for point in small_spot().points if point.arclength < fold.arclength][-1]
    system = small_spot().system.with_values(F=before.value)
    state = np.tile(before.state, (1, 2, 2))
    found = us.continue_branch(system, state, over={"F": (before.value - 1e-6, 0.12)}, points=5)
    assert [each.value for each in found.folds] == [pytest.approx(fold.value, rel=1e-9)]


# --- symmetries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "boundary", "count"),
    [
        (lambda x, y: np.cos(x) + np.sin(2 * y), "periodic", 2),
        (lambda x, y: np.cos(x) + 0 * y, "periodic", 1),
        (lambda x, y: np.cos(x + y), "periodic", 1),
        (lambda x, y: np.cos(8 * x) + 0 * y, "periodic", 0),
        (lambda x, y: np.cos(x) + np.sin(2 * y), "no-flux", 0),
    ],
    ids=["spots", "stripes", "slanted stripes", "stripes of two cells", "walls"],
)
def test_translations_are_counted(state, boundary, count):
    y, x = 2 * np.pi * np.mgrid[:16, :16] / 16
    pattern = np.stack([1 + 0.1 * state(x, y), 0.2 + 0.2 * state(x, y)])
    problem = problem_of(us.GrayScott(), us.Grid((16, 16), boundary=boundary), "F", (0.0, 0.1), pattern)
    moves = problem.translations(pattern)
    assert moves.shape == (512, count)
    np.testing.assert_allclose(moves.T @ (problem.weights[:, None] * moves), np.eye(count), atol=1e-12)


def test_walls_need_no_phase():
    y, x = np.mgrid[:12, :12]
    v = 0.3 * np.exp(-((x**2 + y**2) / 16))  # a quarter of a spot in a corner
    grid = us.Grid((12, 12), boundary="no-flux")
    system = us.GrayScott.make("spots", k=0.066)
    run = us.simulate(system, np.stack([1 - 2 * v, v])[None], grid=grid, until_drift=1e-7, max_steps=60_000)
    found = us.continue_branch(run, over={"F": (0.034, 0.036)}, step=0.3)
    assert found.status is us.Status.CONVERGED
    assert found.ends == ("edge", "edge")
    assert all(len(point.modes.translations) == 0 for point in found.points)


# --- coming to rest ---------------------------------------------------------------------------------------------------


def near_rest():
    state = spot().state[0] * (1 + 1e-3)
    return Follow(problem_of(spot().dynamics, BOX, "F", (0.034, 0.036), state), 0.034, 0.036, 0.1, 0), state


def test_where_newtons_method_fails_the_pattern_is_moved_on(monkeypatch):
    calls, told = [], []

    def failing_at_first(system, grid, state, max_iterations):
        calls.append(max_iterations)
        if len(calls) == 1:
            return state, 1.0, us.Status.NOT_CONVERGED
        return us.polish(system, grid, state, max_iterations=max_iterations)

    monkeypatch.setattr(pattern_rest, "polish", failing_at_first)
    point = brought_to_rest(*near_rest(), told.append)
    assert point.drift < 1e-12
    assert [each for each in told if each.startswith("moving the pattern on, drift")]


def test_a_pattern_that_creeps_on_is_told_as_such(monkeypatch):
    monkeypatch.setattr(pattern_rest, "_by_newton", lambda *_: None)
    with pytest.raises(
        NoRest, match=r"still creeps, .* after [\d,]+ more steps: run it longer, until its drift is 1e-"
    ):
        brought_to_rest(*near_rest(), lambda doing: None, budget=500)


# --- ends, interrupts, refusals ---------------------------------------------------------------------------------------


def test_a_ghost_of_a_pattern_is_not_converged():
    """Just beyond the fold a spot hardly moves, and has no state at rest near."""
    system = us.GrayScott.make("spots", F=0.0850, k=0.066)
    found = us.continue_branch(system, spot(0.084).state, over={"F": (0.08, 0.09)})
    assert found.status is us.Status.NOT_CONVERGED
    assert found.failed
    assert len(found.points) == 0
    assert found.arrays() == {}
    assert found.to_dict()["points"] == []


def test_points_are_a_budget():
    found = us.continue_branch(Stripes(r=0.1), stripes(0.1, LINE), over={"r": (-0.3, 0.15)}, grid=LINE, points=2)
    assert len(found.points) == 5
    assert found.ends == ("points", "points")
    assert found.status is us.Status.CONVERGED


@pytest.mark.parametrize("stop", [1, 4, 19])
def test_an_interrupted_call_goes_on_to_the_same_numbers(tmp_path, stop):
    def call(**more):
        return us.continue_branch(Stripes(r=0.1), stripes(0.1, LINE), over={"r": (-0.3, 0.15)}, grid=LINE, **more)

    def stopping(done, total, entry):
        if done == stop:
            raise KeyboardInterrupt

    kept = us.Checkpoint(tmp_path / "kept")
    early = call(progress=stopping, resume=kept)
    assert early.interrupted
    assert stop <= len(early.points) <= stop + 1
    whole = call(resume=us.Checkpoint(tmp_path / "kept"))
    assert len(whole.points) == len(branch().points)
    for a, b in zip(whole.points, branch().points, strict=True):
        np.testing.assert_array_equal(a.state, b.state)
        np.testing.assert_array_equal(a.modes.values, b.modes.values)
    assert whole.folds[0].value == branch().folds[0].value
    assert whole.ends == branch().ends


def test_another_calls_points_are_not_taken(tmp_path):
    def stopping(done, total, entry):
        raise KeyboardInterrupt

    kept = us.Checkpoint(tmp_path / "kept")
    kept.write_log([])
    early = us.continue_branch(
        Stripes(r=0.1), stripes(0.1, LINE), over={"r": (-0.3, 0.15)}, grid=LINE, progress=stopping, resume=kept
    )
    assert early.interrupted
    assert early.message == "stopped before the pattern was at rest"
    with pytest.raises(us.BadInput, match="`resume` must hold an interrupted call like this one"):
        us.continue_branch(Stripes(r=0.1), stripes(0.1, LINE), over={"r": (-0.2, 0.15)}, grid=LINE, resume=kept)


def growing():
    return us.simulate(us.GrayScott(), grid=us.Grid((32, 32)), steps=400)


REFUSED = {
    "uniform": ({"state": np.full((2, 16, 16), 0.5)}, "`state` must hold a pattern; got a uniform state"),
    "one field": ({"state": np.ones((16, 16))}, r"`state` must be finite, of shape \(2, H, W\)"),
    "nothing": ({}, "`state` must be given"),
    "no system": ({"dynamics": "lorenz"}, "`dynamics` must be a reaction–diffusion system"),
    "moving": (
        lambda: {"dynamics": growing()},
        r"`state` must be a pattern that hardly moves; got a drift of .* Waves",
    ),
    "unknown": ({"over": {"G": (0, 1)}}, "`over` must name a parameter of gray-scott; got 'G'"),
    "two": ({"over": {"F": (0.01, 0.1), "k": (0.01, 0.1)}}, "`over` must name one parameter; got F, k"),
    "upside down": ({"over": {"F": (0.05, 0.03)}}, "`over` must be .* with low < high"),
    "beyond": ({"over": {"F": (0.05, 0.06)}}, r"`over` must hold the present value of F, 0.035; got 0.05 to 0.06"),
    "impossible": ({"over": {"F": (-1, 0.06)}}, r"`over` must keep F within \[0, 0.3\]"),
    "sample": ({"sample": 3}, "`sample` must be below 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_branch_is_refused(name):
    given, message = REFUSED[name]
    given = given() if callable(given) else given
    call = {"dynamics": us.GrayScott(), "over": {"F": (0.03, 0.05)}}
    if name in ("unknown", "two", "upside down", "beyond", "impossible", "sample"):
        call["state"] = np.random.default_rng(0).random((2, 16, 16))
    if name == "moving":
        call["over"] = {"F": (0.01, 0.05)}
    with pytest.raises(us.BadInput, match=message):
        us.continue_branch(**(call | given))


# --- linear algebra ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moved", [0.0, 0.05])
def test_bordered_systems_are_solved_with_a_neighbours_factorisation(moved):
    rng = np.random.default_rng(1)
    state = np.stack([1 - 0.5 * rng.random((6, 7)), 0.3 * rng.random((6, 7))])
    grid = us.Grid((6, 7))
    problem = problem_of(us.GrayScott(), grid, "F", (0.0, 0.1), state)
    factor = problem.factor(*problem.jacobian(state + moved, 0.035))
    jacobian = problem.jacobian(state, 0.035)[0]
    N, K = problem.size, 3
    matrix = Bordered(
        jacobian, rng.standard_normal((N, K)), rng.standard_normal((N, K)), np.eye(K), 1 / np.sqrt(problem.weights)
    )
    rhs = rng.standard_normal(N + K)
    x = gmres(matrix, Inverse(factor, matrix), rhs, 1e-12)
    dense = np.block([[jacobian.toarray() / matrix.units[:, None], matrix.columns / matrix.units[:, None]],
                      [matrix.rows.T, matrix.corner]])  # fmt: skip
    np.testing.assert_allclose(x, np.linalg.solve(dense, rhs), rtol=1e-7, atol=1e-9 * np.abs(x).max())


def test_a_singular_matrix_is_moved_until_it_is_not():
    state = np.stack([np.ones((16, 16)), np.zeros((16, 16))])
    problem = problem_of(us.GrayScott(), BOX, "F", (0.0, 0.1), state + np.random.default_rng(0).random(state.shape))
    jacobian = problem.jacobian(state, 0.0)[0]  # at F = 0 the mean of u is conserved
    try:
        solved = problem.shifted(jacobian, 1e-6).solve(np.ones(problem.size))
    except SingularMatrix:
        pytest.fail("no shift helped")
    assert np.isfinite(solved).all()


def test_what_cannot_be_computed_is_not_guessed(monkeypatch):
    monkeypatch.setattr(pattern_modes, "_RIGHT", 0.0)  # no eigenpair is good enough
    state = us.polish(spot().dynamics, BOX, spot().state[0])[0]
    problem = problem_of(spot().dynamics, BOX, "F", (0.02, 0.04), state)
    modes = pattern_modes.leading_modes(problem, place(problem, state, 0.035))
    assert not modes.complete
    assert modes.stable is None
    assert verdict_of(modes) == "not known whether stable"
