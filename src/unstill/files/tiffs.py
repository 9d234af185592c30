"""TIFF: ImageJ's, OME's and plain ones as a `Stack`, read page by page."""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .stacks import Stack, in_one_unit, positive
from .tiff_pages import Meaning, meaning_of

_KNOWN = "TCZYXS"
_PIXELS = ("", "pixel", "pixels", "px")
_UNITS = {"micron": "µm", "microns": "µm", "um": "µm", "\\u00b5m": "µm", "&#181;m": "µm"}


@contextlib.contextmanager
def open_tiff(path: Path) -> Iterator[list[Stack]]:
    """One series of pages; raises `BadInput` for none or several. Other files that an OME header names are not read."""
    import tifffile

    with _quiet_tifffile(), tifffile.TiffFile(path, _multifile=False) as file:
        if len(file.series) != 1:
            raise BadInput("path", "must be a TIFF with pictures of one shape", f"{len(file.series)} series in {path}")
        series = file.series[0]
        if series.dtype is None or len(series.shape) < 2:
            raise BadInput("path", "must hold pictures of two axes", f"shape {series.shape} in {path}")
        axes, shape = _axes(series.axes), tuple(int(n) for n in series.shape)
        while shape[-1] == 1 and shape[-1 - series.keyframe.ndim : -1] == series.keyframe.shape:  # (H, W, 1)
            axes, shape = axes[:-1], shape[:-1]
        meaning = meaning_of(file, series, path)
        stated = _of_ome(file) if file.is_ome else _of_imagej(file) if file.is_imagej else {}
        if len(stated.get("channels", ())) != (shape[axes.index("C")] if "C" in axes else 0):
            stated.pop("channels", None)
        read, dtype = _reader(path, file, series, shape, meaning), series.dtype
        if meaning.colours is not None:
            shape, dtype = (*shape, 3), meaning.colours.dtype
        yield [Stack(path, meaning.axes(axes), shape, dtype, read, grey=True, **stated)]


def _axes(letters: str) -> str:
    """tifffile's letters as ours: pages without a meaning are samples where they have one axis, else unknown."""
    axes = "".join(letter if letter in _KNOWN else "?" for letter in letters)
    return axes.replace("?", "M") if axes.count("?") == 1 else axes


def _reader(path: Path, file: Any, series: Any, shape: tuple[int, ...], meaning: Meaning):
    """Reads parts page by page, from the file itself where the values lie bare."""
    page_shape = tuple(series.keyframe.shape)
    rows = series.keyframe.axes.index("Y")
    lead = shape[: len(shape) - len(page_shape)]
    if shape[len(lead) :] != page_shape or math.prod(lead) not in (1, len(series.pages)):
        raise BadInput("path", "must hold one page for each picture", f"shape {shape}, {len(series.pages)} pages")
    bare = series.dataoffset is not None and not series.keyframe.is_tiled
    dtype = series.dtype.newbyteorder(file.byteorder)

    def page(index: int) -> np.ndarray:
        if bare:
            count = math.prod(page_shape)
            start = series.dataoffset + index * count * dtype.itemsize
            values = np.fromfile(path, dtype, count, offset=start)
            if values.size < count:
                raise BadInput("path", "must be whole", f"{values.size} of {count} values of page {index} in {path}")
            return values.reshape(page_shape)
        if series.pages[index] is None:
            raise BadInput("path", "must hold all its pages", f"no page {index} in {path}")
        return _decoded(path, series.pages[index], index, meaning).reshape(page_shape)

    def read(key: tuple[Any, ...]) -> np.ndarray:
        numbers = np.arange(math.prod(lead)).reshape(lead)[key[: len(lead)]]
        inner = key[len(lead) :]
        parts = [meaning.values(page(int(n)), rows, path)[inner] for n in np.ravel(numbers)]
        return np.stack(parts).reshape(*np.shape(numbers), *parts[0].shape)

    return read


def _decoded(path: Path, page: Any, index: int, meaning: Meaning) -> np.ndarray:
    """A page's values as they are stored."""
    try:
        return page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
    from PIL import Image  # undoes a compression such as LZW, which tifffile alone cannot

    with Image.open(path, formats=("TIFF",)) as image:
        image.seek(index)
        white = image.mode in ("1", "L") and int(page.photometric) == 0  # Pillow has black at 0 whatever is stored
        values = np.asarray(image.convert("RGB") if image.mode in ("CMYK", "YCbCr", "LAB") else image)
    values = meaning.as_stored(values)
    if not white:
        return values
    return ~values if values.dtype.kind == "b" else np.iinfo(values.dtype).max - values


def _of_imagej(file: Any) -> dict[str, Any]:
    """What ImageJ states: its resolution is in pixels a unit; without a unit it is the printer's."""
    told = file.imagej_metadata or {}
    unit = str(told.get("unit", "")).strip()
    found: dict[str, Any] = {"time_unit": str(told.get("tunit", "")), "interval": positive(told.get("finterval"))}
    tags = file.pages[0].tags
    sides = [_side(tags.get(name)) for name in ("YResolution", "XResolution")]
    if unit.lower() not in _PIXELS and all(sides):
        found |= {"pixel": tuple(sides), "unit": _UNITS.get(unit, unit)}
    return found


def _side(tag: Any) -> float | None:
    """The side of a pixel behind a resolution, a fraction of whole numbers."""
    if tag is None or not isinstance(tag.value, tuple) or len(tag.value) != 2 or not tag.value[0]:
        return None
    return positive(tag.value[1] / tag.value[0])


def _of_ome(file: Any) -> dict[str, Any]:
    """What the first Pixels element states. By its text: XML from strangers is not parsed for three numbers."""
    text = file.ome_metadata or ""
    head = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", text)
    words = dict(re.findall(r'(\w+)="([^"]*)"', head[0] if head else ""))
    sides = [positive(words.get(name)) for name in ("PhysicalSizeY", "PhysicalSizeX")]
    names = re.findall(r'<(?:\w+:)?Channel\b[^>]*?\bName="([^"]*)"', text)
    found: dict[str, Any] = {"interval": positive(words.get("TimeIncrement"))}
    found["time_unit"] = words.get("TimeIncrementUnit", "s") if found["interval"] else ""
    if all(sides):
        units = [words.get(f"PhysicalSize{letter}Unit", "µm") for letter in "YX"]
        rows, columns = (_UNITS.get(str(unit), str(unit)) for unit in units)
        found |= {"pixel": in_one_unit(sides, (rows, columns)), "unit": columns}
    return found | ({"channels": tuple(names)} if len(set(names)) == len(names) else {})


@contextlib.contextmanager
def _quiet_tifffile() -> Iterator[None]:
    # tifffile logs each oddity of a corrupt file; the user gets our one line instead.
    logger = logging.getLogger("tifffile")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
