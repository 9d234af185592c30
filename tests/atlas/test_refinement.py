"""Refinement: fewer cells, the same borders, the same bits."""

import itertools
import sys

import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill.atlas.cells import REGIMES, empty
from unstill.atlas.refinement import Refinement

survey_module = sys.modules["unstill.atlas.survey"]


def refined(truth: np.ndarray, levels: int) -> np.ndarray:
    """What a refinement would know of a map (…, M)."""
    known, refinement = np.full(truth.shape, -1, np.int8), Refinement(truth.shape[:-1], levels, 9)
    for level in itertools.count():
        points = refinement.points(level, known)
        if level > levels and len(points) == 0:
            return known
        assert (known.reshape(-1, truth.shape[-1])[points] < 0).all()  # nothing twice
        known.reshape(-1, truth.shape[-1])[points] = truth.reshape(-1, truth.shape[-1])[points]


def test_a_border_is_found_to_the_last_cell_and_the_rest_is_passed_over():
    y, x = np.mgrid[:65, :48]
    truth = ((y - 30) ** 2 + (x - 20) ** 2 < 15**2).astype(np.int8)[..., None]
    known = refined(truth, 3)
    border = np.zeros(truth.shape[:2], bool)
    for axis in (0, 1):
        for step in (1, -1):
            border |= truth[..., 0] != np.roll(truth[..., 0], step, axis)
    assert (known[border] >= 0).all()
    assert (known >= 0).mean() < 0.35
    assert np.array_equal(known[known >= 0], truth[known >= 0])


def test_one_regime_is_seen_at_the_first_stride_only():
    assert (refined(np.zeros((17, 17, 2), np.int8), 2) >= 0).all(-1).sum() == 25
    assert (refined(np.zeros((16, 5, 1), np.int8), 2) >= 0).sum() == 5 * 2  # the last point of an axis is one of them


def test_what_is_undecided_or_differs_between_states_is_looked_at_closely():
    assert (refined(np.full((9, 9, 1), 9, np.int8), 2) >= 0).all()
    two = np.zeros((9, 9, 2), np.int8)
    two[:5, :, 1] = 1  # a border of the second initial state only
    known = refined(two, 2)
    assert (known[4:6] >= 0).all()
    assert (known[7] < 0).any()


def test_no_level_is_the_whole_map():
    assert (refined(np.zeros((4, 3, 1), np.int8), 0) >= 0).all()
    line = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1], np.int8)[:, None]
    assert (refined(line, 2) >= 0).ravel().tolist() == [True, False, False, False, True, True, True, False, True]


@pytest.fixture
def halves(monkeypatch):
    """Cells that are at rest below k = .0502 and dead above, at no cost; returns how many were looked at."""
    looked = []

    def look(setting, cells):
        rows = empty(setting, 2, len(cells))
        looked.extend(cells)
        rows["regime"][:] = [REGIMES.index("steady" if c.values["k"] < 0.0502 else "uniform-trivial") for c in cells]
        return rows

    monkeypatch.setattr(survey_module, "look_at_all", look)
    return looked


OVER = {"F": np.linspace(0.03, 0.05, 9), "k": np.linspace(0.045, 0.06, 17)}


def test_a_survey_refines_and_goes_on_where_it_stopped(halves, tmp_path):
    call = {"over": OVER, "refine": 2, "grid": us.Grid((16, 16)), "time": 3000.0, "samples": 2}
    whole = us.survey("gray-scott", **call)
    regime = whole.values["regime"]
    assert 0 < (regime >= 0).sum() == len(halves) < 0.6 * regime.size
    assert (regime[:, 5:7] >= 0).all()  # k = .0497 and .0506
    assert "lie between points of one regime" in whole.message
    assert whole.to_dict()["looked_at"] == len(halves)

    def stop(done, total, entry):
        assert total is None
        if done >= 60:
            raise KeyboardInterrupt

    partly = us.survey("gray-scott", **call, resume=us.Checkpoint(tmp_path), progress=stop)
    assert partly.interrupted
    before = len(halves)
    again = us.survey("gray-scott", **call, resume=us.Checkpoint(tmp_path))
    assert np.array_equal(again.values["regime"], regime)
    assert len(halves) - before < (regime >= 0).sum() - 50  # the first 60 were not looked at again
    again.plot()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"over": OVER, "refine": 4}, "two points or more"),
        ({"over": OVER, "refine": 10**9}, "two points or more"),
        ({"over": OVER, "refine": 1, "design": "sobol", "points": 8}, "no neighbours"),
        ({"over": OVER, "refine": -1}, "whole number"),
    ],
)
def test_what_it_refuses(options, word):
    with pytest.raises(BadInput, match=word):
        us.survey("gray-scott", **options)
