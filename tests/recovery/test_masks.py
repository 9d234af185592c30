"""Pictures that are not seen everywhere."""

import dataclasses
import functools

import numpy as np
import pytest

import unstill as us
from unstill import BadInput, GrayScott
from unstill.cli.main import main
from unstill.files import read_result
from unstill.files.runs import read_run
from unstill.observations.camera import Camera
from unstill.recovery.hidden_problem import Problem
from unstill.systems.grid import Grid

TRUTH = {"Du": 0.16, "Dv": 0.08, "F": 0.035, "k": 0.065}
GRID = Grid((48, 48))


@functools.cache
def spots() -> np.ndarray:
    return us.simulate(GrayScott(**TRUTH), grid=GRID, init="discs", steps=40_000, seed=5).state[0, 1]


def noisy(share: float = 0.03) -> np.ndarray:
    return spots() + share * spots().std() * np.random.default_rng(3).standard_normal(GRID.shape)


def bar() -> np.ndarray:
    """A scale bar that hides a strip: dark is not seen."""
    mask = np.full(GRID.shape, 255)
    mask[38:45, 4:26] = 0
    return mask


def scattered(share: float = 0.03) -> np.ndarray:
    return np.random.default_rng(2).random(GRID.shape) > share


@pytest.mark.parametrize("mask", [bar(), scattered()], ids=["bar", "scattered"])
def test_what_the_mask_hides_does_not_matter(mask):
    """Nonsense under the mask changes nothing, and intervals hold the truth."""
    hidden = mask < mask.max() / 2
    first = us.recover("gray-scott", np.where(hidden, 0.4, noisy()), mask=mask, grid=GRID)
    assert first.status == "converged", first.message
    assert f"{100 * hidden.mean():.2g} % of the pixels are not seen" in first.message
    for name, value in TRUTH.items():
        each = first.parameters[name]
        assert abs(each.value - value) < 3 * each.std
        assert each.value == pytest.approx(value, rel=0.25)
    missing = us.recover("gray-scott", np.where(hidden, np.nan, noisy()), mask="nan", grid=GRID)
    for name in TRUTH:
        assert missing.parameters[name].value == first.parameters[name].value
    assert np.isnan(first.pictures["v"][0][hidden]).all()
    assert np.isfinite(first.fields).all()
    # The hidden field is carried on smoothly into the gap.
    assert first.fields[0, 0].min() > 0
    assert first.fields[0, 0].max() < 1.1


def test_a_picture_without_noise_may_have_gaps():
    found = us.recover("gray-scott", spots(), mask=scattered(0.02), grid=GRID)
    assert found.status == "converged", found.message
    for name, value in TRUTH.items():
        assert found.parameters[name].value == pytest.approx(value, rel=0.01)


def test_hot_and_dead_pixels_are_left_out(rng):
    """One in a hundred pixels, black or white: before, Gray–Scott spots gave F twice as large, eight deviations off."""
    hot = rng.random(GRID.shape) < 0.01
    spoilt = np.where(hot, np.where(rng.random(GRID.shape) < 0.5, spots().min(), spots().max()), noisy())
    found = us.recover("gray-scott", spoilt, grid=GRID)
    assert found.status == "converged", found.message
    assert "pixels stand out from their surroundings and are left out" in found.message
    for name, value in TRUTH.items():
        assert abs(found.parameters[name].value - value) < 3 * found.parameters[name].std


@pytest.mark.parametrize("window", [False, True])
def test_the_equations_beside_gaps_are_not_held_to(window):
    seen = np.ones((12, 12), bool)
    seen[4:7, 5:8] = False
    seen[9, 2] = False  # a speck
    grid = Grid((12, 12), boundary="no-flux" if window else "periodic")
    problem = Problem(GrayScott, grid, 1, ("F",), {}, window=window, seen=seen)
    expected = np.ones((12, 12))
    expected[4:7, 4:9] = expected[3:8, 5:8] = 0
    if window:
        expected[[0, -1]] = expected[:, [0, -1]] = 0
    np.testing.assert_array_equal(problem.inside, expected)
    blurred = dataclasses.replace(problem, camera=Camera(blur=None))
    np.testing.assert_array_equal(blurred.pixels, seen * expected)  # others have something of what is not known
    # A gap of nine pixels and a speck are no data; each cell without an equation frees both fields of its own.
    freed = (expected == 0).sum() - 9
    loose = 4 if window else 0  # corners whose hidden field no equation takes; nor does any that of the gap's middle
    told = problem.pixels.sum() - 2 * freed + loose - 1  # the speck: two equations for two numbers, and no datum
    assert problem.degrees * problem.pixels.sum() == pytest.approx(told + 1, abs=2)


