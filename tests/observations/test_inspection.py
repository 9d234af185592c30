"""What `inspect` says of pictures whose faults are known, and that it says nothing of good ones."""

import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import tifffile

from unstill._errors import BadInput
from unstill._types import Status
from unstill.files import load
from unstill.files.inspect import inspect
from unstill.observations.inspection import examine
from unstill.observations.likeness import likeness
from unstill.observations.snapshots import Snapshots
from unstill.observations.values import look
from unstill.simulation import Grid
from unstill.systems.grid import BOUNDARIES
from verbs_arguments import run_verb

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "inspect.json").read_text(encoding="utf-8"))


def pattern(seed=0, size=64, wave=10.0, count=1):
    """Smooth random pictures on a torus, with waves of one length, between 0.1 and 0.9."""
    rng = np.random.default_rng(seed)
    k = np.fft.fftfreq(size)
    ring = np.exp(-((np.hypot(k[:, None], k) - 1 / wave) ** 2) / (2 * 0.006**2))
    waves = np.fft.ifft2(ring * np.fft.fft2(rng.standard_normal((count, size, size)))).real
    return 0.5 + 0.4 * waves / np.abs(waves).max()


def told(**fields) -> str:
    return "; ".join(examine(Snapshots(fields)).suspicious)


def test_nothing_is_said_of_good_pictures():
    found = examine(Snapshots({"v": pattern(count=8)}))
    assert found.suspicious == ()
    assert found.status is Status.CONVERGED
    assert found.headline() == "converged: nothing suspicious"
    jsonschema.validate(found.to_dict(), SCHEMA)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("wave", [4.0, 8.0, 16.0])
def test_the_wavelength_is_that_of_stripes(wave, boundary):
    x = np.arange(96) + 0.5
    for stripes in (
        np.cos(2 * np.pi * x / wave) * np.ones((96, 1)),
        np.cos(2 * np.pi * x / wave)[:, None] * np.ones(96),
    ):
        found = look(Grid((96, 96), 1.0, boundary), stripes[None])
        assert found.wavelength == pytest.approx(wave, rel=0.02)


def test_noise_does_not_hide_the_wavelength(rng):
    v = pattern()
    noisy = v + 0.25 * v.std() * rng.standard_normal(v.shape)
    found = look(Grid((64, 64)), noisy)
    assert found.noise == pytest.approx(0.25 * v.std(), rel=0.15)
    assert found.wavelength == pytest.approx(look(Grid((64, 64)), v).wavelength, rel=0.05)


