"""What the verbs share and seldom show: states handed from run to run, reuse, progress, and every way to end."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from unstill._errors import BadInput
from unstill._result import plain
from unstill._types import Status
from unstill.cli.arguments import Given, parse
from unstill.cli.main import main
from unstill.cli.progress import progress_bar
from unstill.cli.simulate import ARGUMENTS
from unstill.files import load_trajectory, read_run, save
from unstill.files.runs import RunFolder, read_log
from unstill.observations import Snapshots
from unstill.simulation import Grid, simulate
from unstill.systems import GrayScott

SHORT = ("--steps", 4, "--size", "16x12", "--quiet")


def run(*words) -> int:
    return main([str(w) for w in words])


def arrays_of(path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run of two samples on a grid of its own."""
    out = tmp_path_factory.mktemp("fields") / "first"
    words = ("--dx", 0.9, "--boundary", "no-flux", "--samples", 2, "--init", "discs", "--out", out)
    assert run("simulate", "--preset", "maze", *SHORT, *words) == 0
    return out


# --- from run to run --------------------------------------------------------------------------------------------------


def test_a_run_goes_on_from_another_ones_states_and_grid(first, tmp_path):
    """Two runs of 4 steps are one of 8, to the last bit; dx and boundary come along."""
    assert (
        run("simulate", "--preset", "maze", "--steps", 4, "--init", first, "--quiet", "--out", tmp_path / "second") == 0
    )
    result = json.loads((tmp_path / "second" / "result.json").read_text())
    assert (result["dx"], result["boundary"]) == (0.9, "no-flux")
    start = arrays_of(first / "states.npz")
    whole = simulate(
        GrayScott.make("maze"), np.stack([start["u"], start["v"]], 1), grid=Grid((16, 12), 0.9, "no-flux"), steps=4
    )
    np.testing.assert_array_equal(arrays_of(tmp_path / "second" / "states.npz")["v"], whole.state[:, 1])


def test_a_file_of_states_is_moved_under_every_parameter_set(first, tmp_path):
    states = load_trajectory(first)
    save(tmp_path / "s.npz", states)
    words = ("--set", "F=0.03", "--set", "F=0.04", "--steps", 3, "--init", tmp_path / "s.npz", "--quiet")
    assert run("simulate", *words, "--out", tmp_path / "r") == 0
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    assert result["parameter_set"] == [0, 0, 1, 1]
    moved = arrays_of(tmp_path / "r" / "states.npz")["u"]
    for m, F in enumerate([0.03, 0.03, 0.04, 0.04]):
        alone = simulate(GrayScott(F=F), states.state[m % 2], grid=states.grid, steps=3)
        np.testing.assert_array_equal(moved[m], alone.state[0, 0])


@pytest.mark.parametrize(
    ("words", "argument"),
    [(("--samples", 3), "samples"), (("--size", 16), "size"), (("--boundary", "open"), "--boundary")],
)
def test_what_a_file_of_states_decides_is_not_asked_again(first, tmp_path, words, argument, capsys):
    assert run("simulate", "--steps", 3, "--init", first, *words, "--out", tmp_path / "r") == 2
    assert f"{argument}`" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_a_trajectory_survives_its_run_folder(first):
    kept = load_trajectory(first)
    assert kept.grid == Grid((16, 12), 0.9, "no-flux")
    assert {n: float(v) for n, v in kept.dynamics.values().items()} == GrayScott.presets["maze"]
    assert kept.steps.tolist() == [4, 4]
    assert kept.status == (Status.MOVING, Status.MOVING)
    assert kept.frames is kept.ts is None
    assert (kept.drift > 0).all()


def test_a_folder_of_another_kind_is_no_trajectory(tmp_path):
    folder = RunFolder.create(tmp_path / "x")
    folder.write_run({}, 0, verb="compare")
    with pytest.raises(BadInput, match=r"result\.json"):
        load_trajectory(folder.path)
    folder.write_result({"system": "gray-scott", "dx": None, "parameter_set": "none"})
    with pytest.raises(BadInput, match="whole run folder"):
        load_trajectory(folder.path)


def test_a_recovered_run_is_filmed_from_its_fitted_state(tmp_path):
    """A result written by hand: the film starts from the fitted fields under the fitted numbers."""
    folder = RunFolder.create(tmp_path / "r")
    folder.write_run({}, 0, verb="recover")
    state = simulate(GrayScott(), grid=Grid((16, 12)), init="discs", steps=10).state
    folder.write_arrays("fields.npz", u=state[:, 0], v=state[:, 1])
    result = {
        "system": "gray-scott", "status": "converged", "fitted_parameters": GrayScott.defaults() | {"F": 0.03},
        "dx": 1.0, "boundary": "periodic", "drift_per_time": None,
    }  # fmt: skip
    folder.write_result(result)
    kept = load_trajectory(folder.path)
    np.testing.assert_array_equal(kept.state, state)
    assert float(kept.dynamics.F) == 0.03
    assert np.isnan(kept.drift).all()
    assert run("animate", folder.path, "--steps", 4, "--frames", 2, "--out", tmp_path / "x.gif", "--quiet") == 0
    folder.write_arrays("fields.npz", u=state[:0, 0], v=state[:0, 1])
    folder.write_result(result | {"status": "dead", "fitted_parameters": None})
    with pytest.raises(BadInput, match="must hold a fitted state"):
        load_trajectory(folder.path)


