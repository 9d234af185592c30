"""One shape of result: whatever a verb returns tells how it ended, shows itself, and is the run folder of the shell."""

import copy
import functools
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

import unstill as us
from lattice_stripes import FOLD, Stripes, stripes
from unstill._result import Estimate, Result, plain
from unstill.cli.runs import exit_code
from unstill.files import read_result, read_run
from unstill.files.array_files import read_arrays, write_labelled
from unstill.files.labelled import files_of
from verbs_arguments import arguments_of

GRID, LINE = us.Grid((32, 32)), us.Grid((3, 8))


@functools.cache
def pattern() -> np.ndarray:
    return us.simulate("gray-scott", grid=GRID, steps=6000, init="discs").state[0]


@functools.cache
def moving() -> np.ndarray:
    waves = us.simulate(us.GrayScott.make("waves"), grid=us.Grid((64, 64)), samples=12, steps=3000, init="discs")
    return waves.state


def pictures() -> dict[str, np.ndarray]:
    return {"u": np.tile(moving()[:, 0], (2, 1, 1)), "v": np.tile(moving()[:, 1], (2, 1, 1))}


def on_grid(preset: str):
    return us.OnGrid(us.GrayScott.make(preset), us.Grid((64, 64)))


@functools.cache
def ring():
    return us.draw_points("ring", count=60)


@functools.cache
def spot():
    y, x = np.mgrid[:12, :12]
    v = 0.3 * np.exp(-(((x - 6) ** 2 + (y - 6) ** 2) / 9))
    return us.simulate(us.GrayScott.make("spots", k=0.066), np.stack([1 - 2 * v, v])[None], steps=6000)


RESULTS = {
    "simulate": lambda: us.simulate("gray-scott", grid=us.Grid((16, 16)), steps=4, samples=20),
    "inspect": lambda: us.inspect(pictures()),
    "recover": lambda: us.recover("gray-scott", pattern()[None]),
    "calibrate": lambda: us.calibrate("gray-scott", preset="holes", noise=0.05, repeats=2, size=32, steps=6000),
    "fit": lambda: us.fit(
        "gray-scott", pattern()[1], start={"F": 0.03}, fix={"Du": 0.16, "Dv": 0.08, "k": 0.06}, iterations=2, starts=1
    ),
    "landscape": lambda: us.landscape(
        "gray-scott", pattern()[1], along={"F": [0.03, 0.04]}, truth=us.GrayScott.defaults(), strategy="observed-start"
    ),
    "compare": lambda: us.compare(pattern(), loss="pixel,moments"),
    "discover": lambda: us.discover({"u": pattern()[0], "v": pattern()[1]}, fix={"u:u v^2": -1, "v:u v^2": 1}),
    "points": lambda: us.draw_points("ring", count=60),
    "alife": lambda: us.draw_icons("dot", count=2, size=32, samples=3),
    "score": lambda: us.learn_score(ring(), epochs=2, steps=2, hidden=(8, 8), samples=20),
    "flow": lambda: us.learn_flow(ring(), tau=0.3, epochs=2, steps=2, hidden=8, time=0.2),
    "flow on pictures": lambda: us.learn_rule({"u": moving()[:, 0], "v": moving()[:, 1]}, degree=2),
    "score of pictures": lambda: us.learn_field_score(pictures(), width=4, depth=1, epochs=2, steps=2, batch=4),
    "flow of a score": lambda: us.learn_field_flow(pictures(), found("score of pictures"), radius=0),
    "animate --track": lambda: us.track(found("flow of a score"), size=32, steps=20, frames=10, seeds=2, reach=4),
    "agree": lambda: us.agree(
        {"u": moving()[:4, 0], "v": moving()[:4, 1]},
        {"waves": on_grid("waves"), "maze": on_grid("maze")},
        us.GrayScott.make("waves"),
    ),
    "lyapunov": lambda: us.lyapunov("hopf", orbits=2, time=20, transient=2),
    "classify": lambda: us.classify("gray-scott", grid=us.Grid((16, 16)), time=2000, samples=2),
    "survey": lambda: us.survey(
        "gray-scott",
        preset="pearson",
        over={"F": [0.04, 0.06], "k": [0.0585, 0.062]},
        grid=us.Grid((24, 24)),
        time=3000,
        samples=2,
    ),
    "survey without a grid": lambda: us.survey(
        "gray-scott", over={"F": [0.04, 0.06]}, design="latin", points=3, grid=us.Grid((16, 16)), time=2000
    ),
    "atlas": lambda: found("survey").nearest(pattern()[1], count=2),
    "lyapunov of a pattern": lambda: us.lyapunov(
        us.GrayScott(Du=0.05, Dv=0.025, F=0.014, k=0.053),
        grid=us.Grid((24, 24)),
        exponents=3,
        time=2000,
        transient=4000,
    ),
    "stability": lambda: us.stability("brusselator", over={"b": (2.0, 12.0)}),
    "stability in a plane": lambda: us.stability("brusselator", over={"b": (2.0, 12.0), "a": (1.0, 4.0)}),
    "continue": lambda: us.continue_branch(spot(), over={"F": (0.034, 0.036)}, step=0.3),
    "continue from no rest": lambda: us.continue_branch(
        Stripes(r=FOLD - 1e-4), stripes(FOLD + 1e-9, LINE), over={"r": (-0.3, 0.1)}, grid=LINE
    ),
    "uniqueness": lambda: us.uniqueness(ring(), found("score"), {"plain": found("flow")}, random=2, time=0.2),
}
every_result = pytest.mark.parametrize("verb", RESULTS)


