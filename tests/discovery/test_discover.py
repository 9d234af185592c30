"""`discover`: nullities that are known in closed form, Lorenz from shuffled points, hints, and refusals."""

import json
from pathlib import Path

import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest

from unstill._errors import BadInput
from unstill._types import Status
from unstill.analysis import lyapunov_spectrum
from unstill.discovery import discover, find_library
from unstill.discovery.point_sets import POINT_SETS
from unstill.discovery.sparse import eliminate
from unstill.files.points import save_points
from unstill.observations import Ordered
from unstill.observations.points import Points
from verbs_arguments import run_verb

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "discover.json"


def field(dynamics, x):
    return np.asarray(dynamics.drift(jnp.asarray(x)))


def cosine(found, points):
    """Cosine of the found field and the true one over the points, in units of the variables' deviations."""
    a, b = (field(d, points.x) / points.x.std(0) for d in (found, points.drift))
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


@pytest.fixture(scope="module")
def lorenz():
    """Points of 10 shuffled runs, in the system's own units."""
    return POINT_SETS["lorenz"](20_000, raw=True)


@pytest.fixture(scope="module")
def scattered():
    """Independent points."""
    return POINT_SETS["lorenz"](3_000, raw=True, independent=True, seed=1)


def test_lorenz_from_shuffled_runs(lorenz):
    found = discover(lorenz, fix={"x:y": 10})
    assert found.nullity == 1
    assert found.telescopes
    assert cosine(found, lorenz) > 0.9999
    assert found.equations.right_hand_sides()["x"].endswith("x + 10 y")
    assert found.scale == found.sign == "fixed by x:y = 10"
    assert found.coefficients[1, found.equations.library.names.index("x")] == pytest.approx(28, rel=0.02)


def test_lorenz_from_independent_points(scattered):
    found = discover(scattered)
    assert found.nullity == 1
    assert not found.telescopes
    assert found.sign == found.scale == "free"
    assert abs(cosine(found, scattered)) > 0.995
    rate = field(found, scattered.x) / scattered.x.std(0)
    assert np.mean(np.sum(rate**2, 1)) == pytest.approx(1, rel=1e-6)  # what a free scale is set to


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_standard_deviations_hold(seed):
    """Rotating Gaussian, independent points, pace known: of five true coefficients none is far out."""
    points = POINT_SETS["rotating_gaussian"](3_000, seed=seed)
    matrix, mean = points.drift.matrix, points.drift.mean
    truth = np.concatenate([-(matrix @ mean)[:, None], matrix], 1)
    found = discover(points, "poly1", fix={"x:y": truth[0, 2]}, functionals=100)
    errors, known = found.coefficients - truth, found.std > 0
    assert np.count_nonzero(known) == 5
    assert np.abs(errors[known] / found.std[known]).max() < 4
    assert found.std.max() < 0.2


def test_order_never_changes_the_answer(scattered, rng):
    shuffled = Points(scattered.x[rng.permutation(scattered.count)])
    np.testing.assert_array_equal(discover(scattered).coefficients, discover(shuffled).coefficients)


# Stream functions ψ with f = ∇⊥(pψ)/p in the library, counted by hand. Gaussian: every polynomial ψ of one degree less.
# Ring: ψ constant on both circles, so ψ = r², and r⁴ with cubic terms. Gyre: sin x sin y, and (1 − cos x) sin y.
NULLITIES = [
    ("gaussian", "poly1", 1), ("gaussian", "poly2", 3), ("ring", "poly2", 1), ("ring", "poly3", 2),
    ("double_gyre", "trig", 2), ("two_moons", "poly1", 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "library", "nullity"), NULLITIES)
def test_nullities_known_in_closed_form(name, library, nullity):
    found = discover(POINT_SETS[name](5_000), library, functionals=120)
    assert found.nullity == nullity
    status = {0: Status.NO_FIT, 1: Status.CONVERGED}.get(nullity, Status.UNIDENTIFIABLE)
    assert found.status is status


def test_noise_term_fixes_what_it_can():
    """Hopf with noise: any constant Σ with f = ½ Σ∇log p, and two rotations: 5; with Σ known 1 + 2."""
    points = POINT_SETS["hopf"](6_000, independent=True, seed=2)
    assert discover(points, "poly3", stochastic=True, functionals=100).nullity == 5
    known = discover(points, "poly3", covariance={"x:x": 0.2, "y:y": 0.2}, functionals=100)
    assert known.nullity == 3
    assert known.scale == known.sign == "fixed by the covariance"
    # The sparsest member without rotation is the gradient part, (1 − r²) x.
    assert known.coefficients[0, 1] == pytest.approx(1, abs=0.15)


def test_one_variable_with_noise():
    """dx = −x dt + dW has the density N(0, ½): with Σ = 1 known, f = ½ (log p)' = −x."""
    x = np.random.default_rng(4).standard_normal((4_000, 1)) * np.sqrt(0.5)
    found = discover(x, "poly2", covariance={"x:x": 1.0}, functionals=40)
    np.testing.assert_allclose(found.coefficients[0], [0, -1, 0], atol=0.08)
    with pytest.raises(BadInput, match="stationary flux is constant"):
        discover(x, "poly2")


