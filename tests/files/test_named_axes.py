"""Files with axes: each format gives its own values back, what is ambiguous is asked for, and options answer."""

import json
import pickle
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
import xarray
import zarr
from PIL import Image

from unstill._errors import BadInput
from unstill.files import load
from unstill.files.formats import OPENERS

H, W = 10, 12
RNG = np.random.default_rng(5)
FILM = RNG.random((4, 3, H, W)).astype(np.float32)  # T, C, Y, X


def imagej(path, values=FILM, axes="TCYX", **more):
    tifffile.imwrite(path, values, imagej=True, metadata={"axes": axes, **more}, resolution=(1 / 0.65, 1 / 0.65))


def ome(path, values=FILM, axes="TCYX", **more):
    tifffile.imwrite(path, values, ome=True, metadata={"axes": axes, **more})


def h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


def well(path):
    """Two fields of The Well: (trajectory, time, x, y)."""
    with h5py.File(path, "w") as file:
        for name, channel in (("A", 0), ("B", 1)):
            field = file.create_dataset(f"t0_fields/{name}", data=np.stack([FILM[:, channel]] * 2))
            field.attrs.update(sample_varying=True, time_varying=True)
        file["dimensions/x"], file["dimensions/y"] = 0.5 * np.arange(H), 0.5 * np.arange(W)
        file["dimensions/time"] = 10.0 * np.arange(4)
        file["dimensions"].attrs["spatial_dims"] = ["x", "y"]
        for side in "xy":
            file.create_group(f"boundary_conditions/{side}_periodic").attrs["bc_type"] = "PERIODIC"


def netcdf(path, engine):
    places = {"time": 5.0 * np.arange(4), "y": 0.1 * np.arange(H), "x": ("x", 0.1 * np.arange(W), {"units": "mm"})}
    dims = ("time", "y", "x")
    data = xarray.Dataset({"u": (dims, FILM[:, 0]), "v": (dims, FILM[:, 1])}, places)
    data.to_netcdf(path, engine=engine)


def zarr_store(path):
    group = zarr.create_group(path)
    for name, channel in (("u", 0), ("v", 1)):
        array = group.create_array(name, data=FILM[:, channel], chunks=(2, 5, 5), dimension_names=("time", "y", "x"))
        assert array.shape == (4, H, W)


def ome_zarr(path):
    group = zarr.create_group(path, zarr_format=2)
    group.create_array("0", data=FILM, chunks=(1, 1, 5, 5))
    axes = [{"name": "t", "unit": "second"}, {"name": "c"}, {"name": "y", "unit": "micrometer"},
            {"name": "x", "unit": "micrometer"}]  # fmt: skip
    scale = {"type": "scale", "scale": [2.0, 1.0, 0.3, 0.3]}
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]


