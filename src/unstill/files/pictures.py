"""PNG, JPEG and TIFF pictures to fields and back. Integers mean value / largest integer of the dtype."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .._errors import BadInput
from ..observations.snapshots import Palette
from .arrays import decoding, refuse_disguised
from .grey_scale import GreyScale
from .stacks import Stack, memory_stack
from .tiffs import open_tiff

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
LUMINANCE = np.array([0.299, 0.587, 0.114])  # Rec. 601, as Pillow, MATLAB and ImageJ's weighted conversion
_TINGE = 0.003  # rms in RGB


def decoded_pictures(pictures: Sequence[np.ndarray], colormap: str, source: Path) -> tuple[np.ndarray, Palette | None]:
    """The values of pictures (M, H, W) or (M, H, W, 3) of one shape and one palette, and the palette where there are
    colours; `colormap` is a palette's name, auto (the palette that fits) or grey (luminance). Raises `BadInput`."""
    asked = colormap not in ("auto", "grey", "gray")
    if not asked and (colormap != "auto" or not any(_coloured(picture) for picture in pictures)):
        return np.concatenate([_grey(picture) for picture in pictures]), None
    from .painted import decode_pictures  # imports SciPy, which grey pictures do not need

    colours = np.concatenate([_three_channels(picture) for picture in pictures])
    try:
        return decode_pictures(colours, colormap)
    except BadInput as error:
        if error.argument != "path":
            raise
        raise BadInput("path", error.rule, f"{error.value} in {source}", error.remedy) from error


@contextlib.contextmanager
def open_picture(path: Path) -> Iterator[list[Stack]]:
    """PNG, JPEG or TIFF: the first bytes, not the suffix, decide the format."""
    with open(path, "rb") as stream:
        head = stream.read(32)
    if head[:4] in _TIFF:
        with open_tiff(path) as stacks:
            yield stacks
        return
    if not head.startswith((_PNG, _JPEG)):
        refuse_disguised(path, "must be a PNG, JPEG or TIFF picture")
        raise BadInput("path", "must be a PNG, JPEG or TIFF picture", path)
    _refuse_deep_colour(head, path)
    values = _read_by_pillow(path)
    if values.ndim == 3 and values.shape[-1] == 2 and _is_opaque(values):
        values = values[..., 0]  # grey with alpha
    yield [memory_stack(path, values, "YXS"[: values.ndim], grey=True)]


def read_colours(path: Path) -> np.ndarray:
    """Red, green, blue and, where the PNG has transparency, alpha in [0, 1], (H, W, 3 or 4); raises `BadInput`."""
    from PIL import Image

    with decoding(path):
        with open(path, "rb") as stream:
            head = stream.read(32)
        if not head.startswith(_PNG):
            raise BadInput("path", "must be a PNG picture", path)
        if len(head) > 25 and head[24] == 16:  # Pillow would cut them to 8 bits, and grey ones to white
            raise BadInput("path", "must not be a 16-bit PNG", path, "Save 8 bits a channel.")
        with Image.open(path, formats=("PNG",)) as image:
            clear = "A" in image.getbands() or "transparency" in image.info
            return np.asarray(image.convert("RGBA" if clear else "RGB")) / 255


def bits_of(path: Path) -> int:
    """Bits a channel of a picture of whole numbers, 8 for fewer, 0 for floats; of a TIFF, of its first page."""
    with decoding(path):
        with open(path, "rb") as stream:
            head = stream.read(32)
        if head[:4] in _TIFF:
            with open_tiff(path) as (stack,):
                return 0 if stack.dtype.kind == "f" else 8 * stack.dtype.itemsize
        return 16 if head.startswith(_PNG) and len(head) > 25 and head[24] == 16 else 8


def write_png(path: Path, values: np.ndarray, scale: GreyScale) -> None:
    """Writes (H, W) values in [0, 1] as a 16-bit grey PNG that states what they mean."""
    from PIL import Image

    picture = Image.fromarray(np.round(values * 65535).astype(np.uint16))
    picture.save(path, format="PNG", pnginfo=scale.chunk())


