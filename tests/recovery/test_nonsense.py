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
ESTIMATED = Noise(0.1, True, 0.05)
WAVE = np.sin(np.arange(36) * 2 * np.pi / 18)
PATTERN = 5 * np.broadcast_to(WAVE + 0.3 * np.sin(np.arange(40) * 2 * np.pi / 10)[:, None], (2, *GRID.shape))


QUICK = ("portrait", "random field, 20 % noise")  # all of them, in full: benchmarks/test_honesty.py


@pytest.mark.parametrize("name", QUICK)
def test_nonsense_never_converges(name):
    picture = nonsense.picture_of(name)[::3, ::3]
    found = recover_hidden(us.GrayScott, us.Grid(picture.shape), "v", picture[None])
    assert found.status in (Status.NO_FIT, Status.MOVING, Status.NOT_CONVERGED)
    assert found.message


def white(level: float, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal((2, *GRID.shape))


def goodness(left: np.ndarray, level: Noise = LEVEL, grid: us.Grid = GRID) -> Goodness:
    """Of what a fit of the pattern leaves."""
    return Goodness.of(grid, left, level, PATTERN)


@pytest.mark.parametrize("level", [LEVEL, ESTIMATED])
def test_white_noise_of_its_level_is_noise(level):
    walls = us.Grid(GRID.shape, 1.0, "no-flux")
    for seed in range(100):
        for grid in (GRID, walls):
            found = goodness(white(0.1, seed), level, grid)
            assert found.is_noise
            assert not found.is_coloured
            assert found.colour < 1.3
            assert found.excess < 20  # of 2,880 cells' noise
    found = goodness(white(0.1))
    assert found.reach < len(found.rings)
    assert found.chi2 == pytest.approx(1, abs=0.1)
    np.testing.assert_array_less(np.abs(found.rings - 1), 5 * found.deviations)


@pytest.mark.parametrize(
    "left",
    [white(0.15), white(0.1) + 0.1 * WAVE, white(0.1) + 0.04 * WAVE],
    ids=["too much", "a wave", "a weak wave"],
)
def test_what_is_not_noise_of_its_level_is_turned_away(left):
    assert not goodness(left).is_noise
    assert not goodness(left).is_coloured


def test_a_pattern_that_still_relaxes_widens_its_intervals_and_is_no_misfit():
    """A wave far above chance, of a four hundredth of the contrast: half of what forbids to converge."""
    faint = Noise(0.005, True, 0.05)
    for share, structured in ((2.5e-3, False), (8e-3, True)):
        left = white(0.005) + share * PATTERN.std() * np.sqrt(2) * WAVE
        found = goodness(left, faint)
        assert found.is_structured is structured
        assert found.excess > 100
        assert found.colour > 2


def test_noise_stronger_than_in_the_corner_is_noise_where_the_pattern_is_not():
    """What compression leaves: much between the pattern's wavelengths and the finest ones, little at either end."""
    share = GRID.symbol / GRID.symbol.min()
    band = (share > 0.3) & (share < 0.7)
    rough = np.fft.ifft2(np.fft.fft2(white(0.1)) * np.where(band, 3.0, 1.0)).real
    found = Goodness.of(GRID, rough, ESTIMATED, 2 * PATTERN)
    assert found.is_coloured
    assert not found.is_structured
    assert found.colour > 1.3
    assert not goodness(rough).is_coloured  # the level is known, so that this is something else
    strong = Goodness.of(GRID, rough, ESTIMATED, 0.3 * PATTERN)
    assert not strong.is_coloured  # a quarter of the contrast is no compression


@pytest.mark.parametrize(
    ("worse", "status", "word"),
    [
        ({}, None, ""),
        ({"bounds": ["Du"]}, Status.NO_FIT, "range of Du"),
        ({"goodness": goodness(white(0.2))}, Status.NO_FIT, "not noise"),
        ({"goodness": goodness(white(0.05))}, Status.NOT_CONVERGED, "far less than the noise"),
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
        "noise": LEVEL, "noise_share": 0.1, "goodness": goodness(white(0.1)),
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
