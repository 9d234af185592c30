"""Loading and saving: round trips, a table of bad inputs, and bytes gone wrong."""

import io
import os
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unstill._errors import BadInput
from unstill.files import RunFolder, load, save

H, W = 10, 12


def field(seed=0, shape=(H, W)):
    return np.random.default_rng(seed).random(shape)


def grey16(seed=0, shape=(H, W)):
    return np.random.default_rng(seed).integers(0, 65536, shape, dtype=np.uint16)


def picture(path, values):
    Image.fromarray(values).save(path)


def encoded(values, suffix):
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, format={"jpg": "JPEG"}.get(suffix, suffix))
    return stream.getvalue()


def one_line(error):
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("`")
    return message


# --- what can be loaded -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(H, W), (3, H, W)])
def test_npz_by_field_names(tmp_path, shape):
    u, h = field(1, shape), field(2, shape)
    np.savez(tmp_path / "x.npz", u=u, h=h, ts=np.arange(3))
    found = load(tmp_path / "x.npz")
    assert list(found.fields) == ["u", "h"]
    assert (found.count, found.shape, found.grid) == (1 if len(shape) == 2 else 3, (H, W), None)
    np.testing.assert_array_equal(found.fields["h"].reshape(shape), h)
    np.testing.assert_array_equal(load(tmp_path / "x.npz", observe="h,u").states(["u", "h"])[:, 0].reshape(shape), u)
    assert list(load(tmp_path / "x.npz", observe=["h"]).fields) == ["h"]


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
@pytest.mark.parametrize(
    ("shape", "observe", "names"),
    [
        ((H, W), None, ["v"]),
        ((4, H, W), None, ["v"]),
        ((4, H, W), ["a"], ["a"]),
        ((4, 1, H, W), None, ["v"]),
        ((4, 2, H, W), None, ["u", "v"]),
        ((4, 2, H, W), ["v"], ["v"]),
        ((4, 2, H, W), ["a", "b"], ["a", "b"]),
        ((4, 3, H, W), None, ["u", "v", "w"]),
        ((4, 5, H, W), list("abcde"), list("abcde")),
    ],
)
def test_state_arrays(tmp_path, suffix, shape, observe, names):
    state = field(3, shape)
    path = tmp_path / f"x{suffix}"
    np.savez(path, state=state) if suffix == ".npz" else np.save(path, state)
    found = load(path, observe=observe)
    assert list(found.fields) == names
    channel = {"v": 1, "b": 1, "w": 2}.get(names[-1], 0) if len(shape) == 4 and shape[1] > 1 else 0
    channel = 4 if names[-1] == "e" else channel
    expected = state[:, channel] if len(shape) == 4 else state.reshape(-1, H, W)
    np.testing.assert_array_equal(found.fields[names[-1]], expected)


def test_integers_are_fractions_of_their_maximum(tmp_path):
    np.savez(tmp_path / "x.npz", v=grey16())
    np.testing.assert_allclose(load(tmp_path / "x.npz").fields["v"][0], grey16() / 65535, rtol=0, atol=0)


def test_sixteen_bit_png_keeps_every_bit(tmp_path):
    picture(tmp_path / "x.png", grey16())
    np.testing.assert_array_equal(load(tmp_path / "x.png").fields["v"][0], grey16() / 65535)
    assert list(load(tmp_path / "x.png", observe="h").fields) == ["h"]


@pytest.mark.parametrize("channels", [3, 4])
def test_equal_channels_are_grey_and_alpha_is_dropped(tmp_path, channels):
    grey = (grey16() >> 8).astype(np.uint8)
    colour = np.stack([grey] * 3 + [np.full_like(grey, 9)], -1)[..., :channels]
    picture(tmp_path / "x.png", colour)
    np.testing.assert_array_equal(load(tmp_path / "x.png").fields["v"][0], grey / 255)


def test_colour_becomes_luminance_where_asked(tmp_path):
    colour = (grey16(1, (H, W, 3)) >> 8).astype(np.uint8)
    picture(tmp_path / "x.png", colour)
    expected = (colour / 255) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(load(tmp_path / "x.png", colormap="grey").fields["v"][0], expected, atol=1e-15)


