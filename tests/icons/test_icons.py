"""Heaps of icons: places and angles against their distributions, pictures against turns of themselves, refusals."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image
from scipy import stats

import unstill as us
from unstill._errors import BadInput
from unstill.files.heaps import is_pictures, load_pictures
from unstill.icons import ICONS, draw_icons
from unstill.icons.icon import Icon, find_icon
from unstill.icons.painting import lay, paint
from unstill.icons.placing import place_discs, torus_distance
from verbs_arguments import run_verb

DOCS = Path(__file__).parents[2] / "docs"
BLACK = np.zeros(3, np.float32)
every_icon = pytest.mark.parametrize("name", ICONS)


def one(icon: Icon, place, angle: float, size: int = 64) -> np.ndarray:
    """One icon on black."""
    return paint(icon, np.array([[place]], float), np.array([[angle]], float), BLACK, size=size)[0]


def png(path, pixels: np.ndarray, mode: str):
    Image.fromarray(pixels.astype(np.uint8), mode).save(path)
    return path


def square(alpha: bool) -> np.ndarray:
    """A red rectangle on white, 20 × 30; transparent around it, or not."""
    pixels = np.full((20, 30, 4 if alpha else 3), 255)
    pixels[5:15, 8:24, :3] = 220, 30, 10
    if alpha:
        pixels[..., 3] = 0
        pixels[5:15, 8:24, 3] = 255
    return pixels


# --- places and angles ------------------------------------------------------------------------------------------------


@every_icon
def test_circles_do_not_overlap_on_the_torus(name):
    found = draw_icons(name, count=8, size=64, samples=20, icon_size=9, seed=2)
    apart = torus_distance(found.places[:, :, None] - found.places[:, None], 64)
    assert apart[:, ~np.eye(8, dtype=bool)].min() >= 2 * found.icon.radius


def test_the_torus_is_measured_the_shorter_way_round():
    assert torus_distance(np.array([[63.0, 0.0], [0.0, 33.0], [30.0, 40.0]]), 64) == pytest.approx(
        [1, 31, np.hypot(30, 24)]
    )


@every_icon
def test_icons_leave_their_pixels_to_themselves(name):
    """Painted alone and summed, or together: the same, since no pixel has ink of two."""
    found = draw_icons(name, count=6, size=64, samples=2, icon_size=10, seed=4)
    for picture, places, angles in zip(found.pictures, found.places, found.angles, strict=True):
        alone = [one(found.icon, place, angle) for place, angle in zip(places, angles, strict=True)]
        assert (np.sum([a.max(0) > 0 for a in alone], 0) <= 1).all()
        np.testing.assert_allclose(picture, np.sum(alone, 0), atol=1e-6)


def test_places_and_angles_are_uniform():
    found = draw_icons("dot", count=5, size=32, samples=800, icon_size=4, seed=7)
    for values in (found.places[..., 0] / 32, found.places[..., 1] / 32, found.angles / (2 * np.pi)):
        assert values.min() >= 0
        assert values.max() < 1
        # Each icon of its own, since within a picture they are not independent; 15 tests at a level of .01 together.
        assert min(stats.kstest(values[:, i], "uniform").pvalue for i in range(5)) > 0.01 / 15


def test_angles_know_nothing_of_places_or_of_each_other():
    found = draw_icons("dot", count=3, size=32, samples=1500, icon_size=4, seed=8)
    turned = np.exp(1j * found.angles)
    assert np.abs((turned[:, 0] * turned[:, 1].conj()).mean()) < 4 / np.sqrt(1500)
    row = np.exp(2j * np.pi * found.places[:, 0, 0] / 32)
    assert np.abs((turned[:, 0] * row.conj()).mean()) < 4 / np.sqrt(1500)


def test_two_discs_lie_as_random_sequential_addition_says():
    """The second is uniform outside of a circle about the first: P(distance ≤ r) = π(r² − d²)/(L² − πd²) up to L/2."""
    size, radius, rng = 20, 3.0, np.random.default_rng(5)
    places = np.array([place_discs(rng, 2, radius, size)[0] for _ in range(4000)])
    apart = torus_distance(places[:, 0] - places[:, 1], size)
    for r in (7.0, 8.5, 10.0):
        expected = np.pi * (r**2 - 36) / (size**2 - 36 * np.pi)
        assert (apart <= r).mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))


def test_the_first_pictures_are_the_same_however_many_there_are():
    few, many = (draw_icons("arrow", count=4, size=48, samples=n, seed=3) for n in (3, 7))
    for name in ("pictures", "places", "angles"):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:3])
    other = draw_icons("arrow", count=4, size=48, samples=3, seed=4)
    assert not np.array_equal(few.places, other.places)
    assert len(np.unique(many.places[:, 0, 0])) == 7


def test_fewer_icons_are_the_first_of_more():
    few, more = (draw_icons("dot", count=n, size=48, samples=2, seed=3) for n in (2, 5))
    np.testing.assert_array_equal(few.places, more.places[:, :2])


# --- pictures ---------------------------------------------------------------------------------------------------------


@every_icon
def test_a_whole_turn_changes_nothing(name):
    icon = find_icon(name, 16, None)
    np.testing.assert_allclose(one(icon, (31.3, 20.8), 2 * np.pi), one(icon, (31.3, 20.8), 0.0), atol=1e-5)


@every_icon
@pytest.mark.parametrize("size", [12, 16, 24])
def test_ink_is_conserved_by_turns_and_shifts(name, size, rng):
    icon = find_icon(name, size, None)
    ink = [one(icon, rng.uniform(0, 64, 2), angle).sum() for angle in np.linspace(0, 2 * np.pi, 25)]
    assert np.ptp(ink) < 0.01 * np.mean(ink)
    whole = icon.layers[:3].sum() / 16  # 4 × 4 points a pixel
    assert np.mean(ink) == pytest.approx(whole, rel=2e-3)


@every_icon
def test_a_quarter_turn_is_that_of_the_picture_counter_clockwise(name):
    icon = find_icon(name, 16, None)
    upright, turned = (one(icon, (31, 31), angle, size=63) for angle in (0.0, np.pi / 2))
    np.testing.assert_allclose(turned, np.rot90(upright, axes=(1, 2)), atol=1e-5)


def test_the_arrow_points_where_its_angle_says():
    icon, angle = find_icon("arrow", 20, None), 0.7
    picture = one(icon, (32, 32), angle)[2].astype(float)
    down, right = (np.arange(64) - 32) @ picture.sum(1), (np.arange(64) - 32) @ picture.sum(0)
    assert np.arctan2(-down, right) == pytest.approx(angle, abs=0.02)  # its head is heavier than its tail


def test_shifts_by_pixels_wrap():
    icon = find_icon("crooked-bug", 16, None)
    there = one(icon, (62.25, 3.5), 1.0)
    np.testing.assert_allclose(there, np.roll(one(icon, (30.25, 33.5), 1.0), (32, -30), (1, 2)), atol=1e-5)


SYMMETRIC = {"dot": True, "two-dots": True, "yin-yang": False, "bug": True, "crooked-bug": False, "arrow": True}


@every_icon
def test_drawings_have_the_symmetries_that_they_name(name):
    painted = ICONS[name].painted(128)
    assert np.allclose(painted, painted[::-1], atol=1e-9) is SYMMETRIC[name]
    assert 0.1 < painted[..., 3].mean() < 0.75
    assert not painted[[0, -1]].any()
    assert not painted[:, [0, -1]].any()


def test_nothing_lies_beyond_the_circle():
    icon = find_icon("bug", 16, None)
    across = np.linspace(-2, 2, 401) * icon.radius
    alpha = icon.stamp(icon.layers, across, across, 0.4)[3]
    assert not alpha[np.hypot.outer(across, across) > icon.radius].any()
    assert alpha.max() > 0.99


def test_grounds_and_grey():
    grey = draw_icons("yin-yang", count=2, size=48, samples=2, colour="grey", ground="#ff8800", seed=1)
    full = draw_icons("yin-yang", count=2, size=48, samples=2, ground="#ff8800", seed=1)
    assert grey.names == ("ink",)
    np.testing.assert_allclose(
        grey.pictures[:, 0], np.tensordot(full.pictures, [0.299, 0.587, 0.114], (1, 0)), atol=1e-6
    )
    np.testing.assert_allclose(full.pictures[0, :, 0, 0], [1, 0x88 / 255, 0], atol=1e-6)
    assert full.pictures.dtype == np.float32
    assert 0 <= full.pictures.min() <= full.pictures.max() <= 1


def test_laying_over_a_ground_mixes_by_alpha():
    half = np.zeros((9, 9, 4))
    half[2:7, 2:7] = 1, 1, 1, 0.5
    icon, picture = find_icon(half, 12, None), np.full((3, 40, 40), 0.2, np.float32)
    lay(picture, icon, icon.layers, np.array([20.0, 20.0]), 0.0)
    np.testing.assert_allclose(picture[:, 20, 20], 0.6, atol=1e-6)


# --- icons of one's own -----------------------------------------------------------------------------------------------


def test_a_png_with_alpha_and_one_with_a_background_are_the_same_icon(tmp_path):
    clear = find_icon(png(tmp_path / "clear.png", square(True), "RGBA"), 12, None)
    white = find_icon(png(tmp_path / "white.png", square(False), "RGB"), 12, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(clear.layers, white.layers, atol=1e-6)
    rows, columns = (np.ptp(np.flatnonzero(clear.layers[3].max(axis) > 0.5)) + 1 for axis in (1, 0))
    assert columns == 48  # 12 pixels along the longer side
    assert rows == 30
    assert np.array([220, 30, 10]) / 255 == pytest.approx(clear.layers[:3, clear.layers.shape[1] // 2, 30], abs=1e-5)


def test_palettes_and_grey_with_alpha_are_read(tmp_path):
    grey = np.stack([np.full((8, 8), 200), np.tile([0, 255], (8, 4))], -1)
    assert find_icon(png(tmp_path / "la.png", grey, "LA"), 4, None).layers[3].max() > 0.3
    image = Image.fromarray(square(False).astype(np.uint8)).quantize(4)
    image.save(tmp_path / "p.png", transparency=image.getpixel((0, 0)))
    clear = find_icon(tmp_path / "p.png", 12, None)
    assert clear.layers[3, 0].max() == 0


def test_icons_that_are_refused(tmp_path):
    opaque = png(tmp_path / "opaque.png", square(False), "RGB")
    clear = png(tmp_path / "clear.png", square(True), "RGBA")
    full = np.dstack([square(False), np.full((20, 30), 255)])
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "cut.png").write_bytes(clear.read_bytes()[:60])
    for icon, background, words in (
        (opaque, None, r"`icon` must have an alpha channel .*opaque.png.*background=white"),
        (png(tmp_path / "full.png", full, "RGBA"), None, "must have an alpha channel with transparent pixels"),
        (opaque, "blue", "`background` must be a colour of the icon"),
        (opaque, "blau", "`background` must be a colour, by name or as"),
        (clear, "white", "`background` must be left out"),
        ("dot", "white", "`background` must be left out"),
        (tmp_path / "none.png", None, "`icon` must be an existing PNG"),
        ("arow", None, "`icon` must be a known drawing.*Did you mean arrow"),
        (tmp_path / "deep.png", None, "`icon` must not be a 16-bit PNG"),
        (tmp_path / "cut.png", None, "`icon` must be a whole .png file"),
        (np.zeros((5, 5, 4)), None, "must have a pixel that is not transparent"),
        (np.zeros((5, 5)), None, r"must have the shape \(H, W, 3\)"),
        (np.full((5, 5, 4), 7.0), None, r"floating numbers in \[0, 1\]"),
    ):
        with pytest.raises(BadInput, match=words):
            draw_icons(icon, count=1, size=32, samples=1, background=background)


def test_an_icon_that_vanishes_is_refused():
    specks = np.zeros((1000, 1000, 4))
    specks[[0, -1], [0, -1]] = 1
    with pytest.raises(BadInput, match="`icon_size` must leave something of the icon"):
        draw_icons(specks, count=1, icon_size=16)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 32, "icon_size": 32}, "`icon_size` must be below the 32 pixels of `size`"),
        ({"size": 32, "icon_size": 30}, "`icon_size` must leave the icon's circle below"),
        ({"size": 7}, "`size` must be at least 8"),
        ({"size": 64, "count": 60}, "`count` must fit without overlap; got 60, where not even the area"),
        (
            {"size": 64, "count": 26},
            r"`count` must .* of which \d+ fitted into picture 0, and 10,000 tries .*Take fewer",
        ),
        ({"samples": 10**9}, "`samples` must make at most"),
        ({"ground": "blakc"}, "`ground` must be a colour"),
        ({"colour": "red"}, "`colour` must be rgb or grey"),
    ],
)
def test_heaps_that_are_refused(options, words):
    with pytest.raises(BadInput, match=words):
        draw_icons("dot", **options)


# --- the verb ---------------------------------------------------------------------------------------------------------


def test_the_verb_writes_pictures_that_the_readers_of_heaps_take(tmp_path, capsys):
    icon = png(tmp_path / "red.png", square(True), "RGBA")
    words = (icon, "--count", 3, "--size", 32, "--samples", 5, "--seed", 9, "--out", tmp_path / "run", "--quiet")
    assert run_verb("alife", words) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    jsonschema.validate(result, json.loads((DOCS / "schemas" / "alife.json").read_text()))
    drawn = us.draw_icons(icon, count=3, size=32, samples=5, seed=9)
    assert result | {"seconds": 0} == drawn.to_dict() | {"seconds": 0}
    assert is_pictures(str(tmp_path / "run"))
    fields, grid, ordered, told = load_pictures([str(tmp_path / "run")], "", None, None, None)
    assert (grid.shape, grid.dx, grid.boundary, ordered, told) == ((32, 32), 1.0, "periodic", None, "")
    for name, pictures in drawn.fields.items():
        np.testing.assert_array_equal(fields[name], pictures)
    with np.load(tmp_path / "run" / "places.npz") as truth:
        np.testing.assert_array_equal(truth["places"], drawn.places)
        np.testing.assert_array_equal(truth["angles"], drawn.angles)
    assert (tmp_path / "run" / "icons.png").stat().st_size > 10_000
    assert run_verb("alife", ()) == 0
    assert "crooked-bug" in capsys.readouterr().out


def test_grey_heaps_are_one_field_ink(tmp_path):
    out = tmp_path / "run"
    words = ("arrow", "--count", 2, "--size", 32, "--samples", 3, "--colour", "grey", "--out", out, "--quiet")
    assert run_verb("alife", words) == 0
    assert list(us.load(out).fields) == ["ink"]
    told = []
    draw_icons("dot", count=1, size=32, samples=3, progress=lambda *facts: told.append(facts))
    assert told == [(3, 3, {})]


def test_a_heap_shows_itself_in_one_line():
    found = draw_icons("dot", count=2, size=32, samples=4)
    assert repr(found).startswith("DrawnIcons, 4 pictures 32 × 32 of r, g, b, each of 2 × dot of 4 pixels: ")
    assert len(repr(found).splitlines()) == 1
    assert found.coverage == pytest.approx(2 * np.pi * found.icon.radius**2 / 32**2)