@pytest.mark.parametrize(
    ("words", "argument"),
    [
        (("--set", "F=.03"), "set"),
        (("--size", "16"), "size"),
        (("--init", "discs"), "init"),
        (("--steps", 5, "--time", 5), "time"),
        (("--time", 0), "time"),
        (("--field", "w"), "field"),
        (("--iterations", "3"), "iterations"),
    ],
)
def test_films_refuse_what_their_folder_decides(first, tmp_path, words, argument, capsys):
    more = () if "--time" in words or "--steps" in words else ("--steps", 2)
    assert run("animate", first, *words, *more, "--out", tmp_path / "x.gif", "--quiet") == 2
    assert f"{argument}`" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["old.mp4", "no/such/x.mp4", ""])
def test_films_need_a_new_file_in_a_folder_that_is_there(first, tmp_path, name, capsys):
    (tmp_path / "old.mp4").write_bytes(b"precious")
    assert run("animate", first, "--steps", 2, "--out", tmp_path / name if name else "", "--quiet") == 2
    assert "out`" in capsys.readouterr().err
    assert (tmp_path / "old.mp4").read_bytes() == b"precious"


# --- reuse ------------------------------------------------------------------------------------------------------------


def test_a_finished_run_of_the_same_command_is_left_alone(tmp_path, capsys):
    words = ("simulate", "--steps", 3, "--size", 12, "--out", tmp_path / "r")
    assert run(*words, "--reuse") == 0
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "r").iterdir()}
    capsys.readouterr()
    assert run(*words, "--reuse") == 0
    assert "there already" in capsys.readouterr().out
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "r").iterdir()} == before
    assert run(*words, "--reuse", "--json") == 0
    assert json.loads(capsys.readouterr().out)["steps"] == [3]
    for other in (("--seed", 1), ("--dt", 0.5), ("--set", "F=.04")):
        assert run(*words, "--reuse", *other) == 2  # another command: its folder must be new
        assert "out` must not exist yet" in capsys.readouterr().err


def test_an_interrupted_run_is_not_reused(tmp_path):
    words = ("simulate", "--steps", 3, "--size", 12, "--out", tmp_path / "r", "--quiet")
    assert run(*words) == 0
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    (tmp_path / "r" / "result.json").write_text(json.dumps(result | {"status": ["interrupted"]}))
    assert run(*words, "--reuse") == 2


def test_the_configuration_that_is_kept_gives_the_command_again(tmp_path):
    """`run.json` holds all that the computation depends on: parsed words and kept ones are one configuration."""
    words = ["--set", "F=.03", "k=.06", "--size", "16x12", "--steps", "3", "--init", "noise", "--seed", "4"]
    assert run("simulate", *words, "--out", tmp_path / "r", "--quiet") == 0
    kept = read_run(tmp_path / "r")
    config = parse(ARGUMENTS, words, prog="simulate", about="")
    for name, value in kept["config"].items():
        if hasattr(config, name):
            assert json.loads(json.dumps(getattr(config, name))) == value, name
    assert kept["seed"] == config.seed == 4
    assert not {"out", "force", "quiet", "json", "resume"} & set(kept["config"])


# --- ways to end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (MemoryError("1 TB"), 2, "--size"),
        (OSError(28, "No space left on device"), 2, "No space left"),
        (KeyboardInterrupt(), 130, "interrupted before anything was reached"),
        (BrokenPipeError(), 0, ""),
        (BadInput("dt", "must be positive", -1), 2, "`dt` must be positive; got -1"),
    ],
)
def test_every_failure_has_its_code_and_one_line(error, code, word, monkeypatch, capsys):
    from unstill.cli import systems

    def fail(config):
        raise error

    monkeypatch.setattr(systems, "run", fail)
    assert run("systems") == code
    out, told = capsys.readouterr()
    assert out == ""
    assert word in told
    assert told.count("\n") == (1 if word else 0)
    assert "Traceback" not in told


def test_a_programming_error_is_not_hidden(monkeypatch):
    from unstill.cli import systems

    monkeypatch.setattr(systems, "run", lambda config: {}["missing"])
    with pytest.raises(KeyError):
        run("systems")


