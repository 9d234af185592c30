"""Point sets against closed forms; test functions against finite differences and clean points; files that lie."""

import contextlib
import json

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstill._errors import BadInput
from unstill.balance.point_functionals import (
    FourierFunctionals,
    GaussianFunctionals,
    MonomialFunctionals,
    exponents_to,
    monomials,
    undo_noise,
)
from unstill.discovery.point_sets import POINT_SETS, LinearDynamics, Standardised, find_point_set
from unstill.files.points import load_points, save_points
from unstill.observations.points import Points
from verbs_arguments import run_verb


def _families(D, z):
    return [FourierFunctionals.make(12, D), MonomialFunctionals.make(4, D), GaussianFunctionals.make(9, z)]


@pytest.mark.parametrize("D", [1, 2, 3])
@pytest.mark.parametrize("family", range(3))
def test_derivatives_of_test_functions(D, family, rng):
    z, v = rng.standard_normal((2, 20, D))
    root = rng.standard_normal((D, D))
    S, h = root @ root.T, 1e-4
    phi = _families(D, z)[family]
    slope = (phi.values(z + h * v) - phi.values(z - h * v)) / (2 * h)
    np.testing.assert_allclose(phi.gradients(z, v), slope, atol=1e-5)  # h² times third derivatives of a few tens
    second = sum(  # ½ S:∇∇φ = ½ Σ_k (root_k·∇)²φ
        (phi.values(z + h * r) - 2 * phi.values(z) + phi.values(z - h * r)) / h**2 for r in root.T
    )
    np.testing.assert_allclose(phi.curvatures(z, S), second / 2, atol=2e-5)


@pytest.mark.parametrize("family", range(3))
def test_averages_are_means_of_derivatives(family, rng):
    z = rng.standard_normal((50, 2))
    theta = monomials(z, exponents_to(2, 2))
    phi = _families(2, z)[family]
    first, second = phi.averages(z, theta)
    c, S = rng.standard_normal((2, 6)), np.array([[0.7, 0.2], [0.2, 0.4]])
    np.testing.assert_allclose(np.einsum("kil,il->k", first, c), phi.gradients(z, theta @ c.T).mean(0), atol=1e-12)
    np.testing.assert_allclose(np.einsum("kab,ab->k", second, np.triu(S)), phi.curvatures(z, S).mean(0), atol=1e-12)
    again = phi.clean_averages(phi.moments(z, exponents_to(2, 2)), exponents_to(2, 2), np.zeros(2))
    np.testing.assert_allclose(again[0], first, atol=1e-12)
    np.testing.assert_allclose(again[1], second, atol=1e-12)


