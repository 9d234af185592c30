"""`discover` never says "preserves" against its own goodness of fit; copies of points count once."""

import numpy as np
import pytest

from unstill._types import Status
from unstill.discovery import discover
from unstill.discovery.nullspace import _Candidate


def rotation(rng, count):
    """Points of a Gaussian that (−y, x) preserves."""
    return rng.standard_normal((count, 2)) @ np.array([[1.0, 0.3], [0.0, 0.8]])


def test_copies_of_points_count_once(rng):
    x = rotation(rng, 400)
    alone, heap = (discover(each, "poly1", functionals=60) for each in (x, np.concatenate([x, x, x[::-1]])))
    assert heap.message == f"800 of 1200 points are copies of others and were left out; {alone.message}"
    np.testing.assert_array_equal(heap.coefficients, alone.coefficients)
    np.testing.assert_array_equal(heap.std, alone.std)


def test_points_that_nearly_repeat_are_not_taken_for_more(rng):
    x = np.repeat(rotation(rng, 400), 20, 0)
    found = discover(x + 1e-6 * rng.standard_normal(x.shape), "poly1", noise="none", functionals=60)
    assert found.status in (Status.NOT_CONVERGED, Status.NO_FIT)
    assert "points that depend on one another" in found.message
    assert "one field of this library preserves" not in found.message


def test_a_library_without_the_truth_does_not_fit(rng):
    """Uniform in a square: no linear field keeps it."""
    found = discover(rng.uniform(-1, 1, (4000, 2)), "poly1", noise="none", functionals=60)
    assert found.status is not Status.CONVERGED
    assert "terms that the library lacks" in found.message
    (statistic, limit), *_ = found.tests
    assert statistic > limit


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.4])
def test_the_level_of_the_test_is_what_it_says(rng, ratio):
    """Sums of weighted χ² variables: one in a thousand beyond the quantile, within a factor of two."""
    q = np.linspace(0.2, 1, 60)
    sums = (q * rng.chisquare(1, (60_000, 60))).sum(1)
    mean = q.sum()
    one = _Candidate(np.ones(1), [], ratio * mean, mean, float(np.sqrt(2 * (q**2).sum())), 1.0)
    beyond = float((sums / mean > one.quantile).mean())
    assert 0.5e-3 < beyond < 2e-3
    assert (one.ratio <= one.quantile) == (ratio < 1.5)


def test_standing_out_is_judged_by_both_fields():
    def with_ratio(ratio, freedom=50.0):
        return _Candidate(np.ones(1), [], ratio * 100, 100.0, 100 * np.sqrt(2 / freedom), 1.0)

    assert with_ratio(5.0).stands_out(with_ratio(50.0))
    assert not with_ratio(5.0).stands_out(with_ratio(8.0))
    assert not with_ratio(5.0, 3.0).stands_out(with_ratio(50.0, 3.0))  # few degrees of freedom tell little
