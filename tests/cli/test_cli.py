"""The command line: main paths write what they promise; every bad input is one line and exit code 2."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import unstill as us
from unstill.cli.main import VERBS, main
from unstill.cli.runs import exit_code
from unstill.fitting.comparison import Comparison

DOCS = Path(__file__).parents[2] / "docs"
SMALL = ["--size", "32", "--quiet"]


def run(*words) -> int:
    return main([str(w) for w in words])


@pytest.fixture(scope="module")
def maze(tmp_path_factory):
    """A finished run: two samples at rest, small."""
    out = tmp_path_factory.mktemp("cli") / "maze"
    words = ("simulate", "gray-scott", "--preset", "maze", "--size", 48, "--steps", 20000, "--samples", 2)
    assert run(*words, "--init", "discs", "--save-every", 5000, "--out", out, "--quiet") == 0
    return out


def result_of(folder) -> dict:
    """`result.json`, held against the schema that the verb's page in the docs shows."""
    result = json.loads((folder / "result.json").read_text())
    verb = json.loads((folder / "run.json").read_text())["verb"]
    jsonschema.validate(result, json.loads((DOCS / "schemas" / f"{verb}.json").read_text()))
    return result


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    assert "usage: unstill " + verb in capsys.readouterr().out


def test_help_lists_every_verb(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in VERBS)


def test_simulate_writes_what_it_promises(maze):
    result, ran = result_of(maze), json.loads((maze / "run.json").read_text())
    assert result["status"] == ["moving", "moving"] or "steady" in result["status"]
    assert result["steps"] == [20000, 20000]
    assert all(0 < d < 1e-3 for d in result["drift_per_time"])
    assert ran["seed"] == 0
    assert ran["config"]["preset"] == "maze"
    with np.load(maze / "states.npz") as states, np.load(maze / "frames.npz") as frames:
        assert states["u"].shape == states["v"].shape == (2, 48, 48)
        assert frames["v"].shape == (4, 2, 48, 48)
        np.testing.assert_array_equal(frames["ts"], [5000, 10000, 15000, 20000])
        np.testing.assert_array_equal(frames["v"][-1], states["v"])
    assert (maze / "states.png").stat().st_size > 10_000


def test_parameter_sets_and_ranges(tmp_path):
    words = ("--set", "F=0.03", "k=0.057", "--set", "F=0.03:0.04:3,k=0.06", "--steps", 5, "--out", tmp_path / "r")
    assert run("simulate", *words, *SMALL) == 0
    result = result_of(tmp_path / "r")
    assert [(p["F"], p["k"]) for p in result["parameters"]] == [
        (0.03, 0.057), (0.03, 0.06), (0.035, 0.06), (0.04, 0.06),
    ]  # fmt: skip
    assert result["parameter_set"] == [0, 1, 2, 3]


def test_recover_of_a_run_folder_and_what_it_writes(maze, tmp_path):
    out = tmp_path / "r"
    assert run("recover", maze, "--out", out, "--later", 200, "--quiet") == 0
    result = result_of(out)
    truth = {"Du": 0.16, "Dv": 0.08, "F": 0.029, "k": 0.057}
    for name, value in truth.items():
        estimate = result["parameters"][name]
        assert estimate["value"] == pytest.approx(value, rel=3e-3)  # the pictures still drift a little
        low, high = estimate["interval95"]
        assert low < estimate["value"] < high
    assert result["status"] == "converged"
    assert list(result["identifiable"]) == list(truth)
    with np.load(out / "fields.npz") as fields:
        assert fields["observed"].shape == fields["fitted"].shape == (2, 2, 48, 48)
    assert (out / "recovery.png").exists()
    assert (out / "motion.mp4").exists()


def test_animate_of_folders_and_of_parameter_sets(maze, tmp_path):
    assert run("animate", maze, "--out", tmp_path / "a.mp4", "--quiet") == 0
    sets = ("--set", "F=.03", "k=.057", "--set", "F=.035", "k=.065")
    assert run("animate", *sets, "--time", 60, "--frames", 6, "--out", tmp_path / "b.gif", *SMALL) == 0
    assert (tmp_path / "a.mp4").stat().st_size > 1000
    assert (tmp_path / "b.gif").stat().st_size > 1000


