"""Distances between heaps of points against double loops, closed forms and their own noise."""

import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.analysis.distances import (
    median_distance,
    mmd_floor,
    mmd_squared,
    sliced_wasserstein,
    spectral_distance,
    state_space_divergence,
)


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


def test_state_space_divergence_of_known_histograms(rng):
    """Four points in two cells: Σ p log(p/q); points outside are a cell of their own, which p holds none of."""
    x, y = np.array([[0.0], [0.1], [0.2], [1.0]]), np.array([[0.0], [1.0], [0.9], [0.4]])
    assert state_space_divergence(x, y, bins=2, smoothing=1e-9) == pytest.approx(
        0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5), abs=1e-6
    )
    away = np.array([[0.0], [1.0], [7.0], [-3.0]])
    assert state_space_divergence(x, away, bins=2, smoothing=1e-9) == pytest.approx(0.75 * np.log(3), abs=1e-6)
    heaps = rng.standard_normal((2, 20_000, 2))
    near = state_space_divergence(*heaps, bins=10)
    far = state_space_divergence(heaps[0], heaps[1] + [[0.5, 0.0]], bins=10)
    assert 0 <= near < 0.02
    assert far == pytest.approx(0.125, rel=0.2)  # KL of normal densities half a deviation apart: m²/2
    assert state_space_divergence(heaps[0], heaps[0]) == pytest.approx(0, abs=1e-12)
    # every cell written out, with a smoothing that matters
    p = np.append(np.histogramdd(heaps[0], 4)[0].ravel(), 0) + 0.5
    edges = np.histogramdd(heaps[0], 4)[1]
    inner = np.histogramdd(heaps[1], edges)[0].ravel()
    q = np.append(inner, len(heaps[1]) - inner.sum()) + 0.5
    p, q = p / p.sum(), q / q.sum()
    found = state_space_divergence(*heaps, bins=4, smoothing=0.5)
    assert found == pytest.approx(np.sum(p * np.log(p / q)), rel=1e-6)


def test_spectral_distance(rng):
    """0 for the reverse, 1 for two notes far apart; between for a chord."""
    t, phase = np.arange(400)[:, None, None] * 0.1, rng.uniform(0, 6, (1, 5, 1))
    low, high = np.sin(0.5 * np.pi * t + phase), np.sin(3 * np.pi * t + phase)
    assert spectral_distance(low, low[::-1].copy()) == pytest.approx(0, abs=1e-6)
    assert spectral_distance(low, 3 * low + 1) == pytest.approx(0, abs=1e-6)
    assert spectral_distance(low, high) == pytest.approx(1, abs=0.01)
    chord = np.sin(0.5 * np.pi * t + phase) + np.sin(3 * np.pi * t + 2 * phase)
    assert spectral_distance(low, chord) == pytest.approx(np.sqrt(1 - np.sqrt(0.5)), abs=0.02)


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
    with pytest.raises(BadInput, match="at least 1"):
        state_space_divergence(x, x, bins=0)
    with pytest.raises(BadInput, match="same number of times"):
        spectral_distance(np.zeros((5, 1, 2)), np.zeros((6, 1, 2)))


# --- what changes a distance and what does not ------------------------------------------------------------------------

HEAPS = np.random.default_rng(12).standard_normal((2, 40, 2)) * [[[1.0, 2.0]], [[1.5, 1.0]]]
PATHS = np.random.default_rng(13).standard_normal((2, 64, 5, 2)).cumsum(1)
DISTANCES = {"mmd": mmd_squared, "sliced": sliced_wasserstein, "cells": state_space_divergence}


@pytest.mark.parametrize("name", DISTANCES)
def test_order_and_place_do_not_matter(name, rng):
    distance, (x, y) = DISTANCES[name], HEAPS
    expected = distance(x, y)
    assert distance(rng.permutation(x), rng.permutation(y)) == pytest.approx(expected, abs=1e-12)
    if name != "cells":
        shift = np.array([7.0, -3.0])
        assert distance(x + shift, y + shift) == pytest.approx(expected, abs=1e-9)
        assert distance(y, x) == pytest.approx(expected, abs=1e-12)


def test_units_are_those_that_are_stated():
    """SW₂ has the units of x; MMD² none if its width has them; D_stsp and D_H none at all."""
    x, y = HEAPS
    assert sliced_wasserstein(5 * x, 5 * y) == pytest.approx(5 * sliced_wasserstein(x, y))
    assert mmd_squared(4 * x, 4 * y, 2.0) == pytest.approx(mmd_squared(x, y, 0.5), abs=1e-12)
    assert state_space_divergence(8 * x, 8 * y) == pytest.approx(state_space_divergence(x, y), abs=1e-12)
    assert median_distance(3 * x) == pytest.approx(3 * median_distance(x))
    units = np.array([3.0, 0.1])
    expected = spectral_distance(*PATHS)
    assert spectral_distance(PATHS[0] * units, PATHS[1]) == pytest.approx(expected, abs=1e-12)
    assert spectral_distance(PATHS[1], PATHS[0]) == pytest.approx(expected, abs=1e-12)


def test_rotations_leave_mmd_alone():
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    x, y = HEAPS
    assert mmd_squared(x @ turn, y @ turn) == pytest.approx(mmd_squared(x, y), abs=1e-12)


def test_sliced_wasserstein_by_the_best_assignment():
    """On a line it is W₂ itself, by SciPy's assignment of points to points; in the plane at most that."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    def best(x, y):
        cost = cdist(x, y, "sqeuclidean")
        return np.sqrt(cost[linear_sum_assignment(cost)].mean())

    x, y = HEAPS
    assert sliced_wasserstein(x[:, :1], y[:, :1], directions=3) == pytest.approx(best(x[:, :1], y[:, :1]))
    assert 0 < sliced_wasserstein(x, y) < best(x, y)
    twice = np.concatenate([y, y])  # a heap of points that count twice is the same heap
    assert sliced_wasserstein(x, twice) == pytest.approx(sliced_wasserstein(x, y))


def test_spectral_distance_of_autoregressions(rng):
    """x ← φ x + ξ has the spectrum 1/(1 − 2φ cos ω + φ²): the Hellinger distance from white noise by quadrature."""
    from scipy.signal import lfilter

    phi, omega = 0.6, np.linspace(0, np.pi, 4001)
    noise = rng.standard_normal((2, 1000, 120, 1))
    p = (1 - phi**2) / (1 - 2 * phi * np.cos(omega) + phi**2)
    expected = np.sqrt(1 - np.trapezoid(np.sqrt(p), omega) / np.pi)
    found = spectral_distance(lfilter([1.0], [1.0, -phi], noise[0], axis=0)[100:], noise[1, 100:])
    assert found == pytest.approx(expected, rel=0.03)
