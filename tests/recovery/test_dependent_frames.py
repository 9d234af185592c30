"""Pictures that copy one another, or are frames of one motion, never make intervals that they do not carry."""

import functools
import sys

import numpy as np
import pytest

import unstill as us
from unstill._types import Status

GRID = us.Grid((48, 48))
WAVES = us.GrayScott.make("waves")


@functools.cache
def film(spacing: int, frames: int) -> np.ndarray:
    start = us.simulate(WAVES, grid=GRID, steps=5_000, init="discs", seed=4).state
    run = us.simulate(WAVES, start, grid=GRID, steps=spacing * frames, save_every=spacing)
    return np.asarray(run.frames)[1:, 0] if len(run.frames) > frames else np.asarray(run.frames)[:, 0]


def recovered(states):
    return us.recover("gray-scott", {"u": states[:, 0], "v": states[:, 1]}, grid=GRID, dt=1.0)


def test_frames_close_in_time_are_refused_with_their_number():
    found = recovered(film(4, 16))
    assert found.status is Status.MOVING
    assert "these 16 pictures count for about 1" in found.message
    assert all(estimate.std is None for estimate in found.parameters.values())


def test_one_snapshot_repeated_is_one_snapshot():
    found = recovered(np.repeat(film(4, 16)[:1], 16, 0))
    assert found.status is not Status.CONVERGED
    assert found.message.startswith("15 of 16 pictures are copies of others and were left out; ")


def test_copies_are_left_out_before_the_work(monkeypatch):
    states, seen = film(300, 4), []
    copies = np.concatenate([states, np.roll(states[:2], (4, 9), (2, 3)), states[2:, :, ::-1]])

    def taken(cls, grid, states, **options):
        seen.append(states)
        raise InterruptedError

    monkeypatch.setattr(sys.modules["unstill.recovery.recover"], "recover_weak", taken)
    with pytest.raises(InterruptedError):
        recovered(copies)
    np.testing.assert_array_equal(seen[0], states)


def test_pictures_that_are_somewhat_alike_widen_the_intervals(monkeypatch):
    states = film(300, 12)
    monkeypatch.setattr("unstill.recovery.weak.effective_number", len)
    blind = recovered(states)
    monkeypatch.setattr("unstill.recovery.weak.effective_number", lambda states: len(states) / 1.44)
    found = recovered(states)
    for name, estimate in found.parameters.items():
        assert estimate.value == blind.parameters[name].value
        assert blind.parameters[name].std * 1.2 == pytest.approx(estimate.std, rel=1e-9)
    assert found.message == f"{blind.message}, which count for about 8"


def test_pictures_too_faint_for_a_spectrum_are_dead():
    faint = 1e-200 * np.random.default_rng(0).random((4, 2, *GRID.shape)) + np.array([1.0, 0.0])[:, None, None]
    assert recovered(faint).status is Status.DEAD
