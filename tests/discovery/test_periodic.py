"""Angles: points, test functions and libraries on circles; known phase oscillators and a driven pendulum come back."""

import json
import math

import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill.balance.point_functionals import FourierFunctionals
from unstill.cli.main import main
from unstill.discovery import discover
from unstill.discovery.library import find_library
from unstill.discovery.periodic_library import count_periodic, periodic_polynomials
from unstill.discovery.size import term_count
from unstill.observations.periodic import known_periods, unwrapped, wrapped

TAU = 2 * math.pi
CIRCLE, TORUS = {"x": TAU}, {"x": TAU, "y": TAU}


def adler(count, seed=0, speed=1.0, pull=0.6):
    """Independent phases of θ' = speed − pull sin θ: its closed form at times that are even over the period."""
    rate = math.sqrt(speed**2 - pull**2)
    t = np.random.default_rng(seed).uniform(0, TAU / rate, count)
    return 2 * np.arctan((pull + rate * np.tan(rate * t / 2)) / speed)[:, None]


def coupled(count, seed=0):
    """Two phases, x' = 1 + 0.3 sin(y − x), y' = 1.7 − 0.3 sin(y − x): their difference slips, their sum is even."""
    x = np.random.default_rng(seed + 1).uniform(0, TAU, (count, 1))
    return np.concatenate([x, x + adler(count, seed, 0.7, 0.6)], 1)


def pendulum(count, seed=0, dt=0.04, steps=1200):
    """Angle, velocity and phase of the drive, x'' = −x'/2 − sin x + 1.5 cos z, z' = 2/3: a chaotic attractor."""

    def f(s):
        pull = -0.5 * s[:, 1] - np.sin(s[:, 0]) + 1.5 * np.cos(s[:, 2])
        return np.stack([s[:, 1], pull, np.full(len(s), 2 / 3)], 1)

    rng = np.random.default_rng(seed)
    s = np.stack([rng.uniform(0, TAU, count), rng.standard_normal(count), rng.uniform(0, TAU, count)], 1)
    for _ in range(steps):
        a = f(s)
        b = f(s + dt / 2 * a)
        c = f(s + dt / 2 * b)
        s = s + dt / 6 * (a + 2 * b + 2 * c + f(s + dt * c))
    return s


# --- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["poly1", "poly2", "trig"])
def test_one_phase_has_its_uneven_speed(library):
    """In one dimension the flux f p is constant: on a circle it may be another than 0."""
    found = discover(adler(3000), library, periodic=CIRCLE, fix={"x:1": 1.0})
    assert (found.status, found.nullity) == ("converged", 1)
    assert set(found.parameters) == {"x:1", "x:sin(x)"}
    estimate = found.parameters["x:sin(x)"]
    assert abs(estimate.value + 0.6) < 3 * estimate.std < 0.06
    assert found.periodic == found.to_dict()["periodic"] == CIRCLE


def test_turns_and_units_of_angles_make_no_difference():
    x = adler(3000)
    turns = np.random.default_rng(3).integers(-4, 4, x.shape)
    plain = discover(x, "poly1", periodic=CIRCLE, fix={"x:1": 1.0})
    turned = discover(x + TAU * turns, "poly1", periodic=CIRCLE, fix={"x:1": 1.0})
    np.testing.assert_allclose(turned.coefficients, plain.coefficients, rtol=1e-6, atol=1e-9)
    hours = discover(x * 24 / TAU, "poly1", periodic={"x": 24.0}, fix={"x:1": 1.0})
    assert hours.equations.library.names == ("1", "sin(2πx/24)", "cos(2πx/24)")
    np.testing.assert_allclose(hours.coefficients, plain.coefficients, rtol=1e-6, atol=1e-9)
    assert r"\sin(\frac{2\pi x}{24})" in hours.equations.latex()


