"""Colours back to values: named and unknown palettes, noise, JPEG, enlargement, and what is no palette."""

import io

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import LightSource, LinearSegmentedColormap
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from unstill import BadInput
from unstill.files import load
from unstill.files.named_palettes import named_curve
from unstill.files.painted import decode_pictures
from unstill.files.palettes import decode
from unstill.files.upscaling import native_size

NAMED = (
    "viridis", "plasma", "inferno", "magma", "cividis", "turbo", "jet", "hot", "coolwarm", "RdBu", "Spectral", "bone",
    "copper", "afmhot", "cubehelix", "seismic", "bwr", "YlGnBu", "gist_stern",
)  # fmt: skip
STOPS = [(0, "#000033"), (0.33, "#00ff00"), (0.35, "#ffff00"), (0.66, "#ff0000"), (1, "#ffffff")]
FIVE = LinearSegmentedColormap.from_list("five", STOPS, N=4096)
SMOOTH = LinearSegmentedColormap.from_list("own", ["#03051a", "#4c1d4b", "#a11a5b", "#e83f3f", "#f69c73"], N=4096)
UNKNOWN = {"five": FIVE, "smooth": SMOOTH}
every_unknown = pytest.mark.parametrize("palette", UNKNOWN.values(), ids=UNKNOWN)


def pattern(n: int = 96, scale: float = 4.0, seed: int = 0) -> np.ndarray:
    """A smooth stripe-like pattern from 0 to 1."""
    noise = np.random.default_rng(seed).standard_normal((n, n))
    x = gaussian_filter(noise, scale, mode="wrap") - gaussian_filter(noise, 2 * scale, mode="wrap")
    return (x - x.min()) / np.ptp(x)


V = pattern()


def rounded(colours) -> np.ndarray:
    return np.round(np.clip(colours, 0, 1) * 255) / 255


def painted(values, palette) -> np.ndarray:
    return rounded((colormaps[palette] if isinstance(palette, str) else palette)(values)[..., :3])


def as_image(colours) -> Image.Image:
    return Image.fromarray(np.round(colours * 255).astype(np.uint8))


def as_jpeg(colours, quality: int = 85) -> np.ndarray:
    stream = io.BytesIO()
    as_image(colours).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream)) / 255


def resized(values, n: int, how) -> np.ndarray:
    """(H, W) floats or (H, W, 3) colours of 8 bits."""
    if values.ndim == 3:
        return np.asarray(as_image(values).resize((n, n), how)) / 255
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((n, n), how)).astype(float)


def bend(values, truth) -> float:
    """What a gain and an offset leave of the truth, over its contrast."""
    fitted = np.polyval(np.polyfit(values.ravel(), truth.ravel(), 1), values)
    return float(np.std(fitted - truth) / np.std(truth))


def order(values, truth) -> float:
    return float(spearmanr(values.ravel(), truth.ravel()).statistic)


# --- named maps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
def test_named_maps(name):
    found = decode(painted(V, name))
    assert (found.palette, found.known) == (name, True)
    assert np.sqrt(np.mean((found.values - V) ** 2)) < 1 / 255
    assert found.error < 0.002


@pytest.mark.parametrize("name", ["viridis", "jet", "hot", "Spectral"])
def test_named_maps_with_noise_and_as_jpeg(name, rng):
    clean = painted(V, name)
    noisy = decode(rounded(clean + 0.02 * rng.standard_normal(clean.shape)))
    jpeg = decode(as_jpeg(clean))
    for found in (noisy, jpeg):
        assert found.palette == name
        assert np.sqrt(np.mean((found.values - V) ** 2)) < 0.025
        assert 0.01 < found.error < 0.06


def test_reversed_maps_are_told_by_name_only():
    colours = painted(V, "viridis_r")
    forwards, backwards = decode(colours), decode(colours, "viridis_r")
    assert (forwards.palette, backwards.palette) == ("viridis", "viridis_r")
    np.testing.assert_allclose(forwards.values, 1 - backwards.values, atol=1e-6)
    assert np.abs(backwards.values - V).max() < 2 / 255


