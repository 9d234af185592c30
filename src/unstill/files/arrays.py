"""`.npz` and `.npy` read without trust: headers first, sizes checked before memory is taken, nothing unpickled."""

import contextlib
import dataclasses
import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .._errors import BadInput
from .signatures import disguised

MOST_ELEMENTS = 2_000_000_000  # 16 GB of float64: more is a mistake or an attack
FRAMES = "frames_"  # before a field's name: its frames in a file of states
_DEFLATE_RATIO = 1100  # deflate cannot shrink by more than 1032; a member that claims more lies about its size


@dataclasses.dataclass(frozen=True)
class Header:
    """What an array says of itself before its values are read."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@contextlib.contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turns whatever a decoder raises on malformed bytes into one `BadInput` about `path`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except BadInput:
        raise
    except FileNotFoundError as error:
        raise BadInput("path", "must exist", path) from error
    except Exception as error:  # decoders raise anything: struct.error, zlib.error, SyntaxError, MemoryError, …
        refuse_disguised(path, f"must be a whole {path.suffix} file", error)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise BadInput("path", f"must be a whole {path.suffix} file ({reason})", path, "Write it again.") from error


def refuse_disguised(path: Path, rule: str, error: Exception | None = None) -> None:
    """Raise `BadInput` for a file that its first bytes tell to be of another format than its suffix."""
    if (found := disguised(path)) is not None:
        remedy = f"Give it the suffix {found[1]}." if found[1] else "Save it as one of the formats of docs/files.md."
        raise BadInput("path", rule, f"{path}, which is {found[0]}", remedy) from error


def read_npz_headers(path: Path) -> dict[str, Header]:
    """Name → header of every array in an archive; raises `BadInput` where it is not one."""
    with decoding(path), zipfile.ZipFile(path) as archive:
        headers = {}
        for member in archive.infolist():
            if member.filename.endswith(".npy"):
                name = member.filename.removesuffix(".npy")
                if member.file_size > member.compress_size * _DEFLATE_RATIO + 1024:
                    raise BadInput(name, "claims to be larger than its compressed bytes allow", path)
                with archive.open(member) as stream:
                    headers[name] = _checked(name, _read_header(stream), member.file_size - stream.tell())
        return headers


def read_npz(path: Path, names=None) -> dict[str, np.ndarray]:
    """The arrays (those of `names`, or all) with their own dtypes; raises `BadInput`, never unpickles."""
    headers = read_npz_headers(path)
    with decoding(path), zipfile.ZipFile(path) as archive:
        return {name: _read_member(archive, name, headers[name]) for name in (headers if names is None else names)}


def read_npy(path: Path) -> np.ndarray:
    """The array with its own dtype; raises `BadInput`, never unpickles."""
    with decoding(path), open(path, "rb") as stream:
        header = _read_header(stream)
        _checked("state", header, path.stat().st_size - stream.tell())
        _refuse_objects("state", header)
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)


def write_npz(stream: BinaryIO | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Uncompressed: noise-like float64 shrinks by a few per cent and costs seconds. Object arrays raise `TypeError`."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, values in arrays.items():
            values = np.asanyarray(values)
            if values.dtype.hasobject:
                raise TypeError(f"array {name} holds Python objects, which are never pickled")
            # A fixed date makes equal arrays equal files.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


def _read_header(stream) -> Header:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):  # version 3 exists only for records with non-Latin names
        raise ValueError(f"npy format version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return Header(tuple(int(n) for n in shape), dtype)


def _checked(name: str, header: Header, available: int) -> Header:
    if min(header.shape, default=0) < 0:
        raise BadInput(name, "must have a shape without negative numbers", header.shape)
    if math.prod(header.shape) > MOST_ELEMENTS:
        raise BadInput(name, f"must hold at most {MOST_ELEMENTS:.0e} values", f"shape {header.shape}")
    if not header.dtype.hasobject and header.nbytes > available:
        short = f"{available} of {header.nbytes} bytes"
        raise BadInput(name, "must be whole", short, "The file is truncated; write it again.")
    return header


def _refuse_objects(name: str, header: Header) -> None:
    if header.dtype.hasobject:
        raise BadInput(name, "must hold numbers", "Python objects", "They are never unpickled; save a float array.")


def _read_member(archive: zipfile.ZipFile, name: str, header: Header) -> np.ndarray:
    _refuse_objects(name, header)
    with archive.open(f"{name}.npy") as stream:
        values = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)  # reaching the end makes zipfile verify the checksum
        return values
