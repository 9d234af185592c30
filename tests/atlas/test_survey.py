"""Atlases: the same map whatever way it is made, kept whole, read again, asked for neighbours."""

import json
import re
import sys

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import unstill as us
from unstill.atlas.cells import REGIMES, Cell, look_at, thumbnail
from unstill.atlas.design import lay_out
from unstill.atlas.threads import in_threads

OVER = {"F": np.linspace(0.03, 0.06, 3), "k": np.linspace(0.045, 0.062, 3)}
CALL = {"preset": "pearson", "over": OVER, "grid": us.Grid((24, 24)), "time": 3000.0, "samples": 2, "seed": 3}


@pytest.fixture(scope="module")
def atlas():
    return us.survey("gray-scott", **CALL)


def test_every_cell_is_what_it_is_alone(atlas):
    assert atlas.values["regime"].shape == (3, 3, 2)
    assert atlas.dims == ("F", "k", "sample")
    for i, j, sample in ((0, 2, 1), (2, 0, 0)):
        row = look_at(atlas.setting, Cell({"F": float(OVER["F"][i]), "k": float(OVER["k"][j])}, sample))
        for name, values in row.items():
            assert np.array_equal(atlas.values[name][i, j, sample], values, equal_nan=True), name


def test_it_says_what_classify_says(atlas):
    system = us.GrayScott.make("pearson", F=float(OVER["F"][1]), k=float(OVER["k"][2]))
    found = us.classify(system, grid=us.Grid((24, 24)), time=3000.0, seed=3)
    assert REGIMES[atlas.values["regime"][1, 2, 0]] is found.regimes[0]
    assert atlas.values["mean"][1, 2, 0] == pytest.approx(found.findings[0].means, rel=1e-12)


def test_one_thread_makes_the_same_map(atlas, monkeypatch):
    monkeypatch.setenv("UNSTILL_THREADS", "1")
    again = us.survey("gray-scott", **CALL)
    assert all(np.array_equal(again.values[name], atlas.values[name], equal_nan=True) for name in atlas.values)


def test_an_interrupted_survey_goes_on_to_the_same_map(atlas, tmp_path):
    kept = us.Checkpoint(tmp_path)

    def stop(done, total, entry):
        if done >= 6:
            raise KeyboardInterrupt

    partly = us.survey("gray-scott", **CALL, progress=stop, resume=kept)
    assert partly.interrupted
    seen = partly.values["regime"] >= 0
    assert 6 <= seen.sum() < seen.size
    assert np.array_equal(partly.values["regime"][seen], atlas.values["regime"][seen])
    partly.save(tmp_path / "partly")
    assert us.Atlas.open(tmp_path / "partly").interrupted
    done = []
    whole = us.survey("gray-scott", **CALL, progress=lambda now, total, entry: done.append(now), resume=kept)
    assert done[0] > 6  # what was kept is not done again
    assert all(np.array_equal(whole.values[name], atlas.values[name], equal_nan=True) for name in atlas.values)


def test_a_checkpoint_of_another_call_is_refused(tmp_path):
    def stop(done, total, entry):
        raise KeyboardInterrupt

    kept = us.Checkpoint(tmp_path)
    us.survey("gray-scott", **CALL, progress=stop, resume=kept)
    for other in ({**CALL, "seed": 4}, {**CALL, "time": 4000.0}, {**CALL, "samples": 1}):
        with pytest.raises(us.BadInput, match="`resume` must hold an interrupted call like this one"):
            us.survey("gray-scott", **other, resume=kept)
    kept = us.Checkpoint(tmp_path / "c")
    us.classify("gray-scott", grid=us.Grid((16, 16)), time=2000, samples=2, progress=stop, resume=kept)
    with pytest.raises(us.BadInput, match="`resume` must hold an interrupted call like this one"):
        us.classify("gray-scott", grid=us.Grid((16, 16)), time=3000, samples=2, resume=kept)