def test_jpeg(tmp_path):
    smooth = np.add.outer(np.linspace(0, 200, 16), np.linspace(0, 50, 24)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "x.jpg", quality=95)
    np.testing.assert_allclose(load(tmp_path / "x.jpg").fields["v"][0], smooth / 255, atol=0.03)  # JPEG loses that much


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(H, W), (3, H, W)])
def test_tiff_and_its_stacks(tmp_path, dtype, shape):
    values = field(4, shape).astype(dtype) if dtype[0] == "f" else grey16(4, shape).astype(dtype)
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="minisblack")
    top = 1 if dtype[0] == "f" else np.iinfo(dtype).max
    np.testing.assert_array_equal(load(tmp_path / "x.tif").fields["v"], values.reshape(-1, H, W) / np.float64(top))


def test_tiff_in_colour_and_compressed_as_lzw(tmp_path):
    grey = (grey16() >> 8).astype(np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", np.stack([grey] * 3, -1), photometric="rgb")
    Image.fromarray(grey).save(tmp_path / "z.tif", compression="tiff_lzw")
    for name in ("c.tif", "z.tif"):
        np.testing.assert_array_equal(load(tmp_path / name).fields["v"][0], grey / 255)


def test_folder_of_pictures_is_sorted(tmp_path):
    for seed in (2, 0, 1):
        picture(tmp_path / f"frame{seed}.png", grey16(seed))
    (tmp_path / "notes.txt").write_text("not a picture")
    expected = np.stack([grey16(s) for s in range(3)]) / 65535
    np.testing.assert_array_equal(load(tmp_path).fields["v"], expected)


def test_run_folders(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.write_run({"dx": 0.5, "boundary": "no-flux"}, 0, verb="simulate")
    u, v = field(1, (2, H, W)), field(2, (2, H, W))
    run.write_arrays("states.npz", u=u, v=v)
    found = load(tmp_path / "run", observe="v")
    np.testing.assert_array_equal(found.fields["v"], v)
    assert (found.grid.shape, found.grid.dx, found.grid.boundary) == ((H, W), 0.5, "no-flux")

    recovered = RunFolder.create(tmp_path / "r")
    recovered.write_run({}, 0, verb="recover")
    recovered.write_arrays("fields.npz", observed=v[:1], hidden=u[:1], u=u[:1], v=v[:1])
    found = load(tmp_path / "r")
    assert list(found.fields) == ["u", "v"]
    assert (found.grid.dx, found.grid.boundary) == (1.0, "periodic")
    recovered.write_result({"dx": 0.25, "boundary": None})  # what the run used counts more than what was asked for
    assert (load(tmp_path / "r").grid.dx, load(tmp_path / "r").grid.boundary) == (0.25, "periodic")


def test_a_dead_run_loads_since_recover_has_a_word_for_it(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.write_run({}, 0)
    run.write_arrays("states.npz", v=np.zeros((1, H, W)))
    assert load(tmp_path / "run").count == 1


# --- round trips ------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(st.sampled_from(["u", "v", "w", "h", "activator"]), min_size=1, unique=True),
    shape=st.tuples(st.integers(1, 3), st.integers(8, 11), st.integers(8, 11)),
    seed=st.integers(0, 9),
)
def test_npz_round_trip(names, shape, seed):
    arrays = {name: field(seed + i, shape) for i, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        save(path, arrays)
        found = load(path)
        assert list(found.fields) == names
        for name in names:
            np.testing.assert_array_equal(found.fields[name], arrays[name])
        assert os.listdir(folder) == ["x.npz"]  # no temporary file is left


def test_grid_and_trajectory_round_trip(tmp_path):
    from unstill._types import Status
    from unstill.simulation import Grid, Trajectory
    from unstill.systems import GrayScott

    grid = Grid((H, W), 0.5, "no-flux")
    state = field(1, (2, 2, H, W))
    film = Trajectory(GrayScott.make(), grid, 1.0, state, None, None, (Status.MOVING,) * 2, np.ones(2, int), np.ones(2))
    save(tmp_path / "x.npz", film)
    found = load(tmp_path / "x.npz")
    assert found.grid == grid
    np.testing.assert_array_equal(found.states(["u", "v"]), state)
    save(tmp_path / "y.npz", found)
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


def test_png_round_trip_and_refusals(tmp_path):
    save(tmp_path / "x.png", {"v": grey16() / 65535})
    np.testing.assert_array_equal(load(tmp_path / "x.png").fields["v"][0], grey16() / 65535)
    for states, word in [
        ({"v": 1 + field()}, r"\[0, 1\]"),
        ({"v": field(0, (2, H, W))}, "one picture"),
        ({"u": field(), "v": field()}, "one picture"),
    ]:
        with pytest.raises(BadInput, match=word):
            save(tmp_path / "y.png", states)
    assert not (tmp_path / "y.png").exists()


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    save(tmp_path / "x.npz", {"v": field()})
    before = (tmp_path / "x.npz").read_bytes()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "x.npz", {"v": field(1)})
    assert (tmp_path / "x.npz").read_bytes() == before
    assert os.listdir(tmp_path) == ["x.npz"]


# --- bad input --------------------------------------------------------------------------------------------------------


def npz(path, **arrays):
    np.savez(path, **arrays)


def lying_npy(shape, body=b"\0" * 64, descr="<f8"):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body


def zipped(path, name, content, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, content)


def deep_colour_png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + os.urandom(9 * 6) for _ in range(9))
    head = struct.pack(">IIBBBBB", 9, 9, 16, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def bomb_png():
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    body = struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + body + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def with_nan():
    values = field(0, (2, H, W))
    values[1, 3, 4] = np.nan
    values[1, 5, 5] = np.inf
    return values


def mixed_folder(path):
    path.mkdir()
    picture(path / "a.png", grey16())
    picture(path / "b.png", grey16(0, (9, 9)))


BAD = {
    "missing": ("x.npz", None, None, "existing"),
    "suffix": ("x.txt", lambda p: p.write_text("hello"), None, r"\.npz"),
    "nan": ("x.npz", lambda p: npz(p, v=with_nan()), None, "2 NaN or infinite.*sample 1, row 3, column 4"),
    "constant": ("x.npz", lambda p: npz(p, v=np.full((H, W), 0.5)), None, "0.5 everywhere in sample 0"),
    "constant png": ("x.png", lambda p: picture(p, np.zeros((9, 9), np.uint8)), None, "constant picture"),
    "small": ("x.npz", lambda p: npz(p, v=field(0, (7, 9))), None, "at least 8 × 8"),
    "small png": ("x.png", lambda p: picture(p, grey16(0, (4, 4))), None, "at least 8 × 8"),
    "1-D": ("x.npz", lambda p: npz(p, v=np.arange(5.0)), None, r"v \(5,\)"),
    "4-D": ("x.npz", lambda p: npz(p, v=field(0, (2, 2, H, W))), None, r"shape \(2, 2, 10, 12\)"),
    "5-D state": ("x.npz", lambda p: npz(p, state=field(0, (2, 1, 2, H, W))), None, "`state`"),
    "many fields": ("x.npz", lambda p: npz(p, state=field(0, (2, 4, H, W))), None, "name the 4 fields"),
    "empty": ("x.npz", lambda p: npz(p), None, "no arrays"),
    "no samples": ("x.npz", lambda p: npz(p, v=np.zeros((0, H, W))), None, "hold values"),
    "two shapes": ("x.npz", lambda p: npz(p, u=field(), v=field(0, (9, 9))), None, "one shape"),
    "complex": ("x.npz", lambda p: npz(p, v=field() + 1j), None, "complex128"),
    "text": ("x.npz", lambda p: npz(p, v=np.full((H, W), "a")), None, "<U1"),
    "int64": ("x.npz", lambda p: npz(p, v=np.arange(120).reshape(H, W)), None, "int64.*float"),
    "objects": ("x.npz", lambda p: npz(p, v=np.full((H, W), None)), None, "never unpickled"),
    "objects npy": ("x.npy", lambda p: np.save(p, np.full((H, W), None)), None, "never unpickled"),
    "bad dx": ("x.npz", lambda p: npz(p, v=field(), dx=-1.0), None, "`dx` must be positive"),
    "dx of two": ("x.npz", lambda p: npz(p, v=field(), dx=np.ones(2)), None, "`dx` must be one number"),
    "absent": ("x.npz", lambda p: npz(p, a=field()), "v", r"'?v'?.*Present: a \(10, 12\)"),
    "absent state": ("x.npz", lambda p: npz(p, state=field(0, (1, 2, H, W))), "w", "Known: u, v"),
    "twice": ("x.npz", lambda p: npz(p, v=field()), "v,v", "each field once"),
    "two of one": ("x.npy", lambda p: np.save(p, field(0, (2, H, W))), "u,v", "one field"),
    "two of png": ("x.png", lambda p: picture(p, grey16()), "u,v", "one field"),
    "not zip": ("x.npz", lambda p: p.write_bytes(b"nonsense"), None, "whole .npz"),
    "not npy": ("x.npy", lambda p: p.write_bytes(b"nonsense"), None, "whole .npy"),
    "no bytes": ("x.npy", lambda p: p.write_bytes(b""), None, "whole .npy"),
    "huge npy": ("x.npy", lambda p: p.write_bytes(lying_npy((10**6, 10**6))), None, "at most 2e"),
    "huge npz": ("x.npz", lambda p: zipped(p, "v.npy", lying_npy((10**6, 10**6))), None, "`v`.*at most 2e"),
    "short npy": ("x.npy", lambda p: p.write_bytes(lying_npy((90, 90))), None, "64 of 64800 bytes"),
    "short npz": ("x.npz", lambda p: zipped(p, "v.npy", lying_npy((90, 90))), None, "64 of 64800 bytes"),
    "negative": ("x.npy", lambda p: p.write_bytes(lying_npy((-9, 90))), None, "negative|whole"),
    "fake png": ("x.png", lambda p: p.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0"), None, "PNG, JPEG or TIFF"),
    "bomb": ("x.png", lambda p: p.write_bytes(bomb_png()), None, "DecompressionBomb"),
    "deep colour": ("x.png", lambda p: p.write_bytes(deep_colour_png()), None, "16-bit"),
    "empty folder": ("x", lambda p: p.mkdir(), None, "run folder or a folder with"),
    "mixed folder": ("x", mixed_folder, None, r"\(10, 12\) in a.png and \(9, 9\) in b.png"),
    "unfinished": ("x", lambda p: (p.mkdir(), (p / "run.json").write_text("{}")), None, "finished run"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(tmp_path, case):
    name, make, observe, words = BAD[case]
    if make is not None:
        make(tmp_path / name)
    with pytest.raises(BadInput, match=words) as error:
        load(tmp_path / name, observe=observe)
    one_line(error)


def test_a_member_that_lies_about_its_size_is_refused_unread(tmp_path):
    zipped(tmp_path / "x.npz", "v.npy", lying_npy((10, 12), b"\0" * 960), zipfile.ZIP_DEFLATED)
    raw = bytearray((tmp_path / "x.npz").read_bytes())
    place = raw.index(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    raw[place : place + 4] = struct.pack("<I", 2**31)
    (tmp_path / "x.npz").write_bytes(raw)
    with pytest.raises(BadInput, match="larger than its compressed bytes"):
        load(tmp_path / "x.npz")


def valid_files():
    stream = io.BytesIO()
    np.savez(stream, u=field(0), v=field(1))
    yield ".npz", stream.getvalue()
    stream = io.BytesIO()
    np.savez_compressed(stream, state=field(0, (2, 2, H, W)), dx=0.5)
    yield ".npz", stream.getvalue()
    stream = io.BytesIO()
    np.save(stream, field())
    yield ".npy", stream.getvalue()
    yield ".png", encoded(grey16(), "png")
    yield ".jpg", encoded((grey16() >> 8).astype(np.uint8), "jpg")
    stream = io.BytesIO()
    tifffile.imwrite(stream, field(0, (2, H, W)).astype(np.float32), photometric="minisblack")
    yield ".tif", stream.getvalue()


VALID = list(valid_files())


@settings(max_examples=300, deadline=None)
@given(
    which=st.integers(0, len(VALID) - 1),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
    header=st.booleans(),
)
def test_damaged_bytes_load_or_are_refused(which, cut, flips, header, tmp_path_factory):
    suffix, content = VALID[which]
    damaged = bytearray(content[: int(cut * len(content))] if not flips else content)
    for place, mask in flips:
        damaged[int(place * (min(200, len(damaged)) if header else len(damaged)))] ^= mask  # headers break in more ways
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(damaged)
    try:
        found = load(path)
    except BadInput:
        return
    for values in found.fields.values():
        assert values.ndim == 3
        assert np.isfinite(values).all()
