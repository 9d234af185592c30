"""What noise allows: standard deviations at the Cramér–Rao bound, which `cramer_rao.py` computes by itself."""

import cramer_rao
import numpy as np

import unstill as us
from unstill.recovery.hidden_refinement import _beyond_chance

GRID = us.Grid((48, 48))


def test_intervals_of_a_picture_at_rest_are_those_of_the_bound():
    """Where ε ends at .01, soft modes of the spots are free: Du 2.3, F 2.0 and k 1.5 times the bound. What remains
    above it is what distances between levels add beyond chance."""
    system = us.GrayScott.make("spots")
    late = us.simulate(system, grid=GRID, init="discs", steps=100_000, seed=5).state[0]
    state, drift, _ = us.polish(system, GRID, late)
    assert drift < 1e-8
    truth = {name: float(getattr(system, name)) for name in cramer_rao.NAMES}
    sigma = 0.02 * float(state[1].std())
    least = cramer_rao.bound(state, truth, sigma)
    seen = state[1] + sigma * np.random.default_rng(0).standard_normal(GRID.shape)
    found = us.recover("gray-scott", {"v": seen[None]}, grid=GRID, noise={"v": sigma})
    assert found.status is us.Status.CONVERGED
    for name, value in truth.items():
        estimate = found.parameters[name]
        assert estimate.std is not None
        assert 0.95 < estimate.std / least[name] < 1.4, name
        assert abs(estimate.value - value) < 3 * least[name], name


def test_chance_explains_shifts_of_its_own_size_and_a_part_of_larger_ones():
    coarse, fine = np.diag([2.0, 8.0, 0.0]), np.diag([1.0, 4.0, 0.0])  # the third is what no picture determines
    assert np.isclose(_beyond_chance(np.array([1.0, 2.0, 0.0]), coarse, fine), 0.0)
    assert np.isclose(_beyond_chance(np.array([2.0, 4.0, 0.0]), coarse, fine), 1 - 2 / 8)
    assert _beyond_chance(np.zeros(3), coarse, fine) == 0.0


def test_chance_explains_nothing_where_the_finer_level_knows_no_more():
    same = np.eye(2)
    assert np.isclose(_beyond_chance(np.array([2.0, 0.0]), same, same), 1 - 2 / (4 / 0.05))
    assert _beyond_chance(np.array([2.0, 0.0]), same, 1.5 * same) > 0.9
