"""Families of fields against fields whose answers are known; the verbs on flows, from points to the report."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.files.models import load_flow
from unstill.flows.arrays import score_arrays
from unstill.flows.diagnosis import cosines
from unstill.flows.families import at_pace, compare_families, random_fields, training_free
from unstill.flows.identifiability import Admissible, admissible, report
from unstill.flows.networks import MLP
from unstill.flows.score import Normal, Score
from unstill.observations.points import Points
from verbs_arguments import run_verb

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def _score(D=3):
    return Score(MLP.make(jax.random.key(1), (D + 6, 8, 1)), Normal(np.ones(D), np.eye(D)), np.zeros(D), np.ones(D))


def test_cosines_are_of_whole_fields(rng):
    a, b = rng.standard_normal((2, 3, 20, 2))
    found = cosines(a, b)
    assert found.shape == (3, 3)
    expected = np.sum(a[1] * b[2]) / np.sqrt(np.sum(a[1] ** 2) * np.sum(b[2] ** 2))
    assert found[1, 2] == pytest.approx(expected)
    np.testing.assert_allclose(np.diag(cosines(a, -2 * a)), -1)


def test_known_families(rng):
    """Copies up to sign and pace are one field; orthogonal fields are as many as there are."""
    one = rng.standard_normal((1, 30, 2))
    copies = one * np.array([1.0, -2.0, 0.5])[:, None, None]
    basis = np.linalg.qr(rng.standard_normal((60, 4)))[0].T.reshape(4, 30, 2)
    found = compare_families({"copies": copies, "basis": basis, "one": one})
    assert found.counts == (3, 4, 1)
    assert found.table[0, 0] == pytest.approx(1)
    assert found.table[1, 1] == pytest.approx(0, abs=1e-12)
    assert np.isnan(found.table[2, 2])
    assert found.table[0, 2] == pytest.approx(1)
    assert found.table[0, 1] == pytest.approx(found.table[1, 0])
    np.testing.assert_allclose(found.effective, [1, 4, 1])
    np.testing.assert_allclose(found.places[:3], np.broadcast_to(found.places[0], (3, 2)), atol=1e-7)
    assert np.all(found.strains >= 0)
    assert found.strains.sum() <= 1


def test_plane_shows_distances_of_three_fields():
    """Three mutually orthogonal fields are an equilateral triangle of side √2, shown whole."""
    found = compare_families({"a": np.eye(3).reshape(3, 3, 1)})
    sides = [np.linalg.norm(found.places[i] - found.places[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(sides, np.sqrt(2), atol=1e-6)
    assert found.strains.sum() == pytest.approx(1)


def test_families_at_pace(rng):
    z = rng.standard_normal((50, 3))
    for flows in (training_free(_score(), 0.2, 4, ("x", "y", "z")), random_fields(_score(), 4, ("x", "y", "z"))):
        v = at_pace(flows, z).velocities(z)
        np.testing.assert_allclose(np.mean(np.sum(v**2, 2), 1), 3)
    free = training_free(_score(), 0.2, 4, ("x", "y", "z"))
    s = jax.vmap(lambda z: free.score.at(z, 0.2))(z)  # pyright: ignore[reportOptionalMemberAccess]
    np.testing.assert_allclose(np.sum(free.velocities(z) * np.asarray(s)[None], 2), 0, atol=1e-10)  # v ⊥ s


def test_report_says_what_is_determined(rng):
    """A rotation of a correlated Gaussian in linear terms: one field, both signs; two more in quadratic ones."""
    points = Points(rng.standard_normal((4000, 2)) @ np.array([[1.0, 0.5], [0.0, 0.7]]))
    found = admissible(points, "poly1", 0)
    told = report(found, "poly1", 2)
    assert told["nullity"] == 1
    assert "within poly1 one field" in told["determined"][0]
    (forth,), (back,) = told["equations"], told["reversed"]
    assert forth.keys() == back.keys() == {"x", "y"}
    assert forth["x"].startswith("-") != back["x"].startswith("-")
    assert isinstance(found, Admissible)
    z = np.linalg.inv(np.cov(points.x.T)) @ points.x.T
    v = np.asarray(found.members()[0].drift(jnp.asarray(points.x))).ravel()
    turn = np.stack([-z[1], z[0]], 1).ravel()
    assert abs(v @ turn) / np.linalg.norm(v) / np.linalg.norm(turn) > 0.98
    assert any("3 numbers" in text for text in report(admissible(points, "poly2", 0), "poly2", 2)["free"])
    few = report(admissible(Points(points.x[:20]), "poly3", 0), "poly3", 2)
    assert few["nullity"] is None
    assert "not tested" in few["free"][-1]


def _call(verb, *words):
    return run_verb(verb, [*words, "--quiet"])


def _result(folder, verb):
    result = json.loads((folder / "result.json").read_text())
    jsonschema.validate(result, json.loads((SCHEMAS / f"{verb}.json").read_text()))
    return result


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with points `p`, a score `score.npz` and flows `f`."""
    folder = tmp_path_factory.mktemp("runs")
    assert _call("points", "lorenz", "--count", 400, "--out", folder / "p") == 0
    np.savez(folder / "score.npz", **score_arrays(_score(), ("x", "y", "z"), "even"))
    words = ("--score", "kernel", "--tau", 0.3, "--field", "polynomial", "--experiments", 2, "--time", 0.5)
    assert _call("flow", folder / "p", *words, "--out", folder / "f") == 0
    return folder