def test_noise_is_undone_exactly_in_the_mean():
    """The mean over Gaussian noise by quadrature, of one point: what comes back is the point's own moment."""
    z, s, k = np.array([0.7, -1.2]), np.array([0.3, 0.2]), np.array([[1.1, -0.6], [0.0, 0.0]])
    exponents = exponents_to(3, 2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    y = np.stack([a.ravel() for a in np.meshgrid(z[0] + s[0] * nodes, z[1] + s[1] * nodes, indexing="ij")], 1)
    w = np.outer(weights, weights).ravel()
    noisy = (w[:, None] * np.exp(1j * y @ k.T)).T @ monomials(y, exponents)
    clean = np.exp(1j * k @ z)[:, None] * monomials(z[None], exponents)
    np.testing.assert_allclose(undo_noise(noisy, k, exponents, s), clean, atol=1e-12)
    assert np.abs(noisy - clean).max() > 0.05


@pytest.mark.parametrize("name", ["rotating_gaussian", "double_gyre"])
def test_closed_form_flows_preserve_their_density(name):
    points = POINT_SETS[name](40_000, seed=3)
    phi = FourierFunctionals.make(20, 2)
    z = (points.x - points.x.mean(0)) / points.x.std(0)
    assert points.drift is not None
    rates = phi.gradients(z, np.asarray(points.drift.drift(jnp.asarray(points.x))) / points.x.std(0))
    # Each mean within five of its own standard errors of zero; wrong flows are off by hundreds.
    assert np.all(np.abs(rates.mean(0)) < 5 * rates.std(0) / 200)


@pytest.mark.parametrize("name", POINT_SETS)
def test_point_sets(name):
    points = POINT_SETS[name](60, seed=1)
    assert points.count == 60
    assert points.names == ("x", "y", "z")[: points.dimension]
    assert not np.array_equal(points.x, POINT_SETS[name](60, seed=2).x)
    if not POINT_SETS[name].moves:  # compiling runs takes a second each
        np.testing.assert_array_equal(points.x, POINT_SETS[name](60, seed=1).x)
    if points.drift is not None:
        assert points.drift.drift(jnp.asarray(points.x)).shape == points.x.shape


def test_densities_of_simple_sets():
    ring = POINT_SETS["ring"](20_000).x
    assert np.mean(np.sum(ring**2, 1)) == pytest.approx(2.5, abs=0.03)  # uniform in area: mean of r² is (1 + 4)/2
    gaussian = POINT_SETS["gaussian"](20_000).x
    np.testing.assert_allclose(np.cov(gaussian.T), [[1.0, 0.4], [0.4, 0.5]], atol=0.04)
    peaks = POINT_SETS["two_peaks"](20_000).x
    np.testing.assert_allclose(np.cov(peaks.T), [[1.25, 1.0], [1.0, 1.25]], atol=0.04)
    for name in ("two_moons", "lorenz"):
        x = POINT_SETS[name](2_000).x
        np.testing.assert_allclose([x.mean(0), x.std(0)], [np.zeros(x.shape[1]), np.ones(x.shape[1])], atol=1e-12)


def test_lorenz_points_are_runs_and_know_their_scaled_dynamics():
    points = POINT_SETS["lorenz"](1000)
    runs = points.x.reshape(10, 100, 3)
    assert points.drift is not None
    rate = np.asarray(points.drift.drift(jnp.asarray(runs[:, 1:-1])))
    step = (runs[:, 2:] - runs[:, :-2]) / 0.02
    np.testing.assert_allclose(rate, step, rtol=0.02, atol=0.02 * np.abs(rate).max())  # dt² times third derivatives


def test_other_numbers_of_known_dynamics_compile_nothing_new(rng):
    traced = []

    @eqx.filter_jit
    def rates(dynamics, x):
        traced.append(dynamics)
        return dynamics.drift(x)

    x = jnp.asarray(rng.standard_normal((5, 2)))
    for factor, mean in ((1.0, 0.0), (2.0, 3.0)):
        linear = LinearDynamics(factor * np.eye(2), np.full(2, mean))
        np.testing.assert_allclose(rates(linear, x), factor * (x - mean), rtol=1e-14)
        z = Standardised(linear, np.full(2, 0.5), np.full(2, 4.0))
        np.testing.assert_allclose(rates(z, x), factor * (4 * x + 0.5 - mean) / 4, rtol=1e-14)
    assert len(traced) == 2  # one program a class


@pytest.mark.parametrize("name", [name for name, one in POINT_SETS.items() if one.dynamics is not None])
def test_known_dynamics_go_through_jit(name):
    """And keep the dtype of the state."""
    points = POINT_SETS[name](40, seed=1)
    for dtype in (np.float64, np.float32):
        x = jnp.asarray(points.x, dtype)
        rates = eqx.filter_jit(lambda dynamics, x: dynamics.drift(x))(points.drift, x)
        assert rates.dtype == dtype
        np.testing.assert_allclose(rates, points.drift.drift(x), rtol=1e-4, atol=1e-4)


def test_stochastic_points_have_the_known_density():
    """Hopf with noise: p ∝ exp((μ r² − r⁴/2)/Σ), whatever the rotation."""
    x = POINT_SETS["hopf"](20_000, independent=True, seed=5).x
    r = np.linspace(0, 3, 3001)
    p = r * np.exp((r**2 - r**4 / 2) / 0.2)
    expected = np.sum(r**2 * p) / np.sum(p)
    assert np.mean(np.sum(x**2, 1)) == pytest.approx(expected, abs=0.02)


def test_names_of_sets():
    assert find_point_set("two-moons").name == "two_moons"
    with pytest.raises(BadInput, match="Did you mean lorenz"):
        find_point_set("lorentz")


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_points_survive_their_file(tmp_path, rng, suffix):
    points = Points(rng.standard_normal((7, 2)) * 1e-9, ("temp", "q"))
    save_points(tmp_path / f"p{suffix}", points)
    back = load_points(tmp_path / f"p{suffix}")
    np.testing.assert_array_equal(back.x, points.x)
    assert back.names == points.names


def test_other_files(tmp_path, rng):
    x = rng.standard_normal((6, 5))
    np.save(tmp_path / "a.npy", x)
    assert load_points(tmp_path / "a.npy").names == ("x", "y", "z", "w", "x5")
    np.savez(tmp_path / "b.npz", p=x[:, 0], q=x[:, 1])
    assert load_points(tmp_path / "b.npz").names == ("p", "q")
    (tmp_path / "c.csv").write_text("1 2\n3 5\n\n4 4\n")
    np.testing.assert_array_equal(load_points(tmp_path / "c.csv").x, [[1, 2], [3, 5], [4, 4]])
    (tmp_path / "d.csv").write_text("\ufeffa;b\n1;2\n3;5\n")
    assert load_points(tmp_path / "d.csv").names == ("a", "b")


HOSTILE = {
    "ragged.csv": (b"x,y\n1,2\n3\n", "2 columns in every line"),
    "words.csv": (b"x,y\n1,2\n3,four\n", "'four' in line 3"),
    "nan.csv": (b"x,y\n1,2\n3,nan\n", "must be finite"),
    "empty.csv": (b"\n\n", "lines of numbers"),
    "header.csv": (b"x,y\n", "below the header"),
    "bytes.csv": (b"\xff\xfe\x00", "must be text in UTF-8"),
    "constant.csv": (b"x,y\n1,2\n1,3\n", "x = 1 everywhere"),
    "twice.csv": (b"x,y\n1,1\n2,2\n4,4\n", "variable twice"),
    "same.csv": (b"x,x\n1,1\n2,3\n", "name each"),
    "cut.npz": (b"PK\x03\x04", "must be a whole .npz"),
    "cut.npy": (b"\x93NUMPY\x01\x00", "must be a whole .npy"),
    "other.txt": (b"1 2", "must end in"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(tmp_path, name):
    content, message = HOSTILE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        load_points(tmp_path / name)


def test_pickles_are_never_read(tmp_path):
    np.save(tmp_path / "p.npy", np.array([[{}, 1]], object), allow_pickle=True)
    with pytest.raises(BadInput, match="never unpickled"):
        load_points(tmp_path / "p.npy")
    with pytest.raises(BadInput, match="existing file"):
        load_points(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="must hold points"):
        load_points(tmp_path)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_table_reader(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("csv") / "x.csv"
    file.write_bytes(content)
    with contextlib.suppress(BadInput):  # anything else is a crash
        load_points(file)


def test_points_verb(tmp_path, capsys):

    def call(*words):
        return run_verb("points", words)

    assert call("lorenz", "--count", 200, "--out", tmp_path / "p", "--quiet") == 0
    result = json.loads((tmp_path / "p" / "result.json").read_text())
    assert result["count"] == 200
    assert result["z_scored"]
    assert result["parameters"]["rho"] == 28
    assert load_points(tmp_path / "p").count == 200
    assert (tmp_path / "p" / "points.png").stat().st_size > 5_000
    assert call() == 0
    assert "two_moons" in capsys.readouterr().out
