"""White noise of pictures: its level against draws of known level, and what its filter leaves."""

import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.observations.noise import denoise, estimate_noise, known_noise, white_noise_level, white_noise_levels
from unstill.observations.spectrum import transform
from unstill.simulation import Grid

BOUNDARY = pytest.mark.parametrize("boundary", ["periodic", "no-flux"])


@BOUNDARY
def test_noise_estimate(boundary, rng):
    grid = Grid((96, 80), 1.0, boundary)
    y, x = np.mgrid[:96, :80]
    smooth = np.cos(np.pi * 4 * (y + 0.5) / 96) * np.cos(np.pi * 6 * (x + 0.5) / 80)
    assert not estimate_noise(grid, smooth[None] ** 3).detected
    for s in (1e-3, 0.1):
        found = estimate_noise(grid, (smooth + s * rng.standard_normal(grid.shape))[None])
        assert found.detected
        assert abs(found.std / s - 1) < 3 * found.relative_error


@BOUNDARY
def test_noise_levels(boundary, rng):
    grid = Grid((64, 64), boundary=boundary)
    y, x = np.mgrid[:64, :64] + 0.5
    smooth = np.array([[np.tanh(4 * np.cos(np.pi * (x + s) / 16) * np.cos(np.pi * y / 16))] * 2 for s in (0, 16)])
    assert white_noise_levels(grid, smooth) == pytest.approx([0, 0])
    noisy = smooth + np.array([0.05, 0.1])[:, None, None] * rng.standard_normal(smooth.shape)
    # 3 % is about two standard errors of the level
    assert white_noise_levels(grid, noisy) == pytest.approx([0.05, 0.1], rel=0.06)
    assert white_noise_level(grid, noisy[:, 1]) == pytest.approx(0.1, rel=0.06)
    cleaner = denoise(grid, noisy[:, 1], 0.1)
    assert np.std(cleaner - smooth[:, 1]) < 0.5 * np.std(noisy[:, 1] - smooth[:, 1])
    np.testing.assert_array_equal(denoise(grid, smooth[:, 0], 0.0), smooth[:, 0])


@BOUNDARY
def test_noise_levels_scale_with_the_picture(boundary, rng):
    grid = Grid((48, 40), 0.8, boundary)
    y, x = np.mgrid[:48, :40] + 0.5
    smooth = np.cos(np.pi * 4 * y / 48) * np.cos(np.pi * 6 * x / 40)
    states = np.stack([smooth, 2 - smooth])[None] + np.array([0.03, 0.06])[:, None, None] * rng.standard_normal(
        (3, 2, 48, 40)
    )
    levels = white_noise_levels(grid, states)
    assert levels == pytest.approx([0.03, 0.06], rel=0.25)  # few modes in the corner of so small a picture
    np.testing.assert_allclose(white_noise_levels(grid, 7 * states), 7 * levels, rtol=1e-6)
    np.testing.assert_allclose(white_noise_levels(grid, states + 5), levels, rtol=1e-6)
    np.testing.assert_allclose(white_noise_levels(grid, states[::-1]), levels, rtol=1e-9)
    np.testing.assert_allclose(white_noise_levels(grid, states[:, ::-1])[::-1], levels, rtol=1e-9)


@BOUNDARY
def test_the_filter_leaves_pure_noise_little_and_never_more_than_it_was(boundary, rng):
    grid = Grid((48, 40), 0.8, boundary)
    noise = 0.1 * rng.standard_normal((4, 48, 40))
    left = denoise(grid, noise, 0.1)
    assert left.std() < 0.35 * noise.std()
    assert (np.abs(transform(grid, left)) <= np.abs(transform(grid, noise)) + 1e-12).all()
    np.testing.assert_allclose(left.mean((1, 2)), noise.mean((1, 2)), atol=1e-12)


@BOUNDARY
def test_denoising_keeps_the_mean_and_takes_nothing_where_there_is_no_noise(boundary, rng):
    grid = Grid((32, 28), 0.7, boundary)
    y, x = np.mgrid[:32, :28] + 0.5
    clean = 0.3 + 0.1 * np.cos(np.pi * 4 * y / 32) * np.cos(np.pi * 2 * x / 28)
    np.testing.assert_allclose(denoise(grid, clean[None], 0.0)[0], clean, atol=1e-14)
    noisy = clean + 0.02 * rng.standard_normal((6, *grid.shape))
    out = denoise(grid, noisy, 0.02)
    np.testing.assert_allclose(out.mean((1, 2)), noisy.mean((1, 2)), atol=2e-3)
    assert np.std(out - clean) < 0.35 * np.std(noisy - clean)


def test_known_noise_is_of_known_names_and_not_negative():
    assert known_noise(None, ("u",)) == {}
    assert known_noise({"v": 0.0, "u": 2}, ("u", "v")) == {"u": 2, "v": 0.0}
    for wrong, rule in (({"w": 1.0}, "must name fields"), ({"u": -1.0}, "0 or positive"), ({"u": np.inf}, "0 or pos")):
        with pytest.raises(BadInput, match=rule):
            known_noise(wrong, ("u", "v"))
