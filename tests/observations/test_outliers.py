"""Hot and dead pixels are found; patterns and their noise are not taken for them."""

import numpy as np
import pytest

from unstill.observations.outliers import MOST, stand_out

SIDE = 48
SEEN = np.ones((SIDE, SIDE), bool)


def waves(length: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.cos(2 * np.pi * x / length) + np.cos(2 * np.pi * y / length)


@pytest.mark.parametrize("length", [6, 8, 16])
@pytest.mark.parametrize("noise", [0.0, 0.03, 0.1])
def test_a_pattern_and_its_noise_do_not_stand_out(length, noise):
    crests = np.maximum(waves(length), 0) ** 2  # sharp spots on a flat ground
    for c in (waves(length), crests):
        for seed in range(5):
            seen = c + noise * c.std() * np.random.default_rng(seed).standard_normal(c.shape)
            assert not stand_out(seen, SEEN).any()


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_hot_and_dead_pixels_do_and_their_neighbours_do_not(noise, rng):
    c = waves(12) + noise * waves(12).std() * rng.standard_normal(SEEN.shape)
    hot = rng.random(SEEN.shape) < 0.01
    hot[:2] = hot[-2:] = hot[:, :2] = hot[:, -2:] = False
    spoilt = np.where(hot, np.where(rng.random(SEEN.shape) < 0.5, 5.0, -5.0), c)
    np.testing.assert_array_equal(stand_out(spoilt, SEEN), hot)
    assert not stand_out(spoilt, ~hot).any()  # where they are known to be gaps


def test_a_texture_has_no_outliers(rng):
    c = np.where(rng.random(SEEN.shape) < 3 * MOST, 6.0, waves(12))
    assert not stand_out(c, SEEN).any()
