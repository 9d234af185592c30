"""The viability study at a size that takes seconds: what it counts, how it resumes, what it writes."""

import dataclasses
import importlib
import json
import multiprocessing
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import unstill as us
from unstill._progress import Memory
from unstill._types import Status
from unstill.cli.main import main
from unstill.fitting.viability.bench import ENDS, end_of
from unstill.fitting.viability.checks import verify_chaos
from unstill.fitting.viability.runner import run_study, table
from unstill.fitting.viability.study import REGIMES, ROWS, Study
from unstill.fitting.viability.targets import draw_start, pictures
from unstill.plotting.viability import plot_viability

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/viability.json").read_text())
FEW = {"adaptive": 2, "adam": 2, "levenberg-marquardt": 12, "cma-es": 2, "hybrid": 2}


STEEP = {"gradients": {"F": 1.0}, "parameters": {"F": 0.04}, "loss": 1.0, "finite": True}


def small(**changes) -> Study:
    rows = [row for row in ROWS if row.name in ("founding (A)", "observed start, 8 steps, pixel")]
    rows[0] = dataclasses.replace(rows[0], options={**rows[0].options, "window": 50})
    regimes = [regime for regime in REGIMES if regime.name == "labyrinth"]
    study = Study(32, 1, 8_000, 1, FEW, rows=rows, regimes=regimes, distances=(0.2,))
    return dataclasses.replace(study, **changes)


@pytest.fixture(scope="module")
def lines():
    return run_study(small(), workers=1)


def test_every_cell_has_a_line_and_an_end(lines):
    study = small()
    assert len(lines) == study.fits == 2
    assert {line["row"] for line in lines} == {row.name for row in study.rows}
    assert all(line["end"] in ENDS for line in lines)
    assert all(line["steps"] > 0 for line in lines)


def test_the_observed_start_succeeds_where_the_founding_way_does_not(lines):
    ends = {line["row"]: line["end"] for line in lines}
    assert ends["observed start, 8 steps, pixel"] == "success"
    assert ends["founding (A)"] != "success"


def test_known_fits_are_not_done_again(lines):
    told = []
    again = run_study(small(), lines, told.append, workers=1)
    assert again == lines
    assert not told
    one = run_study(small(), lines[:1], told.append, workers=1)
    assert len(one) == 2
    assert [line["row"] for line in told] == [lines[1]["row"]]


def test_ctrl_c_does_not_wait_for_fits_that_are_under_way():
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(small(starts=5), record=stop, workers=2)
    patience = time.monotonic() + 60  # the pool's own thread reaps them too: joining can come to nothing
    while multiprocessing.active_children() and time.monotonic() < patience:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


def test_the_table_counts(lines):
    worse = [{**lines[0], "start": 1, "end": "cliff"}, {**lines[0], "start": 2, "end": "cliff"}]
    rows = {row["row"]: row for row in table([*lines, *worse])}
    entry = rows[lines[0]["row"]]
    assert entry["starts"] == 3
    assert entry["success"] == pytest.approx((lines[0]["end"] == "success") / 3)
    assert entry["ends"]["cliff"] == 2


def test_starts_lie_in_their_box_and_differ():
    regime = REGIMES[1]
    drawn = [draw_start(regime, small(), 0.2, number) for number in range(5)]
    for start in drawn:
        for name, value in start.items():
            assert 0.8 <= value / regime.parameters[name] <= 1.2
    assert len({tuple(start.values()) for start in drawn}) == 5


@pytest.mark.parametrize(
    ("status", "errors", "rows", "end"),
    [
        (Status.NO_FIT, {"F": 0.019}, [], "success"),
        (Status.DEAD, {"F": 0.5}, [], "dead plateau"),
        (Status.BLOW_UP, {"F": 0.5}, [], "cliff"),
        (Status.CONVERGED, {"F": 0.03}, [], "wrong basin"),
        (Status.NOT_CONVERGED, {"F": 0.03}, [], "budget"),
        (Status.UNIDENTIFIABLE, {"F": 0.03}, [], "unidentifiable"),
        (Status.BLOW_UP, {"F": 0.5}, [{**STEEP, "gradients": {"F": 1e9}}], "exploding gradient"),
        (Status.BLOW_UP, {"F": 0.5}, [{**STEEP, "gradients": {"F": np.nan}}], "exploding gradient"),
        (Status.BLOW_UP, {"F": 0.5}, [{**STEEP, "gradients": {"F": np.nan}, "loss": np.nan}], "cliff"),
        (Status.NOT_CONVERGED, {"F": 0.5}, [{**STEEP, "loss": 1e-20}, STEEP], "budget"),
    ],
)  # fmt: skip
def test_ends(status, errors, rows, end):
    assert end_of(status, errors, rows) == end


def test_moving_regimes_are_seen_whole_and_steady_ones_in_v():
    study = small(size=48)  # in smaller boxes too few runs live
    assert set(pictures(REGIMES[1], study)) == {"v"}
    seen = pictures(next(r for r in REGIMES if not r.steady), study)
    assert set(seen) == {"u", "v"}
    assert len(seen["v"]) == 64


def test_exponents_at_two_time_steps():
    spots = [regime for regime in REGIMES if regime.name == "spots"]
    found = verify_chaos(small(regimes=spots), time=2_000.0)
    assert [row["dt"] for row in found] == [1.0, 0.5]
    assert all(np.isfinite(row["exponent"]) for row in found)


@pytest.fixture
def quick(monkeypatch):
    """The verb, its quick study small and what stands beside it left out."""
    founding = {"iterations": 0, "status": "x", "parameters": {}, "losses": [], "steps": 0, "seconds": 0.0}
    verb = importlib.import_module("unstill.fitting.viability.viability")
    monkeypatch.setattr(importlib.import_module("unstill.fitting.viability.study"), "QUICK", small())
    monkeypatch.setattr(verb, "founding_at_its_size", lambda **_: founding)
    monkeypatch.setattr(verb, "verify_chaos", lambda study: [])
    monkeypatch.setenv("UNSTILL_THREADS", "1")
    return verb


@pytest.mark.usefixtures("quick")
def test_the_verb_writes_what_it_promises(tmp_path):
    out = tmp_path / "v"
    assert main(["viability", "--quick", "--out", str(out), "--quiet"]) == 0
    result = json.loads((out / "result.json").read_text())
    jsonschema.validate(result, SCHEMA)
    assert result["fits"] == 2
    for name in ("table.csv", "viability.png", "log.jsonl", "run.json"):
        assert (out / name).exists()


def test_an_interrupted_study_keeps_its_fits_and_goes_on(quick, lines, monkeypatch):
    kept, told = Memory(), []
    kept.append_log(lines[0])

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(quick, "run_study", interrupt)
        found = us.viability(quick=True, resume=kept)
        assert found.interrupted
        assert found.message == "1 of 2 fits"
        jsonschema.validate(json.loads(json.dumps(found.to_dict())), SCHEMA)
        with pytest.raises(KeyboardInterrupt):
            us.viability(quick=True)  # nothing was reached
    found = us.viability(quick=True, resume=kept, progress=lambda *now: told.append(now[:2]))
    assert found.status is Status.CONVERGED
    assert told == [(2, 2)]
    assert len(kept.log()) == len(found.lines) == 2


def test_the_figure_has_a_word_in_every_cell(lines):
    figure = plot_viability(table(lines), [row.name for row in small().rows], ["labyrinth"])
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "100%" in words
    assert any(end in words for end in ENDS[1:])