def test_flow_verb(runs):
    result = _result(runs / "f", "flow")
    assert len(result["stsp"]) == len(result["hellinger"]) == 2
    assert 0 <= result["hellinger_floor"] < 0.5
    assert len(result["residuals"]) == len(result["cosine_truth"]) == len(result["cosine_oracle"]) == 2
    assert max(map(abs, result["cosine_oracle"])) > 0.7  # one of the two best quadratic fields is close to Lorenz
    assert result["sign"] == "free"
    assert (runs / "f" / "flow.png").stat().st_size > 10_000
    assert load_flow(runs / "f")[1](np.zeros((2, 3))).shape == (2, 3)
    with pytest.raises(BadInput, match="neither `field` nor `prior`"):
        _call("flow", runs / "p", "--score", "kernel", "--training-free", "--prior", "sparsity", "--out", runs / "g")
    with pytest.raises(BadInput, match="or kernel"):
        _call("flow", runs / "p", "--out", runs / "g")


def test_lyapunov_verb(runs):
    words = ("--time", 4, "--transient", 0, "--orbits", 3, "--models", 1, "--out", runs / "l")
    code = _call("lyapunov", runs / "f", *words)
    told = _result(runs / "l", "lyapunov")
    assert len(told["models"]) == 1
    assert (code, told["status"]) == ((3, "blow-up") if told["models"][0]["exponents"] is None else (0, "converged"))
    assert 0 <= told["models"][0]["lost"] <= 1
    assert (runs / "l" / "lyapunov.png").stat().st_size > 5_000


def test_lyapunov_of_a_system(runs):
    words = ("--time", 20, "--transient", 5, "--orbits", 4, "--set", "rho=14", "--out", runs / "m")
    assert _call("lyapunov", "lorenz", *words) == 0
    model = _result(runs / "m", "lyapunov")["models"][0]
    # ρ = 14 ends at rest: the exponents are the real parts of the eigenvalues there, and sum to −(σ + 1 + β)
    assert model["sum"] == pytest.approx(-(10 + 1 + 8 / 3), abs=1e-3)
    assert model["exponents"][0] < -0.1
    with pytest.raises(BadInput, match="`models` must be left out"):
        _call("lyapunov", "gray-scott", "--models", "2", "--out", runs / "n")


def test_uniqueness_verb(runs):
    words = ("--score", runs / "score.npz", "--flows", runs / "f", "--random", 2, "--time", 0.5)
    assert _call("uniqueness", runs / "p", *words, "--out", runs / "u") == 0
    result = _result(runs / "u", "uniqueness")
    told = result["identifiability"]
    found = ["equations"] * bool(told["nullity"])
    assert result["families"] == ["f", "training-free 0.1", "training-free 0.25", "random", *found, "truth", "score"]
    assert result["counts"] == [2, 2, 2, 2, *([told["nullity"]] if found else []), 1, 1]
    assert len(told["equations"]) == len(told["reversed"]) == (told["nullity"] or 0)
    assert any("arrow" in text for text in told["free"])
    assert (runs / "u" / "uniqueness.png").stat().st_size > 10_000
    with pytest.raises(BadInput, match="must name runs"):
        _call("uniqueness", runs / "p", "--score", runs / "score.npz", "--out", runs / "v")
