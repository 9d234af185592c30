"""Values that a system cannot have are named before the work."""

import sys

import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill.observations.plausible import is_negative, is_stretched

GRID = us.Grid((32, 32))


@pytest.fixture(scope="module")
def maze():
    run = us.simulate(us.GrayScott.make("maze"), grid=GRID, init="discs", steps=3000)
    return {"u": run.state[:, 0], "v": run.state[:, 1]}


def stretched(c):
    return (c - c.min()) / np.ptp(c)


def test_amounts_and_their_noise_are_not_negative(maze, rng):
    v = maze["v"]
    assert not is_negative(GRID, v)
    assert not is_negative(GRID, v - v.min() + 0.2 * v.std() * rng.standard_normal(v.shape))
    assert is_negative(GRID, v - v.mean())


def test_only_what_ends_at_0_and_1_in_single_cells_is_stretched(maze):
    v = maze["v"]
    assert is_stretched(stretched(v))
    assert not is_stretched(v)
    assert not is_stretched((v > v.mean()).astype(float))  # two colours
    assert not is_stretched(np.clip(3 * stretched(v) - 1, 0, 1))  # clipped


def test_all_fields_are_refused_in_one_line(maze):
    with pytest.raises(BadInput, match=r"`pictures` must be the values of v themselves, not stretched"):
        us.recover("gray-scott", {"u": maze["u"], "v": stretched(maze["v"])}, grid=GRID)
    with pytest.raises(BadInput, match=r"`pictures` must not be negative: u of gray-scott is an amount"):
        us.recover("gray-scott", {"u": maze["u"] - maze["u"].mean(), "v": maze["v"]}, grid=GRID)


def test_one_field_is_refused_or_seen_by_an_unknown_camera(maze, monkeypatch):
    with pytest.raises(BadInput, match=r"not be negative: v .* Pass gain=unknown and offset=unknown"):
        us.recover("gray-scott", maze["v"] - maze["v"].mean(), grid=GRID)
    asked = {}

    def taken(method, task, kept, progress, **question):
        asked.update(question)
        raise InterruptedError

    monkeypatch.setattr(sys.modules["unstill.recovery.recover"], "_from_one_field", taken)
    for options, known in (({}, (None, None)), ({"gain": 1.0}, (1.0, 0.0))):  # what is said is believed
        with pytest.raises(InterruptedError):
            us.recover("gray-scott", stretched(maze["v"]), grid=GRID, **options)
        assert (asked["camera"].gain, asked["camera"].offset) == known
