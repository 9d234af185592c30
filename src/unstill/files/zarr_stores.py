"""Zarr: arrays of a store in a folder, OME-Zarr's pictures among them, as `Stack`s read in blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .._errors import BadInput
from .hdf5_files import chunks
from .stacks import Stack, axes_of_names, axes_of_shape, needed, positive

MARKS = ("zarr.json", ".zgroup", ".zarray")
# What may decode a chunk. Others may run what a chunk says: numcodecs has one that unpickles.
_CODECS = (
    "bytes", "blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma", "shuffle", "delta", "transpose", "sharding",
    "crc32c", "crc32", "adler32", "fletcher32", "fixedscaleoffset", "bitround", "quantize", "packbits",
)  # fmt: skip
_MOST_ARRAYS = 1000


def is_store(folder: Path) -> bool:
    """Whether a folder is a Zarr store."""
    return any((folder / mark).is_file() for mark in MARKS)


@contextlib.contextmanager
def open_zarr(path: Path) -> Iterator[list[Stack]]:
    """An array, the largest of an OME pyramid, or every array of numbers of two axes or more, by its path."""
    zarr = needed("zarr", path)
    store = zarr.storage.LocalStore(path, read_only=True)
    root = zarr.open(store=store, mode="r")
    if isinstance(root, zarr.Array):
        yield [_stack(path, "", root)]
        return
    pyramid = _pyramid(root.attrs)
    if pyramid:
        yield [_ome(path, root[pyramid["datasets"][0]["path"]], pyramid)]
        return
    yield [_stack(path, name, each) for name, each in _arrays(root, zarr, path)]


def _arrays(root: Any, zarr: Any, path: Path) -> list[tuple[str, Any]]:
    found = []
    for count, (name, each) in enumerate(root.members(max_depth=None)):
        if count > _MOST_ARRAYS:
            raise BadInput("path", f"must hold at most {_MOST_ARRAYS} arrays", path)
        if isinstance(each, zarr.Array) and each.ndim >= 2 and each.dtype.kind in "fiub":
            found.append((name, each))
    return sorted(found)


def _stack(path: Path, name: str, array: Any, axes: str = "", **stated: Any) -> Stack:
    check_codecs(path, array)
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    said = axes or axes_of_names(names if len(names) == array.ndim else ())
    axes = said or axes_of_shape(array.shape)
    return Stack(
        path, axes, tuple(array.shape), array.dtype, lambda key: array[key], name=name, convention=not said,
        chunk=chunks(axes, array.chunks), **stated,
    )  # fmt: skip


def check_codecs(path: Path, array: Any) -> None:
    """Raise `BadInput` for an array whose chunks may be more than numbers."""
    left = [*array.filters, *array.compressors, *([array.serializer] if array.serializer is not None else ())]
    while left:
        codec = left.pop()
        left += [*getattr(codec, "codecs", ()), *getattr(codec, "index_codecs", ())]
        name = str(getattr(codec, "codec_id", None) or getattr(codec, "codec_name", None) or type(codec).__name__)
        bare = name.lower().removeprefix("numcodecs.").removesuffix("codec")
        if bare not in _CODECS:
            raise BadInput("path", "must be stored by codecs of numbers alone", f"{name} in {path}")
    if array.dtype.kind == "O":
        raise BadInput("path", "must hold numbers", f"Python objects in {path}", "They are never unpickled.")


def _pyramid(attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """OME-Zarr's first list of pictures of one scene, largest first."""
    several = attributes.get("multiscales") or dict(attributes.get("ome") or {}).get("multiscales")
    return dict(several[0]) if several else None


def _ome(path: Path, array: Any, pyramid: Mapping[str, Any]) -> Stack:
    names = [each["name"] if isinstance(each, Mapping) else each for each in pyramid["axes"]]
    units = [each.get("unit", "") if isinstance(each, Mapping) else "" for each in pyramid["axes"]]
    axes = axes_of_names(names)
    scale = next(
        (step["scale"] for step in pyramid["datasets"][0].get("coordinateTransformations", ()) if "scale" in step), ()
    )
    found: dict[str, Any] = {}
    told = {letter: (positive(s), unit) for letter, s, unit in zip(axes, scale, units, strict=False)}
    if all(told.get(letter, (None, ""))[0] and told[letter][1] for letter in "YX"):
        found |= {"pixel": (told["Y"][0], told["X"][0]), "unit": told["X"][1]}
    if told.get("T", (None, ""))[1]:
        found |= {"interval": told["T"][0], "time_unit": told["T"][1]}
    return _stack(path, "", array, axes, **found)
