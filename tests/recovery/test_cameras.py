"""Windows, cameras and known ratios: the identifiability table of one steady picture of v."""

import functools
import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

import unstill as us
from unstill.observations.borders import looks_cut
from unstill.observations.camera import ABSOLUTE, Camera
from unstill.recovery.optics import Optics
from unstill.recovery.ties import powers, ties_of

TRUTH = {"Du": 0.16, "Dv": 0.08, "F": 0.029, "k": 0.057}
CUT = (slice(5, 53), slice(9, 57))


@functools.cache
def whole() -> np.ndarray:
    """v of a labyrinth at rest, periodic."""
    grid = us.Grid((64, 64))
    moved = us.simulate(us.GrayScott(**TRUTH), grid=grid, init="discs", steps=30_000, seed=4)
    return us.polish(us.GrayScott(**TRUTH), grid, moved.state[0])[0][1]


@functools.cache
def spots() -> np.ndarray:
    """v of a lattice of spots at rest, periodic."""
    system, grid = us.GrayScott.make("spots"), us.Grid((64, 64))
    moved = us.simulate(system, grid=grid, init="discs", steps=40_000, seed=4)
    return us.polish(system, grid, moved.state[0])[0][1]


def picture(gain=1.0, offset=0.0, gamma=1.0, noise=0.0, seed=0) -> np.ndarray:
    """A window of it through a camera, with noise as a share of the contrast."""
    seen = gain * whole()[CUT] ** gamma + offset
    return seen + noise * seen.std() * np.random.default_rng(seed).standard_normal(seen.shape)


def test_a_window_of_the_whole_gives_what_the_whole_gives():
    found = us.recover("gray-scott", picture(), window=True)
    assert found.status == "converged"
    assert found.window
    assert found.grid.boundary == "no-flux"
    for name, value in TRUTH.items():
        each = found.parameters[name]
        assert each.value == pytest.approx(value, rel=2e-3)  # data are held to 3e-4 of the contrast only
        assert abs(each.value - value) < 2 * each.std


def test_a_cut_picture_is_seen_as_one_unless_its_boundary_is_stated():
    assert looks_cut(picture()[None])
    assert not looks_cut(whole()[None])
    found = us.recover("gray-scott", picture(noise=0.02))
    assert found.status == "converged"
    assert "taken as a window" in found.message
    forced = us.recover("gray-scott", picture(noise=0.02), grid=us.Grid((48, 48)))
    assert forced.status in ("moving", "no-fit")
    assert "With `window=True`" in forced.message  # the likeliest cause, by trying


@pytest.mark.parametrize(
    ("camera", "noise", "tolerance"),
    [
        ({"gain": "unknown", "offset": 0.11, "blur": 0.0}, 0.02, 0.03),
        ({"gain": "unknown", "offset": "unknown"}, 0.02, 0.05),  # a blur is sought, too
        ({"gain": "unknown", "offset": "unknown", "gamma": "unknown"}, 0.005, 0.05),
    ],
)
def test_a_known_ratio_makes_the_numbers_behind_a_camera_definite(camera, noise, tolerance):
    true = {"gain": 1.7, "offset": 0.11, "gamma": 0.7 if "gamma" in camera else 1.0}
    found = us.recover("gray-scott", picture(**true, noise=noise), window=True, fix={"Du/Dv": 2.0}, **camera)
    assert found.status == "converged", found.message
    numbers = {**found.parameters, **found.camera}
    assert numbers["Du"].value == pytest.approx(2 * numbers["Dv"].value)
    for name, value in {**TRUTH, **true}.items():
        each = numbers[name]
        if name in camera and camera[name] != "unknown":
            assert (each.value, each.std) == (camera[name], 0.0)
            continue
        assert each.value == pytest.approx(value, rel=tolerance, abs=0.02 if name == "offset" else 0)
        assert each.std == 0 or abs(each.value - value) < 4 * each.std


def test_an_unknown_gain_leaves_the_combinations_of_the_table():
    found = us.recover("gray-scott", 3.0 * picture(noise=0.01), window=True, gain="unknown")
    assert found.status == "unidentifiable"
    assert {name for name, each in found.parameters.items() if each.value is None} == set(TRUTH)
    assert found.camera["gain"].value is None
    assert found.camera["offset"].value == 0.0
    assert set(found.identifiable) == {"(F+k)^2/F", "Du/F", "Dv^2/F"}
    for text, each in found.identifiable.items():
        value = eval(text.replace("^", "**"), dict(TRUTH))
        assert abs(each.value - value) < 4 * each.std < 0.2 * value


