"""A run folder's arrays in any format: the same to the bit, read by whatever takes a run, whole or refused."""

import json
import pickle
import shutil

import h5py
import numpy as np
import pytest
import xarray

import unstill as us
from unstill._errors import BadInput
from unstill.cli.main import main
from unstill.files import RunFolder, array_files, read_run
from unstill.files.array_files import SUFFIXES, arrays_path, read_arrays, read_headers, write_labelled
from unstill.files.heaps import is_pictures, load_pictures
from unstill.files.points import load_points
from unstill.files.runs import digest_of

RNG = np.random.default_rng(0)
ARRAYS = {
    "u": (("sample", "y", "x"), RNG.random((3, 8, 9))),
    "single": (("sample", "y", "x"), np.zeros((3, 8, 9), np.float32)),
    "whole": (("sample",), np.arange(3)),
    "odd": (("sample",), np.array([True, False, True])),
    "one": ((), np.array(2.5)),
    "none": (("nothing", "y"), np.zeros((0, 8))),
    "holes": (("sample",), np.array([1.0, np.nan, np.inf])),
    "words": (("sample", "pair"), np.array([["ok", "dead"], ["ok", "ok"], ["", "ß"]])),
}
PLACES = {"x": (("x",), 0.5 * np.arange(9), {"long_name": "x"})}
every_format = pytest.mark.parametrize("format", SUFFIXES)
labelled_format = pytest.mark.parametrize("format", ["zarr", "netcdf"])


@pytest.fixture(scope="module")
def film():
    grid = us.Grid((16, 12), 0.5, "no-flux")
    return us.simulate("gray-scott", grid=grid, steps=6, save_every=2, samples=2, init="discs")


def written(folder, format, arrays=ARRAYS):
    path = folder / f"x{SUFFIXES[format]}"
    write_labelled(path, arrays, PLACES)
    return path


@labelled_format
def test_arrays_of_every_kind_come_back_to_the_bit(format, tmp_path):
    path = written(tmp_path, format)
    back, headers = read_arrays(path), read_headers(path)
    assert list(back) == list(headers) == list(ARRAYS)
    for name, (_, values) in ARRAYS.items():
        assert (back[name].dtype, back[name].shape) == (values.dtype, values.shape), name
        np.testing.assert_array_equal(back[name], values)
        assert headers[name].shape == values.shape
    assert list(read_arrays(path, ["whole", "u"])) == ["whole", "u"]
    write_labelled(path, {"u": ((), np.array(1.0))}, {})  # in place of the old one
    assert list(read_arrays(path)) == ["u"]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@every_format
def test_every_reader_of_run_folders_takes_it(format, film, tmp_path):
    folder = film.save(tmp_path / "run", format=format)
    assert arrays_path(folder, "frames") == folder / f"frames{SUFFIXES[format]}"
    back = us.load_trajectory(folder)
    np.testing.assert_array_equal(back.state, film.state)
    np.testing.assert_array_equal(back.frames, film.frames)
    np.testing.assert_array_equal(back.ts, film.ts)
    found = us.load(folder, observe="v")
    np.testing.assert_array_equal(found["v"], film.state[:, 1])
    assert found.grid == film.grid
    fields, _, ordered, _ = load_pictures([str(folder)], str(folder), None, None, None)
    np.testing.assert_array_equal(ordered.x, film.frames[:, 0])
    assert set(fields) == {"u", "v"}


@labelled_format
def test_others_open_it_with_names_places_and_times(format, film, tmp_path):
    folder = film.save(tmp_path / "run", format=format)
    path = folder / f"frames{SUFFIXES[format]}"
    opened = xarray.open_zarr(path, consolidated=False, chunks=None) if format == "zarr" else xarray.open_dataset(path)
    with opened as data:
        assert data["v"].dims == ("time", "sample", "y", "x")
        np.testing.assert_array_equal(data["x"], 0.5 * np.arange(12))
        np.testing.assert_array_equal(data["v"].sel(time=film.ts[1]), film.frames[1, :, 1])
        assert data["time"].attrs["long_name"] == "time, in the unit of dt"
    alone = us.load(path, frames="1:")  # as a file of its own: two samples of the last two frames
    np.testing.assert_array_equal(alone["v"][:2], film.frames[1:, 0, 1])


@every_format
def test_points_of_a_folder_keep_their_names(format, tmp_path):
    folder = us.draw_points("double_gyre", count=60).save(tmp_path / "points", format=format)
    assert not is_pictures(str(folder))
    points = load_points(folder)
    assert points.names == ("x", "y")
    np.testing.assert_array_equal(points.x, us.draw_points("double_gyre", count=60).x)


def break_zarr(path):
    """Lose one chunk of u."""
    chunk = next(each for each in (path / "u").rglob("*") if each.is_file() and each.name != "zarr.json")
    chunk.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:3000])


def unlisted(path):
    told = json.loads((path / "zarr.json").read_text())
    del told["attributes"]["arrays"]
    (path / "zarr.json").write_text(json.dumps(told))


