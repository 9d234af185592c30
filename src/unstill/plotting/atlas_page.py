"""`atlas_page`: an atlas for a browser, in one file that needs nothing else: the map, and at each point its picture."""

from __future__ import annotations

import base64
import html
import io
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atlas.cells import REGIMES, THUMBNAIL
from . import templates
from .colors import colormap_of, full_limits, panel_pixels
from .regimes import COLOURS

if TYPE_CHECKING:
    from ..atlas import Atlas

_TOLD = ("time", "drift", "period", "exponent", "exponent_std", "straightness", "depth")  # one number a cell
_OF_FIELD = ("mean", "contrast", "wavelength")


def atlas_page(atlas: Atlas) -> str:
    """The page: a map of points coloured by regime; the one under the pointer is shown with its picture and numbers."""
    template = files(templates).joinpath("atlas.html").read_text(encoding="utf-8")
    told = json.dumps(_data(atlas), allow_nan=False, separators=(",", ":")).replace("</", "<\\/")
    title = html.escape(f"regimes of {atlas.setting.cls.name}")
    return template.replace("{{title}}", title).replace("{{picture}}", _sprites(atlas)).replace("{{data}}", told)


def _data(atlas: Atlas) -> dict[str, Any]:
    names = list(atlas.design.values)
    drawn = [names[-1], names[0]] if len(names) > 1 else names
    fields = list(atlas.setting.cls.fields)
    cells = {name: _numbers(atlas.values[name].ravel()) for name in _TOLD}
    for name in _OF_FIELD:
        for c, field in enumerate(fields):
            cells[f"{name} {field}"] = _numbers(atlas.values[name][..., c].ravel())
    setting = atlas.setting
    return {
        "head": f"{setting.cls.name}: {atlas.headline()}",
        "box": f"{setting.grid.shape[0]} × {setting.grid.shape[1]} cells, dx = {setting.grid.dx:g}, "
        + f"from {setting.init}, seen for at most {setting.time:g}",
        "fixed": {name: float(f"{value:.5g}") for name, value in setting.fixed.items()},
        "axes": drawn,
        "labels": [f"{name}, {setting.cls.parameters()[name].meaning}" for name in drawn],
        "grid": [len(v) for v in atlas.design.axes.values()],
        "points": {name: _numbers(v) for name, v in atlas.design.values.items()},
        "samples": atlas.samples,
        "regime": atlas.values["regime"].ravel().tolist(),
        "regimes": [[str(each), COLOURS[str(each)]] for each in REGIMES],
        "cells": cells,
        "curves": {name: [_numbers(x), _numbers(y)] for name, (x, y) in atlas.curves.items()},
        "field": fields[-1],
        "tile": THUMBNAIL,
        "across": _across(atlas),
    }  # fmt: skip


def _numbers(values: np.ndarray) -> list[float | None]:
    """Five digits; nothing for what is not finite."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in np.asarray(values, np.float64)]


def _across(atlas: Atlas) -> int:
    """Thumbnails in a row of the picture that holds them all."""
    return int(np.ceil(np.sqrt(atlas.values["regime"].size)))


def _sprites(atlas: Atlas) -> str:
    """All thumbnails in one picture, as a data address."""
    from PIL import Image

    tiles = atlas.values["thumbnail"].reshape(-1, THUMBNAIL, THUMBNAIL).astype(np.float32)
    regime, across = atlas.values["regime"].ravel(), _across(atlas)
    seen = (regime >= 0) & (regime != REGIMES.index("blow-up"))
    limits = full_limits([tiles[seen]])
    fields = list(atlas.setting.cls.fields)
    rows = -(-len(tiles) // across)
    sheet = np.full((rows * across, THUMBNAIL, THUMBNAIL), np.nan, np.float32)
    sheet[: len(tiles)][seen] = tiles[seen]
    sheet = sheet.reshape(rows, across, THUMBNAIL, THUMBNAIL).transpose(0, 2, 1, 3).reshape(rows * THUMBNAIL, -1)
    held = io.BytesIO()
    Image.fromarray(panel_pixels(sheet, limits, colormap=colormap_of(fields[-1], fields))).save(held, "PNG")
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii")