def test_a_setting_travels_to_another_process(tmp_path):
    """That of a user's file by the file's name: its module is known here alone."""
    import pickle
    import subprocess

    file = tmp_path / "mine.py"
    file.write_text(
        "import unstill as us\n\n\nclass Mine(us.Brusselator):\n    name = 'mine'\n", encoding="utf-8"
    )  # fmt: skip
    atlas = us.survey(f"{file}:Mine", over={"b": [1.0, 1.5]}, grid=us.Grid((8, 8)), time=40.0)
    (tmp_path / "setting").write_bytes(pickle.dumps(atlas.setting))
    code = f"import pickle; print(pickle.load(open({str(tmp_path / 'setting')!r}, 'rb')).cls.name)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "mine\n"


def test_one_parameter_without_order_comes_back_so(tmp_path):
    atlas = us.survey(
        "gray-scott", over={"F": (0.03, 0.06)}, design="sobol", points=2, grid=us.Grid((16, 16)), time=2000
    )
    atlas.save(tmp_path / "a")
    again = us.Atlas.open(tmp_path / "a")
    assert again.dims == ("point", "sample")
    assert np.array_equal(again.design.values["F"], atlas.design.values["F"])


def test_curves_of_linear_theory_for_any_system(tmp_path):
    """Brusselator: Hopf at b = 1 + a², Turing at b = (1 + a√(Du/Dv))²."""
    over = {"a": np.linspace(1.0, 3.0, 2), "b": np.linspace(1.5, 8.0, 2)}
    atlas = us.survey("brusselator", over=over, grid=us.Grid((8, 8)), time=40.0)
    b, a = atlas.curves["Hopf"]
    seen = np.isfinite(a)
    assert b[seen] == pytest.approx(1 + a[seen] ** 2, abs=1e-8)
    b, a = atlas.curves["Turing"]
    seen = np.isfinite(a)
    ratio = np.sqrt(atlas.setting.fixed["Du"] / atlas.setting.fixed["Dv"])
    assert b[seen] == pytest.approx((1 + a[seen] * ratio) ** 2, abs=1e-8)
    atlas.save(tmp_path / "a")
    again = us.Atlas.open(tmp_path / "a").curves["Hopf"]
    assert np.array_equal(again[0], atlas.curves["Hopf"][0], equal_nan=True)


def test_it_is_read_again_as_it_was_written(atlas, tmp_path):
    atlas.save(tmp_path / "a")
    again = us.Atlas.open(tmp_path / "a")
    assert again.to_dict() == atlas.to_dict()
    assert again.design.axes.keys() == atlas.design.axes.keys()
    assert again.values.keys() == atlas.values.keys()
    for name, values in atlas.values.items():
        assert np.array_equal(again.values[name], values, equal_nan=True), name
        assert again.values[name].dtype == values.dtype, name


def test_xarray_opens_the_store(atlas, tmp_path):
    xarray = pytest.importorskip("xarray")
    atlas.save(tmp_path / "a")
    with xarray.open_zarr(tmp_path / "a" / "atlas.zarr", consolidated=False) as data:
        assert data["regime"].dims == ("F", "k", "sample")
        assert data["mean"].dims == ("F", "k", "sample", "field")
        assert np.array_equal(data["F"], OVER["F"])
        assert data.attrs["regimes"][int(data["regime"][0, 0, 0])] == str(REGIMES[atlas.values["regime"][0, 0, 0]])
    labelled = atlas.to_xarray()
    assert list(labelled["field"].values) == ["u", "v"]


def test_a_design_without_a_grid(tmp_path):
    call = {**CALL, "over": {"F": (0.03, 0.06), "k": (0.045, 0.06), "Dv": (0.08, 0.1)}, "samples": 1}
    atlas = us.survey("gray-scott", **call, design="sobol", points=4)
    assert atlas.dims == ("point", "sample")
    assert atlas.values["regime"].shape == (4, 1)
    for name, (low, high) in call["over"].items():
        assert ((atlas.design.values[name] >= low) & (atlas.design.values[name] <= high)).all()
    atlas.save(tmp_path / "a")
    again = us.Atlas.open(tmp_path / "a")
    assert not again.design.axes
    assert np.array_equal(again.design.values["Dv"], atlas.design.values["Dv"])


