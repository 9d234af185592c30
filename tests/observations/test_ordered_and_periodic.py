"""Points in order of time, and variables that are angles."""

import numpy as np
import pytest

import unstill as us
from unstill.observations.ordered import Ordered
from unstill.observations.periodic import known_periods, unwrapped, wrapped

NAMES = ("x", "angle")


def test_a_known_pair_of_fields_is_weighed_by_the_trapezium_rule():
    """x' = a f + b g with f = (−y, x), g = −(x, y): the weights come back to the order h²."""
    errors = []
    for h in (0.1, 0.05):
        t = np.arange(0, 1.01, h)
        x = np.exp(-0.3 * t)[:, None] * np.stack([np.cos(0.7 * t), np.sin(0.7 * t)], 1)
        rates = np.stack([np.stack([-x[:, 1], x[:, 0]], 1), -x])
        found = Ordered(x, h).combine(rates, np.ones(2))
        np.testing.assert_allclose(found, [0.7, 0.3], rtol=2e-2)
        errors.append(np.abs(found - [0.7, 0.3]).max())
        arrow = Ordered(x).combine(rates, np.ones(2))
        np.testing.assert_allclose(arrow, found / np.linalg.norm(found), rtol=1e-9)
        backwards = Ordered(x[::-1]).combine(rates[:, ::-1], np.ones(2))
        np.testing.assert_allclose(backwards, -arrow, rtol=1e-9)
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize(("x", "interval", "words"), [
    (np.zeros((3, 2)), None, "must move"), (np.eye(2)[:1], None, "at least two"), (np.eye(3)[0], None, "at least two"),
    (np.array([[0, np.nan], [1, 1]]), None, "finite"), (np.eye(2), 0.0, "`interval` must be positive"),
    (np.eye(2), np.inf, "`interval` must be positive"), (np.zeros((2, 3, 4)), None, "two pictures"),
])  # fmt: skip
def test_what_is_no_order_is_refused(x, interval, words):
    with pytest.raises(us.BadInput, match=words):
        Ordered(x, interval)


def test_angles_fall_within_one_period_and_follow_the_shorter_way(rng):
    turns = np.cumsum(rng.uniform(-0.4, 0.9, 200))
    x = np.stack([rng.standard_normal(200), 3.0 * turns], 1)
    inside = wrapped(x, NAMES, {"angle": 3.0})
    assert (inside[:, 1] >= 0).all()
    assert (inside[:, 1] < 3.0).all()
    np.testing.assert_array_equal(inside[:, 0], x[:, 0])
    steps = np.diff(unwrapped(inside, NAMES, {"angle": 3.0})[:, 1])
    assert np.abs(steps).max() <= 1.5
    whole = np.abs(np.diff(turns)) < 0.5
    np.testing.assert_allclose(steps[whole], 3 * np.diff(turns)[whole], atol=1e-12)
    assert wrapped(np.array([[0.0, -1e-18]]), NAMES, {"angle": 3.0})[0, 1] == 0


def test_periods_are_checked_and_ordered_as_the_variables():
    assert known_periods(None, NAMES) == {}
    assert list(known_periods({"angle": 2, "x": 1}, NAMES)) == ["x", "angle"]
    for given, words in [({"angel": 1}, "angle"), ({"x": 0}, "x=0"), ({"x": np.nan}, "positive period")]:
        with pytest.raises(us.BadInput, match=words):
            known_periods(given, NAMES)