def test_two_phases_are_as_free_as_they_are():
    """∇·(p f) = 0 with their p = c/(0.7 − 0.6 sin(y − x)) has six solutions among these terms: all are found."""
    library, h = periodic_polynomials(("x", "y"), 2, TORUS), 1e-4
    at = np.stack(np.meshgrid(*[TAU * np.arange(16) / 16] * 2, indexing="ij"), -1).reshape(-1, 2)

    def flux(x):
        return library.evaluate(x) / (0.7 - 0.6 * np.sin(x[:, 1:] - x[:, :1]))

    divergence = np.concatenate([(flux(at + d) - flux(at - d)) / (2 * h) for d in h * np.eye(2)], 1)
    free = int((np.linalg.svd(divergence, compute_uv=False) < 1e-5).sum())
    found = discover(coupled(4000, 5), "poly2", periodic=TORUS, functionals=50)
    assert (found.status, found.nullity, free) == ("unidentifiable", 6, 6)


def test_a_driven_pendulum_comes_back_from_its_chaos():
    found = discover(pendulum(2500), "poly1", periodic={"x": TAU, "z": TAU}, fix={"x:y": 1.0})
    assert (found.status, found.nullity) == ("converged", 1)
    truth = {"x:y": 1, "y:y": -0.5, "y:sin(x)": -1, "y:cos(z)": 1.5, "z:1": 2 / 3}
    assert set(found.parameters) == set(truth)
    for name, value in truth.items():
        estimate = found.parameters[name]
        assert abs(estimate.value - value) <= 4 * estimate.std, name
    state = np.array([[1.0, 0.3, 2.0]])
    turned = state + np.array([[TAU, 0, -3 * TAU]])
    np.testing.assert_allclose(found.drift(state), found.drift(turned), rtol=1e-9)


def test_without_its_period_an_angle_fits_nothing():
    found = discover(wrapped(pendulum(2500), ("x", "y", "z"), {"x": TAU, "z": TAU}), "poly2")
    assert found.status in ("no-fit", "not-converged")
    assert "angles that `periodic` does not name" in found.message
    with pytest.raises(BadInput, match="must have two variables or more"):
        discover(adler(500), "poly1")


def test_points_in_order_go_the_shorter_way_over_the_seam():
    """Two phases either side of 0, a tenth apart in time: without the seam the difference would be −2π."""
    x = np.array([[-0.05], [0.05 - 0.006]]) % TAU
    found = discover(adler(3000), "poly1", periodic=CIRCLE, ordered=us.Ordered(x, 0.1))
    assert found.scale == "fixed by 2 ordered points, 0.1 apart"
    assert found.coefficients[0, 0] == pytest.approx(0.94, abs=0.03)  # the mean speed between them is 0.94


# --- parts ------------------------------------------------------------------------------------------------------------


def test_points_lie_within_a_period_and_paths_do_not_jump():
    x = np.array([[-0.5, -3.0], [7.0, 8.0], [TAU, 0.0], [-1e-18, 1.0]])
    found = wrapped(x, ("a", "b"), {"a": TAU})
    np.testing.assert_allclose(found[:, 0], [TAU - 0.5, 7 - TAU, 0, 0], atol=1e-12)
    np.testing.assert_array_equal(found[:, 1], x[:, 1])
    path = unwrapped(np.array([[5.8], [0.2], [0.5]]), ("a",), {"a": 6.0})
    np.testing.assert_allclose(path[:, 0], [5.8, 6.2, 6.5])
    assert list(known_periods({"b": 2, "a": 1}, ("a", "b"))) == ["a", "b"]


@pytest.mark.parametrize("turns", [(1.7,), (1.7, 0.9), (1.7, 0.0), (0.0, 2.0, 1.1)])
def test_functionals_are_periodic_and_their_derivatives_right(turns):
    turns = np.array(turns)
    phi, rng = FourierFunctionals.on_circles(60, turns, seed=2), np.random.default_rng(1)
    z, v, h = rng.standard_normal((5, len(turns))), rng.standard_normal((5, len(turns))), 1e-5
    for i in np.flatnonzero(turns):
        np.testing.assert_allclose(phi.values(z + np.eye(len(turns))[i] * TAU / turns[i]), phi.values(z), atol=1e-9)
    slope = (phi.values(z + h * v) - phi.values(z - h * v)) / (2 * h)
    np.testing.assert_allclose(phi.gradients(z, v), slope, atol=1e-4)
    rows = np.unique(np.round(np.concatenate([phi.k, -phi.k]), 9), axis=0)
    assert len(rows) == 2 * len(phi.k)  # no wave twice, none of no length
    assert phi.count == {1.7: 8, 2.6: 48}.get(sum(turns) if turns.all() else 0, 60)


