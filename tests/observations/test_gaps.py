"""Pixels that are not seen: which cells know of them, and what stands in for them."""

import jax.numpy as jnp
import numpy as np
import pytest

from unstill.observations.gaps import Filling, away_from, reached, specks, stencils
from unstill.observations.noise import estimate_noise
from unstill.systems.grid import Grid

SIDE = 24


def without(*gaps: tuple[slice | int, slice | int]) -> np.ndarray:
    seen = np.ones((SIDE, SIDE), bool)
    for rows, columns in gaps:
        seen[rows, columns] = False
    return seen


def wave(grid: Grid, length: float = 8.0) -> np.ndarray:
    """A wave that is even at walls and periodic in both directions."""
    rows, columns = (np.cos(2 * np.pi * (np.arange(n) + 0.5) / length) for n in grid.shape)
    return rows[:, None] + 0.5 * columns


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_specks_are_what_no_square_of_three_cells_fits_into(boundary):
    grid = Grid((SIDE, SIDE), boundary=boundary)
    scratch, dot, square = (slice(2, 4), slice(1, 20)), (8, 8), (slice(12, 16), slice(5, 9))
    seen = without(scratch, dot, square)
    assert (specks(grid, seen) == (~seen & without(square))).all()


def test_gaps_join_across_a_periodic_border_and_not_across_a_wall():
    seen = without((slice(4, 8), 0), (slice(4, 8), slice(SIDE - 2, SIDE)))  # three columns wide, across the border
    assert not specks(Grid((SIDE, SIDE)), seen).any()
    # a wall mirrors: beyond it two columns become four, one column becomes two
    assert (specks(Grid((SIDE, SIDE), boundary="no-flux"), seen)[:, 0] == ~seen[:, 0]).all()


@pytest.mark.parametrize(("scheme", "lost"), [("five-point", 5), ("nine-point", 9)])
def test_a_missing_cell_takes_the_equations_of_its_neighbours(scheme, lost):
    grid, seen = Grid((SIDE, SIDE), scheme=scheme), without((0, 5))
    assert (~stencils(grid, seen)).sum() == lost == reached(grid, ~seen).sum()
    walled = Grid((SIDE, SIDE), boundary="no-flux", scheme=scheme)
    assert (~stencils(walled, seen)).sum() == (4 if scheme == "five-point" else 6)


def test_wide_gaps_keep_the_margin_and_narrow_ones_less():
    grid = Grid((64, 64))
    seen = np.ones(grid.shape, bool)
    seen[32, 32] = False
    assert (~away_from(grid, seen, 8)).sum() == 5 * 5
    seen[28:37, 28:37] = False
    assert (~away_from(grid, seen, 8)).sum() == (9 + 2 * 8) ** 2
    dense = np.random.default_rng(0).random(grid.shape) > 0.3
    assert away_from(grid, dense, 8).mean() > 0.1


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_stand_ins_bend_least(boundary):
    """No other values there have a smaller sum of squared Laplacians; where all is smooth they are nearly right."""
    grid = Grid((SIDE, SIDE), boundary=boundary)
    seen = without((slice(3, 5), slice(0, 3)), (10, 11), (17, slice(3, 9)))
    true = wave(grid, 12.0)
    (filled,) = Filling(grid, seen)(np.where(seen, true, np.nan)[None])
    assert (filled[seen] == true[seen]).all()
    assert np.abs(filled - true).max() < 0.1 * true.std()

    def bent(c):
        return float((np.asarray(grid.laplacian(jnp.asarray(c))) ** 2).sum())

    for row, column in np.argwhere(~seen)[::3]:
        for step in (1e-4, -1e-4):
            other = filled.copy()
            other[row, column] += step
            assert bent(other) > bent(filled)


def test_stand_ins_stay_within_what_is_seen():
    grid, seen = Grid((SIDE, SIDE)), without((slice(5, 18), slice(4, 15)))
    (filled,) = Filling(grid, seen)(np.where(seen, wave(grid), np.nan)[None])
    assert filled.min() >= wave(grid)[seen].min()
    assert filled.max() <= wave(grid)[seen].max()


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_the_noise_that_stand_ins_keep_is_known(share, rng):
    grid = Grid((64, 64))
    seen = rng.random(grid.shape) > share
    filling = Filling(grid, seen)
    noisy = filling((wave(grid, 16.0) + 0.05 * rng.standard_normal(grid.shape))[None])
    level = estimate_noise(grid, noisy).std / estimate_noise(grid, filling.noise).std
    assert level == pytest.approx(0.05, rel=0.12)