def test_a_mask_from_a_file_is_the_one_of_an_array(tmp_path):
    from PIL import Image

    np.savez(tmp_path / "v.npz", v=noisy()[None], dx=1.0)
    Image.fromarray(bar().astype(np.uint8)).save(tmp_path / "seen.png")
    call = ["recover", str(tmp_path / "v.npz"), "--observe", "v", "--mask", str(tmp_path / "seen.png"), "--no-film"]
    assert main([*call, "--out", str(tmp_path / "r"), "--quiet"]) == 0
    found = us.recover("gray-scott", noisy(), mask=bar(), grid=GRID)
    kept = read_result(tmp_path / "r")
    assert kept["parameters"]["F"]["value"] == found.parameters["F"].value
    digests = read_run(tmp_path / "r")["inputs"]
    assert any(name.endswith("seen.png") for name in digests)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask": "seen.png"}, "`mask` must be an array or nan; got 'seen.png'. Read it by us.load."),
        ({"mask": np.ones((5, 5))}, "`mask` must have the pictures' shape"),
        ({"mask": np.zeros(GRID.shape)}, "`mask` must be finite and show something"),
        ({"mask": np.eye(48)}, "`mask` must leave at least 256 pixels"),
        ({"mask": bar(), "laplacian": "spectral"}, "`laplacian` must see the whole domain: the pictures have gaps"),
        ({"mask": bar(), "frames_dt": 1.0}, "`mask` must be left out of a film"),
    ],
)
def test_masks_that_cannot_be_used(options, words):
    with pytest.raises(BadInput, match=words):
        us.recover("gray-scott", noisy()[None], observe="v", grid=GRID, **options)


def test_gaps_are_refused_where_all_fields_are_seen_or_a_film_is():
    both = np.stack([1 - noisy(), noisy()])[None]
    with pytest.raises(BadInput, match="`mask` must be left out where all fields are seen"):
        us.recover("gray-scott", both, mask=bar(), grid=GRID)
    with pytest.raises(BadInput, match="`mask` must be left out where all fields are seen"):
        us.recover("gray-scott", both, mask="nan", grid=GRID)
    both[0, 0, 3, 4] = np.nan
    with pytest.raises(BadInput, match="must be finite"):
        us.recover("gray-scott", both, grid=GRID)
    with pytest.raises(BadInput, match="must be finite"):
        us.recover("gray-scott", both[:, 0].repeat(8, 0), observe="u", frames_dt=1.0, grid=GRID)
    with pytest.raises(BadInput, match="`mask` must leave at least 256 pixels"):
        us.recover("gray-scott", np.full(GRID.shape, np.nan), mask="nan", grid=GRID)
    with pytest.raises(BadInput, match="must be finite where the mask shows them; got 1 NaN"):
        us.recover("gray-scott", both[0, 0], mask=bar(), grid=GRID)


def test_a_mask_that_is_no_file_is_named_and_not_the_source(tmp_path, capsys):
    np.savez(tmp_path / "v.npz", v=noisy()[None], dx=1.0)
    out = tmp_path / "r"
    call = ["recover", str(tmp_path / "v.npz"), "--observe", "v", "--out", str(out), "--mask"]
    assert main([*call, str(tmp_path / "nothing.png")]) == 2
    assert capsys.readouterr().err.startswith("unstill recover: `--mask` must be an existing file or folder")
    np.save(tmp_path / "small.npy", np.eye(12))
    assert main([*call, str(tmp_path / "small.npy")]) == 2
    assert capsys.readouterr().err.startswith("unstill recover: `--mask` must have the pictures' shape (48, 48)")
    assert not out.exists()
