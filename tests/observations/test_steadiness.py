"""Dead and steady: the rules on states made for them."""

import numpy as np
import pytest

from unstill.observations.steadiness import UNIFORM, contrast, contrast_floor, is_dying, is_steady, is_uniform


def wave(amplitude: float, mean: float = 0.5) -> np.ndarray:
    """A cosine (H, W) whose contrast is amplitude/√2."""
    return mean + amplitude * np.cos(2 * np.pi * np.arange(16) / 16)[None] * np.ones((8, 1))


def test_contrast_of_a_cosine():
    states = np.stack([wave(0.1), wave(0.3)])[None]
    np.testing.assert_allclose(contrast(states), [[0.1 / np.sqrt(2), 0.3 / np.sqrt(2)]])


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_a_state_is_uniform_to_the_round_off_of_float32_and_a_faint_pattern_is_none(size):
    state = size * np.stack([wave(0), 1e-9 * wave(1)])  # a field that has died out counts for nothing
    assert is_uniform(state.astype(np.float32))
    assert is_uniform(state + size * 0.5 * UNIFORM * (wave(1) - 0.5))
    assert not is_uniform(state + size * 2 * UNIFORM * (wave(1) - 0.5))


def test_the_floor_is_a_number_for_each_level_of_noise():
    states = np.zeros((3, 2, 8, 16)) + wave(0)
    np.testing.assert_allclose(contrast_floor(states, (0.0, 0.02)), [UNIFORM / 2, UNIFORM / 2 + 0.01])


def test_a_dying_state_is_faint_and_still():
    state = np.stack([wave(0, 1.0), wave(2e-4, 1e-3)])
    assert is_dying(state, 1e-5)
    assert not is_dying(state, 1e-3)
    assert not is_dying(np.stack([wave(0, 1.0), wave(2e-3, 1e-3)]), 1e-5)


def test_steadiness_adds_noise_in_quadrature_and_asks_every_one():
    assert is_steady(0.05, 0.03, 0.04)
    assert not is_steady(0.0501, 0.03, 0.04)
    assert is_steady(np.array([0.0, 0.03]), 0.03)
    assert not is_steady(np.array([0.0, 0.04]), 0.03)
    assert not is_steady(np.nan, 0.03)


def test_contrast_of_one_picture_is_a_number():
    assert contrast(wave(0.1)).shape == ()