def test_a_lattice_has_as_many_waves_as_are_asked_for_at_least():
    assert FourierFunctionals.on_circles(60, np.array([2.0]), least=40).count == 40
    assert FourierFunctionals.on_circles(10_000, np.array([1.0, 1.0])).count == 48  # to four waves a period


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("periodic", [1, 2, 3])
def test_the_number_of_terms_is_known_beforehand(degree, periodic):
    names = ("x", "y", "z")
    library = find_library(f"poly{degree}", names, dict.fromkeys(names[:periodic], TAU))
    assert len(set(library.names)) == len(library.names) == count_periodic(degree, 3, periodic)
    assert term_count(f"poly{degree}", 3, periodic) == len(library.names)


def test_terms_are_what_their_names_say():
    library, x = periodic_polynomials(("x", "y"), 2, CIRCLE), np.random.default_rng(0).standard_normal((7, 2))
    a, b = x.T
    names = {"1": a**0, "y": b, "sin(x)": np.sin(a), "cos(2x)": np.cos(2 * a), "cos(x) y": np.cos(a) * b, "y^2": b**2}
    for name, values in names.items():
        np.testing.assert_allclose(library.evaluate(x)[:, library.names.index(name)], values, rtol=1e-12)
    assert len(library.names) == 9
    waves = find_library("trig", ("x", "y"), {"x": 4.0})
    assert waves.names[:5] == ("1", "sin(2πx/4)", "cos(2πx/4)", "sin(y)", "cos(y)")
    np.testing.assert_allclose(waves.evaluate(x)[:, 5], np.sin(TAU * a / 4) * np.sin(b), rtol=1e-12)


# --- what is refused --------------------------------------------------------------------------------------------------

WRONG = {
    "name": ({"periodic": {"q": 1.0}}, "`periodic` must name variables; got 'q'"),
    "period": ({"periodic": {"x": -1.0}}, "`periodic` must be a positive period; got x=-1"),
    "monomials": ({"periodic": CIRCLE, "tests": "monomials"}, "`tests` must be fourier where a variable is periodic"),
    "noise": ({"periodic": CIRCLE, "noise": "estimate"}, "can be taken out of polynomials only"),
    "own terms": (
        {"periodic": CIRCLE, "library": {"1": lambda x: x * 0 + 1, "x": lambda x: x}},
        "`library` must hold terms that are the same one period of x on; got 'x'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_go_with_a_period_is_refused(case):
    options, words = WRONG[case]
    with pytest.raises(BadInput, match=words):
        discover(adler(500), **options)


def test_pictures_have_no_periodic_values():
    with pytest.raises(BadInput, match="`periodic` is for points only"):
        discover({"u": np.random.default_rng(0).random((1, 16, 16))}, periodic={"u": 1.0})


def test_the_shell_takes_periods_and_tells_them(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", theta=adler(1500)[:, 0])
    words = ["discover", str(tmp_path / "x.npz"), "--library", "poly1", "--fix", "theta:1=1", "--json"]
    assert main([*words, "--periodic", "theta=6.2832", "--out", str(tmp_path / "run")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["periodic"] == {"theta": 6.2832}
    assert told["terms"] == ["1", "sin(theta)", "cos(theta)"]
    assert main([*words, "--periodic", "x=6.2832", "--out", str(tmp_path / "other")]) == 2
    assert "`--periodic` must name variables; got 'x'" in capsys.readouterr().err


@pytest.mark.parametrize("rows", [64, 512])
def test_a_picture_as_a_table_is_refused_at_once_with_the_remedy(rows, tmp_path, capsys):
    np.savetxt(tmp_path / "picture.csv", np.random.default_rng(0).random((rows, 64)), delimiter=",", fmt="%.4f")
    assert main(["discover", str(tmp_path / "picture.csv"), "--out", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"got {rows} points" in line
    assert "A picture as a table? Save every field, (H, W), under its name in one .npz." in line
    assert not (tmp_path / "run").exists()