def test_a_blow_up_is_exit_3_and_keeps_frames(tmp_path, capsys):
    words = ("simulate", "fitzhugh-nagumo", "--set", "eps=50", "--dt", "0.019", "--init", "noise")
    code = run(*words, "--steps", 3000, "--save-every", 10, "--out", tmp_path / "r", *SMALL)
    error = capsys.readouterr().err
    assert code == 3
    assert result_of(tmp_path / "r")["status"] == ["blow-up"]
    assert "blow-up" in error
    assert "--dt" in error
    with np.load(tmp_path / "r" / "frames.npz") as frames:
        assert np.isfinite(frames["u"]).all()


@pytest.mark.parametrize("end", ["", "."])
def test_a_failure_is_one_sentence_whatever_its_message_ends_with(end, monkeypatch, capsys):
    found = Comparison({}, {}, 0.0)
    monkeypatch.setattr(Comparison, "headline", lambda _: f"no-fit: give `warm_start`{end}")
    monkeypatch.setattr(Comparison, "failed", True)
    assert exit_code("fit", found) == 3
    assert capsys.readouterr().err == "unstill fit: no-fit: give `--warm-start`; what was reached is kept\n"


def test_json_prints_the_result(tmp_path, capsys):
    assert run("simulate", "--steps", 3, "--size", 16, "--out", tmp_path / "r", "--json") == 0
    assert json.loads(capsys.readouterr().out) == result_of(tmp_path / "r")


