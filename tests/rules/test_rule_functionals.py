"""Weak-form rows: derivatives of functionals against differences, noise taken out, what a time step adds."""

import numpy as np
import pytest

import unstill as us
from unstill.rules.functionals import Functionals, pattern_length, tiled, tiles_for
from unstill.rules.neighbourhood import Neighbourhood
from unstill.rules.terms import Polynomials, spread


def smooth(boundary: str = "periodic", count: int = 3, shape=(48, 32)) -> np.ndarray:
    """Random pictures of waves of about ten cells."""
    y, x = np.mgrid[: shape[0], : shape[1]] / np.array(shape)[:, None, None]
    if boundary == "no-flux":
        waves = [np.cos(np.pi * (i * (y + 0.5 / shape[0]) + j * 0)) * np.cos(np.pi * j * (x + 0.5 / shape[1]))
                 for i in range(4) for j in range(4)]  # fmt: skip
    else:
        waves = [np.cos(2 * np.pi * (i * y + j * x) + p) for i in range(4) for j in range(3) for p in (0, 1.5)]
    rng = np.random.default_rng(4)  # a test's pictures do not depend on which tests ran before
    return np.einsum("mak,kyx->mayx", rng.standard_normal((count, 2, len(waves))), np.array(waves)) / 3


def setting(boundary: str = "periodic", kinds=("laplacian",), **more):
    pictures = smooth(boundary, **more)
    grid = us.Grid(pictures.shape[-2:], 1.0, boundary)
    where = Neighbourhood.make(("u", "v"), kinds, grid)
    terms = Polynomials(where, **spread(where, pictures), degree=2)
    functionals = Functionals.make(grid, pictures, np.zeros(2), 12, seed=0)
    return pictures, terms, functionals


def value(functionals: Functionals, c: np.ndarray) -> np.ndarray:
    """φ of a whole picture: the definition."""
    return tiled(np.cos(functionals._arguments(c)), 1).mean(-1)[:, 0].astype(float)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_rows_are_the_slopes_of_functionals_along_terms(boundary):
    """⟨∂φ/∂c_a · B_j⟩, means over all tiles, are dφ(c + h B_j e_a)/dh: central differences."""
    import dataclasses

    pictures, terms, functionals = setting(boundary)
    functionals = dataclasses.replace(functionals, tiles=1, stride=1)
    c, rows = pictures[0], functionals.rows(pictures[0], terms)[0]
    B = terms(c)
    for a in range(2):
        for j in (0, 1, 4, 9):
            along = np.zeros_like(c)
            along[a] = B[j]
            h = 3e-2 / np.abs(B[j]).max()
            slope = (value(functionals, c + h * along) - value(functionals, c - h * along)) / (2 * h)
            np.testing.assert_allclose(rows[:, a, j], slope, atol=3e-3 * np.abs(rows[:, a]).max())


def test_second_order_is_the_curvature_along_a_field():
    import dataclasses

    pictures, _, functionals = setting()
    functionals = dataclasses.replace(functionals, tiles=1, stride=1)
    c, f = pictures[0], pictures[1]
    h = 0.05
    curved = (value(functionals, c + h * f) + value(functionals, c - h * f) - 2 * value(functionals, c)) / (2 * h**2)
    found = functionals.second_order(c, f)[0]
    np.testing.assert_allclose(found, curved, atol=2e-2 * np.abs(curved).max())


def test_noise_is_taken_out_in_the_mean():
    """Rows at y + i s ξ have the mean of the clean rows; those at y have not. Within 5 standard errors."""
    pictures, terms, functionals = setting(count=1)
    c, s = pictures[0], 0.1 * pictures.std()
    clean, rng = functionals.rows(c, terms).mean(0), np.random.default_rng(5)
    draws = {True: [], False: []}
    for _ in range(300):
        y = c + s * rng.standard_normal(c.shape)
        for corrected, seen in ((True, y + 1j * s * rng.standard_normal(c.shape)), (False, y)):
            draws[corrected].append(functionals.rows(seen, terms).mean(0))
    off = {}
    for corrected, found in draws.items():
        error = np.std(found, 0) / np.sqrt(len(found)) + 1e-6 * np.abs(clean).max()
        off[corrected] = np.abs(np.mean(found, 0) - clean) / error
    assert off[True].max() < 5
    assert off[False].max() > 20


def test_a_coarser_mean_is_the_same_for_smooth_pictures():
    import dataclasses

    pictures, terms, functionals = setting()
    fine, coarse = (dataclasses.replace(functionals, stride=n).rows(pictures[0], terms).mean(0) for n in (1, 2))
    assert functionals.stride == 2
    np.testing.assert_allclose(coarse, fine, atol=0.04 * np.abs(fine).max())  # tiles end within a wave


def test_the_length_of_a_wave_and_the_number_of_tiles():
    x = np.arange(96)
    wave = np.cos(2 * np.pi * x / 24)[None, None, None] * np.ones((1, 1, 96, 1))
    assert pattern_length(us.Grid((96, 96)), wave, np.zeros(1)) == pytest.approx(24 / (2 * np.pi), rel=0.02)
    assert tiles_for(us.Grid((128, 128)), 56) == 4
    assert tiles_for(us.Grid((128, 128)), 8) == 8
    assert tiles_for(us.Grid((128, 128)), 5000) == 1
    assert tiles_for(us.Grid((20, 200)), 8) == 1