def test_measurement_noise_is_found_and_taken_out(lorenz, rng):
    level = 0.05 * lorenz.x.std(0)
    noisy = lorenz.x + level * rng.standard_normal(lorenz.x.shape)
    found = discover(noisy, functionals=120)
    assert found.nullity == 1
    np.testing.assert_allclose(list(found.noise.values()), level, rtol=0.1)
    assert abs(cosine(found, lorenz)) > 0.999
    assert abs(cosine(discover(noisy, noise="none", functionals=120), lorenz)) < 0.999


def test_hints(lorenz):
    runs = lorenz.x.reshape(10, -1, 3)
    timed = discover(lorenz, ordered=Ordered(runs[3, 1000:1004], 0.01), functionals=120)
    assert timed.coefficients[0, 2] == pytest.approx(10, rel=0.05)  # trapezium rule: O(h²)
    arrow = discover(lorenz, ordered=runs[3, 1000:1002][::-1], functionals=120)
    assert cosine(arrow, lorenz) < -0.999
    assert arrow.scale == "free"
    assert "2 ordered points" in arrow.sign
    signed = discover(lorenz, sign={"z:x*y": -1}, functionals=120)
    assert cosine(signed, lorenz) < -0.999
    assert signed.sign == "fixed by the sign of z:x y"


def test_known_terms_are_held(scattered):
    fixed = {"x:x": -10, "x:y": 10, "x:x z": 0, "y:y": -1}
    found = discover(scattered, fix=fixed)
    names = found.equations.library.names
    for name, value in fixed.items():
        variable, _, term = name.partition(":")
        assert found.coefficients["xyz".index(variable), names.index(term)] == pytest.approx(value, abs=1e-9)
    assert cosine(found, scattered) > 0.995
    impossible = discover(scattered, fix={"x:1": 10})
    assert impossible.status is Status.NO_FIT


def test_heaps_under_known_conditions(rng):
    """Gaussians of variance q turn as (q y, −x): q is a variable of the library, and the same terms serve all heaps."""
    values = (1.0, 2.0, 4.0)
    heaps = [Points(rng.standard_normal((3_000, 2)) * [np.sqrt(q), 1.0]) for q in values]
    library = {
        "x": lambda x, y, q: x, "y": lambda x, y, q: y, "q x": lambda x, y, q: q * x, "q y": lambda x, y, q: q * y,
    }  # fmt: skip
    found = discover(heaps, library, conditions=[{"q": q} for q in values], functionals=60)
    # Any multiple c(q) would do as well, but q (q y, −x) needs a term q² y, which the library lacks.
    assert found.nullity == 1
    shown = found.coefficients / found.coefficients[0, 3]
    np.testing.assert_allclose(shown, [[0, 0, 0, 1], [-1, 0, 0, 0]], atol=0.06)
    moved = found.equations.at(q=4.0).drift(jnp.asarray([1.0, 1.0]))
    np.testing.assert_allclose(moved, found.coefficients @ [1, 1, 4, 4], rtol=1e-9)


@pytest.mark.parametrize("away", [1e3, 3e4])
def test_far_from_the_origin(away):
    """Monomials are nearly collinear there, and the answer is as good as at the origin."""
    near = POINT_SETS["ring"](4_000)
    far = Points(near.x + away * np.array([1.0, 2.0]))
    a, b = (discover(points, functionals=100) for points in (near, far))
    assert a.nullity == b.nullity == 1
    same = np.sum(field(a, near.x) * field(b, far.x)) / np.sum(field(a, near.x) ** 2)
    assert abs(same) == pytest.approx(1, abs=1e-2)


def test_elimination_keeps_what_is_needed():
    """Quadratic form with null vector (1, −2, 0, 0): the two zeros go, the two others stay."""
    rng = np.random.default_rng(0)
    null = np.array([1.0, -2.0, 0, 0])
    rows = rng.standard_normal((50, 4))
    rows -= np.outer(rows @ null, null) / (null @ null)
    e, spread = eliminate(1e4 * rows.T @ rows, np.eye(4), np.ones(4, bool), 1, 10.0)
    np.testing.assert_allclose(e, [-0.5, 1, 0, 0], atol=1e-6)
    assert spread[0, 0] > 0
    assert np.all(spread[2:] == 0)


def test_library_names():
    library = find_library("poly2", ("x", "y"))
    assert library.names == ("1", "x", "y", "x^2", "x y", "y^2")
    assert library.index("fix", "y*x") == 4
    assert library.index("fix", "y*y") == 5
    trig = find_library("trig", ("x", "y"))
    x = np.array([[0.3, 1.1]])
    expected = [1, *(f(v) for v in x[0] for f in (np.sin, np.cos))]
    np.testing.assert_allclose(trig.evaluate(x)[0, :5], expected)
    assert trig.names[-1] == "cos(x) cos(y)"


