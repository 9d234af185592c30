"""Figures: what they show is what was computed, and what they say is what was found."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from made_films import H, W, film, lopsided
from matplotlib.text import Text
from PIL import Image

from unstill._errors import BadInput
from unstill._types import Status
from unstill.plotting import plot_recovery, plot_states, save_figure
from unstill.plotting.colors import colormap_of, full_limits, robust_limits
from unstill.recovery.result import Estimate, Recovery
from unstill.simulation import Grid
from unstill.systems import GrayScott


def texts(figure):
    return [t.get_text() for t in figure.findobj(Text) if t.get_text() and t.get_visible()]


def recovery(**changes):
    state = lopsided(1)[-1]
    values = {"Du": Estimate.normal(0.16, 1e-4), "Dv": Estimate.normal(0.08, 5e-5)}
    values |= {"F": Estimate.normal(0.035, 1.2e-5), "k": Estimate(0.065, 0.0, (0.065, 0.065))}
    whole = Recovery(
        GrayScott.make(), Grid((H, W)), ("v",), "fixed point", Status.CONVERGED, "The fit explains the picture.",
        values, {}, {"v": 0.001}, 1.2e-6, 1.9, {"v": state[:, 1]}, state,
    )  # fmt: skip
    return dataclasses.replace(whole, **changes)


def pictures(figure):
    return {axes.get_title(loc="left"): axes.images[0] for axes in figure.axes if axes.images}


def test_recovery_figure_says_what_was_found(tmp_path):
    found = recovery()
    later = found.state + 0.5
    figure = plot_recovery(found, later, 10_000)
    shown = pictures(figure)
    assert list(shown) == ["v, observed", "u, hidden: recovered", "v, after 10,000 more time units"]
    assert len(figure.axes) == 6  # three panels with their colour bars
    for title, expected in zip(shown, (found.pictures["v"][0], found.state[0], later[1]), strict=True):
        np.testing.assert_array_equal(shown[title].get_array(), expected)
        assert shown[title].origin == "upper"
    limits = [shown[t].get_clim() for t in shown]
    assert limits[0] == limits[2] == full_limits([found.pictures["v"], later[1]])
    words = texts(figure)
    for word in ("gray-scott from one picture of v: converged", "fixed point. The fit explains the picture.",
                 "0.16000", "0.00010", "0.15980 to 0.16020", "0.035000", "0.000012", "0.065", "fixed",
                 "feed rate, in 1/time"):  # fmt: skip
        assert word in words
    assert any("noise of v: 0.001" in w and "drift 1.2e-06" in w and f"{H} × {W} cells" in w for w in words)
    save_figure(figure, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        np.testing.assert_allclose(image.size, figure.get_size_inches() * 150, atol=1)


def test_recovery_figure_owns_up_to_what_is_not_determined():
    values = recovery().parameters | {"Du": Estimate(None), "Dv": Estimate(None)}
    combined = {"Du/Dv": Estimate.normal(2.0, 0.003)}
    found = recovery(parameters=values, combinations=combined, status=Status.UNIDENTIFIABLE, drift_per_time=None)
    words = texts(plot_recovery(found))
    assert words.count("not determined") == 2
    place = words.index("combinations that the data do determine")
    assert words[place + 1 : place + 5] == ["Du/Dv", "2.0000", "0.0030", "1.9941 to 2.0059"]
    assert "gray-scott from one picture of v: unidentifiable" in words
    assert not any("None" in w or "nan" in w for w in words)


def test_recovery_figure_of_two_observed_fields_and_many_pictures():
    frames = lopsided(3)[-1]
    found = recovery(observed=("u", "v"), pictures={"u": frames[:, 0], "v": frames[:, 1]}, fields=frames)
    figure = plot_recovery(found, frames[0])
    assert list(pictures(figure)) == ["u, observed", "v, observed", "v, set in motion"]
    assert "gray-scott from 3 pictures of u and v: converged" in texts(figure)


def inside(figure):
    """Whether all words lie on the page."""
    figure.draw_without_rendering()
    box = figure.bbox
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            extent = text.get_window_extent()
            if extent.x0 < box.x0 or extent.x1 > box.x1 or extent.y0 < box.y0 or extent.y1 > box.y1:
                return text.get_text()
    return ""


@pytest.mark.parametrize("shape", [(12, 12), (40, 10), (10, 40)])
def test_words_stay_on_the_page(shape):
    state = lopsided(1, shape)[-1]
    found = recovery(grid=Grid(shape), pictures={"v": state[:, 1]}, fields=state, message="A long reason. " * 20)
    assert inside(plot_recovery(found, found.state, 1e4)) == ""
    assert inside(plot_states(film(6, frames=lopsided(6, shape)))) == ""


@pytest.mark.parametrize(
    ("samples", "fields", "expected"),
    [(1, None, 2), (3, None, 3), (3, ["u", "v"], 6), (20, ["u"], 16)],
)
def test_states_figure(samples, fields, expected):
    movie = film(samples)
    figure = plot_states(movie, fields)
    shown = pictures(figure)
    assert len(shown) == expected
    first = (fields or (["u", "v"] if samples == 1 else ["v"]))[0]
    title, image = next(iter(shown.items()))
    assert title.startswith(first)
    assert title.endswith("steady")
    np.testing.assert_array_equal(image.get_array(), movie.state[0, ("u", "v").index(first)])
    heading = next(w for w in texts(figure) if w.startswith("gray-scott"))
    assert "after 500 time units" in heading
    assert ("first 16 of 20 samples" in heading) == (samples == 20)
    colours = {i.get_clim() for t, i in shown.items() if t.startswith(first)}
    assert len(colours) == 1


def test_states_figure_takes_arrays_and_snapshots():
    from unstill.observations import Snapshots

    arrays = {"a": lopsided(2)[-1, :, 0]}
    for states in (arrays, Snapshots(arrays)):
        assert list(pictures(plot_states(states))) == ["a · sample 1", "a · sample 2"]
    assert list(pictures(plot_states(arrays, titles=["x", "y"]))) == ["a · x", "a · y"]
    for states, fields, titles in [(arrays, ["b"], None), (arrays, None, ["x"]), ({}, None, None), (3, None, None)]:
        with pytest.raises(BadInput):
            plot_states(states, fields, titles)


def test_save_figure_refuses_in_one_line(tmp_path):
    figure = plot_states({"v": lopsided(1)[-1, :, 1]})
    (tmp_path / "file").write_text("")
    for name, words in [("x.bmp", r"\.png"), ("file/x.png", "writable")]:
        with pytest.raises(BadInput, match=words):
            save_figure(figure, tmp_path / name)
    assert os.listdir(tmp_path) == ["file"]


def test_colours():
    assert full_limits([np.zeros(4)]) == (0.0, 1.0)
    assert robust_limits([np.full(4, np.nan)]) == (0.0, 1.0)
    assert robust_limits([np.arange(1001.0)])[1] == pytest.approx(999)
    assert colormap_of("v", ("u", "v")) == colormap_of("a", ("a", "b")) != colormap_of("u", ("u", "v"))


def test_importing_the_room_does_not_import_matplotlib():
    code = "import sys, unstill.plotting; sys.exit(any(m in sys.modules for m in ('matplotlib', 'av', 'PIL', 'jax')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