def test_systems_and_doctor(capsys):
    assert run("systems") == 0
    assert "∂u/∂t = Du ∇²u − u v² + F (1 − u)" in capsys.readouterr().out
    assert run("systems", "lorenz", "--json") == 0
    assert json.loads(capsys.readouterr().out)["lorenz"]["parameters"]["rho"]["default"] == 28
    assert run("doctor", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["float64"] is facts["agree"] is True
    assert facts["difference"] < 1e-12


def test_force_replaces_and_the_same_seed_repeats(tmp_path):
    words = ("simulate", "--steps", 20, "--init", "discs", *SMALL, "--out", tmp_path / "r")
    assert run(*words) == 0
    with np.load(tmp_path / "r" / "states.npz") as states:
        first = states["v"].copy()
    assert run(*words) == 2
    assert run(*words, "--force") == 0
    with np.load(tmp_path / "r" / "states.npz") as states:
        np.testing.assert_array_equal(states["v"], first)


def test_a_wrong_call_with_force_loses_nothing(tmp_path):
    good = ("simulate", "--steps", 5, *SMALL, "--out", tmp_path / "r")
    assert run(*good) == 0
    assert run(*good, "--force", "--dt", 9) == 2
    assert (tmp_path / "r" / "states.npz").exists()


BAD = [
    (["simulat"], ["`VERB`", "Did you mean simulate"]),
    (["simulate", "gray-scot"], ["system`", "Did you mean gray-scott"]),
    (["simulate", "--preset", "mase"], ["preset`", "Did you mean maze"]),
    (["simulate", "--set", "G=1"], ["set`", "'G'", "Known: Du, Dv, F, k"]),
    (["simulate", "--set", "F=9"], ["`F`", "[0, 0.3]", "9"]),
    (["simulate", "--set", "F"], ["set`", "NAME=VALUE"]),
    (["simulate", "--set", "F=a"], ["set`", "'F=a'"]),
    (["simulate", "--set", "F=0:1"], ["set`", "LOW:HIGH:COUNT"]),
    (["simulate", "--set", "F=.03", "F=.04"], ["set`", "once"]),
    (["simulate", "--steps", "0"], ["`--steps`", "'0'"]),
    (["simulate", "--steps", "x"], ["`--steps`", "'x'"]),
    (["simulate"], ["steps`", "exactly one"]),
    (["simulate", "--steps", "5", "--time", "5"], ["steps`", "exactly one"]),
    (["simulate", "--steps", "5", "--dt", "1.6"], ["dt`", "stability limit", "1.562", "1.6"]),
    (["simulate", "--steps", "5", "--size", "2"], ["size`", "3 cells"]),
    (["simulate", "--steps", "5", "--size", "axb"], ["`--size`"]),
    (["simulate", "--steps", "5", "--boundary", "open"], ["`--boundary`", "'open'"]),
    (["simulate", "--steps", "5", "--init", "disks"], ["init`", "discs"]),
    (["simulate", "--steps", "5", "--init", "no/such.npz"], ["no/such.npz"]),
    (["simulate", "--steps", "5", "--stepper", "rk5"], ["stepper`", "rk4"]),
    (["simulate", "--steps", "5", "--colour"], ["--colour"]),
    (["recover", "missing.npz"], ["missing.npz"]),
    (["recover", "{good}", "--observe", "w"], ["observe`", "w"]),
    (["recover", "{good}", "--system", "lorenz"], ["system`", "lorenz"]),
    (["recover", "{good}", "--fix", "Q=1"], ["fix`", "'Q'"]),
    (["recover", "{good}", "--start", "F=7"], ["`F`", "7"]),
    (["recover", "{good}", "--noise", "v=-1"], ["noise`", "-1"]),
    (["recover", "{truncated}"], ["truncated.npz"]),
    (["recover", "{nan}"], ["v`", "NaN"]),
    (["recover", "{constant}"], ["constant.npz", "constant"]),
    (["recover", "{cube}"], ["v`", "(M, H, W)"]),
    (["animate", "--time", "5", "--out", "film.avi"], ["out`", ".mp4"]),
    (["animate", "lorenz", "--time", "5"], ["source`"]),
]


@pytest.mark.parametrize(("words", "expected"), BAD, ids=lambda x: " ".join(x)[:40])
def test_bad_input_is_one_line_and_exit_2(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    good = rng.random((16, 16))
    np.savez("good.npz", v=good)
    np.savez("nan.npz", v=np.where(good > 0.9, np.nan, good))
    np.savez("constant.npz", v=np.ones((16, 16)))
    np.savez("cube.npz", v=rng.random((2, 3, 16, 16)))
    data = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "truncated.npz").write_bytes(data[: len(data) // 2])
    words = [w.format(**{n: f"{n}.npz" for n in ("good", "nan", "constant", "cube", "truncated")}) for w in words]
    if "--out" not in words and len(words) > 1:
        words += ["--out", "film.mp4" if words[0] == "animate" else "out"]
    before = sorted(os.listdir())
    assert main(words) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1, error
    for word in expected:
        assert word in error
    assert sorted(os.listdir()) == before, "nothing is written by a wrong call"


def test_without_out_runs_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run("simulate", "--steps", 5, *SMALL) == 0
    assert sorted(os.listdir("runs")) == ["simulate-1", "simulate-2"]


def test_out_must_be_writable_and_new(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("x")
    assert run("simulate", "--steps", 5, *SMALL, "--out", file / "r") == 2
    assert "writable" in capsys.readouterr().err


def test_a_moving_picture_of_one_field_is_exit_3(tmp_path, capsys):
    words = ("simulate", "--preset", "waves", "--size", 40, "--steps", 3000, "--init", "discs", "--out")
    assert run(*words, tmp_path / "w", "--quiet") == 0
    assert run("recover", tmp_path / "w", "--observe", "v", "--out", tmp_path / "r", "--quiet") == 3
    error = capsys.readouterr().err
    assert "moving" in error
    assert "steady" in error
    result = result_of(tmp_path / "r")
    assert result["status"] == "moving"
    assert result["drift_per_time"] > 1e-4


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_saves_and_resume_goes_on(tmp_path, sent):
    words = [sys.executable, "-m", "unstill", "simulate", "--size", "64", "--steps", "400000", "--init", "discs"]
    words += ["--save-every", "10000", "--seed", "3", "--quiet", "--out"]
    process = subprocess.Popen([*words, str(tmp_path / "r")], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "r" / "run.json").exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(sent)
    error = process.communicate(timeout=60)[1]
    if process.returncode == 0:
        pytest.skip("the run was over before the signal came")
    assert process.returncode == 130, error
    assert "Traceback" not in error
    if not (tmp_path / "r" / "result.json").exists():
        pytest.skip("the signal came before the first step")
    assert "--resume" in error
    reached = result_of(tmp_path / "r")
    assert reached["status"] == ["interrupted"]
    assert run(*words[3:], tmp_path / "r", "--resume") == 0
    assert run(*words[3:], tmp_path / "whole") == 0
    for name in ("states.npz", "frames.npz"):
        with np.load(tmp_path / "r" / name) as resumed, np.load(tmp_path / "whole" / name) as whole:
            for key in whole:
                np.testing.assert_array_equal(resumed[key], whole[key])


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path):
    words = ["simulate", "--size", "64", "--steps", "300000", "--init", "discs", "--save-every", "50000", "--quiet"]
    often = (
        "import sys, unstill.simulation; from unstill.cli.main import main; "
        "sys.modules['unstill.simulation.simulate'].KEEP_EVERY = 0.05; "
    )
    command = [sys.executable, "-c", often + "sys.exit(main(sys.argv[1:]))", *words, "--out", str(tmp_path / "r")]
    kept, killed = tmp_path / "r" / "motion.npz", 0
    for more in ([], ["--resume"], ["--resume"]):
        before = kept.stat().st_mtime if kept.exists() else 0.0
        process = subprocess.Popen([*command, *more], stderr=subprocess.DEVNULL)
        while process.poll() is None and not (kept.exists() and kept.stat().st_mtime > before):
            time.sleep(0.01)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    assert killed
    if kept.exists():
        assert run(*words, "--out", tmp_path / "r", "--resume") == 0
    assert run(*words, "--out", tmp_path / "whole") == 0
    for name in ("states.npz", "frames.npz"):
        with np.load(tmp_path / "r" / name) as resumed, np.load(tmp_path / "whole" / name) as whole:
            for key in whole:
                np.testing.assert_array_equal(resumed[key], whole[key])


@pytest.mark.skipif(sys.platform == "win32", reason="alarms")
def test_a_time_limit_keeps_what_was_reached(tmp_path, capsys):
    out = tmp_path / "r"
    words = ("simulate", "--size", "64", "--steps", "100_000_000", "--init", "discs", "--quiet", "--out", out)
    us.simulate("gray-scott", grid=us.Grid((64, 64)), init="discs", steps=200)  # what is compiled is there
    assert run(*words, "--time-limit", "3") == 130
    assert "interrupted; the same command with --resume goes on" in capsys.readouterr().err
    reached = result_of(out)
    assert reached["status"] == ["interrupted"]
    assert 0 < reached["steps"][0] < 100_000_000
    assert run(*words, "--time-limit", "0") == 2
    with us.time_limit(0.5):
        assert us.simulate("gray-scott", steps=100_000_000).status == ("interrupted",)
    with pytest.raises(us.BadInput, match="positive number of seconds"), us.time_limit(-1.0):
        pass


def test_where_there_is_no_terminal_lines_tell_how_far_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("unstill.cli.progress.EVERY", 0.0)
    words = ("simulate", "--size", "16", "--steps", "40000")
    assert run(*words, "--out", tmp_path / "told") == 0
    assert "unstill: 40,000 of 40,000 (100%) steps in" in capsys.readouterr().err
    assert run(*words, "--out", tmp_path / "quiet", "--quiet") == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize("kind", ["dead", "noise"])
def test_a_picture_without_a_pattern_is_refused_by_name(kind, tmp_path, capsys):
    amplitude = {"dead": 1e-9, "noise": 1.0}[kind]
    np.savez(tmp_path / "v.npz", v=amplitude * np.random.default_rng(0).random((48, 48)))
    assert run("recover", tmp_path / "v.npz", "--out", tmp_path / "r", "--quiet") == 3
    assert "unstill recover: dead: " in capsys.readouterr().err
    result = result_of(tmp_path / "r")
    assert result["status"] == "dead"
    assert result["parameters"]["F"] == {"value": None, "std": None, "interval95": None}
    assert (tmp_path / "r" / "recovery.png").exists()


def test_an_interrupted_recovery_keeps_its_values_and_resumes_from_them(maze, tmp_path, monkeypatch, capsys):
    from unstill.files.runs import RunFolder

    original, entries = RunFolder.append_log, []

    def interrupt(self, entry):
        original(self, entry)
        entries.append(entry)
        if len(entries) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "append_log", interrupt)
    words = ("recover", maze, "--observe", "v", "--no-film", "--quiet", "--out", tmp_path / "r")
    assert run(*words) == 130
    assert "--resume" in capsys.readouterr().err
    reached = result_of(tmp_path / "r")
    assert reached["status"] == "interrupted"
    assert reached["parameters"]["F"]["value"] == entries[1]["values"]["F"]
    assert run(*words, "--resume") == 0
    assert result_of(tmp_path / "r")["parameters"]["F"]["value"] == pytest.approx(
        0.029, rel=0.05
    )  # these small pictures still drift