TWO = np.random.default_rng(7).standard_normal((400, 2))
CIRCLE = np.stack([np.cos(np.arange(400.0)), np.sin(np.arange(400.0))], 1)
REFUSED = {
    "too few": ((TWO[:20], "poly3"), {}, "at least twice the test functions"),
    "many functionals": ((TWO,), {"functionals": 300}, "at least twice the test functions"),
    "few functionals": ((TWO,), {"functionals": 4}, "`functionals` must be at least"),
    "constant": ((np.stack([TWO[:, 0], np.ones(400)], 1),), {}, "y = 1 everywhere"),
    "twice": ((TWO[:, [0, 0]],), {}, "variable twice"),
    "not finite": ((np.where(TWO > 2, np.nan, TWO),), {}, "must be finite"),
    "collinear": ((CIRCLE,), {}, r"collinear: 1, x\^2, y\^2"),
    "unknown term": ((TWO,), {"fix": {"x:q": 1.0}}, "term of the library"),
    "no colon": ((TWO,), {"fix": {"x": 1.0}}, "VARIABLE:TERM"),
    "unknown variable": ((TWO,), {"fix": {"w:x": 1.0}}, "variable before the colon"),
    "library": ((TWO, "poly9"), {}, "known library"),
    "missing file": ((TWO, "nowhere.py:L"), {}, "existing file"),
    "tests": ((TWO,), {"tests": "wavelets"}, "fourier, monomials or gaussians"),
    "noise": ((TWO,), {"noise": {"x": 5.0}}, "below the standard deviation"),
    "noise word": ((TWO,), {"noise": "much"}, "auto, estimate or none"),
    "covariance": ((TWO,), {"covariance": {"x:x": -1.0}}, "positive semidefinite"),
    "infinite term": ((TWO, {"1/x": lambda x, y: 1 / (0 * x), "x": lambda x, y: x}), {}, "finite on the points"),
    "conditions": ((TWO,), {"conditions": [{"q": 1.0}, {"q": 2.0}]}, "once for each"),
    "ordered": ((TWO,), {"ordered": np.zeros((2, 2))}, "must move"),
    "two clocks": ((TWO,), {"ordered": TWO[:2], "fix": {"x:y": 1.0}}, "fixes the pace already"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_named(name):
    positional, options, message = REFUSED[name]
    with pytest.raises(BadInput, match=message):
        discover(*positional, **options)


def _call(*words):
    return run_verb("discover", words)


def test_verb_on_a_table(tmp_path, capsys):
    ring = POINT_SETS["ring"](2_000)
    save_points(tmp_path / "p.csv", Points(ring.x, ("u", "v")))
    words = (tmp_path / "p.csv", "--library", "poly1", "--functionals", 60, "--fix", "u:v=-2", "--out", tmp_path / "r")
    assert _call(*words, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    assert printed == result
    jsonschema.validate(result, json.loads(SCHEMA.read_text()))
    assert result["variables"] == ["u", "v"]
    assert result["terms"] == ["1", "u", "v"]
    assert result["nullity"] == 1
    assert result["coefficients"][0][2] == pytest.approx(-2)
    assert result["coefficients"][1][1] == pytest.approx(2, abs=0.05)
    assert (tmp_path / "r" / "discovery.png").stat().st_size > 10_000
    assert r"\dot{u}" in (tmp_path / "r" / "equations.tex").read_text()


def test_verb_without_a_fit(tmp_path, capsys):
    moons = POINT_SETS["two_moons"](2_000)
    save_points(tmp_path / "p.npz", moons)
    words = (tmp_path / "p.npz", "--library", "poly1", "--functionals", 60, "--noise", "none", "--out", tmp_path / "r")
    assert _call(*words) == 3
    assert "no-fit" in capsys.readouterr().err
    jsonschema.validate(json.loads((tmp_path / "r" / "result.json").read_text()), json.loads(SCHEMA.read_text()))


def test_a_discovery_is_set_in_motion(lorenz):
    from unstill.simulation import simulate

    found = discover(lorenz, fix={"x:y": 10}, functionals=120)
    film = simulate(found.equations, lorenz.x[:3], dt=0.005, steps=400, stepper="rk4")
    assert film.state.shape == (3, 3)
    assert film.fields == ("x", "y", "z")
    assert np.abs(film.state).max() < 60


def test_what_is_found_can_be_moved_like_any_dynamics():
    """A rotating Gaussian's field has exponents 0 and 0, whether it is told or found."""
    points = POINT_SETS["rotating_gaussian"](3_000, seed=1)
    found = discover(points, "poly1", fix={"x:y": points.drift.matrix[0, 1]}, functionals=100)
    spectrum = lyapunov_spectrum(found, points.x[:4], time=60, dt=0.02)
    np.testing.assert_allclose(spectrum.exponents, 0, atol=0.02)
