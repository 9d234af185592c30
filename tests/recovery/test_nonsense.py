"""No confident nonsense: pictures that no Gray–Scott pattern at rest shows are never `converged`."""

import nonsense
import numpy as np
import pytest

import unstill as us
from unstill._types import Status
from unstill.observations.noise import Noise
from unstill.recovery.hidden import recover_hidden
from unstill.recovery.hidden_problem import Problem, Scaling
from unstill.recovery.hidden_verdict import Ended, Goodness, objection

GRID = us.Grid((40, 36))
LEVEL = Noise(0.1, True, 0.0)


QUICK = ("portrait", "random field, 20 % noise")  # all of them, in full: benchmarks/test_honesty.py


@pytest.mark.parametrize("name", QUICK)
def test_nonsense_never_converges(name):
    picture = nonsense.picture_of(name)[::3, ::3]
    found = recover_hidden(us.GrayScott, us.Grid(picture.shape), "v", picture[None])
    assert found.status in (Status.NO_FIT, Status.MOVING, Status.NOT_CONVERGED)
    assert found.message


def white(level: float, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal((2, *GRID.shape))


def test_white_noise_of_its_level_is_noise():
    assert all(Goodness.of(GRID, white(0.1, seed), LEVEL).is_noise for seed in range(100))
    walls = us.Grid(GRID.shape, 1.0, "no-flux")
    assert all(Goodness.of(walls, white(0.1, seed), LEVEL).is_noise for seed in range(100))
    found = Goodness.of(GRID, white(0.1), LEVEL)
    assert found.chi2 == pytest.approx(1, abs=0.1)
    np.testing.assert_array_less(np.abs(found.rings - 1), 5 * found.deviations)


@pytest.mark.parametrize(
    "left",
    [white(0.15), white(0.1) + 0.1 * np.sin(np.arange(36) * 2 * np.pi / 18)],
    ids=["too much", "a wave"],
)
def test_what_is_not_noise_of_its_level_is_turned_away(left):
    assert not Goodness.of(GRID, left, LEVEL).is_noise


@pytest.mark.parametrize(
    ("worse", "status", "word"),
    [
        ({}, None, ""),
        ({"bounds": ["Du"]}, Status.NO_FIT, "range of Du"),
        ({"goodness": Goodness.of(GRID, white(0.2), LEVEL)}, Status.NO_FIT, "not noise"),
        ({"goodness": Goodness.of(GRID, white(0.05), LEVEL)}, Status.NOT_CONVERGED, "far less than the noise"),
        ({"goodness": None}, None, ""),
        ({"goodness": None, "residual": 2e-3}, Status.NOT_CONVERGED, "not absolute"),
        ({"moving": True}, Status.MOVING, "drifts by"),
        ({"noise": Noise(0.1, True, 0.1), "noise_share": 0.5}, Status.NOT_CONVERGED, "50 % of the contrast"),
        ({"noise_share": 0.5}, None, ""),  # the level is known, not estimated
        ({"exhausted": True}, Status.NOT_CONVERGED, "number of iterations"),
    ],
)
def test_each_reason_alone_forbids_converged(worse, status, word):
    sound = {
        "system": "gray-scott", "residual": 1e-4, "drift": 1e-9, "moving": False, "bounds": [], "exhausted": False,
        "noise": LEVEL, "noise_share": 0.1, "goodness": Goodness.of(GRID, white(0.1), LEVEL),
    }  # fmt: skip
    found = objection(Ended(**{**sound, **worse}))
    assert (found is None) == (status is None)
    if found is not None:
        assert found[0] is status
        assert word in found[1]


def test_a_number_at_an_end_of_its_range_is_seen():
    """Also at 0, the low end of diffusivities, which a logarithm stops short of."""
    scaling = Scaling.of(Problem(us.GrayScott, GRID, 1, ("Du", "Dv", "F", "k"), {}))
    q = scaling.numbers(np.array([0.16, 0.08, 0.03, 0.06]))
    assert not scaling.at_bound(q).any()
    q[[0, 2]] = scaling.clip(np.full(4, -100.0))[0], scaling.numbers(scaling.high)[2] + 1
    assert scaling.at_bound(q).tolist() == [True, False, True, False]
