"""Spectra against Parseval, the stencil itself and the energies of disjoint bands."""

import itertools

import numpy as np
import pytest

from unstill.observations.spectrum import inverse, radial_bands, transform
from unstill.simulation import Grid

GRIDS = {boundary: Grid((10, 8), 1.3, boundary) for boundary in ("periodic", "no-flux")}
BOUNDARY = pytest.mark.parametrize("boundary", GRIDS)


@BOUNDARY
@pytest.mark.parametrize("shape", [(10, 8), (9, 7), (3, 4)])
def test_transforms_are_unitary_invert_and_diagonalise(boundary, shape, rng):
    import jax.numpy as jnp

    grid = Grid(shape, 0.6, boundary)
    c = rng.standard_normal((2, *shape))
    c_hat = transform(grid, c)
    np.testing.assert_allclose((np.abs(c_hat) ** 2).sum((1, 2)), (c**2).sum((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(inverse(grid, c_hat), c, atol=1e-13)
    np.testing.assert_allclose(inverse(grid, grid.symbol * c_hat), grid.laplacian(jnp.asarray(c)), atol=1e-11)


@BOUNDARY
@pytest.mark.parametrize("count", [1, 3, 12, 40])
def test_bands_share_out_the_energy(boundary, count, rng):
    """Disjoint projections: their energies add up to the variance."""
    grid = GRIDS[boundary]
    bands = radial_bands(grid, count)
    assert len(bands) <= count
    assert np.all(bands.sum(0) <= 1)
    c = rng.standard_normal(grid.shape)
    parts = [inverse(grid, band * transform(grid, c)) for band in bands]
    np.testing.assert_allclose(np.sum(parts, 0), c - c.mean(), atol=1e-12)
    assert sum((part**2).sum() for part in parts) == pytest.approx(((c - c.mean()) ** 2).sum())
    radius = [np.sqrt(-grid.symbol[band > 0]) for band in bands]
    for low, high in itertools.pairwise(radius):
        assert low.max() < high.min()


def test_bands_hold_every_mode_but_the_mean():
    for grid in GRIDS.values():
        np.testing.assert_array_equal(radial_bands(grid).sum(0), (grid.symbol < -1e-12).astype(float))
