"""The sparsest equations of samples with a planted null vector: support, covariance by Monte Carlo, finite time steps.
Noise of pictures taken out of statistics; hints."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from unstill import Grid, discover
from unstill._errors import BadInput
from unstill.discovery.equation_text import right_hand_sides
from unstill.discovery.field_noise import noise_levels, without_noise
from unstill.discovery.hints import coefficient, coefficients
from unstill.discovery.joint_equations import joint_equations
from unstill.discovery.library import find_library
from unstill.observations import Ordered

M, T, K = 200, 4, 15  # the deviations are those of many pictures: of 40 they come out a third too small
TRUTH = np.array([1.0, -2.0, 0.0, 0.5, 0.0, 0.0])


def samples(rng, step: float = 0.0, scatter: float = 0.05):
    """Rows whose mean A has A TRUTH = −step · g, with scatter between pictures and between their tiles, and g."""
    fixed = np.random.default_rng(99)
    A, g = fixed.standard_normal((K, 6)), 2 * fixed.standard_normal(K)
    A[:, 0] = -A[:, 1:] @ TRUTH[1:] - step * g
    noise = 0.2 * rng.standard_normal((M, 1, K, 6)) + rng.standard_normal((M, T, K, 6))
    return A + scatter * noise, g


def solved(rng, step: float = 0.0, **options):
    A, g = samples(rng, step)
    rows = np.broadcast_to(g, (M, K)) + 1e-3 * rng.standard_normal((M, K))
    how = {"pinned": 0, "forced": [], "starts": [[], list(range(6))]} | options
    return joint_equations(A, lambda e: rows, **how)


def test_planted_terms_are_found_with_honest_deviations():
    """Over 20 draws the errors of the free coefficients have the reported covariance: χ² of two, mean 2, variance 4."""
    found = [solved(np.random.default_rng(seed)) for seed in range(20)]
    for one in found:
        np.testing.assert_array_equal(one.e != 0, TRUTH != 0)
        assert one.ratio < one.limit
        assert one.e[0] == pytest.approx(1)
        assert np.count_nonzero(np.diag(one.covariance)) == 2
        assert [statistic <= limit for statistic, limit in one.tests] == [True, False]  # one field, and no second
        assert np.all(np.diff(one.spectrum) >= 0)
        assert one.functionals == K
    free = [1, 3]
    errors = np.array([one.e[free] - TRUTH[free] for one in found])
    squared = [e @ np.linalg.solve(one.covariance[np.ix_(free, free)], e) for e, one in zip(errors, found, strict=True)]
    assert np.mean(squared) == pytest.approx(2, abs=4 * np.sqrt(4 / 20))
    reported = np.mean([np.diag(one.covariance)[free] for one in found], 0)
    np.testing.assert_allclose(errors.var(0), reported, rtol=1.0)


@pytest.mark.parametrize("step", [0.0, 0.3, -0.2])
def test_a_finite_time_step_is_told_and_taken_out(step, rng):
    found = solved(rng, step)
    assert found.step[0] == pytest.approx(step, abs=5 * found.step[1])
    assert found.step[1] < 0.02
    np.testing.assert_array_equal(found.e != 0, TRUTH != 0)
    np.testing.assert_allclose(found.e, TRUTH, atol=0.05)


def test_a_forced_term_stays_and_any_true_term_may_be_pinned(rng):
    found = solved(rng, forced=[4])
    assert found.e[4] != 0
    assert abs(found.e[4]) < 5 * np.sqrt(found.covariance[4, 4])
    other = solved(np.random.default_rng(1), pinned=1)
    np.testing.assert_allclose(other.e, TRUTH / TRUTH[1], atol=0.05)


def test_the_spectrum_is_free_of_the_columns_units(rng):
    A, g = samples(rng)
    units = np.array([1.0, 10.0, 0.1, 3.0, 0.5, 7.0])
    how: dict = {"pinned": 0, "forced": [], "starts": [list(range(6))]}
    one, other = (joint_equations(a, lambda e: np.broadcast_to(g, (M, K)).copy(), **how) for a in (A, A * units))
    np.testing.assert_allclose(other.spectrum, one.spectrum, rtol=1e-5)
    np.testing.assert_allclose(other.e * units, one.e, rtol=1e-5, atol=1e-9)


def test_rows_without_a_null_vector_do_not_pass(rng):
    A, g = samples(rng)
    A[..., 0] += 3 * np.random.default_rng(5).standard_normal(K)
    found = joint_equations(A, lambda e: np.broadcast_to(g, (M, K)).copy(), pinned=0, forced=[], starts=[[]])
    assert found.ratio > 10 * found.limit


def test_a_term_that_repeats_others_is_no_error(rng):
    """Its scatter is theirs, so the scatter's matrix is singular: 16 pictures of a small grid come as near."""
    A, g = samples(rng)
    A = np.concatenate([A, A[..., 3:4] - A[..., 4:5]], -1)
    found = joint_equations(A, lambda e: np.broadcast_to(g, (M, K)).copy(), pinned=0, forced=[], starts=[[0, 1, 3]])
    np.testing.assert_allclose(found.e, np.append(TRUTH, 0), atol=0.05)


