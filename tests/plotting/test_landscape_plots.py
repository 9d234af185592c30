"""Figures of landscapes and fits: what is drawn is what was measured, and what failed is said."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.analysis import bifurcations
from unstill.plotting.fits import plot_fit
from unstill.plotting.landscapes import plot_landscape
from unstill.systems import GrayScott


def words(figure) -> list[str]:
    """Every text of a figure that is not empty."""
    from matplotlib.text import Text

    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def curve(**changes):
    x = np.linspace(0.02, 0.07, 26)
    losses = 100 * (x - 0.036) ** 2 + 1e-5
    status = np.full(26, "ok", object)
    losses[:2], status[:2] = np.nan, "blow-up"
    losses[-3:], status[-3:] = 0.5, "dead"
    made = SimpleNamespace(
        axes={"F": x}, losses=losses, ends=status, truth={"F": 0.036, "k": 0.06}, path=None, path_names=(),
        curves=None, loss_name="distance of spectra", system=GrayScott(), strategy="bptt",
        sets=[{"F": F, "k": 0.06, "Du": 0.16} for F in x],
    )  # fmt: skip
    vars(made).update(changes)
    return made


def surface(**changes):
    k, F = np.linspace(0.045, 0.065, 21), np.linspace(0.02, 0.06, 17)
    losses = (1000 * ((k[:, None] - 0.06) ** 2 + 0.3 * (F[None] - 0.035) ** 2)) ** 2 + 1e-6
    status = np.full(losses.shape, "ok", object)
    losses[:3, :2], status[:3, :2] = np.nan, "dead"
    made = SimpleNamespace(
        axes={"k": k, "F": F}, losses=losses, ends=status, truth={"F": 0.035, "k": 0.06, "Du": 0.16},
        path=np.array([[0.055, 0.1, 0.05], [0.04, 0.1, 0.055], [0.036, 0.1, 0.0595]]), path_names=("F", "Du", "k"),
        curves=bifurcations.curves(2.0), loss_name="distance of spectra", system=GrayScott(), strategy="bptt",
        sets=[{"F": 0.035, "k": 0.06, "Du": 0.16}],
    )  # fmt: skip
    vars(made).update(changes)
    return made


def test_a_curve_shows_losses_truth_and_failures():
    made = curve()
    figure = plot_landscape(made)
    (axes,) = figure.axes
    seen = words(figure)
    assert axes.get_yscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.stack([made.axes["F"], made.losses], -1))
    assert "truth 0.036" in seen
    assert "dead" in seen
    assert "2 of 26 points without a loss (grey): 2 blow-up" in seen
    assert "F, feed rate (1/time)" in seen
    assert "distance of spectra loss of gray-scott" in seen
    grey = [patch.get_x() for patch in axes.patches]
    np.testing.assert_allclose(grey, [0.019, 0.021])  # half way to the neighbours


def test_a_flat_loss_keeps_a_linear_axis_and_no_footnote():
    x = np.linspace(0, 1, 9)
    made = curve(axes={"F": x}, losses=1 + x, ends=np.full(9, "ok", object), truth=None)
    figure = plot_landscape(made)
    assert figure.axes[0].get_yscale() == "linear"
    assert not any("points without" in text or "truth" in text for text in words(figure))


def test_a_curve_shows_where_an_optimiser_stood():
    made = curve(path=np.array([[1.0, 0.06], [1.0, 0.05], [1.0, 0.04]]), path_names=("Du", "F"))
    figure = plot_landscape(made)
    ticks = next(line for line in figure.axes[0].lines if line.get_marker() == "|")
    np.testing.assert_array_equal(ticks.get_xdata(), [0.06, 0.05, 0.04])
    assert {"start", "end"} <= set(words(figure))


def test_a_map_is_upright_and_in_the_order_of_its_axes():
    made = surface()
    figure = plot_landscape(made)
    axes, bar = figure.axes
    mesh = axes.collections[0]
    values = mesh.get_array()
    assert values.shape == (17, 21)  # rows are F, the second axis
    np.testing.assert_array_equal(values.filled(np.nan), made.losses.T)
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, 0], [0.0445, 0.01875])
    np.testing.assert_allclose(corners[-1, -1], [0.0655, 0.06125])
    assert axes.get_xlabel().startswith("k")
    assert axes.get_ylabel().startswith("F")
    assert bar.get_yscale() == "log"
    star = next(line for line in axes.lines if line.get_marker() == "*")
    np.testing.assert_array_equal(star.get_xydata(), [[0.06, 0.035]])


def test_a_map_shows_path_curves_and_failures():
    made = surface()
    figure = plot_landscape(made)
    seen = words(figure)
    assert {"start", "end", "truth", "saddle-node", "Hopf", "Turing"} <= set(seen)
    assert "6 of 357 points without a loss (grey): 6 dead" in seen
    drawn = [line.get_xydata() for line in figure.axes[0].lines]
    path = made.path[:, [2, 0]]
    assert any(points.shape == path.shape and np.array_equal(points, path) for points in drawn)
    assert any(np.array_equal(points, np.stack(made.curves["Hopf"], -1)) for points in drawn)


def test_a_curve_has_its_name_on_it_and_away_from_the_others():
    made = surface()
    figure = plot_landscape(made)
    figure.canvas.draw()
    axes = figure.axes[0]
    pixels = {name: axes.transData.transform(np.stack(curve, -1)) for name, curve in made.curves.items()}
    names = {text.get_text(): axes.transData.transform(text.get_position()) for text in axes.texts}
    for name in made.curves:
        distance = {other: np.hypot(*(points - names[name]).T).min() for other, points in pixels.items()}
        assert distance.pop(name) < 1e-6
        assert min(distance.values()) > 7  # half the height of a line of 9 points


def test_a_map_names_what_is_dead_with_a_loss():
    made = surface(path=None, curves=None, truth=None)
    made.losses[-4:], made.ends[-4:] = 0.3, "dead"
    seen = words(plot_landscape(made))
    assert "dead" in seen


@pytest.mark.parametrize("fill", [np.nan, 0.5])
def test_a_map_without_any_difference(fill):
    losses = np.full((3, 4), fill)
    status = np.full((3, 4), "dead" if np.isnan(fill) else "ok", object)
    made = surface(axes={"k": np.arange(3.0), "F": np.arange(4.0)}, losses=losses, ends=status, path=None)
    seen = words(plot_landscape(made))
    assert ("12 of 12 points without a loss (grey): 12 dead" in seen) == np.isnan(fill)


def test_a_frozen_dataclass_serves():
    fields = vars(curve())
    frozen = dataclasses.make_dataclass("Landscape", list(fields), frozen=True)(**fields)
    assert plot_landscape(frozen).axes


def rows(count: int = 40):
    made = []
    for i in range(count):
        far = float(np.exp(-i / 6))
        made.append({
            "iteration": i, "loss": far**2, "parameters": {"F": 0.035 + 0.02 * far, "k": 0.06 - 0.01 * far},
            "gradients": {"F": 3 * far, "k": -4 * far}, "rate": 0.1, "seconds": 0.2, "status": "ok",
        })  # fmt: skip
    made[5] |= {"loss": None, "gradients": None, "status": "overflow"}
    return made


def test_a_fit_shows_loss_parameters_and_gradients():
    figure = plot_fit(rows(), {"F": 0.035}, title="a fit")
    loss, F, k, norm, *_ = figure.findobj(lambda artist: hasattr(artist, "get_xscale"))
    y = loss.lines[0].get_ydata()
    assert np.isnan(y[5])
    assert np.nanmax(y) == 1
    assert loss.get_yscale() == "log"
    assert F.lines[0].get_ydata()[0] == pytest.approx(0.055)
    assert list(F.lines[1].get_ydata()) == [0.035, 0.035]
    assert len(k.lines) == 1
    assert norm.lines[0].get_ydata()[0] == pytest.approx(5)
    assert np.isnan(norm.lines[0].get_ydata()[5])
    seen = words(figure)
    assert {"a fit", "| overflow × 1", "truth 0.035", "norm of the gradient", "iteration"} <= set(seen)
    assert f"F = {rows()[-1]['parameters']['F']:.5g}" in seen


@pytest.mark.parametrize("truth", [None, 0.04])
def test_a_fit_that_does_not_move_is_drawn_flat(truth):
    still = [row | {"loss": 2.0 + 1e-12 * i, "parameters": {"F": 0.035 + 1e-9 * i}} for i, row in enumerate(rows(7))]
    loss, F, *_ = plot_fit(still, truth and {"F": truth}).findobj(lambda artist: hasattr(artist, "get_xscale"))
    for axes, value in ((loss, 2.0), (F, 0.035)):
        low, high = axes.get_ylim()
        assert low < 0.999 * value < 1.001 * value < high
    assert truth is None or F.get_ylim()[0] < truth < F.get_ylim()[1]


def test_a_fit_shows_pictures_on_one_scale(rng):
    target, found = rng.random((12, 10)), 3 * rng.random((12, 10))
    figure = plot_fit(rows(7), pictures={"v, target": target, "v, prediction": found})
    from matplotlib.image import AxesImage

    images = figure.findobj(AxesImage)
    np.testing.assert_array_equal(images[0].get_array(), target)
    assert {image.get_clim() for image in images} == {(min(target.min(), found.min()), found.max())}
    assert {"v, target", "v, prediction"} <= set(words(figure))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: plot_landscape(curve(axes={})), "`axes` must be one or two"),
        (lambda: plot_landscape(curve(losses=np.zeros(5))), "`losses`"),
        (lambda: plot_fit([]), "`rows` must hold at least one"),
        (lambda: plot_fit(rows(7), pictures={"v": np.zeros((2, 3, 4))}), "`pictures`"),
    ],
)
def test_bad_input(call, match):
    with pytest.raises(BadInput, match=match):
        call()