FAULTS = {
    "clipped above": (lambda v, rng: np.minimum(v, np.quantile(v, 0.95)), "v may be saturated: 5.0% .* greatest value"),
    "clipped below": (lambda v, rng: np.maximum(v, np.quantile(v, 0.1)), "v may be saturated: 10.0% .* least value"),
    "bytes clipped": (
        lambda v, rng: np.minimum((v * 300).astype(int), 200) / 255,
        "saturated: .* greatest value, 0.784",
    ),
    "few levels": (lambda v, rng: np.round(v * 12) / 12, "levels only"),
    "noisy": (lambda v, rng: v + 0.5 * v.std() * rng.standard_normal(v.shape), r"v is noisy: 4\d% of its contrast"),
    "coarse": (lambda v, rng: pattern(wave=4.5), r"v is coarse: 4\.\d+ cells a wavelength"),
    "large": (lambda v, rng: pattern(wave=32), r"v has [12]\.\d+ wavelengths along its shorter side, fewer than 3"),
    "a window": (lambda v, rng: pattern(size=96)[:, :64, :60], "opposite borders of v do not meet"),
    "negative": (lambda v, rng: v - 0.5, "v falls to -0.4: no concentration"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault, rng):
    change, words = FAULTS[fault]
    assert re.search(words, told(v=change(pattern(), rng)))


def test_bytes_that_use_their_range_are_not_saturated():
    v = pattern()
    whole = np.round(255 * (v - v.min()) / np.ptp(v)) / 255
    assert "saturated" not in told(v=whole)


def test_noise_and_nothing_are_dead(rng):
    for dead in (rng.standard_normal((2, 32, 32)), np.ones((2, 32, 32))):
        found = examine(Snapshots({"v": dead}))
        assert found.status is Status.DEAD
        assert found.failed
    assert examine(Snapshots({"u": pattern(), "v": np.ones((1, 64, 64))})).status is Status.CONVERGED


# Copies and order.


def test_copies_are_counted_exactly_and_nearly(rng):
    v = pattern(count=6)
    heap = np.concatenate([v, v[:2], v[2:3] + 1e-4])
    found = likeness({"v": heap}, {"v": 0.0})
    assert (found.copies, found.near) == (2, 1)
    assert (likeness({"v": v}, {"v": 0.0}).copies, likeness({"v": v}, {"v": 0.0}).near) == (0, 0)
    noise = 0.2 * v.std()
    twice = np.concatenate([v, v]) + noise * rng.standard_normal((12, 64, 64))
    assert likeness({"v": twice}, {"v": noise}).near == 6  # the same pictures, taken twice


def test_distances_of_independent_pictures_are_about_one():
    distances = likeness({"u": pattern(1, count=12), "v": pattern(2, count=12)}, {"u": 0.0, "v": 0.0}).distances
    assert distances[np.triu_indices(12, 1)].mean() == pytest.approx(1, abs=0.1)


def drifting(count=20):
    """A pattern that turns into another and a third, step by step."""
    a, b, c = pattern(7, count=3)
    t = np.linspace(0, np.pi, count)[:, None, None]
    return np.cos(t) * (a - 0.5) + np.sin(t) * (b - 0.5) + 0.2 * (c - 0.5) + 0.5


def test_frames_are_told_from_samples(rng):
    film = drifting()
    assert "frames of a film" in told(v=film)
    ordered = examine(Snapshots({"v": film}, ordered=True))
    assert not any("frames of a film" in each for each in ordered.suspicious)  # the file says so itself


def test_shuffles_seem_ordered_as_often_as_stated():
    """1 % of shuffles: of 100, more than 6 would come once in ten thousand times."""
    rng, small = np.random.default_rng(11), drifting(10)[:, ::4, ::4]
    assert sum(likeness({"v": rng.permutation(small)}, {"v": 0.0}).in_order for _ in range(100)) <= 6


# The verb.


def test_the_verb_writes_what_it_promises(tmp_path, capsys):
    film = np.stack([drifting(), pattern(3, count=20)], 1).astype(np.float32)
    metadata = {"axes": "TCYX", "unit": "micron", "finterval": 2.0}
    tifffile.imwrite(tmp_path / "x.tif", film, imagej=True, metadata=metadata, resolution=(2.0, 2.0))
    words = [tmp_path / "x.tif", "--fields", "u=0,v=1", "--out", tmp_path / "run"]
    assert run_verb("inspect", words) == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "result.json", "inspection.png"}
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    jsonschema.validate(result, SCHEMA)
    assert (result["dx"], result["unit"], result["interval"], result["ordered"]) == (0.5, "µm", 2.0, True)
    assert "20 frames in order of time of 64 × 64 cells: u, v" in capsys.readouterr().out
    assert run_verb("inspect", [*words[:-1], tmp_path / "two", "--frames", "3:9", "--quiet"]) == 0
    assert json.loads((tmp_path / "two" / "result.json").read_text(encoding="utf-8"))["samples"] == 6


def test_it_takes_files_arrays_and_snapshots(tmp_path):
    v = pattern()
    np.save(tmp_path / "x.npy", v)
    for source in (tmp_path / "x.npy", str(tmp_path / "x.npy"), load(tmp_path / "x.npy"), {"v": v}, v, v[0]):
        found = inspect(source)
        assert found.fields["v"].high == v.max()
    with pytest.raises(BadInput, match="`channel` is for a file only"):
        inspect(v, channel=0)