# --- noise of pictures ------------------------------------------------------------------------------------------------


def test_odd_orders_cancel_and_squares_are_exact(rng):
    """Kicks come with both signs: a linear statistic is untouched, a square loses the square of the kick itself."""
    c, levels = rng.standard_normal((1, 20, 20)), np.array([0.3])
    clean, bias = without_noise(lambda y: y.ravel(), c, levels, np.random.default_rng(3))
    np.testing.assert_allclose(clean, c.ravel(), atol=1e-12)
    np.testing.assert_allclose(bias, 0, atol=1e-12)
    kick = 0.3 * np.random.default_rng(3).standard_normal(c.shape)
    clean, bias = without_noise(lambda y: np.array([(y**2).mean()]), c, levels, np.random.default_rng(3))
    assert bias[0] == pytest.approx((kick**2).mean())
    assert clean[0] + bias[0] == pytest.approx((c**2).mean())


def test_without_a_level_nothing_is_drawn(rng):
    before = rng.bit_generator.state["state"]
    clean, bias = without_noise(lambda y: y.mean((1, 2)), np.ones((2, 3, 3)), np.zeros(2), rng)
    np.testing.assert_array_equal(clean, [1, 1])
    np.testing.assert_array_equal(bias, [0, 0])
    assert rng.bit_generator.state["state"] == before


def test_levels_are_given_by_field_or_told_from_the_spectra(rng):
    grid = Grid((64, 64))
    waves = np.sin(2 * np.pi * np.arange(64) / 16)[:, None] * np.ones(64)
    pictures = waves * np.array([1.0, 2.0])[None, :, None, None] * np.ones((4, 1, 1, 1))
    noisy = pictures + np.array([0.1, 0.0])[:, None, None] * rng.standard_normal(pictures.shape)
    assert noise_levels({"v": 0.5}, ("u", "v"), grid, noisy).tolist() == [0, 0.5]
    assert noise_levels("none", ("u", "v"), grid, noisy).tolist() == [0, 0]
    told = noise_levels("auto", ("u", "v"), grid, noisy)
    assert told[0] == pytest.approx(0.1, rel=0.1)
    assert told[1] < 0.01
    for wrong, words in (
        ({"w": 0.1}, "must name fields"), ({"u": -0.1}, "0 or positive"), ({"u": np.nan}, "0 or positive"),
        ({"v": 2.0}, "v=2"), ("some", "auto, estimate or none"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=words):
            noise_levels(wrong, ("u", "v"), grid, noisy)


# --- hints ------------------------------------------------------------------------------------------------------------

RATES = np.array([[-0.3, 1.0], [-1.0, -0.3]])  # a focus, whose motion is a matrix exponential


def path(h: float) -> np.ndarray:
    return np.stack([scipy.linalg.expm(h * n * RATES) @ [1.0, 0.5] for n in range(4)])


def test_the_trapezium_rule_is_of_second_order():
    """The weight of the true field is 1 + O(h²), and that of a stranger O(h²)."""

    def errors(h: float) -> np.ndarray:
        x = path(h)
        rates = np.stack([x @ RATES.T, x @ np.diag([1.0, -2.0])])
        return np.abs(Ordered(x, h).combine(rates, np.array([1.0, 2.0])) - [1, 0])

    np.testing.assert_allclose(np.log2(errors(0.02) / errors(0.01)), 2, atol=0.1)


def test_without_an_interval_only_the_arrow_is_taken():
    x = path(0.05)
    rates = (x @ RATES.T)[None]
    assert Ordered(x).combine(rates, np.ones(2)) == pytest.approx([1.0])
    assert Ordered(x[::-1]).combine(rates[:, ::-1], np.ones(2)) == pytest.approx([-1.0])
    assert Ordered(x, 0.05).combine(rates * 4, np.ones(2)) == pytest.approx([0.25], rel=1e-3)


@pytest.mark.parametrize(
    ("x", "interval", "words"),
    [
        (np.zeros((1, 2)), None, "at least two"), (np.zeros(3), None, "at least two"),
        (np.full((2, 2), np.nan), None, "finite"), (np.ones((3, 2)), None, "must move"),
        (np.eye(2), 0.0, "`interval` must be positive"), (np.eye(2), np.inf, "`interval` must be positive"),
    ],
)  # fmt: skip
def test_what_is_no_order_is_refused(x, interval, words):
    with pytest.raises(BadInput, match=words):
        Ordered(x, interval)


def test_coefficients_by_name():
    library = find_library("poly2", ("x", "y"))
    names = library.names
    assert coefficient("fix", " y : y*x ", library, ("x", "y")) == (1, names.index("x y"))
    assert coefficients("fix", {"x:1": 2, "y:x^2": -1.5}, library, ("x", "y")) == {
        (0, 0): 2.0,
        (1, names.index("x^2")): -1.5,
    }
    with pytest.raises(BadInput, match="`sign` must be finite"):
        coefficients("sign", {"x:x": np.inf}, library, ("x", "y"))


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "text", "tex"),
    [
        ([0, 0, 0], "0", "0"), ([1, 0, -1], "1 - y", "1 - y"), ([0, -1, 2.5], "-x + 2.5 y", r"-x + 2.5\,y"),
        ([1e-7, 3e8, 0], "1e-07 + 3e+08 x", r"1 \cdot 10^{-7} + 3 \cdot 10^{8}\,x"),
    ],
)  # fmt: skip
def test_right_hand_sides_as_people_write_them(row, text, tex):
    C, names = np.array([row], float), ("1", "x", "y")
    assert right_hand_sides(("x",), C, names) == {"x": text}
    assert right_hand_sides(("x",), C, names, tex=True) == {"x": tex}


