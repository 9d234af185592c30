"""What the tags of a TIFF's pages say of their values: white at 0, palettes, turned pictures, cells without data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput

_WHITE_IS_0, _GREY, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6  # photometric interpretation (TIFF 6.0, tag 262)
_ORIENTATION, _NO_DATA = 274, 42113  # tags; the second is GDAL's
# Orientation as stored → how it is meant to be seen (TIFF 6.0): rows reversed, columns reversed, then turned over the
# diagonal.
_TURNS = {
    1: (False, False, False), 2: (False, True, False), 3: (True, True, False), 4: (True, False, False),
    5: (False, False, True), 6: (True, False, True), 7: (True, True, True), 8: (False, True, True),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Meaning:
    """How stored pages become the pictures that they stand for.

    `inverted`: 0 is white; `colours` (N, 3) of the numbers that are stored; `turns`: rows reversed, columns reversed,
    rows and columns exchanged (which the names of the axes do); `missing`, what marks a cell without data.
    """

    inverted: bool = False
    colours: np.ndarray | None = None
    turns: tuple[bool, bool, bool] = (False, False, False)
    missing: float | None = None

    def values(self, stored: np.ndarray, rows: int, path: Path) -> np.ndarray:
        """Of a page as it is stored, whose axis of rows is `rows` and of columns the next; raises `BadInput`."""
        if self.missing is not None and (stored == self.missing).any():
            count = int((stored == self.missing).sum())
            rule = f"must hold a value in every cell: {self.missing:g} stands for none"
            raise BadInput("path", rule, f"{count} cells without data in {path}", "Crop them away, or fill them.")
        if self.inverted:
            stored = ~stored if stored.dtype.kind == "b" else np.iinfo(stored.dtype).max - stored
        if self.colours is not None:
            stored = self.colours[stored]
        for axis, reverse in ((rows, self.turns[0]), (rows + 1, self.turns[1])):
            if reverse:
                stored = np.flip(stored, axis)
        return stored

    def as_stored(self, seen: np.ndarray) -> np.ndarray:
        """A page (H, W) or (H, W, S) as it is stored from one that was turned already."""
        seen = np.swapaxes(seen, 0, 1) if self.turns[2] else seen
        return seen[:: -1 if self.turns[0] else 1, :: -1 if self.turns[1] else 1]

    def axes(self, letters: str) -> str:
        """The names of the axes of what `values` gives."""
        letters = letters + "S" if self.colours is not None else letters
        return letters.translate(str.maketrans("YX", "XY")) if self.turns[2] else letters


def meaning_of(file: Any, series: Any, path: Path) -> Meaning:
    """What the first page of a series says; raises `BadInput` for colours other than grey, RGB and a palette's."""
    page, tags = series.keyframe, series.keyframe.tags
    kind = int(page.photometric)
    if kind not in (_WHITE_IS_0, _GREY, _RGB, _PALETTE, _YCBCR) or (kind == _YCBCR and int(page.compression) == 1):
        rule = "must be grey, RGB or of a palette"
        raise BadInput("path", rule, f"{getattr(page.photometric, 'name', kind)} in {path}", "Convert it to RGB.")
    inverted = kind == _WHITE_IS_0
    if inverted and page.dtype is not None and page.dtype.kind not in "ub":
        raise BadInput("path", "must not have white at 0 in signed or floating numbers", path, "Save it as black at 0.")
    colours = None
    # ImageJ's palettes are for the eye: the numbers are its values.
    if kind == _PALETTE and not file.is_imagej and page.colormap is not None:
        colours = np.ascontiguousarray(np.asarray(page.colormap, np.uint16).T)
        if not (colours % 256).any():  # bytes, shifted by writers that should have multiplied by 257
            colours = (colours // 256).astype(np.uint8)
    turned = tags.get(_ORIENTATION)
    turns = _TURNS.get(int(turned.value) if turned is not None else 1, _TURNS[1])
    return Meaning(inverted, colours, turns, _missing(tags.get(_NO_DATA)))


def _missing(tag: Any) -> float | None:
    try:
        return None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None
