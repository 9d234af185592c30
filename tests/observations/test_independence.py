"""How many independent samples a heap holds: copies exactly, correlated pictures against the closed form."""

import numpy as np
import pytest

from unstill.observations.independence import distinct_pictures, distinct_points, effective_number


def _fields(rng, count, side=48, width=3.0):
    """Independent smooth random fields (count, 1, side, side) on a torus."""
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij"))
    white = rng.standard_normal((count, 1, side, side))
    return np.fft.ifft2(np.fft.fft2(white) * np.exp(-0.5 * (2 * np.pi * k * width) ** 2)).real


def test_copies_are_found_turned_mirrored_and_shifted(rng):
    a, b = _fields(rng, 2)
    heap = np.stack([a, b, a, np.roll(a, (3, 7), (1, 2)), b[:, ::-1], np.rot90(a, axes=(1, 2)), 1.0000001 * b])
    assert distinct_pictures(heap).tolist() == [0, 1, 6]


def test_copies_of_points_are_found_and_points_on_a_lattice_kept(rng):
    x = rng.standard_normal((200, 3))
    repeated = np.concatenate([x, x[::-1], x])
    np.testing.assert_array_equal(distinct_points(repeated), x)
    rounded = np.round(rng.standard_normal((2000, 2)), 1)
    assert len(np.unique(rounded, axis=0)) < 2000
    np.testing.assert_array_equal(distinct_points(rounded), rounded)


@pytest.mark.parametrize("count", [8, 32])
def test_independent_pictures_count_for_themselves(rng, count):
    assert effective_number(_fields(rng, count)) > 0.85 * count


def test_dead_pictures_among_them_do_not_hide_likeness(rng):
    one = _fields(rng, 1)
    heap = np.concatenate([one + 0.01 * _fields(rng, 20), np.ones((12, 1, 48, 48))])
    assert effective_number(heap) < 14


@pytest.mark.parametrize("a", [0.7, 0.9, 0.99])
def test_a_film_counts_for_its_correlation_time(rng, a):
    """x_{m+1} = a x_m + √(1 − a²) ξ: Σ ρ over pairs in closed form, M_eff about M (1 − a)/(1 + a) or 1."""
    frames = [_fields(rng, 1)[0]]
    for step in _fields(rng, 63):
        frames.append(a * frames[-1] + np.sqrt(1 - a**2) * step)
    lag = np.abs(np.subtract.outer(np.arange(64), np.arange(64)))
    shuffled = rng.permutation(np.stack(frames))
    # Chance reaches about 0.45 in so small fields: what is below is not counted, what is near it in part.
    least, most = 64**2 / (a**lag).sum(), 64**2 / (a**lag * (a**lag > 0.6)).sum()
    assert 0.8 * least < effective_number(shuffled) < 1.2 * most