def test_the_map_that_the_colours_use_most_of_is_meant():
    assert decode(painted(V, "bwr")).palette == "bwr"  # whose colours seismic holds as well
    part = decode(painted(0.3 + 0.4 * V, "seismic"))
    assert part.error < 0.002
    assert bend(part.values, V) < 0.03  # which map it is cannot be told, nor needs to be


def test_another_map_than_the_one_named_is_refused():
    with pytest.raises(BadInput, match=r"must hold colours of hot; got colours 0\.\d+ off hot"):
        decode(painted(V, "viridis"), "hot")


@pytest.mark.parametrize("name", ["hsv", "twilight"])
def test_cyclic_maps_are_refused(name):
    with pytest.raises(BadInput, match="cyclic"):
        decode(painted(V, name))


def test_unknown_names(tmp_path):
    np.save(tmp_path / "x.npy", V)
    with pytest.raises(BadInput, match=r"`colormap` must be auto, grey, a Matplotlib.*Did you mean viridis"):
        load(tmp_path / "x.npy", colormap="virids")
    with pytest.raises(BadInput, match="must be an ordered palette"):
        load(tmp_path / "x.npy", colormap="tab10")


def test_colours_with_values_give_the_field_in_its_own_scale():
    stops = "#000033:0,lime:.2,yellow:.21,red:.4,white:.6"
    table = [(float(at) / 0.6, colour) for colour, at in (part.split(":") for part in stops.split(","))]
    palette = LinearSegmentedColormap.from_list("stops", table, N=8192)
    found = decode(painted(V, palette), stops)
    assert (found.palette, found.known) == (stops, True)
    assert np.abs(found.values - 0.6 * V).max() < 0.005


@pytest.mark.parametrize("stops", ["red:0", "red:0,blue", "red:0,blue:nan", "red:1,blue:0", "no colour:0,red:1", ":"])
def test_colours_with_wrong_values(tmp_path, stops):
    np.save(tmp_path / "x.npy", V)
    with pytest.raises(BadInput, match="`colormap` must be colours with rising values"):
        load(tmp_path / "x.npy", colormap=stops)


# --- unknown palettes -------------------------------------------------------------------------------------------------


@every_unknown
def test_unknown_palettes(palette):
    found = decode(painted(V, palette))
    assert (found.palette, found.known) == ("unknown", False)
    assert order(found.values, V) > 0.999
    assert found.error < 0.005


@every_unknown
def test_unknown_palettes_with_noise_and_as_jpeg(palette, rng):
    clean = painted(V, palette)
    for colours in (rounded(clean + 0.02 * rng.standard_normal(clean.shape)), as_jpeg(clean)):
        found = decode(colours)
        assert found.palette == "unknown"
        assert order(found.values, V) > 0.99
        assert found.error < 0.06


def test_an_unknown_palette_runs_to_its_brighter_end():
    assert order(decode(painted(V, SMOOTH.reversed())).values, V) < -0.999


# --- no palette -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shading", [0.2, 0.4, 0.8])
@pytest.mark.parametrize("palette", ["viridis", SMOOTH])
def test_embossed_renderings_are_refused(palette, shading):
    slope = sum(np.gradient(V))
    with pytest.raises(BadInput, match="must hold colours that lie on one curve"):
        decode(rounded(painted(V, palette) * (1 + shading * slope / np.abs(slope).max())[..., None]))


def test_pictures_of_many_hues_are_refused(rng):
    lit = LightSource().shade(V, colormaps["gist_earth"], blend_mode="soft", vert_exag=30)[..., :3]
    two_fields = np.stack([pattern(seed=1), pattern(seed=2), 0 * V], -1)
    photograph = np.stack([pattern(seed=seed, scale=6) for seed in (1, 2, 3)], -1)
    for colours in (rng.random((64, 64, 3)), lit, two_fields, photograph, painted(V, "tab10")):
        with pytest.raises(BadInput, match=r"that lie on one curve|with two ends"):
            decode(rounded(colours))


# --- enlargement ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_blocks(factor):
    small = painted(pattern(32), "jet")
    found, by = native_size(np.kron(small, np.ones((factor, factor, 1))))
    assert by == factor
    np.testing.assert_array_equal(found, small)