def test_values_do_not_depend_on_the_unit_of_the_picture():
    """Invariance under scaling in the gauge: the same picture in other grey values."""
    kept = [
        us.recover("gray-scott", scale * picture(noise=0.02) + shift, window=True, fix={"Du/Dv": 2.0}, gain="unknown",
                   offset="unknown").parameters["F"].value
        for scale, shift in ((1.0, 0.0), (200.0, 17.0))
    ]  # fmt: skip
    assert kept[0] == pytest.approx(kept[1], rel=1e-4)


def test_integers_have_no_calibration_unless_they_state_one(tmp_path):
    from PIL import Image

    v = whole()
    grey = np.round(255 * (v - v.min()) / np.ptp(v)).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    read = us.load(tmp_path / "grey.png")
    assert not read.absolute
    found = us.recover("gray-scott", read, fix={"Du/Dv": 2.0})
    assert "integers that state no calibration" in found.message
    assert found.status == "converged"
    assert found.parameters["F"].value == pytest.approx(TRUTH["F"], rel=0.02)
    us.save(tmp_path / "own.png", us.Snapshots({"v": v}, us.Grid((64, 64))))
    own = us.load(tmp_path / "own.png")
    assert own.absolute
    assert own.grid == us.Grid((64, 64))


@pytest.mark.parametrize("camera", [ABSOLUTE, Camera(None, None, 1.0), Camera(None, 0.1, 0.5), Camera(2.0, None, None)])
def test_a_camera_undoes_itself_and_knows_its_slopes(camera, rng):
    known = {"gain": 1.3, "offset": 0.2, "gamma": 0.8}
    values = np.array([known[name] for name in camera.unknown])
    c, h = rng.uniform(0.1, 1.0, (4, 5)), 1e-6
    y, slope, by_unknown = camera.picture(values, c)
    back, back_slopes = camera.concentration(values, y)
    np.testing.assert_allclose(back, c, rtol=1e-12)
    numeric = (camera.picture(values, c + h)[0] - camera.picture(values, c - h)[0]) / (2 * h)
    np.testing.assert_allclose(slope, numeric, rtol=1e-6)
    for u, step in enumerate(h * np.eye(len(values))):
        up, down = (camera.picture(values + s * step, c)[0] for s in (1, -1))
        np.testing.assert_allclose(by_unknown[u], (up - down) / (2 * h), rtol=1e-6, atol=1e-8)
        up, down = (camera.concentration(values + s * step, y)[0] for s in (1, -1))
        np.testing.assert_allclose(back_slopes[u], (up - down) / (2 * h), rtol=1e-6, atol=1e-8)


def test_products_are_read_and_tie_parameters():
    assert powers("Du/Dv") == {"Du": 1.0, "Dv": -1.0}
    assert powers("F^2 * k/Du") == {"F": 2.0, "k": 1.0, "Du": -1.0}
    one, two = ties_of(us.GrayScott, {"Du/Dv": 2.0, "Dv*F": 0.5}, {"F": 0.04})
    assert (one.name, two.name) == ("Dv", "Du")
    assert two.value({}) == pytest.approx(25.0)
    assert one.value({}) == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("fix", "words"),
    [
        ({"Du/": 2.0}, "must be a parameter, or a product"),
        ({"Du//Dv": 2.0}, "must be a parameter, or a product"),
        ({"Du/Q": 2.0}, "must name parameters of gray-scott"),
        ({"Du/Dv": -2.0}, "must be positive for a product"),
        ({"Du/Dv": 2.0, "Dv/Du": 0.5}, "must not say the same"),
    ],
)
def test_a_product_that_says_nothing_is_refused(fix, words):
    with pytest.raises(us.BadInput, match=f"`fix` {words}"):
        us.recover("gray-scott", picture(), fix=fix)


def test_what_the_weak_form_does_not_know_is_refused(rng):
    both = {"u": rng.random((8, 16, 16)), "v": rng.random((8, 16, 16))}
    for options in ({"window": True}, {"gain": "unknown"}, {"fix": {"Du/Dv": 2.0}}):
        (name,) = options
        with pytest.raises(us.BadInput, match=f"`{name}` must .* where all fields are seen"):
            us.recover("gray-scott", both, **options)


def test_parameters_that_products_leave_no_freedom_are_refused():
    fix = {"Du/Dv": 2.0, "Du": 0.16, "F": 0.03, "k": 0.06}
    with pytest.raises(us.BadInput, match="`fix` must leave a parameter to be found"):
        us.recover("gray-scott", picture(), fix=fix)


def test_a_tied_parameter_beyond_its_range_is_no_fit():
    """Dv = Du/1000 would be .00016; with Dv = 20 Du it leaves the range, and no numbers are claimed."""
    found = us.recover("gray-scott", picture()[:28, :28], window=True, fix={"Dv/Du": 20.0})
    assert found.failed


