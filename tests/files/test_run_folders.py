"""Run folders: what they hold, what they never overwrite, and how they are taken up again."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.files import RunFolder, read_result, read_run

PICTURE = np.random.default_rng(0).random((1, 10, 12))


def test_run_folder_writes_what_it_promises(tmp_path):
    run = RunFolder.create(tmp_path / "a" / "run")
    run.write_run({"system": "gray-scott", "dx": np.float64(1), "list": np.arange(2)}, 7, verb="simulate")
    run.append_log({"step": 1})
    run.append_log({"step": 2})
    run.write_result({"status": ["steady"], "value": None})
    found = read_run(run.path)
    assert (found["verb"], found["seed"], found["config"]["list"]) == ("simulate", 7, [0, 1])
    assert {"unstill", "jax", "numba", "numpy", "python"} <= set(found["versions"])
    assert found["seconds"] >= 0
    assert read_result(run.path) == {"status": ["steady"], "value": None}
    assert [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()] == [{"step": 1}, {"step": 2}]
    assert sorted(os.listdir(run.path)) == ["log.jsonl", "result.json", "run.json"]


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), [1.0, np.nan], np.array([np.nan])])
def test_nan_in_a_result_is_a_programming_error(tmp_path, value):
    run = RunFolder.create(tmp_path / "run")
    with pytest.raises(ValueError, match="JSON") as error:
        run.write_result({"x": value})
    assert not isinstance(error.value, BadInput)
    assert not run.path.exists()


def test_existing_folders_are_safe(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.write_run({"n": 1}, 0, verb="simulate")
    run.write_arrays("states.npz", v=PICTURE)
    with pytest.raises(BadInput, match=r"`out` must not exist yet.*`force=True`"):
        RunFolder.create(tmp_path / "run")
    assert not RunFolder.create(tmp_path / "run", resume=True).path.joinpath("nothing").exists()
    np.testing.assert_array_equal(run.read_arrays("states.npz")["v"], PICTURE)
    again = RunFolder.create(tmp_path / "run", force=True)
    assert (tmp_path / "run" / "states.npz").exists(), "nothing is lost before the new run begins"
    again.write_run({"n": 2}, 0, verb="simulate")
    assert os.listdir(tmp_path / "run") == ["run.json"]

    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "thesis" / "run.json").write_text('{"of another program": true}')
    for how in ({"force": True}, {"resume": True}):
        with pytest.raises(BadInput, match="must be a run folder"):
            RunFolder.create(tmp_path / "thesis", **how)
    assert (tmp_path / "thesis" / "chapter.txt").exists()
    with pytest.raises(BadInput, match="must be a folder"):
        RunFolder.create(tmp_path / "thesis" / "chapter.txt", force=True)
    with pytest.raises(BadInput, match="writable"):
        RunFolder.create(tmp_path / "thesis" / "chapter.txt" / "run")


def test_resume_adds_up_and_wants_the_same_command(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.write_run({"n": 1, "m": (2, 3)}, 0, verb="simulate")
    run.write_result({"status": "interrupted"})
    first = read_run(run.path)
    (run / "run.json").write_text(json.dumps(first | {"seconds": 100.0}))
    again = RunFolder.create(run.path, resume=True)
    again.write_run({"n": 1, "m": (2, 3)}, 0, verb="simulate")
    again.write_result({"status": "steady"})
    assert read_run(run.path)["seconds"] >= 100
    assert read_run(run.path)["started"] == first["started"]
    with pytest.raises(BadInput, match="other n, seed"):
        RunFolder.create(run.path, resume=True).write_run({"n": 2, "m": (2, 3)}, 1, verb="simulate")


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_damaged_run_json(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(BadInput, match=r"run\.json"):
        read_run(tmp_path)
    with pytest.raises(BadInput, match=r"result\.json"):
        read_result(tmp_path)


def test_arrays_are_never_pickled(tmp_path):
    with pytest.raises(TypeError, match="never pickled"):
        RunFolder.create(tmp_path / "run").write_arrays("x.npz", v=np.array([None]))
    assert os.listdir(tmp_path / "run") == []


def test_importing_the_room_is_light():
    heavy = "'jax', 'equinox', 'imageio', 'tifffile', 'matplotlib'"
    code = f"import sys, unstill.files; sys.exit(any(m in sys.modules for m in ({heavy})))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
