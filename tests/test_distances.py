"""Distances between heaps of points against double loops, closed forms and their own noise."""

import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.analysis.distances import median_distance, mmd_floor, mmd_squared, sliced_wasserstein


def test_mmd_is_the_double_loop(rng):
    x, y, h = rng.standard_normal((7, 3)), rng.standard_normal((5, 3)) + 0.3, 0.8

    def k(a, b):
        return np.exp(-np.sum((a - b) ** 2) / (2 * h**2))

    xx = np.mean([k(x[i], x[j]) for i in range(7) for j in range(7) if i != j])
    yy = np.mean([k(y[i], y[j]) for i in range(5) for j in range(5) if i != j])
    xy = np.mean([k(a, b) for a in x for b in y])
    assert mmd_squared(x, y, h) == pytest.approx(xx + yy - 2 * xy, abs=1e-12)


def test_mmd_is_unbiased_and_below_its_floor(rng):
    """Of two normal densities (1-D, distance m): MMD² = 2 (1 − e^{−m²/2(h²+2)}) h/√(h²+2)."""
    heaps = rng.standard_normal((60, 100, 1))
    values = [mmd_squared(heaps[i], heaps[i + 1]) for i in range(0, 60, 2)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(30)
    assert min(values) < 0  # a biased estimate never is
    floor = mmd_floor(heaps.reshape(-1, 1), 100, draws=40)
    assert np.mean(np.array(values) < floor) > 0.8
    h, m = 0.5, 1.0
    expected = 2 * (1 - np.exp(-(m**2) / (2 * (h**2 + 2)))) * h / np.sqrt(h**2 + 2)
    x, y = rng.standard_normal((2, 3000, 1))
    assert mmd_squared(x, y + m, h) == pytest.approx(expected, rel=0.1)
    assert mmd_squared(x[:100], y[:100] + m, h) > floor


def test_sliced_wasserstein_of_a_shift(rng):
    """W₂ of a shifted heap is the shift; its mean square over directions |shift|²/D."""
    x, shift = rng.standard_normal((400, 2)), np.array([[3.0, 4.0]])
    assert sliced_wasserstein(x, x + shift, directions=4000) == pytest.approx(5 / np.sqrt(2), rel=0.03)
    assert sliced_wasserstein(x, rng.permutation(x)) == 0
    assert sliced_wasserstein(x[:200], x) < 0.2


def test_median_distance(rng):
    """|x − y|² of two normal points in the plane is 4 times exponential: its median is 4 ln 2."""
    assert median_distance(rng.standard_normal((3000, 2))) == pytest.approx(np.sqrt(4 * np.log(2)), rel=0.05)


def test_bad_input(rng):
    x = rng.standard_normal((10, 2))
    with pytest.raises(BadInput, match="must be positive"):
        mmd_squared(x, x, 0.0)
    with pytest.raises(BadInput, match="at least 2"):
        sliced_wasserstein(x, x[:1])
    with pytest.raises(BadInput, match="at most half"):
        mmd_floor(x, 6)
