"""`discover` for pictures: Gray–Scott from patterns at rest, moving, and in order of time."""

import json
from pathlib import Path

import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest

import unstill as us
from unstill import BadInput, Status
from unstill.discovery import discover_pictures
from unstill.discovery.ensembles import FieldFunctionals
from unstill.discovery.field_library import laplacian
from unstill.discovery.field_noise import without_noise
from unstill.discovery.subsets import select
from unstill.observations import Ordered
from verbs_arguments import run_verb

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "discover.json"
NAMES = ("u", "v")


def gray_scott(preset):
    """The true coefficients: 1, u, v, …, u v^2, …, lap u, lap v."""
    p = us.GrayScott.presets[preset]
    C = np.zeros((2, 12))
    C[0, [0, 1, 8, 10]] = p["F"], -p["F"], -1, p["Du"]
    C[1, [2, 8, 11]] = -p["F"] - p["k"], 1, p["Dv"]
    return C


def by_name(states):
    return {name: states[:, a] for a, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def still():
    return us.simulate(us.GrayScott.make("maze"), grid=us.Grid((64, 64)), init="discs", steps=30_000).state


@pytest.fixture(scope="module")
def moving():
    """32 pictures of four runs of travelling waves, 1,000 time units apart."""
    grid = us.Grid((64, 64))
    run = us.simulate(
        us.GrayScott.make("waves"), grid=grid, init="discs", samples=5, seed=5, steps=12_000, save_every=1_000
    )
    alive = [m for m, status in enumerate(run.status) if status is Status.MOVING]
    return run.frames[-8:][:, alive[:4]].reshape(-1, 2, 64, 64)


def test_one_picture_at_rest(still):
    """Every field's equation up to its pace: no term too many, none too few."""
    found, truth = discover_pictures(by_name(still)), gray_scott("maze")
    truth /= truth[[0, 1], [10, 11]][:, None]
    np.testing.assert_array_equal(found.coefficients != 0, truth != 0)
    np.testing.assert_allclose(found.coefficients, truth, rtol=0.01)
    assert found.status is Status.UNIDENTIFIABLE
    assert found.nullity >= 2
    assert found.scale == "u: free; v: free"
    assert "diffusion > 0" in found.sign
    assert all(s.second > 5 * s.open[s.terms] for s in found.sparsity.values())


@pytest.mark.parametrize(("noise", "tolerance"), [(0.01, 0.02), (0.05, 0.08)])
def test_noise_is_told_and_taken_out(still, noise, tolerance, rng):
    level = noise * still.std((0, 2, 3))
    noisy = still + level[:, None, None] * rng.standard_normal(still.shape)
    found, truth = discover_pictures(by_name(noisy), fix={"u:u v^2": -1, "v:u v^2": 1}), gray_scott("maze")
    np.testing.assert_array_equal(found.coefficients != 0, truth != 0)
    np.testing.assert_allclose(found.coefficients, truth, rtol=tolerance)
    np.testing.assert_allclose([found.noise[name] for name in NAMES], level, rtol=0.15)


def test_moving_ensemble(moving):
    """One common pace, and the sparsest field is the true one, although the pictures stand in no order."""
    found, truth = discover_pictures(by_name(moving), fix={"u:u v^2": -1}), gray_scott("waves")
    np.testing.assert_array_equal(found.coefficients != 0, truth != 0)
    np.testing.assert_allclose(found.coefficients, truth, rtol=0.06)
    assert found.nullity >= 1
    assert found.scale == found.sign == "fixed by u:u v^2 = -1"


def test_order_never_changes_the_answer(still, rng):
    pair = np.concatenate([still, np.roll(still, (5, 9), (2, 3)) + 1e-4 * rng.standard_normal(still.shape)])
    a, b = (discover_pictures(by_name(states)) for states in (pair, pair[::-1]))
    np.testing.assert_array_equal(a.coefficients, b.coefficients)


def test_two_frames_in_order(moving):
    """One explicit Euler step apart, the rates are exact: pace, arrow and equations are there, nullity 1."""
    start = moving[:1]
    after = us.simulate(us.GrayScott.make("waves"), start, grid=us.Grid((64, 64)), steps=1).state
    found = us.discover(by_name(start), ordered=Ordered(np.concatenate([start, after]), 1.0))
    np.testing.assert_allclose(found.coefficients, gray_scott("waves"), atol=1e-4)
    assert found.nullity == 1
    assert found.status is Status.CONVERGED
    assert found.scale == "fixed by 2 ordered pictures, 1 apart"


def test_few_moving_pictures_are_refused(moving):
    found = discover_pictures(by_name(moving[:3]))
    assert found.status is Status.NO_FIT
    assert found.nullity == 0
    assert "in order of time" in found.message


def test_found_equations_are_dynamics(still):
    found = discover_pictures(by_name(still), fix={"u:u v^2": -1, "v:u v^2": 1})
    true = us.OnGrid(us.GrayScott.make("maze"), us.Grid((64, 64)))
    state = jnp.asarray(np.random.default_rng(0).random((2, 64, 64)))
    np.testing.assert_allclose(found.drift(state), true.drift(state), atol=0.01)
    assert r"\nabla^2 u" in found.equations.latex()


def test_laplacian_is_the_grids(rng):
    for boundary in ("periodic", "no-flux"):
        grid, c = us.Grid((7, 9), 0.5, boundary), rng.random((2, 7, 9))
        np.testing.assert_allclose(laplacian(grid, c), grid.laplacian(jnp.asarray(c)), atol=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_functionals_against_finite_differences(boundary, rng):
    """d/dt φ(c + t f) is the rate with f as the only column, and the second derivative twice the second order."""
    grid, c, f = us.Grid((32, 32), 1.0, boundary), rng.random((2, 32, 32)), rng.standard_normal((2, 32, 32))
    functionals = FieldFunctionals(grid, (0.4, 0.5), (0.3, 0.2), 3, 2)
    rates = functionals.rates(c, f).mean(0)  # tiles together are the picture
    slope = rates[:, 0, 0] + rates[:, 1, 1]
    t = 1e-5
    there, here, back = (functionals.values(c + s * f) for s in (t, 0, -t))
    np.testing.assert_allclose(slope, (there - back) / (2 * t), rtol=1e-5, atol=1e-7 * np.abs(slope).max())
    t = 1e-3
    there, back = (functionals.values(c + s * f) for s in (t, -t))
    second = (there - 2 * here + back) / (2 * t**2)
    np.testing.assert_allclose(functionals.second_order(c, f), second, rtol=1e-2, atol=1e-4 * np.abs(second).max())


def test_extrapolation_undoes_noise(rng):
    """E[y⁴] over noise of variance s² is c⁴ + 6 s² c² + 3 s⁴; of Gaussian c that mean over many cells is known."""
    c = rng.random((1, 400, 400))
    y = c + 0.2 * rng.standard_normal(c.shape)
    clean, bias = without_noise(lambda y: np.array([(y**4).mean()]), y, np.array([0.2]), rng)
    exact = 6 * 0.04 * (c**2).mean() + 3 * 0.2**4
    np.testing.assert_allclose(clean, (c**4).mean(), rtol=0.02)
    np.testing.assert_allclose(bias, exact, rtol=0.1)


@pytest.mark.parametrize("count", [8, 20])
def test_selection_finds_planted_terms(count, rng):
    """By exhaustion and by exchange: column 0 = 2 · column 3 − column 5, to 1 %."""
    A = rng.standard_normal((200, count))
    A[:, 0] = 2 * A[:, 3] - A[:, 5] + 0.01 * rng.standard_normal(200)
    found = select(A.T @ A / 1e-4, 0, [], np.ones(count, bool), lambda e, left, n: left + 20 * n, [[], range(count)])
    np.testing.assert_allclose(found.best.e, np.eye(count)[0] - 2 * np.eye(count)[3] + np.eye(count)[5], atol=0.01)
    assert found.second.cost > found.best.cost + 1000


U = np.random.default_rng(3).random((2, 16, 16))
REFUSED = {
    "uniform": (({"u": U, "v": 0 * U},), {}, "vary from cell to cell"),
    "shapes": (({"u": U, "v": U[:, :8]},), {}, "one shape"),
    "not finite": (({"u": np.where(U > 0.99, np.nan, U), "v": U},), {}, "must be finite"),
    "grid": (({"u": U, "v": U**2},), {"grid": us.Grid((8, 8))}, "pictures' shape"),
    "term": (({"u": U, "v": U**2},), {"fix": {"u:q": 1.0}}, "term of the library"),
    "foreign diffusion": (({"u": U, "v": U**2},), {"fix": {"u:lap v": 1.0}}, "may stand in this equation"),
    "noise": (({"u": U, "v": U**2},), {"noise": {"u": 9.0}}, "below the standard deviation"),
    "frames": (({"u": U, "v": U**2},), {"ordered": np.random.default_rng(0).random((3, 2, 8, 8))}, "must be pictures"),
    "stochastic": (({"u": U, "v": U**2},), {"stochastic": True}, "for points only"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_named(name):
    positional, options, message = REFUSED[name]
    with pytest.raises(BadInput, match=message):
        us.discover(*positional, **options)


def test_verb_on_pictures(still, tmp_path, capsys):
    us.save(tmp_path / "p.npz", by_name(still))
    words = (tmp_path / "p.npz", "--fix", "u:u v^2=-1", "--fix", "v:u v^2=1", "--out", tmp_path / "r", "--json")
    assert run_verb("discover", words) == 0
    result = json.loads(capsys.readouterr().out)
    jsonschema.validate(result, json.loads(SCHEMA.read_text()))
    assert result["variables"] == ["u", "v"]
    assert result["terms"][-2:] == ["lap u", "lap v"]
    assert result["sparsity"]["u"]["terms"] == 4
    assert result["coefficients"][0][10] == pytest.approx(0.16, rel=0.01)
    assert (tmp_path / "r" / "discovery.png").stat().st_size > 10_000
