"""What stands where on a page, and the words beside it."""

import math

import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.observations.points import Points
from unstill.plotting.arrangement import best_columns, places
from unstill.plotting.dots import DOTS, axis_names, heap_name, pair, some
from unstill.plotting.figures import dot_of_one, draw_field, dress, new_figure, rendered, shrink
from unstill.plotting.labels import number, pick_field, sample_values, split_labels
from unstill.systems import GrayScott, Lorenz


@pytest.mark.parametrize(("count", "aspect", "columns"), [(1, 1, 1), (4, 1, 2), (5, 1, 3), (6, 1, 3), (12, 1, 4),
                                                          (3, 6, 1), (4, 0.2, 4), (9, 1, 3)])  # fmt: skip
def test_pages_are_a_little_wider_than_high(count, aspect, columns):
    assert best_columns(count, aspect) == columns


@pytest.mark.parametrize("count", range(1, 30))
@pytest.mark.parametrize("columns", range(1, 7))
def test_places_are_rows_in_order_with_the_last_in_the_middle(count, columns):
    found = places(count, columns)
    rows = [row for row, _ in found]
    assert rows == [i // columns for i in range(count)]
    for row in range(math.ceil(count / columns)):
        across = [column for r, column in found if r == row]
        assert np.diff(across).tolist() == [1] * (len(across) - 1)
        assert across[0] + across[-1] == columns - 1  # in the middle


def test_the_field_that_is_shown():
    assert pick_field(("u", "v"), None) == "v"
    assert pick_field(("a", "h"), None) == "a"
    assert pick_field(("u", "v"), "u") == "u"
    with pytest.raises(BadInput, match="Known: u, v"):
        pick_field(("u", "v"), "q")


def test_labels_take_the_scalar_parameters_of_each_sample():
    many = GrayScott.make().with_values(F=np.array([0.02, 0.03, 0.04]))
    assert [each["F"] for each in sample_values(many, 3)] == [0.02, 0.03, 0.04]
    assert [each["k"] for each in sample_values(many, 3)] == [many.values()["k"]] * 3
    assert sample_values(object(), 2) == [{}, {}]
    assert "F" not in sample_values(many, 2)[0]  # three values for two samples belong to no panel
    assert sample_values(Lorenz.make(), 1)[0]["rho"] == 28


def test_what_is_missing_in_one_sample_tells_it_apart():
    assert split_labels([{"a": 1.0, "b": 2.0}, {"b": 2.0}]) == (["a=1", ""], "b=2")
    assert split_labels([]) == ([], "")
    assert split_labels([{"a": 1.0}]) == ([""], "a=1")


@pytest.mark.parametrize(
    ("value", "told"),
    [(12500, "12,500"), (0.25, "0.25"), (1 / 3, "0.3333"), (1e4 + 0.4, "10,000"), (3.0, "3"), (-2.5, "-2.5"), (0, "0")],
)
def test_numbers_for_the_eye(value, told):
    assert number(value) == told


def test_dots_do_not_depend_on_the_order_of_the_heap(rng):
    x = rng.standard_normal((DOTS + 500, 2))
    first, second = some(Points(x)), some(Points(rng.permutation(x)))
    np.testing.assert_array_equal(first, second)
    assert len(first) == DOTS
    assert {tuple(row) for row in first} <= {tuple(row) for row in x}
    assert len(some(Points(x[:40]))) == 40


def test_axes_are_named_by_what_is_drawn():
    assert pair(3) == (0, 2)
    assert axis_names(("x", "y", "z"), (0, 2)) == ("x", "z")
    assert axis_names(("x",), (0, 0)) == ("x", "points")
    assert heap_name(Points(np.eye(3)[:, :2] + [[0, 0], [0.1, 0], [0, 0.3]], source="runs/far/heap.npz/")) == "heap.npz"
    assert heap_name(Points(np.array([[0.0], [1.0], [3.0]]))) == "points"


def test_words_that_are_too_long_become_smaller_and_others_stay():
    figure = new_figure(3, 1)
    long, short = figure.text(0, 0.5, "a very long title " * 9, fontsize=11), figure.text(0, 0, "short", fontsize=11)
    for words in (long, short):
        shrink(words, 250)
    assert long.get_fontsize() < 11
    assert long.get_window_extent().width <= 255
    assert short.get_fontsize() == 11


def test_a_drawn_field_is_upright_and_counts_its_cells():
    figure = new_figure(4, 4)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    field = np.arange(12.0).reshape(3, 4)
    image = draw_field(axes, field, "v", limits=(0, 11), colormap="gray")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "4 cells"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "3"]
    assert axes.get_ylim() == (2.5, -0.5)  # row 0 is at the top
    assert image.get_clim() == (0, 11)
    pixels = rendered(figure)
    left, low, right, high = (round(v) for v in axes.get_window_extent().extents)
    corners = pixels[[-high + len(pixels) + 9, len(pixels) - low - 9], [left + 9, right - 9], 0]
    assert corners.tolist() == [0, 255]


def test_panels_that_are_no_pictures_share_one_style():
    axes = new_figure(3, 3).add_subplot()
    dress(axes, "a $title$", "time", "λ₁")
    assert axes.get_title(loc="left") == "a $title$"  # no mathematics in the names of files and parameters
    assert [side for side, spine in axes.spines.items() if spine.get_visible()] == ["left", "bottom"]
    assert axes.yaxis.label.get_rotation() == 0
    dress(axes, "t", "x", "a longer name")
    assert dot_of_one(np.zeros(1)) == "o"
    assert dot_of_one(np.zeros(2)) is None
