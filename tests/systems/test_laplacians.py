"""The Laplacians of a grid: their waves, their orders, and who can compute with them."""

import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill.simulation.jacobian import jacobian_pattern
from unstill.simulation.rollout import default_dt, stability_limit
from unstill.systems.grid import BOUNDARIES, SCHEMES, OnGrid

SHAPE = (12, 15)


def waves(grid: us.Grid, row: int, column: int) -> np.ndarray:
    """An eigenvector of every scheme: a wave of the torus, or of the box with walls."""
    y, x = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    if grid.boundary == "periodic":
        return np.cos(2 * np.pi * (row * y / grid.shape[0] + column * x / grid.shape[1]))
    return np.cos(np.pi * row * (y + 0.5) / grid.shape[0]) * np.cos(np.pi * column * (x + 0.5) / grid.shape[1])


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_symbol_is_what_the_laplacian_does_to_waves(scheme, boundary):
    grid = us.Grid(SHAPE, 0.7, boundary, scheme)
    for row, column in ((0, 0), (1, 0), (0, 3), (2, 5), (5, 4)):
        c = waves(grid, row, column)
        np.testing.assert_allclose(grid.laplacian(jnp.asarray(c)), grid.symbol[row, column] * c, atol=1e-11)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_nine_points_are_the_stencil_of_the_books(boundary):
    grid = us.Grid(SHAPE, 1.0, boundary, "nine-point")
    c = np.random.default_rng(0).standard_normal(SHAPE)
    padded = np.pad(c, 1, mode="wrap" if boundary == "periodic" else "edge")
    weights = np.array([[1, 4, 1], [4, -20, 4], [1, 4, 1]]) / 6
    rows, columns = SHAPE
    by_hand = sum(weights[i, j] * padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3))
    np.testing.assert_allclose(grid.laplacian(jnp.asarray(c)), by_hand, atol=1e-12)
    sparse = jacobian_pattern(grid, 1).matrix([1.0], np.zeros((1, 1, *SHAPE)))
    np.testing.assert_allclose((sparse @ c.ravel()).reshape(SHAPE), by_hand, atol=1e-12)


def test_on_long_waves_all_err_as_they_should():
    """−q²(1 − q²dx²/12) of nine points in every direction; of five only along the axes; none of the spectral one."""
    q = 2 * np.pi / 64
    symbols = {scheme: us.Grid((64, 64), 1.0, "periodic", scheme).symbol for scheme in SCHEMES}
    along, across = 1.0 - q**2 / 12, 1.0 - 2 * q**2 / 12
    assert symbols["five-point"][0, 1] / -(q**2) == pytest.approx(along, abs=1e-6)
    assert symbols["nine-point"][1, 1] / (-2 * q**2) == pytest.approx(across, abs=2e-6)
    assert symbols["five-point"][1, 1] / (-2 * q**2) == pytest.approx(along, abs=1e-6)
    assert symbols["spectral"][3, 4] == pytest.approx(-25 * q**2, rel=1e-14)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_wave_decays_faster_than_the_stiffest(scheme):
    grid = us.Grid((64, 64), 0.5, "periodic", scheme)
    assert -grid.symbol.min() == pytest.approx(grid.stiffest, rel=1e-12)
    system = us.GrayScott()
    assert stability_limit(system, grid) == pytest.approx(2 / (system.Du * grid.stiffest))
    assert default_dt(OnGrid(system, grid)) * system.Du * grid.stiffest < 2  # a pattern does not blow up by default


def test_a_grid_is_restated_without_losing_the_rest():
    grid = us.Grid(SHAPE, 0.5, "no-flux", "nine-point")
    assert grid.restated(dx=2.0) == us.Grid(SHAPE, 2.0, "no-flux", "nine-point")
    assert grid.restated(boundary="periodic").scheme == "nine-point"
    assert grid.restated() == grid
    assert grid.five_point == us.Grid(SHAPE, 0.5, "no-flux")


def test_other_laplacians_move_by_xla_and_say_so():
    grid = us.Grid((16, 16), scheme="nine-point")
    moved = us.simulate(us.GrayScott(), grid=grid, steps=5)
    assert moved.to_dict()["laplacian"] == "nine-point"
    with pytest.raises(BadInput, match="the Laplacian is nine-point"):
        us.simulate(us.GrayScott(), grid=grid, steps=5, engine="native")


@pytest.mark.parametrize("scheme", ["nine-point", "spectral"])
def test_etdrk4_and_euler_agree_on_every_laplacian(scheme):
    options = {"grid": us.Grid((16, 16), scheme=scheme), "time": 20.0, "dtype": "float64"}
    fine = us.simulate(us.GrayScott(), dt=0.01, **options)
    exact = us.simulate(us.GrayScott(), dt=0.5, stepper="etdrk4", **options)
    np.testing.assert_allclose(fine.state, exact.state, atol=2e-4)


def test_a_file_and_a_run_folder_keep_the_laplacian(tmp_path):
    grid = us.Grid((16, 16), 0.5, "no-flux", "nine-point")
    moved = us.simulate(us.GrayScott(), grid=grid, steps=5)
    us.save(tmp_path / "x.npz", moved)
    assert us.load(tmp_path / "x.npz").grid == grid
    moved.save(tmp_path / "run")
    assert us.load(tmp_path / "run").grid == grid
    assert us.load_trajectory(tmp_path / "run").grid == grid


def test_an_unknown_laplacian_is_named():
    with pytest.raises(BadInput, match="`laplacian` must be one of five-point, nine-point, spectral"):
        us.Grid(SHAPE, scheme="seven-point")


def test_what_needs_a_sparse_matrix_refuses_a_spectral_laplacian():
    grid = us.Grid((16, 16), scheme="spectral")
    with pytest.raises(BadInput, match="must be sparse"):
        us.polish(us.GrayScott(), grid, np.full((2, 16, 16), 0.5))
    with pytest.raises(BadInput, match="`polish` needs a Laplacian that is sparse"):
        us.simulate(us.GrayScott(), grid=grid, steps=1, polish=True)
