"""`classify`, `survey` and `atlas` from the shell: what they write, that they go on, and what they answer."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import unstill as us
from unstill.cli.arguments import parse
from unstill.cli.main import main
from unstill.cli.runs import describe
from unstill.cli.survey import ARGUMENTS

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
SURVEY = (
    "survey", "gray-scott", "--preset", "pearson", "--over", "F", ".04:.06:3", "--over", "k", ".055:.062:3", "--size",
    "24", "--time", "3000", "--quiet",
)  # fmt: skip


def call(*words) -> int:
    return main([str(word) for word in words])


def result(folder, verb: str) -> dict:
    told = json.loads((folder / "result.json").read_text())
    jsonschema.validate(told, json.loads((SCHEMAS / f"{verb}.json").read_text()))
    return told


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("atlas") / "a"
    assert call(*SURVEY, "--out", folder) == 0
    return folder


def test_a_survey_writes_a_store_a_picture_and_a_page(atlas):
    told = result(atlas, "survey")
    assert told["cells"] == told["looked_at"] == 9
    assert told["over"] == {"F": [0.04, 0.06, 3], "k": [0.055, 0.062, 3]}
    assert sum(told["regimes"].values()) == 9
    assert {path.name for path in atlas.iterdir()} == {
        "atlas.html",
        "atlas.png",
        "atlas.zarr",
        "result.json",
        "run.json",
    }
    assert us.Atlas.open(atlas).counts == told["regimes"]


def test_both_ways_to_write_a_range(atlas, tmp_path):
    words = " ".join(SURVEY).replace("--over F .04:.06:3 --over k .055:.062:3", "--over F=.04:.06:3,k=.055:.062:3")
    assert call(*words.split(), "--out", tmp_path / "b") == 0
    one, other = (us.Atlas.open(folder) for folder in (atlas, tmp_path / "b"))
    assert all(np.array_equal(one.values[name], other.values[name], equal_nan=True) for name in one.values)


def test_a_limit_of_time_leaves_the_map_so_far(atlas, tmp_path, capsys):
    out = tmp_path / "c"
    longer = [word.replace("3000", "60000") for word in SURVEY]
    assert call(*longer, "--out", out, "--time-limit", ".3") == 130
    assert "--resume goes on" in capsys.readouterr().err
    assert result(out, "survey")["status"] == "interrupted"
    assert us.Atlas.open(out).interrupted
    assert call(*SURVEY, "--out", out, "--resume") == 2  # another command
    assert "must repeat the first command" in capsys.readouterr().err


def test_who_works_is_no_part_of_the_command():
    """So a map goes on with other workers, or on another cluster."""
    one, other = (
        describe(parse(ARGUMENTS, [*SURVEY[1:], *more], prog="unstill survey", about=""))
        for more in (("--workers", "2"), ("--cluster", "tcp://127.0.0.1:8786"))
    )
    assert one == other
    assert {"over", "time", "size"} <= one.keys()


def test_a_picture_with_cells_of_its_own_is_measured_by_them(atlas, tmp_path):
    maze = us.simulate(us.GrayScott.make("pearson", F=0.06, k=0.062), grid=us.Grid((24, 24)), steps=3000)
    fine, twice = us.Grid((48, 48), 0.5), np.kron(maze["v"][0], np.ones((2, 2)))
    us.save(tmp_path / "fine.npz", us.Snapshots({"v": twice[None]}, grid=fine))
    words = ("--atlas", atlas, "--count", "1", "--out", tmp_path / "n", "--quiet")
    call("atlas", "nearest", tmp_path / "fine.npz", *words)
    told = result(tmp_path / "n", "atlas")["nearest"][0]["distance"]
    wanted, other = (us.Atlas.open(atlas).nearest(twice, grid=grid, count=1).distances[0] for grid in (fine, None))
    assert told == pytest.approx(wanted)
    assert wanted < other / 2  # as if its cells were those of the atlas


def test_the_neighbours_of_a_picture_and_the_map_anew(atlas, tmp_path, capsys):
    maze = us.simulate(us.GrayScott.make("pearson", F=0.06, k=0.062), grid=us.Grid((24, 24)), steps=3000)
    us.save(tmp_path / "maze.npz", maze)
    code = call("atlas", "nearest", tmp_path / "maze.npz", "--atlas", atlas, "--count", "3", "--out", tmp_path / "n")
    told = result(tmp_path / "n", "atlas")
    assert code == (0 if told["status"] == "converged" else 3)
    assert len(told["nearest"]) <= 3
    assert told["nearest"][0]["parameters"] == {"F": 0.06, "k": 0.062}
    assert told["nearest"][0]["distance"] < 0.1
    assert (tmp_path / "n" / "nearest.png").exists()
    capsys.readouterr()
    (atlas / "atlas.png").unlink()
    assert call("atlas", "plot", atlas) == 0
    assert str(atlas / "atlas.png") in capsys.readouterr().out
    assert (atlas / "atlas.png").exists()


def test_a_run_is_classified_from_where_it_stands(tmp_path):
    words = ("--size", "16", "--set", "F=.06", "k=.045", "--steps", "3000", "--quiet", "--out", tmp_path / "s")
    assert call("simulate", "gray-scott", *words) == 0
    assert call("classify", tmp_path / "s", "--time", "2000", "--quiet", "--out", tmp_path / "c") == 0
    told = result(tmp_path / "c", "classify")
    assert [each["regime"] for each in told["samples"]] == ["uniform-nontrivial"]
    assert told["parameters"]["F"] == 0.06
    with np.load(tmp_path / "c" / "states.npz") as states:
        assert states["v"].shape == (1, 16, 16)


def test_an_undecided_sample_is_exit_3(tmp_path, capsys):
    words = ("--set", "a=1", "b=2.5", "--size", "8", "--init", "noise", "--time", "8", "--dt", ".002")
    assert call("classify", "brusselator", *words, "--out", tmp_path / "c") == 3
    assert "undecided" in capsys.readouterr().out
    told = result(tmp_path / "c", "classify")
    assert told["status"] == "not-converged"


def test_several_sets_are_samples_of_one_call(tmp_path):
    words = ("--set", "F=.06", "k=.045", "--set", "F=.098", "k=.057", "--size", "16", "--time", "2000")
    assert call("classify", "gray-scott", *words, "--quiet", "--out", tmp_path / "c") == 0
    told = result(tmp_path / "c", "classify")
    assert [each["regime"] for each in told["samples"]] == ["uniform-nontrivial", "uniform-trivial"]
    assert told["parameters"]["F"] == [0.06, 0.098]