def test_designs_fill_the_ranges():
    over = {"F": (0.0, 0.1), "k": (0.0, 0.05)}
    for kind in ("sobol", "latin"):
        laid = lay_out(us.GrayScott, over, kind, 16, 0)
        for name, (low, high) in over.items():
            counts, _ = np.histogram(laid.values[name], bins=16, range=(low, high))
            assert (counts == 1).all(), (kind, name)  # one point in each sixteenth


def test_a_state_is_kept_where_it_is_asked_for():
    atlas = us.survey("gray-scott", **{**CALL, "samples": 1}, keep_states=True)
    assert atlas.values["state"].shape == (3, 3, 1, 2, 24, 24)
    assert atlas.values["state"].mean((-2, -1)) == pytest.approx(atlas.values["mean"], abs=1e-5)


def test_a_picture_of_the_atlas_is_its_own_neighbour():
    over = {"F": [0.04, 0.06], "k": [0.0585, 0.062]}
    atlas = us.survey("gray-scott", **{**CALL, "over": over, "samples": 1, "seed": 0}, keep_states=True)
    patterned = np.argwhere(np.isin(atlas.values["regime"], [REGIMES.index(us.Regime(r)) for r in ("slow", "steady")]))
    assert len(patterned) >= 2
    for i, j, sample in patterned:
        found = atlas.nearest(atlas.values["state"][i, j, sample, 1], count=2)
        assert found.values["F"][0] == over["F"][i]
        assert found.values["k"][0] == over["k"][j]
        assert found.distances[0] < 1e-3  # states are kept in single precision
        assert found.regimes[0] == str(REGIMES[atlas.values["regime"][i, j, sample]])


def test_ctrl_c_while_curves_are_drawn_keeps_the_map(monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["unstill.atlas.survey"], "curves_of", stop)
    atlas = us.survey("gray-scott", over={"F": [0.03, 0.06], "k": [0.05, 0.06]}, grid=us.Grid((16, 16)), time=2000)
    assert atlas.status is us.Status.CONVERGED
    assert (atlas.values["regime"] >= 0).all()
    assert not atlas.curves
    assert "linear theory draws no curve here" in atlas.summary()


def test_a_picture_of_nothing_like_it(rng):
    shipped = us.Atlas.open("gray-scott")
    assert shipped.nearest(np.full((24, 24), 0.2)).status is us.Status.DEAD
    smooth = gaussian_filter(rng.standard_normal((128, 128)), 3, mode="wrap")
    board = np.kron(np.indices((16, 16)).sum(0) % 2, np.ones((8, 8)))
    for nonsense in (5 + rng.standard_normal((24, 24)), 0.15 + 0.1 * smooth / smooth.std(), 0.3 * board):
        found = shipped.nearest(nonsense)
        assert found.status is us.Status.NO_FIT
        assert "standard deviations away" in found.message


@pytest.mark.parametrize(("F", "k", "regime"), [(0.018, 0.0515, "chaotic"), (0.05, 0.063, "slow")])
def test_a_pattern_that_the_shipped_atlas_has_not_seen(F, k, regime):
    """Another initial state, seed, box and point between its own."""
    film = us.simulate(
        us.GrayScott.make("pearson", F=F, k=k), grid=us.Grid((64, 64)), steps=12_000, init="discs", seed=5
    )
    found = us.Atlas.open("gray-scott").nearest(film["v"][0])
    assert found.status is us.Status.CONVERGED
    assert set(found.regimes) >= {regime}
    assert found.message.startswith(regime)


def test_the_page_needs_nothing_else(atlas):
    (text,) = atlas.texts().values()
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)
    assert "{{" not in text
    told = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    assert told["regime"] == atlas.values["regime"].ravel().tolist()
    assert set(told["curves"]) <= {"saddle-node", "Hopf", "Turing"}
    assert len(told["points"]["F"]) == 9


