"""HDF5, NetCDF, Zarr, MATLAB, archives of NumPy, and files under the suffix of another format."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
from awkward_case import BYTES, GREY, WAVE, H, W, accepted, command, holds, refused

import unstill as us

_HOLES = np.where(WAVE > 0.45, np.nan, WAVE)


def _npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _npy(values):
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def _file(name, content, **reading):
    def act(folder):
        (folder / name).write_bytes(content)
        return us.load(folder / name, **reading)

    return act


def _hdf5(write, name="x.h5", keep=1.0, **reading):
    def act(folder):
        import h5py

        with h5py.File(folder / name, "w") as file:
            write(file)
        if keep < 1:
            whole = (folder / name).read_bytes()
            (folder / name).write_bytes(whole[: int(keep * len(whole))])
        return us.load(folder / name, **reading)

    return act


def _half_written(file):
    file.create_dataset("v", (H, W), dtype="f8", chunks=(8, 8), fillvalue=0.0)[:8] = WAVE[:8]


def _matlab73(folder):
    """MATLAB writes columns first, behind a header of text."""
    import h5py

    with h5py.File(folder / "x.mat", "w", userblock_size=512) as file:
        file["v"] = WAVE.T
    content = bytearray((folder / "x.mat").read_bytes())
    content[:19] = b"MATLAB 7.3 MAT-file"
    (folder / "x.mat").write_bytes(content)
    return us.load(folder / "x.mat")


def _matlab(**arrays):
    def act(folder):
        import scipy.io

        scipy.io.savemat(folder / "x.mat", arrays)
        return us.load(folder / "x.mat")

    return act


def _sparse():
    import scipy.sparse

    return scipy.sparse.csc_matrix(WAVE)


def _netcdf(values=WAVE, dims=("y", "x"), coords=None, attrs=None, encoding=None, version=4):
    def act(folder):
        import xarray

        data = xarray.Dataset({"v": (dims, values, attrs or {})}, coords=coords or {})
        kind = {"engine": "h5netcdf"} if version == 4 else {"engine": "scipy", "format": "NETCDF3_CLASSIC"}
        data.to_netcdf(folder / "x.nc", encoding={"v": encoding} if encoding else None, **kind)
        return us.load(folder / "x.nc")

    return act


def _sides(rows, columns, units=("mm", "mm")):
    return {
        "y": ("y", rows * np.arange(H), {"units": units[0]}),
        "x": ("x", columns * np.arange(W), {"units": units[1]}),
    }


def _one_millimetre(found):
    holds(WAVE)(found)
    assert (found.measures.dx, found.measures.unit) == (1.0, "mm")


def _zarr(version, values=WAVE, cut=False, **options):
    def act(folder):
        import zarr

        place = folder / "x.zarr"
        array = zarr.open_array(
            str(place), mode="w", shape=values.shape, dtype=values.dtype, chunks=(8, 16), zarr_format=version, **options
        )
        array[:] = values
        if cut:
            chunk = next(p for p in sorted(place.rglob("*")) if p.is_file() and p.name not in ("zarr.json", ".zarray"))
            chunk.write_bytes(chunk.read_bytes()[:20])
        return us.load(place)

    return act


class _Touch:
    """Unpickling it leaves a file behind."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def _pickled_by_command(folder):
    np.savez(folder / "x.npz", v=np.full((H, W), _Touch(), object))
    code, said = command("inspect", folder / "x.npz", "--out", folder / "run")
    assert not Path("unpickled").exists()
    return code, said


def _is_refused_in_one_line(answer):
    code, said = answer
    assert code == 2
    assert "never unpickled" in said
    assert said.count("\n") == 1


def _nested():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "no array")
    return stream.getvalue()


_PACKED = {"dtype": "i2", "scale_factor": 1e-4, "add_offset": 0.2, "_FillValue": -32768}
_NEVER_WRITTEN = np.where(WAVE > 0.45, 9.969209968386869e36, WAVE)