def scale_integers(name: str, values: np.ndarray) -> np.ndarray:
    """Floats as they are; 8- and 16-bit unsigned integers and booleans divided by their largest value.

    Raises `BadInput` for other dtypes: what a 64-bit integer means as a concentration is anybody's guess.
    """
    if values.dtype.kind == "f":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.float64)
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        return values / np.iinfo(values.dtype).max
    raise BadInput(
        name,
        "must hold real floating numbers, or 8- or 16-bit unsigned integers",
        f"dtype {values.dtype}",
        "Convert it to float.",
    )


def _refuse_deep_colour(head: bytes, path: Path) -> None:
    # Pillow reads 16-bit colour and grey+alpha PNGs as 8 bits without a word.
    if head.startswith(_PNG) and len(head) > 25 and head[24] == 16 and head[25] != 0:
        raise BadInput("path", "must not be a 16-bit PNG with colour or alpha", path, "Save 16-bit grey without alpha.")


def _read_by_pillow(path: Path) -> np.ndarray:
    from PIL import Image, ImageOps

    # The formats are named, since Pillow would start other programs for some. It refuses decompression bombs by itself.
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        count = int(getattr(image, "n_frames", 1)) if image.format == "PNG" else 1
        if count > 1:
            raise BadInput("path", "must be one picture, not an animation", f"{count} frames in {path}", "Save a GIF.")
        ImageOps.exif_transpose(image, in_place=True)  # as every viewer shows it
        clear = "transparency" in image.info
        if clear and image.mode in ("P", "L", "RGB"):
            return np.asarray(image.convert("LA" if image.mode == "L" else "RGBA"))
        if image.mode == "PA":
            return np.asarray(image.convert("RGBA"))
        if image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV"):
            return np.asarray(image.convert("RGB"))
        return np.asarray(image)


def _is_opaque(values: np.ndarray) -> bool:
    """Whether the last channel, alpha, is the same everywhere: then it says nothing."""
    return bool((values[..., -1] == values.flat[values.shape[-1] - 1]).all())


def grey_values(values: np.ndarray) -> np.ndarray:
    """Integers divided by the largest of their dtype, floats as they are, as float64; raises `BadInput`."""
    if values.dtype.kind in "iu":
        return values / np.iinfo(values.dtype).max
    if values.dtype.kind not in "fb":
        raise BadInput("path", "must hold real numbers", f"dtype {values.dtype}")
    return values.astype(np.float64)


def channels_of(values: np.ndarray, last: bool) -> np.ndarray:
    """(…, H, W) or, with the channels `last`, (…, H, W, channels) → (…, H, W), or (…, H, W, 3) where they differ."""
    values = grey_values(values)
    if not last:
        return values
    if values.shape[-1] not in (1, 2, 3, 4):
        raise BadInput("path", "must be grey, or colour with 3 or 4 channels", f"shape {values.shape}")
    if values.shape[-1] in (2, 4) and not _is_opaque(values):
        rule = "must be opaque: what is seen through has no value of its own"
        raise BadInput("path", rule, "an alpha channel that varies", "Flatten it, or name one `channel`.")
    colour = values[..., : 1 if values.shape[-1] < 3 else 3]
    return colour[..., 0] if (colour == colour[..., :1]).all() else colour


def _coloured(picture: np.ndarray) -> bool:
    """Whether colours are more than what JPEG makes of grey."""
    return picture.ndim == 4 and float(np.mean((picture - picture.mean(-1, keepdims=True)) ** 2)) > _TINGE**2


def _grey(picture: np.ndarray) -> np.ndarray:
    return picture @ LUMINANCE if picture.ndim == 4 else picture


def _three_channels(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 4 else np.repeat(picture[..., None], 3, axis=-1)