def test_noise_as_a_share_is_that_of_the_clean_field():
    asked = {"window": True, "fix": {"Du/Dv": 2.0}}
    shared = us.recover("gray-scott", picture(noise=0.05), noise=0.05, **asked)
    clean = float(picture().std())
    assert shared.noise["v"] == pytest.approx(0.05 * clean, rel=0.05)  # the draw's own share of the variance
    with pytest.raises(us.BadInput, match="`noise` must be a number, 0 or more"):
        us.recover("gray-scott", picture(), noise=-0.1)


def test_several_sources_are_one_heap(tmp_path):
    first, second = us.Snapshots({"v": whole()[:40, :40]}), us.Snapshots({"v": whole()[20:60, :40]})
    both = first.joined([second])
    np.testing.assert_array_equal(both["v"], [whole()[:40, :40], whole()[20:60, :40]])
    for other, words in (
        (us.Snapshots({"v": whole()}), "one shape"),
        (us.Snapshots({"u": whole()[:40, :40]}), "same fields"),
        (us.Snapshots({"v": whole()[:40, :40]}, absolute=False), "one absolute"),
    ):
        with pytest.raises(us.BadInput, match=words):
            first.joined([other])


@pytest.mark.parametrize("text", ["gain=0", "gain=ten", "gain=1 colour=red", "nonsense"])
def test_a_calibration_that_means_nothing_is_refused(text, tmp_path):
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("unstill", text)
    grey = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
    Image.fromarray(grey).save(tmp_path / "x.png", pnginfo=info)
    with pytest.raises(us.BadInput, match="must state a calibration"):
        us.load(tmp_path / "x.png")


def test_a_stated_gain_and_offset_are_undone(tmp_path):
    from PIL import Image

    from unstill.files.grey_scale import GreyScale

    grey = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
    Image.fromarray(grey).save(tmp_path / "x.png", pnginfo=GreyScale(2.0, 0.1).chunk())
    read = us.load(tmp_path / "x.png")
    assert read.absolute
    np.testing.assert_allclose(read["v"][0], (grey / 255 - 0.1) / 2.0)


@pytest.mark.parametrize(("blur", "camera"), [(0.08, {"blur": "unknown"}), (-0.05, {"blur": -0.05})])
def test_a_blur_is_found_and_undone(blur, camera):
    """Each pixel takes a share of its neighbours: taken for sharp, F is wrong by many standard deviations."""
    v = whole()
    seen = v + blur * (sum(np.roll(v, *at) for at in ((1, 0), (-1, 0), (1, 1), (-1, 1))) - 4 * v)
    seen += 0.01 * v.std() * np.random.default_rng(3).standard_normal(v.shape)
    found = us.recover("gray-scott", seen, grid=us.Grid(v.shape), **camera)
    assert found.status in ("converged", "unidentifiable"), found.message
    sharp = us.recover("gray-scott", seen, grid=us.Grid(v.shape))
    for name, value in TRUTH.items():
        each = found.parameters[name]
        assert abs(each.value - value) < 3 * each.std
    assert sharp.status != "converged" or abs(sharp.parameters["F"].value / 0.029 - 1) > 0.03
    assert abs(found.parameters["F"].value / 0.029 - 1) < 0.01
    kept = found.to_dict()["camera"]["blur"]
    assert kept["value"] is None or kept["value"] == pytest.approx(blur, abs=0.05)


def test_a_small_window_with_noise_comes_to_an_end():
    """Its steady states lie along a curved valley: steps that did not follow the curve ended on the way."""
    v, side = spots(), 44
    seen = v[:side, :side] + 0.02 * v.std() * np.random.default_rng(1).standard_normal((side, side))
    found = us.recover("gray-scott", seen, window=True)
    assert found.status == "converged", found.message
    for name, value in us.GrayScott.presets["spots"].items():
        each = found.parameters[name]
        assert abs(each.value - value) < 3 * each.std < 0.1 * value


@pytest.mark.parametrize(("width", "said"), [(0.0, {}), (0.4, {}), (0.4, {"blur": "unknown"})])
def test_a_photograph_may_be_a_little_blurred(width, said):
    """Nobody says so: blurred over .4 pixels and taken for sharp, they gave F 10 % off, five standard deviations."""
    v = spots()
    seen = gaussian_filter(v, width, mode="wrap") if width else v
    seen = seen + 0.03 * v.std() * np.random.default_rng(3).standard_normal(v.shape)
    grey = np.clip(np.round(20 + 200 * (seen - v.min()) / np.ptp(v)), 0, 255).astype(np.uint8)
    found = us.recover("gray-scott", {"v": grey}, grid=us.Grid(v.shape), fix={"Du/Dv": 2.0}, **said)
    assert found.status == "converged", found.message
    F = found.parameters["F"]
    assert abs(F.value - 0.035) < 2.5 * F.std
    assert F.std < 0.1 * 0.035
    kept = found.to_dict()["camera"]["blur"]
    beside = np.exp(-0.5 / width**2) if width else 0.0  # of the sampled Gaussian
    assert abs(kept["value"] - beside / (1 + 2 * beside)) < 3 * kept["std"]