STORES = (
    accepted(
        "h5-big-endian", "HDF5 in big-endian single precision", "the same values",
        _hdf5(lambda f: f.__setitem__("v", WAVE.astype(">f4"))), holds(WAVE.astype("f4")),
    ),
    refused(
        "h5-half", "HDF5 of which a run wrote a third", "the library would fill in zeros", _hdf5(_half_written), "path",
        "4 of 12 chunks",
    ),
    refused(
        "h5-cut", "HDF5 that ends early", "not whole", _hdf5(lambda f: f.__setitem__("v", WAVE), keep=0.8), "path",
        "truncated",
    ),
    refused(
        "h5-complex", "HDF5 of complex numbers alone", "what it holds is named",
        _hdf5(lambda f: f.__setitem__("v", WAVE + 1j)), "path", "complex128",
    ),
    refused(
        "h5-trailing-one", "HDF5 (H, W, 1) without labels", "nobody says what the last axis is",
        _hdf5(lambda f: f.__setitem__("v", WAVE[..., None])), "axes", "YXC",
    ),
    accepted("mat-5", "MATLAB version 5, by columns", "rows are rows", _matlab(v=np.asfortranarray(WAVE)), holds(WAVE)),
    accepted("mat-73", "MATLAB 7.3, which is HDF5 with its axes reversed", "rows are rows", _matlab73, holds(WAVE)),
    accepted("mat-bytes", "MATLAB's uint8", "value / 255, gain unknown", _matlab(v=BYTES), holds(GREY)),
    refused("mat-complex", "MATLAB's complex numbers", "not real", _matlab(v=WAVE + 1j), "path", "complex128"),
    refused(
        "mat-sparse", "a sparse matrix of MATLAB", "what it holds is named", _matlab(v=_sparse()), "path", "sparse",
    ),
    refused("mat-struct", "a struct of MATLAB", "what it holds is named", _matlab(s={"v": WAVE}), "path", "struct"),
    accepted("nc-3", "NetCDF 3", "the same values", _netcdf(version=3), holds(WAVE)),
    accepted(
        "nc-packed", "NetCDF packed into 16 bits", "unpacked, to half a step of 0.0001", _netcdf(encoding=_PACKED),
        holds(WAVE, 6e-5),
    ),
    refused("nc-fill", "the same with missing cells", "NaN, and where", _netcdf(_HOLES, encoding=_PACKED), "v", "NaN"),
    refused(
        "nc-never-written", "NetCDF with its default fill 9.97e36 and no attribute", "never written",
        _netcdf(_NEVER_WRITTEN, encoding={"_FillValue": None}), "path", "never written",
    ),
    refused(
        "nc-valid-range", "NetCDF with 99 outside its `valid_range`", "not valid",
        _netcdf(np.where(WAVE > 0.45, 99.0, WAVE), attrs={"valid_min": 0.0, "valid_max": 1.0}), "path", "not valid",
    ),
    accepted(
        "nc-columns-first", "NetCDF whose dimensions are (x, y)", "rows are y", _netcdf(WAVE.T, ("x", "y")),
        holds(WAVE),
    ),
    refused(
        "nc-nameless", "NetCDF whose dimensions are (a, b)", "nobody says which is which", _netcdf(dims=("a", "b")),
        "axes", "axes=YX",
    ),
    accepted(
        "nc-sides", "NetCDF with cells of 1 mm by 0.001 m", "square cells of 1 mm",
        _netcdf(coords=_sides(0.001, 1.0, ("m", "mm"))), _one_millimetre,
    ),
    refused(
        "nc-units", "NetCDF with cells of 1 m by 1 mm", "not square", _netcdf(coords=_sides(1.0, 1.0, ("m", "mm"))),
        "path", "square pixels",
    ),
    refused(
        "nc-uneven", "NetCDF with columns not equally far apart", "cells of several sizes",
        _netcdf(coords={"x": np.arange(W) ** 1.5}), "path", "one size",
    ),
    accepted(
        "zarr-2", "Zarr 2, big-endian, by columns", "the same values", _zarr(2, WAVE.astype(">f8"), order="F"),
        holds(WAVE),
    ),
    accepted("zarr-3", "Zarr 3", "the same values", _zarr(3), holds(WAVE)),
    refused("zarr-cut", "Zarr with a chunk cut short", "not whole", _zarr(3, cut=True), "path", "whole .zarr"),
    accepted(
        "npz-pickled", "a pickled array in `.npz`, by the command line", "refused with exit code 2, never unpickled",
        _pickled_by_command, _is_refused_in_one_line,
    ),
    refused(
        "npy-pickle", "a masked array that was dumped as `.npy`", "a pickle", _file("x.npy", pickle.dumps([1.0])),
        "path", "a pickle",
    ),
    refused(
        "npz-cut", "an `.npz` that ends early", "not whole", _file("x.npz", _npz(v=WAVE)[:3000]), "path", "whole .npz",
    ),
    refused(
        "zip-as-npz", "a ZIP archive without arrays", "it holds none", _file("x.npz", _nested()), "path", "no arrays",
    ),
    refused("npz-as-npy", "an `.npz` called .npy", "it says so", _file("x.npy", _npz(v=WAVE)), "path", "ZIP"),
    refused(
        "npy-as-npz", "an `.npy` called .npz", "it says so", _file("x.npz", _npy(WAVE)), "path", "an array of NumPy",
    ),
    refused(
        "npy-as-png", "an `.npy` called .png", "it says so", _file("x.png", _npy(WAVE)), "path", "an array of NumPy",
    ),
    refused(
        "h5-as-npz", "HDF5 called .npz", "it says so", _file("x.npz", b"\x89HDF\r\n\x1a\n" + bytes(99)), "path", "HDF5",
    ),
    refused(
        "pointer", "the pointer that Git LFS leaves for a file", "it says so",
        _file("x.npz", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "path", "Git LFS",
    ),
)  # fmt: skip
