"""One picture in every way in which a file may hold it: byte orders, layouts, palettes, planes, suffixes, places."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from matplotlib import colormaps
from PIL import Image

from unstill._errors import BadInput
from unstill.cli.main import main
from unstill.files import load, save
from unstill.files.runs import RunFolder, asked_path, read_run
from unstill.observations import Snapshots
from unstill.simulation import Grid, simulate
from unstill.systems import Lorenz

H, W = 10, 12
BYTES = np.random.default_rng(2).integers(0, 256, (2, H, W), dtype=np.uint8)
VALUES = BYTES / 255
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
LAYOUTS = {
    "little endian": lambda a: a.astype("<f8"),
    "big endian": lambda a: a.astype(">f8"),
    "by columns": np.asfortranarray,
    "every other": lambda a: np.repeat(a, 2, -1)[..., ::2],
    "single": lambda a: a.astype(np.float32),
    "long": lambda a: a.astype(np.longdouble),
    "bytes": lambda a: BYTES.reshape(a.shape),
    "big endian integers": lambda a: (BYTES.astype(">u2") * 257).reshape(a.shape),
}


@pytest.mark.parametrize("suffix", [".npy", ".npz", "compressed"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_no_part_of_the_values(layout, suffix, tmp_path):
    stored = LAYOUTS[layout](VALUES)
    if suffix == ".npy":
        np.save(tmp_path / "x.npy", stored)
    else:
        (np.savez if suffix == ".npz" else np.savez_compressed)(tmp_path / "x.npz", v=stored)
    (file,) = tmp_path.iterdir()
    found = load(file).fields["v"]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, VALUES, rtol=1e-7 if layout == "single" else 1e-15)


def test_a_half_and_a_bit_are_numbers_too(tmp_path):
    np.savez(tmp_path / "x.npz", half=VALUES.astype(np.float16), bit=VALUES > 0.5)
    found = load(tmp_path / "x.npz")
    np.testing.assert_array_equal(found.fields["half"], VALUES.astype(np.float16).astype(float))
    np.testing.assert_array_equal(found.fields["bit"], VALUES > 0.5)


def test_a_palette_is_the_colours_that_it_names(tmp_path):
    colours = np.random.default_rng(3).integers(0, 256, (256, 3), dtype=np.uint8)
    palette = Image.new("P", (W, H))
    palette.putdata(BYTES[0].ravel().tolist())
    palette.putpalette(colours.ravel().tolist())
    palette.save(tmp_path / "x.png")
    found = load(tmp_path / "x.png", colormap="grey").fields["v"]
    np.testing.assert_allclose(found[0], colours[BYTES[0]] / 255 @ LUMINANCE, atol=1e-6)
    grey = np.repeat(np.arange(256), 3).tolist()
    palette.putpalette(grey)
    palette.save(tmp_path / "x.png")
    np.testing.assert_allclose(load(tmp_path / "x.png").fields["v"][0], VALUES[0], rtol=1e-15)


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("pages", [1, 2])
def test_tiff_in_colour_wherever_its_channels_are(planes, pages, tmp_path):
    colour = np.random.default_rng(4).integers(0, 256, (pages, H, W, 3), dtype=np.uint8)
    stored = colour if planes == "contig" else np.moveaxis(colour, -1, 1)
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="rgb", planarconfig=planes)
    found = load(tmp_path / "x.tif", colormap="grey").fields["v"]
    np.testing.assert_allclose(found, colour / 255 @ LUMINANCE, atol=1e-6)


def test_tiff_of_two_shapes_or_of_complex_numbers_is_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        file.write(BYTES[0], photometric="minisblack")
        file.write(BYTES[0, :9], photometric="minisblack")
    with pytest.raises(BadInput, match="pictures of one shape; got 2 series"):
        load(tmp_path / "two.tif")
    tifffile.imwrite(tmp_path / "complex.tif", VALUES[0].astype(np.complex64), photometric="minisblack")
    with pytest.raises(BadInput, match="must hold real numbers; got dtype complex64"):
        load(tmp_path / "complex.tif")


@pytest.mark.parametrize("name", ["a b.NPY", "Ψ.npy", "x.y.npy", ".hidden.npy"])
def test_names_of_files_are_the_users(name, tmp_path, monkeypatch):
    content = io.BytesIO()
    np.save(content, VALUES)
    (tmp_path / name).write_bytes(content.getvalue())
    np.testing.assert_array_equal(load(tmp_path / name).fields["v"], VALUES)
    monkeypatch.setenv("HOME", str(tmp_path))
    np.testing.assert_array_equal(load(f"~/{name}").fields["v"], VALUES)


def test_a_folder_is_read_in_order_without_what_is_hidden(tmp_path):
    for i, name in enumerate(("b.PNG", "a.png")):
        Image.fromarray(BYTES[i]).save(tmp_path / name)
    (tmp_path / "._a.png").write_bytes(b"what some systems leave beside a picture")
    (tmp_path / "notes.txt").write_text("no picture")
    np.testing.assert_allclose(load(tmp_path).fields["v"], VALUES[::-1], rtol=1e-15)


def test_what_cannot_be_saved_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.npz").mkdir()
    for path, words in ((tmp_path / "file" / "x.npz", "must be writable"), (tmp_path / "folder.npz", "not a folder")):
        with pytest.raises(BadInput, match=words):
            save(path, {"v": VALUES})
    orbit = simulate(Lorenz(), np.ones((1, 3)), steps=2)
    with pytest.raises(BadInput, match="fields on a grid"):
        save(tmp_path / "x.npz", orbit)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.npz"]


def test_snapshots_say_what_they_are():
    made = Snapshots({"u": VALUES, "v": VALUES}, Grid((H, W), 0.5), "a dish")
    assert repr(made) == "Snapshots(2 × 10 × 12 of u, v, from a dish)"
    with pytest.raises(BadInput, match=r"`grid` must have the fields' shape \(10, 12\); got \(12, 10\)"):
        Snapshots({"v": VALUES}, Grid((W, H)))


def test_runs_find_one_another_from_any_folder_and_when_moved_together(tmp_path, monkeypatch):
    """`called_from` in run.json: where paths of the call begin, seen from the run's folder."""
    there = tmp_path / "there"
    (there / "runs").mkdir(parents=True)
    (there / "points.csv").write_text("x,y\n")
    monkeypatch.chdir(there)
    RunFolder.create("runs/a").write_run({"source": "points.csv"}, 0)
    assert Path(asked_path("runs/a", "points.csv")).resolve() == there / "points.csv"
    monkeypatch.chdir(tmp_path)
    assert Path(asked_path("there/runs/a", "points.csv")).resolve() == there / "points.csv"
    there.rename(tmp_path / "elsewhere")
    assert Path(asked_path("elsewhere/runs/a", "points.csv")).resolve() == tmp_path / "elsewhere" / "points.csv"
    assert asked_path("elsewhere/runs/a", "gone.csv") == "gone.csv"
    assert asked_path("elsewhere/runs/a", "/gone.csv") == "/gone.csv"


