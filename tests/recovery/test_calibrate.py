"""Coverage counted on simulated pictures, and its statistics on drawn numbers."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

import unstill as us
from unstill.recovery.calibration import Coverage, coverage_of


def test_coverage_of_honest_and_of_narrow_intervals(rng):
    std = rng.uniform(0.5, 2.0, 4000)
    honest = Coverage.of(3.0, 3.0 + std * rng.standard_normal(4000), std)
    assert honest.share == pytest.approx(0.95, abs=0.015)
    assert honest.interval95[0] < 0.95 < honest.interval95[1]
    assert honest.rms_z == pytest.approx(1.0, abs=0.05)
    assert honest.correction == pytest.approx(1.0, abs=0.05)
    narrow = Coverage.of(3.0, 3.0 + 2 * std * rng.standard_normal(4000), std)
    assert narrow.correction == pytest.approx(2.0, abs=0.1)
    assert narrow.share == pytest.approx(0.673, abs=0.03)  # of a normal distribution within .98


def test_wilsons_interval_by_hand():
    """8 of 10: (.490, .943), Wilson's formula as in textbooks."""
    values = np.array([0.0] * 8 + [9.0] * 2)
    low, high = Coverage.of(0.0, values, np.ones(10)).interval95
    assert (low, high) == (pytest.approx(0.490, abs=1e-3), pytest.approx(0.943, abs=1e-3))


def test_numbers_of_few_repeats_are_not_told():
    rows = [{"values": {"F": 0.1}, "std": {"F": 0.01}} for _ in range(4)]
    assert coverage_of({"F": 0.1}, rows) == {}
    assert list(coverage_of({"F": 0.1, "k": 0.2}, [*rows, *rows])) == ["F"]


class Log:
    """A checkpoint that keeps the rows alone."""

    def __init__(self):
        self.rows = []

    def kept(self, name):
        return None

    def keep(self, name, **arrays): ...

    def drop(self, name): ...

    def log(self):
        return list(self.rows)

    def append_log(self, entry):
        self.rows.append(dict(entry))

    def write_log(self, entries): ...


def test_repeats_are_counted_and_resumed(monkeypatch):
    """With the mean of the picture for a recovery: the same numbers in one go and in two."""

    def recovered(cls, pictures, **asked):
        mean, std = float(pictures["v"].mean()), float(pictures["v"].std())
        parameters = {name: us.Estimate.normal(mean, std) for name in cls.parameters()}
        return SimpleNamespace(
            parameters=parameters, camera={}, status=us.Status.CONVERGED, seconds=0.1, interrupted=False
        )

    monkeypatch.setattr(importlib.import_module("unstill.recovery.calibrate"), "recover", recovered)
    asked, log = {"preset": "maze", "noise": 0.02, "repeats": 6, "size": 16, "steps": 100}, Log()
    found = us.calibrate("gray-scott", **asked, resume=log)
    assert found.statuses == {"converged": 6}
    first = [row["values"] for row in log.rows]
    assert first[0] != first[5]  # one pattern, two draws of noise
    del log.rows[4:]
    assert [row["values"] for row in us.calibrate("gray-scott", **asked, resume=log).rows] == first
    for name, each in found.coverage.items():
        assert each.truth == us.GrayScott.presets["maze"][name]
    with pytest.raises(us.BadInput, match="`observe` must name a field of gray-scott"):
        us.calibrate("gray-scott", observe="w")


def test_windows_are_cut_from_larger_pictures(monkeypatch):
    seen = []

    def recovered(cls, pictures, **asked):
        seen.append((pictures["v"].shape, asked["grid"].boundary, asked["window"], asked["fix"]))
        return SimpleNamespace(parameters={}, camera={}, status=us.Status.MOVING, seconds=0.1, interrupted=False)

    monkeypatch.setattr(importlib.import_module("unstill.recovery.calibrate"), "recover", recovered)
    found = us.calibrate("gray-scott", repeats=1, size=16, steps=50, window=True, fix={"Du/Dv": 2.0})
    assert seen == [((16, 16), "no-flux", True, {"Du/Dv": 2.0})]
    assert found.failed
    assert found.message == "of 1 repeats fewer than 5 gave intervals (moving 1)"


@pytest.mark.parametrize("few", [True, False])
def test_the_figure_has_a_panel_a_number_or_says_that_there_is_none(few, monkeypatch):
    def recovered(cls, pictures, **asked):
        mean, std = float(pictures["v"].mean()), float(pictures["v"].std())
        known = {} if few else {name: us.Estimate.normal(mean, std) for name in cls.parameters()}
        return SimpleNamespace(parameters=known, camera={}, status=us.Status.CONVERGED, seconds=0.1, interrupted=False)

    monkeypatch.setattr(importlib.import_module("unstill.recovery.calibrate"), "recover", recovered)
    figure = us.calibrate("gray-scott", repeats=5, size=16, steps=50).plot()
    titles = [axes.get_title(loc="left").split(":")[0] for axes in figure.axes]
    assert titles == ([] if few else list(us.GrayScott.defaults()))


def test_an_interrupt_ends_the_count_and_keeps_what_was_counted(monkeypatch):
    """`recover` answers Ctrl-C by a result: that is no repeat, and the next is not begun."""
    calls, log = [], Log()

    def recovered(cls, pictures, **asked):
        calls.append(1)
        ended = len(calls) == 3
        return SimpleNamespace(
            parameters={}, camera={}, status=us.Status.INTERRUPTED if ended else us.Status.MOVING, seconds=0.1,
            interrupted=ended,
        )  # fmt: skip

    monkeypatch.setattr(importlib.import_module("unstill.recovery.calibrate"), "recover", recovered)
    found = us.calibrate("gray-scott", repeats=9, size=16, steps=50, resume=log)
    assert found.interrupted
    assert (len(calls), len(log.rows)) == (3, 2)