def pickled(path):
    """Chunks by a codec that unpickles; what it would run raises."""
    told = json.loads((path / "u" / "zarr.json").read_text())
    told["codecs"] = [{"name": "numcodecs.pickle", "configuration": {}}]
    (path / "u" / "zarr.json").write_text(json.dumps(told))
    for chunk in (path / "u" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(pickle.dumps(Bomb()))


class Bomb:
    def __reduce__(self):
        return (exec, ("raise AssertionError('unpickled')",))


def nameless(path):
    with h5py.File(path, "r+") as file:
        del file.attrs["arrays"]


BROKEN = {
    "a chunk is lost": ("zarr", break_zarr, r"`u` must be whole; got 0 of 1 chunks"),
    "no list": ("zarr", unlisted, r"must be a whole \.zarr"),
    "a codec that unpickles": ("zarr", pickled, r"codecs of numbers alone|must be a whole \.zarr"),
    "cut": ("netcdf", cut, r"must be a whole \.nc"),
    "another's": ("netcdf", nameless, r"must be a whole \.nc"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_damaged_is_refused_in_one_line(case, film, tmp_path):
    format, damage, words = BROKEN[case]
    folder = film.save(tmp_path / "run", format=format)
    damage(folder / f"states{SUFFIXES[format]}")
    for read in (us.load, us.load_trajectory):
        with pytest.raises(BadInput, match=words) as error:
            read(folder)
        assert "\n" not in str(error.value)


def test_what_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = written(tmp_path, "zarr")
    monkeypatch.setattr(array_files, "MOST_ELEMENTS", 100)
    with pytest.raises(BadInput, match=r"`u` must hold at most 1e\+02 values; got shape \(3, 8, 9\)"):
        read_headers(path)


@labelled_format
def test_a_failed_write_leaves_what_was_there(format, tmp_path, monkeypatch):
    path = written(tmp_path, format)
    bad = {"u": ARRAYS["u"], "objects": (("sample",), np.array([None, {}], dtype=object))}
    with pytest.raises(TypeError, match="never pickled"):
        write_labelled(path, bad, {})
    assert list(read_arrays(path)) == list(ARRAYS)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInput, match="must be writable"):
        write_labelled(tmp_path / "file" / path.name, ARRAYS, {})


def test_one_name_is_one_file_whatever_the_format(film, tmp_path):
    """A checkpoint of the same name gives way to the result, and is found again in its format."""
    folder = RunFolder.create(tmp_path / "run", format="netcdf")
    folder.write_run({})
    folder.keep("states", u=np.zeros(3))
    folder.write_arrays_of(film)
    assert sorted(each.name for each in folder.path.iterdir()) == ["frames.nc", "run.json", "states.nc"]
    np.testing.assert_array_equal(folder.kept("states")["v"], film.state[:, 1])
    film.save(folder.path, force=True)
    assert {"states.npz", "frames.npz"} == {each.name for each in folder.path.iterdir() if "s." in each.name[-10:]} & {
        "states.npz", "frames.npz", "states.nc", "frames.nc",
    }  # fmt: skip


def test_a_format_is_checked_before_anything_is_touched(film, tmp_path, monkeypatch):
    for format, words in (("csv", "`format` must be npz, zarr, netcdf; got 'csv'"), ("zarr", "needs the package zarr")):
        if format == "zarr":
            monkeypatch.setitem(__import__("sys").modules, "zarr", None)
        with pytest.raises(BadInput, match=words):
            film.save(tmp_path / "run", format=format)
    assert not (tmp_path / "run").exists()


def test_digests_go_below_stores(film, tmp_path):
    folder = film.save(tmp_path / "run", format="zarr")
    before = digest_of(folder)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert digest_of(copy) == before
    next(each for each in copy.rglob("c/*/*/*") if each.is_file()).write_bytes(b"other")
    assert digest_of(copy) != before


def run(*words) -> int:
    return main([*map(str, words), "--quiet"])


def test_the_shell_writes_and_reads_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ("simulate", "--preset", "maze", "--size", 24, "--steps", 2000, "--init", "discs", "--out", "a")
    assert run(*words, "--format", "netcdf") == 0
    assert read_run("a")["config"]["format"] == "netcdf"
    assert run(*words, "--format", "netcdf", "--reuse") == 0
    assert run(*words, "--reuse") == 2  # another command
    capsys.readouterr()
    fixed = ("--start", "F=.03", "--fix", "Du=.16,Dv=.08,k=.057", "--iterations", 1)
    assert run("fit", "a", "--observe", "v", *fixed, "--format", "zarr", "--out", "f") == 0
    assert run("animate", "f", "--iterations", 0, "--out", "f.gif") == 0  # finds its targets in a
    assert run("animate", "a", "--steps", 2, "--frames", 1, "--out", "a.gif") == 0
    assert {each.name for each in tmp_path.iterdir()} == {"a", "f", "f.gif", "a.gif"}


def test_older_runs_do_not_name_a_format(tmp_path):
    assert run("points", "ring", "--count", 50, "--out", tmp_path / "p") == 0
    assert "format" not in read_run(tmp_path / "p")["config"]