def test_a_run_keeps_the_digests_of_its_inputs(tmp_path, monkeypatch):
    """Those of `sha256sum`, so that anybody can check them."""
    monkeypatch.chdir(tmp_path)
    np.savez("v.npz", v=VALUES)
    Path("two").mkdir()
    for name in ("b", "a"):
        Path("two", name).write_text(name)
    RunFolder.create("run").write_run({}, 0, inputs=["v.npz", "two", "gone"])
    lines = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in "ab")
    assert read_run("run")["inputs"] == {
        "v.npz": hashlib.sha256(Path("v.npz").read_bytes()).hexdigest(),
        "two": hashlib.sha256(lines.encode()).hexdigest(),
    }
    assert main(["inspect", "v.npz", "--out", "look", "--quiet"]) in (0, 3)
    assert read_run("look")["inputs"] == {"v.npz": hashlib.sha256(Path("v.npz").read_bytes()).hexdigest()}


def test_a_folder_of_colours_has_one_palette_and_one_name(tmp_path):
    ramp = np.linspace(0, 1, 16 * 16).reshape(16, 16)
    for name, values in (("a", ramp), ("b", ramp[::-1])):
        colours = (colormaps["viridis"](values)[..., :3] * 255).round().astype(np.uint8)
        Image.fromarray(colours).save(tmp_path / f"{name}.png")
    found = load(tmp_path, observe="h")
    assert list(found.fields) == ["h"]
    assert found.palette.name == "viridis"
    np.testing.assert_allclose(found["h"], np.stack([ramp, ramp[::-1]]), atol=0.01)
    with pytest.raises(BadInput, match="must name one field"):
        load(tmp_path, observe="u,v")