@pytest.mark.parametrize("name", ["viridis", "jet", FIVE])
def test_colours_interpolated_beside_the_cells(name):
    truth = pattern(96, 2.5)
    small = painted(truth, name)
    large = resized(small, 192, Image.Resampling.BILINEAR)
    found, by = native_size(large)
    assert by == 2
    assert np.abs(found - small).max() < 2 / 255
    values, palette = decode_pictures(large[None])
    assert palette.factor == 2
    assert order(values[0], truth) > 0.999


def test_colours_interpolated_on_the_cells():
    small = painted(pattern(64, 2.5), "viridis")
    large = np.zeros((127, 127, 3))
    large[::2, ::2] = small
    large[1::2, ::2] = (small[1:] + small[:-1]) / 2
    large[:, 1::2] = (large[:, 2::2] + large[:, :-2:2]) / 2
    found, by = native_size(rounded(large))
    assert by == 2
    np.testing.assert_array_equal(found, small)


@pytest.mark.parametrize("scale", [1.5, 3, 6])
@pytest.mark.parametrize("name", ["gray", "viridis", FIVE])
def test_what_was_not_enlarged_stays(name, scale):
    colours = painted(pattern(128, scale), name)
    assert native_size(colours)[1] == native_size(as_jpeg(colours))[1] == 1


def test_interpolated_values_under_an_unknown_palette():
    """As a graphics card does it: values between cells first, then colours."""
    truth = pattern(128, 4)
    values, palette = decode_pictures(painted(resized(truth, 256, Image.Resampling.BILINEAR), FIVE)[None])
    assert (palette.name, palette.linear, palette.factor) == ("unknown", False, 2)
    assert order(values[0], truth) > 0.998


def test_interpolated_values_under_a_named_map():
    truth = pattern(96, 2)
    values, palette = decode_pictures(painted(resized(truth, 192, Image.Resampling.BILINEAR), "jet")[None])
    assert (palette.name, palette.factor) == ("jet", 2)
    assert bend(values[0], truth) < 0.03


# --- files ------------------------------------------------------------------------------------------------------------


def test_load_tells_the_palette_and_select_keeps_it(tmp_path):
    as_image(painted(V, "plasma")).save(tmp_path / "x.png")
    found = load(tmp_path / "x.png", observe="h")
    assert found.palette.name == found.select(["h"]).palette.name == "plasma"
    assert found.palette.linear
    assert "palette plasma (colours 0.001" in str(found.palette)
    assert np.abs(found["h"][0] - V).max() < 2 / 255
    grey = load(tmp_path / "x.png", colormap="grey")
    assert grey.palette is None
    np.testing.assert_allclose(grey["v"][0], painted(V, "plasma") @ [0.299, 0.587, 0.114], atol=1e-12)


@pytest.mark.parametrize("factor", [1, 2])
def test_grey_is_read_exactly_and_never_resized(tmp_path, factor):
    grey = np.kron(np.round(V * 255).astype(np.uint8), np.ones((factor, factor), np.uint8))
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "x.png")
    found = load(tmp_path / "x.png")
    assert found.palette is None
    np.testing.assert_array_equal(found["v"][0], grey / 255)


def test_a_folder_has_one_palette(tmp_path):
    for i in (0, 1):  # alone, the second one's colours would run from 0 to 1
        as_image(painted(pattern(seed=i) * (1 - 0.5 * i), SMOOTH)).save(tmp_path / f"{i}.png")
    found = load(tmp_path)
    assert found.palette.name == "unknown"
    assert found["v"][0].max() > 0.99
    assert found["v"][1].max() < 0.8


def test_refusals_name_the_file_and_a_remedy(tmp_path, rng):
    as_image(rng.random((32, 32, 3))).save(tmp_path / "photo.png")
    with pytest.raises(
        BadInput, match=r"`path` must hold colours.*off the best curve.*in .*photo\.png\. Pass `colormap="
    ):
        load(tmp_path / "photo.png")


def test_curves_give_back_their_own_colours():
    curve = named_curve("turbo")
    at = np.linspace(0.01, 0.99, 50)
    values, distance = curve.project(curve.at(at))
    np.testing.assert_allclose(values, at, atol=2e-3)
    assert distance.max() < 1e-3