@functools.cache
def found(verb: str) -> Result:
    return RESULTS[verb]()


@every_result
def test_it_tells_how_it_ended(verb):
    result = found(verb)
    assert isinstance(result, Result)
    assert result.verb == verb.split()[0]
    statuses = result.status if isinstance(result.status, tuple) else (result.status,)
    assert all(isinstance(status, us.Status) for status in statuses)
    assert result.message
    assert result.seconds >= 0
    assert not result.interrupted
    assert exit_code(verb.split()[0], result) == (3 if result.failed else 0)


@every_result
def test_it_shows_itself_in_a_few_lines(verb):
    result = found(verb)
    assert 1 <= len(repr(result).splitlines()) <= 11
    assert max(map(len, repr(result).splitlines())) < 500
    assert result.summary().splitlines()[0] == result.headline()
    html = result._repr_html_() if hasattr(result, "_repr_html_") else ""
    assert html.count("<tr>") == html.count("</tr>") == len(result.table())


@every_result
def test_it_is_the_run_folder_of_the_shell(verb, tmp_path):
    result = found(verb)
    folder = result.save(tmp_path / "run")
    assert read_result(folder) == json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert read_run(folder)["verb"] == verb.split()[0]
    assert {path.name for path in folder.iterdir() if path.suffix in (".npz", ".zarr")} == set(result.arrays())
    assert list(folder.glob("*.png"))
    with pytest.raises(us.BadInput, match="`force=True`"):
        result.save(folder)
    result.save(folder, force=True)


@every_result
def test_its_arrays_have_names_on_their_axes(verb):
    result, held = found(verb), found(verb).arrays()
    if not held:
        with pytest.raises(us.BadInput, match="must hold arrays"):
            result.to_xarray()
        return
    data = result.to_xarray()
    names = [name for arrays in held.values() for name in arrays if name != "ts"]
    assert len(data.data_vars) == len(names)
    for name, values in next(iter(held.values())).items():
        np.testing.assert_array_equal(data[name].values, values)
    for name, letters in result.letters().items():
        if name in data:
            assert len(data[name].dims) == len(letters), name
            assert not any(str(each).startswith(f"{name}_") for each in data[name].dims)


@every_result
def test_it_has_the_option_of_a_format_where_it_holds_arrays_of_its_own(verb, tmp_path):
    result = found(verb)
    assert result.formats == ("format" in {each.name for each in arguments_of(verb.split()[0])})
    if not result.formats:
        with pytest.raises(us.BadInput, match="`format` must be left out"):
            result.save(tmp_path / "run", format="zarr")
        return
    for name, (arrays, coordinates) in files_of(result).items():
        for suffix in (".zarr", ".nc"):
            path = (tmp_path / name).with_suffix(suffix)
            write_labelled(path, arrays, coordinates)
            back = read_arrays(path)
            assert list(back) == list(arrays)
            for label, (_, values) in arrays.items():
                assert back[label].dtype == values.dtype
                np.testing.assert_array_equal(back[label], values)


def test_cells_have_places_and_frames_have_times():
    film = us.simulate("gray-scott", grid=us.Grid((16, 12), 0.5), steps=4, samples=3, save_every=2)
    data = film.to_xarray()
    assert data["frames_v"].dims == ("time", "sample", "y", "x")
    np.testing.assert_array_equal(data["time"], film.ts)
    np.testing.assert_array_equal(data["x"], 0.5 * np.arange(12))
    np.testing.assert_array_equal(data["frames_v"].sel(time=film.ts[1]), film.frames[1, :, 1])


@every_result
def test_it_is_plotted(verb):
    assert isinstance(found(verb).plot(), Figure)


@every_result
def test_results_that_hold_arrays_compare_by_identity(verb):
    result = found(verb)
    assert result == result
    assert hash(result) == hash(result)
    assert result != copy.copy(result)


def test_estimates_say_what_is_known():
    assert Estimate(None).cells()[0] == "not determined"
    assert Estimate.exact(2.0).interval95 == (2.0, 2.0)
    assert Estimate.normal(1.0, 0.1).interval95 == pytest.approx((0.804, 1.196), abs=1e-3)


def test_what_is_not_finite_is_null_in_json():
    assert plain({"a": np.array([1.0, np.nan]), "b": (np.inf, np.int64(3)), "c": us.Status.DEAD}) == {
        "a": [1.0, None], "b": [None, 3], "c": "dead",
    }  # fmt: skip


def test_one_array_is_a_picture():
    assert found("recover").observed == ("u", "v")
    one = us.recover("gray-scott", np.full((16, 16), 0.3))
    assert one.observed == ("v",)
    assert one.message.startswith("taken as v of gray-scott; ")
    assert one.status is us.Status.DEAD
    with pytest.raises(us.BadInput, match=r"`pictures` must be an array \(H, W\)"):
        us.recover("gray-scott", pattern()[1, 0])