def test_the_package_runs_as_a_module_and_says_its_version():
    import unstill

    words = [sys.executable, "-m", "unstill", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"unstill {unstill.__version__}\n", "")


def test_words_without_a_verb(capsys):
    assert run() == 0
    assert "usage: unstill VERB" in capsys.readouterr().out
    assert run("help") == 0


# --- progress, JSON ---------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_only_and_never_when_quiet(monkeypatch):
    """Before the first step the total is not known, and the bar is drawn all the same."""
    loud, quiet = (Given({"quiet": q}) for q in (False, True))
    for stream, config, drawn in [(Terminal(), loud, True), (Terminal(), quiet, False), (io.StringIO(), loud, False)]:
        monkeypatch.setattr(sys, "stderr", stream)
        with progress_bar(config, "steps") as progress:
            progress(1, 2, {})
            progress(2, 2, {})
        assert ("steps" in stream.getvalue()) is drawn


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(2.5), 2.5),
        (float("nan"), None),
        (np.float32("inf"), None),
        ({"a": np.array([1.0, np.nan]), "b": (1, "x")}, {"a": [1.0, None], "b": [1, "x"]}),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (None, None),
    ],
)
def test_numbers_for_json(value, expected):
    found = plain(value)
    assert found == expected
    json.dumps(found, allow_nan=False)


def test_a_log_is_read_up_to_a_line_cut_short_and_not_beyond_a_damaged_one(tmp_path):
    folder = RunFolder.create(tmp_path / "r")
    folder.write_run({}, 0, verb="fit")
    assert read_log(folder.path) == []
    folder.append_log({"i": 0})
    folder.append_log({"i": 1})
    with open(folder / "log.jsonl", "a") as log:
        log.write('{"i": 2')
    assert read_log(folder.path) == [{"i": 0}, {"i": 1}]
    folder.write_log([{"i": 5}])
    assert read_log(folder.path) == [{"i": 5}]
    (folder / "log.jsonl").write_text('{"i": 0}\nnonsense\n{"i": 2}\n')
    with pytest.raises(BadInput, match="line 2"):
        read_log(folder.path)
    (folder / "log.jsonl").write_text('[1]\n{"i": 2}\n')
    with pytest.raises(BadInput, match="objects"):
        read_log(folder.path)


def test_snapshots_of_a_run_are_its_states_by_name(first):
    from unstill.files import load

    found = load(first, observe="v,u")
    assert isinstance(found, Snapshots)
    assert list(found.fields) == ["v", "u"]
    np.testing.assert_array_equal(found.fields["v"], arrays_of(first / "states.npz")["v"])
    assert found.grid == Grid((16, 12), 0.9, "no-flux")


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("compare", ("--loss", "pixel")),
        ("discover", ()),
        ("score", ("--width", "4", "--depth", "1", "--epochs", "1", "--steps", "1", "--batch", "2")),
    ],
)
def test_verbs_read_a_file_that_does_not_tell_its_axes_as_they_are_told(tmp_path, capsys, verb, words):
    """Fields last: no convention says so."""
    pictures = np.random.default_rng(0).random((24, 16, 16, 2))
    np.save(tmp_path / "p.npy", pictures)
    asked = (verb, str(tmp_path / "p.npy"), *words, "--quiet", "--out", str(tmp_path / "r"))
    assert main([*asked]) == 2
    assert "--axes" in capsys.readouterr().err
    code = main([*asked, "--axes", "MYXC", "--fields", "u=0,v=1"])
    assert code in (0, 3), capsys.readouterr().err
    assert json.loads((tmp_path / "r" / "run.json").read_text())["config"]["axes"] == "MYXC"


@pytest.mark.parametrize("verb", ["discover", "flow"])
def test_pictures_and_ordered_ones_are_not_read_in_two_ways(tmp_path, capsys, verb):
    """Else --fields could swap the fields of one and not of the other."""
    np.save(tmp_path / "p.npy", np.random.default_rng(0).random((24, 16, 16, 2)))
    np.savez(tmp_path / "o.npz", u=np.ones((3, 16, 16)), v=np.ones((3, 16, 16)))
    words = [verb, str(tmp_path / "p.npy"), "--axes", "MYXC", "--fields", "u=0,v=1", "--out", str(tmp_path / "r")]
    assert main([*words, "--ordered", str(tmp_path / "o.npz")]) == 2
    assert "`--ordered` must be left out where `--axes` says" in capsys.readouterr().err


def test_axes_of_points_are_refused(tmp_path, capsys):
    np.save(tmp_path / "points.npy", np.random.default_rng(0).random((50, 2)))
    for verb in ("discover", "score", "flow"):
        assert main([verb, str(tmp_path / "points.npy"), "--axes", "YX", "--out", str(tmp_path / "r")]) == 2
        assert "is for pictures only" in capsys.readouterr().err