def test_a_thumbnail_keeps_the_mean(rng):
    field = rng.standard_normal((100, 64))
    assert thumbnail(field).shape == (32, 32)
    assert thumbnail(field[:96]).astype(float).mean() == pytest.approx(field[:96].mean(), abs=2e-3)
    assert thumbnail(field[:24, :24]).shape == (32, 32)


def test_threads_tell_who_failed():
    def half(x):
        return 1 / x

    with pytest.raises(ZeroDivisionError):
        list(in_threads(half, [1, 0, 2]))
    assert dict(in_threads(half, [1, 2, 4])) == {0: 1, 1: 0.5, 2: 0.25}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"over": {}}, "`over` must name parameters and their ranges"),
        ({"over": {"g": [0.1, 0.2]}}, "`over` must name parameters of gray-scott"),
        ({"over": {"F": [0.1, 0.05]}}, "`over` must be LOW:HIGH:COUNT, or two values or more, rising"),
        ({"over": {"F": [0.1]}}, "`over` must be LOW:HIGH:COUNT, or two values or more, rising"),
        ({"set": {"F": 0.1}}, "`set` must not name what varies"),
        ({"points": 4}, "`points` must be left out"),
        ({"design": "sobol"}, "`points` must say how many points a sobol design has"),
        ({"design": "hexagons"}, "`design` must be grid, sobol or latin"),
        ({"init": "spiral"}, "`init` must be one of"),
        ({"time": 10.0}, "`time` must be at least 2000 steps of dt"),
        ({"dt": 5.0}, "`dt` must be below the stability limit"),
        ({"over": {"F": [0.03, 0.04], "area": [0.0, 1.0]}}, "`over` must name parameters of gray-scott"),
        ({"preset": "mazes"}, "`preset` must be a preset of gray-scott"),
        ({"over": {"F": [0.1, 0.7]}}, "F"),
    ],
)
def test_wrong_calls(change, told):
    with pytest.raises(us.BadInput, match=re.escape(told)):
        us.survey("gray-scott", **{**CALL, **change})


def test_a_system_without_space_has_no_regimes_here():
    with pytest.raises(us.BadInput, match="`system` must be a reaction–diffusion system"):
        us.survey("lorenz", over={"rho": [1.0, 2.0]})
    with pytest.raises(us.BadInput, match=r"`dynamics` must be a reaction–diffusion system"):
        us.classify("lorenz")


def test_the_shipped_atlas_knows_the_regimes_of_pearson():
    """Rows of the reference table, by the nearest point of the map: `slow` there is the table's steady."""
    shipped = us.Atlas.open("gray-scott")
    assert shipped.values["regime"].shape == (32, 32, 1)
    for F, k, regime in ((0.018, 0.051, "chaotic"), (0.037, 0.060, "slow"), (0.0545, 0.062, "slow")):
        i, j = (int(np.abs(shipped.design.axes[name] - value).argmin()) for name, value in (("F", F), ("k", k)))
        near = shipped.values["regime"][i - 1 : i + 2, j - 1 : j + 2].ravel().tolist()
        assert REGIMES.index(us.Regime(regime)) in near, (F, k)


@pytest.mark.parametrize("damage", ["missing", "no result", "cut", "other arrays"])
def test_a_damaged_folder_is_told(atlas, tmp_path, damage):
    import shutil

    atlas.save(tmp_path / "a")
    if damage == "missing":
        shutil.rmtree(tmp_path / "a" / "atlas.zarr")
    elif damage == "no result":
        (tmp_path / "a" / "result.json").unlink()
    elif damage == "cut":
        (tmp_path / "a" / "atlas.zarr" / "regime" / "zarr.json").write_text("{")
    else:
        shutil.rmtree(tmp_path / "a" / "atlas.zarr" / "period")
    with pytest.raises(us.BadInput, match="`path` must be a"):
        us.Atlas.open(tmp_path / "a")
