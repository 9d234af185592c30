"""`Icon`: a picture that can be drawn at any place and angle, and the circle that holds all of it."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from .._errors import BadInput, nearest
from ..files.pictures import LUMINANCE, read_colours
from .drawings import ICONS

CHANNELS = {"rgb": ("r", "g", "b"), "grey": ("ink",)}
FINE = 4  # an icon is kept with so many pixels to one of the heap, so that drawing it is smooth at every angle
_BLUR, _TAIL = 0.4, 2.5  # a Gaussian's standard deviation in the heap's pixels, and where it is cut, in units of it
_SAME = 1.5 / 255  # colours nearer than this are one
_UNSEEN = 0.5 / 255  # less alpha is nothing


@dataclasses.dataclass(frozen=True, eq=False)
class Icon:
    """A picture of `size` pixels along its longer side, smoothed for pixels of the heap; all in a circle of `radius`.

    `layers` are red, green, blue, each multiplied by alpha, and alpha, on `FINE` × `FINE` points a pixel of the heap.
    The middle of the array is what a place says, and about which an angle turns.
    """

    name: str
    layers: Float[np.ndarray, "4 H W"]
    size: int

    @functools.cached_property
    def radius(self) -> float:
        """Of the smallest circle about the middle beyond which nothing is drawn, in pixels of the heap."""
        seen = np.argwhere(self.layers[3] > 0)
        middle = (np.array(self.layers.shape[1:]) - 1) / 2
        # Bilinear interpolation still draws something up to one point further in either direction.
        return (float(np.linalg.norm(seen - middle, axis=1).max()) + math.sqrt(2)) / FINE

    def channels(self, colour: str) -> np.ndarray:
        """The channels of a colour model, multiplied by alpha, and alpha: (C + 1, H, W)."""
        if colour == "rgb":
            return self.layers
        return np.stack([luminance(self.layers[:3]), self.layers[3]])

    def stamp(self, layers: np.ndarray, rows: np.ndarray, columns: np.ndarray, angle: float) -> np.ndarray:
        """`layers` (C, H, W) of the icon, turned by `angle`, at pixels `rows` × `columns` away from its middle."""
        down, right = np.meshgrid(rows, columns, indexing="ij")
        c, s = math.cos(angle), math.sin(angle)
        # From the heap back into the icon: a turn by −angle, counter-clockwise being up from the right.
        own = np.stack([s * right + c * down, c * right - s * down]) * FINE
        own += ((np.array(layers.shape[1:]) - 1) / 2)[:, None, None]
        return np.stack([ndimage.map_coordinates(each, own, order=1, output=np.float32) for each in layers])


def luminance(colours: np.ndarray) -> np.ndarray:
    """Of red, green and blue (3, …), weighted as `load` weights a coloured picture."""
    return np.tensordot(LUMINANCE, colours, 1).astype(colours.dtype)


def find_icon(icon: str | os.PathLike | np.ndarray, size: int, background: tuple[float, ...] | None) -> Icon:
    """The icon behind a name, a path to a PNG, or an array (H, W, 3 or 4); raises `BadInput`."""
    if isinstance(icon, str) and icon.replace("_", "-") in ICONS:
        if background is not None:
            raise BadInput("background", "must be left out: own drawings know what is transparent", icon)
        drawing = ICONS[icon.replace("_", "-")]
        return _icon(drawing.name, drawing.painted(max(256, 2 * FINE * size)), size)
    if isinstance(icon, np.ndarray):
        return _icon("array", _transparent(_checked(icon), background, "an array"), size)
    path = Path(icon).expanduser()
    if not path.suffix and not path.exists():
        raise BadInput("icon", "must be a known drawing or a path to a PNG", repr(str(icon)), nearest(str(icon), ICONS))
    if not path.is_file():
        raise BadInput("icon", "must be an existing PNG", path)
    try:
        colours = read_colours(path)
    except BadInput as error:
        raise BadInput("icon", error.rule, error.value, error.remedy) from error
    return _icon(path.stem, _transparent(colours, background, path), size)


def _checked(values: np.ndarray) -> np.ndarray:
    if values.ndim != 3 or values.shape[2] not in (3, 4) or values.size == 0:
        raise BadInput("icon", "must have the shape (H, W, 3) or (H, W, 4)", f"shape {values.shape}")
    if values.dtype == np.uint8:
        return values / 255
    if values.dtype.kind != "f" or not (values.min() >= 0 and values.max() <= 1):
        raise BadInput("icon", "must hold bytes, or floating numbers in [0, 1]", f"dtype {values.dtype}")
    return values.astype(np.float64)


def _transparent(colours: np.ndarray, background: tuple[float, ...] | None, source: object) -> np.ndarray:
    """Colours (H, W, 3 or 4), multiplied by alpha, and alpha; alpha is 0 where the background's colour is."""
    has_alpha = colours.shape[2] == 4 and (colours[..., 3] < 1).any()
    if has_alpha and background is not None:
        raise BadInput("background", "must be left out: the icon has an alpha channel", source)
    if has_alpha:
        alpha = colours[..., 3:]
    elif background is None:
        remedy = "Pass for example `background=white` to make that colour transparent, or save it as RGBA."
        raise BadInput("icon", "must have an alpha channel with transparent pixels", source, remedy)
    else:
        alpha = (np.abs(colours[..., :3] - background).max(-1, keepdims=True) > _SAME).astype(float)
        if alpha.all():
            shown = f"{source} without such a pixel"
            raise BadInput("background", "must be a colour of the icon", shown, "Pass that of its corners.")
    if not alpha.any():
        raise BadInput("icon", "must have a pixel that is not transparent", source)
    return np.concatenate([colours[..., :3] * alpha, alpha], -1)


def _icon(name: str, picture: np.ndarray, size: int) -> Icon:
    """What is not transparent, its longer side `size` pixels of the heap, smoothed by about one of them.

    Without smoothing, values at the heap's pixels would depend on where between them an edge falls: the sum of the ink
    would flicker as the icon moves and turns.
    """
    rows, columns = (np.flatnonzero(picture[..., 3].any(axis)) for axis in (1, 0))
    cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale, spread = FINE * size / max(cut.shape[:2]), _BLUR * FINE
    height, width = (max(1, round(n * scale)) for n in cut.shape[:2])
    margin = math.ceil(_TAIL * spread) + 1
    layers = np.stack([np.pad(_resized(cut[..., i], height, width), margin) for i in range(4)])
    smooth = ndimage.gaussian_filter(layers, spread, axes=(1, 2), truncate=_TAIL, mode="constant")
    seen = smooth[3] >= _UNSEEN
    if not seen.any():
        raise BadInput("icon_size", "must leave something of the icon to be seen", size, "Take a larger one.")
    return Icon(name, np.where(seen, np.clip(smooth, 0, 1), 0).astype(np.float32), size)


def _resized(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """By means over areas, which keeps the sum of the ink; to more pixels, by repeating them."""
    from PIL import Image

    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BOX))