def mat73(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file["film"] = FILM[:, 0].T  # MATLAB's film is (T, H, W); its file is the other way round
    with open(path, "r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")


def csv(path):
    np.savetxt(path, FILM[0, 0], delimiter=",", fmt="%.9g")


# name → (make, options, fields → channels of FILM)
WHOLE = {
    "imagej.tif": (imagej, {"fields": "u=0,v=1"}, {"u": 0, "v": 1}),
    "imagej by observe.tif": (imagej, {"observe": "a,b,c"}, {"a": 0, "b": 1, "c": 2}),
    "channel.tif": (imagej, {"channel": 2}, {"v": 2}),
    "ome.tif": (ome, {"channel": "1", "observe": "w"}, {"w": 1}),
    "named.ome.tif": (lambda p: ome(p, Channel={"Name": ["p", "q", "r"]}), {}, {"p": 0, "q": 1, "r": 2}),
    "by name.ome.tif": (lambda p: ome(p, Channel={"Name": ["p", "q", "r"]}), {"fields": {"v": "q"}}, {"v": 1}),
    "x.npy": (lambda p: np.save(p, FILM.swapaxes(0, 1)), {"axes": "CTYX"}, {"u": 0, "v": 1, "w": 2}),
    "last.npy": (lambda p: np.save(p, np.moveaxis(FILM, 1, 3)), {"axes": "TYXC", "channel": 1}, {"v": 1}),
    "turned.npy": (lambda p: np.save(p, FILM.swapaxes(2, 3)), {"axes": "tcxy"}, {"u": 0, "v": 1, "w": 2}),
    "x.npz": (lambda p: np.savez(p, film=FILM), {"axes": "TCYX", "fields": "v=2"}, {"v": 2}),
    "two.npz": (lambda p: np.savez(p, a=FILM[:, 0], b=FILM[:, 1]), {"fields": "u=b"}, {"u": 1}),
    "x.h5": (lambda p: h5(p, **{"run/u": FILM[:, 0], "run/v": FILM[:, 1], "ts": np.arange(4)}), {}, {"u": 0, "v": 1}),
    "path.hdf5": (lambda p: h5(p, **{"a/x": FILM[:, 0], "b/x": FILM[:, 1]}), {"fields": "v=/b/x"}, {"v": 1}),
    "four.h5": (lambda p: h5(p, data=FILM), {"axes": "TCYX", "fields": "u=1"}, {"u": 1}),
    "x.nc": (lambda p: netcdf(p, "h5netcdf"), {}, {"u": 0, "v": 1}),
    "three.nc": (lambda p: netcdf(p, "scipy"), {"observe": "v"}, {"v": 1}),
    "x.zarr": (zarr_store, {}, {"u": 0, "v": 1}),
    "ome.zarr": (ome_zarr, {"channel": 1}, {"v": 1}),
    "x.mat": (lambda p: scipy.io.savemat(p, {"u": FILM[:, 0], "n": 3.0}), {"axes": "TYX"}, {"u": 0}),
    "73.mat": (mat73, {"axes": "TYX"}, {"film": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_every_format_gives_its_values_back(name, tmp_path):
    make, options, expected = WHOLE[name]
    make(tmp_path / name)
    found = load(tmp_path / name, **options)
    assert list(found.fields) == list(expected)
    for field, channel in expected.items():
        np.testing.assert_array_equal(found[field], FILM[:, channel])
    assert found.ordered == (not name.endswith(("two.npz", "h5", "hdf5")) or "four" in name)


def test_every_format_that_is_opened_is_tried():
    tried = {Path(name).suffix for name in WHOLE} | {".csv", ".gif"} | {".png", ".jpg", ".jpeg", ".tiff"}
    assert set(OPENERS) - tried == {".mp4", ".m4v", ".mov", ".avi"}  # below, by their own codecs


def test_the_well_has_fields_trajectories_and_a_torus(tmp_path):
    well(tmp_path / "x.hdf5")
    found = load(tmp_path / "x.hdf5", fields="u=A,v=B")
    np.testing.assert_array_equal(found["v"], np.concatenate([FILM[:, 1]] * 2))
    assert (found.grid.dx, found.grid.boundary) == (0.5, "periodic")
    assert (found.measures.interval, found.ordered) == (10.0, False)


@pytest.mark.parametrize(
    ("name", "make", "dx", "unit", "interval"),
    [
        ("x.tif", lambda p: imagej(p, unit="micron", finterval=2.5), 0.65, "µm", 2.5),
        ("print.tif", imagej, None, "", None),  # a resolution without a unit is the printer's
        ("x.ome.tif", lambda p: ome(p, PhysicalSizeX=0.2, PhysicalSizeY=0.2, TimeIncrement=3.0), 0.2, "µm", 3.0),
        ("x.nc", lambda p: netcdf(p, "h5netcdf"), 0.1, "mm", 5.0),
        ("x.zarr", ome_zarr, 0.3, "micrometer", 2.0),
    ],
)
def test_what_a_file_states_of_lengths_and_times_is_kept(name, make, dx, unit, interval, tmp_path):
    make(tmp_path / name)
    options = {} if name.endswith("nc") else {"channel": 0}
    told = load(tmp_path / name, **options).measures
    assert told.dx == (None if dx is None else pytest.approx(dx, rel=1e-6))
    assert (told.unit, told.interval) == (unit, interval and pytest.approx(interval))
    every_third = load(tmp_path / name, **options, frames="0::3")
    assert every_third.count == 2
    assert every_third.measures.interval == (interval and pytest.approx(3 * interval))


@pytest.mark.parametrize(("frames", "places"), [("2", [2]), (-1, [3]), ("1:3", [1, 2]), (slice(None, None, 2), [0, 2])])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_frames_are_chosen_and_no_others_are_read(frames, places, compression, tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", FILM[:, 0], photometric="minisblack", compression=compression)
    np.testing.assert_array_equal(load(tmp_path / "x.tif", frames=frames)["v"], FILM[places, 0])


def test_a_table_is_a_picture_or_says_what_it_is(tmp_path):
    csv(tmp_path / "x.csv")
    np.testing.assert_allclose(load(tmp_path / "x.csv")["v"][0], FILM[0, 0], rtol=1e-6)
    (tmp_path / "p.csv").write_text("x,y\n1,2\n3,4\n")
    with pytest.raises(BadInput, match=r"`path` must be a picture.*got columns x, y.*discover"):
        load(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_text("1,2\n3,4\n")
    with pytest.raises(BadInput, match="at least 8 × 8"):
        load(tmp_path / "p.csv")


def test_gifs_are_films(tmp_path):
    grey = (FILM[:, 0] * 255).astype(np.uint8)
    first, *others = (Image.fromarray(frame) for frame in grey)
    first.save(tmp_path / "x.gif", save_all=True, append_images=others, duration=40)
    found = load(tmp_path / "x.gif")
    np.testing.assert_array_equal(found["v"], grey / 255)
    assert found.ordered
    assert found.measures.interval is None  # how long a frame is shown is no time of what it shows
    np.testing.assert_array_equal(load(tmp_path / "x.gif", frames="1::2")["v"], grey[1::2] / 255)


def film(path, frames, codec):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def moving_bars():
    grey = 127 + 100 * np.sin(np.arange(32) / 5 + np.arange(6)[:, None, None]) * np.ones((6, 32, 32))
    return np.repeat(grey[..., None], 3, -1).astype(np.uint8)


@pytest.mark.parametrize(("name", "codec"), [("x.mp4", "mpeg4"), ("x.mov", "mpeg4"), ("x.avi", "mpeg4")])
def test_films_are_frames_in_order(name, codec, tmp_path):
    frames = moving_bars()
    film(tmp_path / name, frames, codec)
    found = load(tmp_path / name, colormap="grey")
    np.testing.assert_allclose(found["v"], frames[..., 0] / 255, atol=0.05)  # of lossy compression
    assert found.ordered
    last = load(tmp_path / name, colormap="grey", frames=-1)
    np.testing.assert_array_equal(last["v"][0], found["v"][-1])
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match=r"must be whole|must be a whole|must hold a film"):
        load(tmp_path / name)


# What is not told is asked for.

ASKED = {
    "two.npy": (lambda p: np.save(p, RNG.random((2, 3, H, W))), {}, r"`axes` must be named.*\(2, 3, 10, 12\).*TCYX"),
    "colours.npy": (lambda p: np.save(p, RNG.random((H, W, 3))), {}, r"`axes` must be named.*\(10, 12, 3\).*axes=YXC"),
    "last.npy": (lambda p: np.save(p, RNG.random((10, 10, 16))), {}, "`axes` must be named.*axes=YXT"),
    "five.npy": (lambda p: np.save(p, RNG.random((2, 2, 2, H, W))), {}, "`axes` must be named.*axes=TCZYX"),
    "x.tif": (imagej, {}, "`channel` must say which of the 3 channels.*channel=0.*fields=u=0,v=1"),
    "z.tif": (lambda p: imagej(p, axes="TZYX"), {}, "`axes` must have no depth.*axes=TMYX.*3 planes are samples"),
    "slices.tif": (lambda p: imagej(p, FILM[:, 0], "ZYX"), {}, "`axes` must have no depth.*axes=TYX"),
    "pages.tif": (lambda p: tifffile.imwrite(p, FILM, photometric="minisblack"), {}, "`axes` must be named"),
    "x.h5": (lambda p: h5(p, a=FILM[:, 0], b=FILM[0, 0, :9]), {}, r"`fields` must.*a \(4, 10, 12\), b \(9, 12\)"),
    "one.h5": (lambda p: h5(p, a=FILM[:, 0]), {"observe": "v"}, "`observe` must name arrays.*fields=v=a"),
    "none.h5": (lambda p: h5(p, a=np.arange(3)), {}, "`path` must hold an array of numbers"),
    "film.mat": (lambda p: scipy.io.savemat(p, {"u": FILM[:, 0]}), {}, "`axes` must be named"),
    "sides.tif": (lambda p: ome(p, PhysicalSizeX=1.0, PhysicalSizeY=2.0), {"channel": 0}, "square pixels; got 2 × 1 "),
    "axes.npy": (lambda p: np.save(p, FILM), {"axes": "TYX"}, r"`axes` must have one letter.*'TYX' for \(4, 3"),
    "letters.npy": (lambda p: np.save(p, FILM), {"axes": "ABYX"}, "`axes` must name Y, X and others.*'ABYX'"),
    "twice.npy": (lambda p: np.save(p, FILM), {"axes": "TTYX"}, "`axes` must name Y, X"),
    "far.tif": (imagej, {"channel": 3}, "`channel` must be a channel from 0 to 2; got '3'"),
    "word.tif": (imagej, {"channel": "green"}, "`channel` must be a channel from 0 to 2; got 'green'"),
    "grey.npy": (lambda p: np.save(p, FILM[0, 0]), {"channel": 0}, "`channel` must be left out"),
    "both.tif": (imagej, {"channel": 0, "fields": "u=0"}, "`channel` must be left out where `fields`"),
    "frames.tif": (imagej, {"channel": 0, "frames": "9:"}, "`frames` must lie within the 4"),
    "still.npy": (lambda p: np.save(p, FILM[0, 0]), {"frames": 0}, "`frames` must be left out.*one picture"),
    "bad.tif": (imagej, {"frames": "x"}, "`frames` must be a place, or START:STOP"),
    "step.tif": (imagej, {"frames": "::0"}, "`frames` must be a place"),
    "name.tif": (imagej, {"fields": "u"}, "`fields` must be NAME=CHANNEL"),
    "same.tif": (imagej, {"fields": "u=0,u=1"}, "`fields` must name each field once"),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_what_is_ambiguous_is_asked_for_in_one_line(case, tmp_path):
    make, options, words = ASKED[case]
    make(tmp_path / case)
    with pytest.raises(BadInput, match=words) as error:
        load(tmp_path / case, **options)
    assert "\n" not in str(error.value)


def test_a_run_folder_needs_no_such_options(tmp_path):
    np.savez(tmp_path / "states.npz", v=FILM[:, 0])
    with pytest.raises(BadInput, match="`frames` must be left out: the arrays of a run folder are known"):
        load(tmp_path, frames="0:2")


def test_a_folder_of_tiffs_is_read_with_its_channels(tmp_path):
    for t in range(4):
        imagej(tmp_path / f"{t}.tif", FILM[t], "CYX", unit="micron")
    found = load(tmp_path, fields="u=0,v=2")
    np.testing.assert_array_equal(found.states("uv"), FILM[:, [0, 2]])
    assert found.measures.dx == pytest.approx(0.65)
    with pytest.raises(BadInput, match="`channel` must say"):
        load(tmp_path)


# Strangers' files.


def test_values_in_other_files_are_not_read(tmp_path):
    h5(tmp_path / "secret.h5", v=FILM[:, 0])
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["v"] = h5py.ExternalLink("secret.h5", "/v")
    layout = h5py.VirtualLayout(FILM[:, 0].shape, np.float32)
    layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "v", shape=FILM[:, 0].shape)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("v", layout)
    for name in ("link.h5", "virtual.h5"):
        with pytest.raises(BadInput, match="must hold"):
            load(tmp_path / name, fields="v=v")


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (Path.touch, (self.place,))


@pytest.mark.parametrize("codec", ["pickle", "base64", "json2"])
def test_only_codecs_of_numbers_decode_a_zarr(codec, tmp_path):
    store = tmp_path / "x.zarr"
    store.mkdir()
    told = {"zarr_format": 2, "shape": [9, 9], "chunks": [9, 9], "dtype": "<f8", "compressor": None, "fill_value": 0,
            "order": "C", "filters": [{"id": codec}]}  # fmt: skip
    (store / ".zarray").write_text(json.dumps(told))
    (store / "0.0").write_bytes(pickle.dumps(Bomb(tmp_path / "unpickled")))
    with pytest.raises(BadInput, match=r"codecs of numbers alone; got base64|must be a whole \.zarr"):
        load(store)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(("package", "name"), [("h5py", "x.h5"), ("zarr", "x.zarr"), ("xarray", "x.nc")])
def test_a_missing_package_is_named(package, name, tmp_path, monkeypatch):
    {"x.h5": lambda p: h5(p, v=FILM[:, 0]), "x.zarr": zarr_store, "x.nc": lambda p: netcdf(p, "scipy")}[name](
        tmp_path / name
    )
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=rf"needs the package {package}.*pip install 'unstill\[files\]'"):
        load(tmp_path / name)


MAKERS = {
    "x.tif": imagej,
    "z.tif": lambda p: tifffile.imwrite(p, FILM[:, 0], photometric="minisblack", compression="zlib"),
    "x.h5": lambda p: h5(p, v=FILM[:, 0]),
    "x.nc": lambda p: netcdf(p, "scipy"),
    "4.nc": lambda p: netcdf(p, "h5netcdf"),
    "x.mat": lambda p: scipy.io.savemat(p, {"u": FILM[0, 0]}, do_compression=True),
    "x.csv": csv,
    "x.gif": lambda p: Image.fromarray((FILM[0, 0] * 255).astype(np.uint8)).save(p),
    "x.avi": lambda p: film(p, moving_bars(), "mpeg4"),
    "x.mp4": lambda p: film(p, moving_bars(), "mpeg4"),
}


def is_refused(path, options) -> bool:
    try:
        found = load(path, **options)
    except BadInput as error:
        return "\n" not in str(error)  # else counted as none
    return not all(np.isfinite(values).all() for values in found.fields.values())


@pytest.mark.parametrize("name", MAKERS)
def test_damaged_files_load_or_are_refused_in_one_line(name, tmp_path):
    path = tmp_path / name
    MAKERS[name](path)
    content, rng = path.read_bytes(), np.random.default_rng(3)
    options = {"channel": 0} if name == "x.tif" else {}
    load(path, **options)
    cuts = [content[: int(share * len(content))] for share in (0, 0.02, 0.3, 0.6, 0.98)]
    flipped = []
    for place in rng.integers(0, len(content), 12):
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        flipped.append(bytes(damaged))
    refused = 0
    for damaged in (*cuts, *flipped):
        path.write_bytes(damaged)
        refused += is_refused(path, options)
    assert refused >= 3


def test_little_memory_is_needed_beyond_what_is_kept():
    """Blocks of a large array are bounded, whatever its shape."""
    from unstill.files.stacks import Stack

    asked = []

    def read(key):
        asked.append(
            np.prod([len(range(n)[k]) if isinstance(k, slice) else 1 for k, n in zip(key, shape, strict=True)])
        )
        return np.empty([len(range(n)[k]) for k, n in zip(key, shape, strict=True) if isinstance(k, slice)], np.uint8)

    shape = (50_000, 3, 64, 64)  # 600 MB of bytes
    stack = Stack(Path("x"), "TCYX", shape, np.dtype(np.uint8), read)
    places = range(shape[0])
    assert sum(len(block) for block in stack.blocks("T", places, {"C": 1})) == shape[0]
    assert max(asked) <= 50_000_000
    assert sum(asked) == 50_000 * 64 * 64  # the other channels are not read