def test_strong_noise_does_not_let_go_of_the_equations():
    """30 %: under the loosest penalty rates ran to 0, where every picture is at rest, and the fit was refused."""
    v = whole()
    seen = v + 0.3 * v.std() * np.random.default_rng(0).standard_normal(v.shape)
    found = us.recover("gray-scott", seen, grid=us.Grid(v.shape))
    assert found.status == "converged", found.message
    for name, value in TRUTH.items():
        each = found.parameters[name]
        assert abs(each.value - value) < 2.5 * each.std < 0.2 * value


def test_floats_that_are_blurred_have_intervals_for_it():
    """Taken for sharp, spots blurred over .4 pixels gave F 5 % off, 11 standard deviations."""
    v = spots()
    for width in (0.0, 0.4):
        seen = gaussian_filter(v, width, mode="wrap") if width else v
        seen = seen + 0.02 * v.std() * np.random.default_rng(3).standard_normal(v.shape)
        found = us.recover("gray-scott", seen, grid=us.Grid(v.shape))
        assert found.status == "converged", found.message
        assert ("speaks for a blur (`blur=unknown`)" in found.message) == bool(width)
        F = found.parameters["F"]
        assert abs(F.value - 0.035) < 2.5 * F.std
        assert (F.std < 0.01 * 0.035) == (not width)


def test_an_enlarged_picture_has_intervals_for_the_width_of_its_cells():
    seen = zoom(whole()[CUT], 1.37, order=3)
    seen = seen + 0.05 * seen.std() * np.random.default_rng(1).standard_normal(seen.shape)
    found = us.recover(
        "gray-scott", seen, fix={"Du/Dv": 2.0}, window=True, gain="unknown", offset="unknown"
    )  # fmt: skip
    assert found.status == "converged", found.message
    for name in ("F", "k"):
        each = found.parameters[name]
        assert abs(each.value - TRUTH[name]) < 2.5 * each.std < 0.3 * TRUTH[name]


def test_a_compressed_picture_is_explained_as_noise():
    """JPEG empties the corner of the spectrum that noise is estimated from; before, such pictures seemed to move."""
    v = whole()
    held = io.BytesIO()
    grey = np.round(255 * (0.1 + 0.8 * (v - v.min()) / np.ptp(v))).astype(np.uint8)
    Image.fromarray(grey).save(held, "JPEG", quality=85)
    found = us.recover("gray-scott", np.asarray(Image.open(held)), grid=us.Grid(v.shape), fix={"Du/Dv": 2.0})
    assert found.status == "converged", found.message
    for name in ("F", "k"):
        each = found.parameters[name]
        assert each.value == pytest.approx(TRUTH[name], rel=0.06)
        assert abs(each.value - TRUTH[name]) < 3 * each.std


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"blur": 0.2}, "`blur` must be a number between -0.12 and 0.12; got 0.2"),
        ({"blur": "strong"}, "`blur` must be finite, or unknown; got 'strong'"),
        ({"blur": "unknown", "laplacian": "spectral"}, "`blur` must be left out where the Laplacian is spectral"),
        ({"blur": "unknown", "frames_dt": 1.0}, "`blur` must be left out of a film"),
    ],
)
def test_blurs_that_cannot_be_had(options, words):
    pictures = np.stack([whole()] * 8)[:, :20, :20] + np.random.default_rng(0).uniform(0, 0.01, (8, 20, 20))
    with pytest.raises(us.BadInput, match=words):
        us.recover("gray-scott", pictures, observe="v", grid=us.Grid((20, 20)), **options)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("blur", [0.1, -0.07])
def test_a_blur_takes_a_share_of_the_neighbours_and_is_undone(boundary, blur, rng):
    grid = us.Grid((7, 6), 0.5, boundary)
    optics, c = Optics(Camera(2.0, 0.1, 1.0, blur), grid), rng.uniform(0.1, 0.5, (7, 6))
    y, slope, slopes = optics.picture(np.zeros(0), c)
    beyond = np.pad(2 * c + 0.1, 1, mode="wrap" if boundary == "periodic" else "edge")
    around = beyond[:-2, 1:-1] + beyond[2:, 1:-1] + beyond[1:-1, :-2] + beyond[1:-1, 2:]
    np.testing.assert_allclose(y, (1 - 4 * blur) * beyond[1:-1, 1:-1] + blur * around, atol=1e-12)
    assert (slope == 2.0).all()
    assert slopes.shape == (0, 7, 6)
    np.testing.assert_allclose(optics.concentration(np.zeros(0), y)[0], c, atol=1e-12)
    assert not optics.is_sharp
