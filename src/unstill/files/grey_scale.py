"""What a picture file says of its own values: Unstill's PNGs state a calibration, other integers do not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import BadInput
from .arrays import decoding

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

KEYWORD = "unstill"  # of the PNG's text chunk
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclasses.dataclass(frozen=True)
class GreyScale:
    """Concentration = (value − offset)/gain, with values in [0, 1]; `dx` and `boundary` of the grid where stated."""

    gain: float = 1.0
    offset: float = 0.0
    dx: float | None = None
    boundary: str | None = None

    def text(self) -> str:
        """As it stands in the file: `gain=1 offset=0 dx=1 boundary=periodic`."""
        parts = {"gain": self.gain, "offset": self.offset, "dx": self.dx, "boundary": self.boundary}
        return " ".join(f"{name}={value}" for name, value in parts.items() if value is not None)

    def chunk(self) -> PngInfo:
        """The PNG's text chunk."""
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_text(KEYWORD, self.text())
        return info


def stated_scale(path: Path) -> GreyScale | None:
    """What a PNG states in its text chunk, or None; raises `BadInput` for one that is malformed."""
    from PIL import Image

    with decoding(path):
        with open(path, "rb") as stream:
            if not stream.read(8).startswith(_PNG):
                return None
        with Image.open(path, formats=("PNG",)) as image:
            text = image.info.get(KEYWORD)
    return None if text is None else _parsed(str(text), path)


def _parsed(text: str, path: Path) -> GreyScale:
    pairs = (word.partition("=") for word in text.split())
    words = {name: value for name, _, value in pairs}
    try:
        numbers = {name: float(words[name]) for name in ("gain", "offset", "dx") if name in words}
    except ValueError:
        numbers = {"gain": 0.0}
    if set(words) - {"gain", "offset", "dx", "boundary"} or not numbers.get("gain", 1.0) > 0:
        raise BadInput("path", "must state a calibration such as gain=1 offset=0 dx=1", f"{text[:60]!r} in {path}")
    return GreyScale(**numbers, boundary=words.get("boundary"))