TWO = np.random.default_rng(8).standard_normal((300, 2))
REFUSED = {
    "no heap": ([], {}, "at least one heap"),
    "other variables": ([TWO, np.random.default_rng(1).standard_normal((300, 3))], {}, "must all have the variables"),
    "conditions' names": ([TWO, TWO], {"conditions": [{"q": 1.0}, {"p": 2.0}]}, "must all name q"),
    "infinite condition": ([TWO, TWO], {"conditions": [{"q": 1.0}, {"q": np.inf}]}, "must be finite"),
    "condition like a variable": ([TWO, TWO], {"conditions": [{"x": 1.0}, {"x": 2.0}]}, "not be named like"),
    "one condition": ([TWO, TWO], {"conditions": [{"q": 1.0}, {"q": 1.0}]}, "must differ from heap to heap"),
    "covariance of nobody": (TWO, {"covariance": {"x:w": 1.0}}, "must name variables"),
    "no covariance": (TWO, {"covariance": {"x:x": 0.0}}, "not zero"),
    "noise of nobody": (TWO, {"noise": {"w": 0.1}}, "must name variables"),
    "negative noise": (TWO, {"noise": {"x": -0.1}}, "0 or positive"),
    "cross": (TWO, {"cross": True}, "`cross` is for pictures only"),
    "grid": (TWO, {"grid": Grid((4, 4))}, "`grid` is for pictures only"),
    "columns": (TWO, {"ordered": np.eye(3)}, "must have 2 columns"),
    "sign of nothing": (TWO, {"library": "poly1", "sign": {"x:1": 1}, "functionals": 30}, "that is not zero"),
    "sign against pace": (
        TWO, {"library": "poly1", "fix": {"x:y": 1.0}, "sign": {"y:x": 1}, "functionals": 30}, "contradicts what is",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_calls_of_discover_are_named(name):
    points, options, words = REFUSED[name]
    with pytest.raises(BadInput, match=words):
        discover(points, **options)


def test_equations_are_a_motion_of_their_own():
    """`replace`d coefficients move points at once: the drift of found equations is C θ(x)."""
    found = discover(TWO, "poly1", fix={"x:y": 1.0}, functionals=30)
    C = np.array([[0.5, 0.0, 2.0], [-1.0, 1.0, 0.0]])
    moved = dataclasses.replace(found.equations, coefficients=C).drift(jnp.asarray(TWO))
    np.testing.assert_allclose(moved, np.concatenate([np.ones((300, 1)), TWO], 1) @ C.T, atol=1e-12)
