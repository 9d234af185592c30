"""Parameters whose patterns are alike but for their size: where a search may begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from ..analysis.patterns import PatternStatistics, pattern_statistics
from ..simulation import Grid
from .cells import REGIMES

if TYPE_CHECKING:
    from .atlas import Atlas

NO_PATTERN = ("blow-up", "undecided", "uniform-trivial", "uniform-nontrivial")


def patterned(atlas: Atlas) -> np.ndarray:
    """Which cells, in flat order, ended as a pattern of a known regime."""
    regime = atlas.values["regime"].ravel()
    return (regime >= 0) & ~np.isin(regime, [REGIMES.index(each) for each in NO_PATTERN])


def similar_parameters(
    atlas: Atlas, pictures: Mapping[str, Float[np.ndarray, "M H W"]], grid: Grid, *, count: int = 8
) -> list[dict[str, float]]:
    """The parameter sets of the cells whose patterns are most like the pictures, the nearest first.

    Lengths are compared in wavelengths, since D → s²D magnifies every pattern by s and changes nothing else: so the
    diffusion coefficients of each set are scaled until its wavelength is that of the pictures. Raises `BadInput` for
    an atlas with fewer than two patterns, and for pictures without any.
    """
    known, lengths = _of_atlas(atlas, list(pictures))
    usable = np.flatnonzero(patterned(atlas) & np.isfinite(known).all(1))
    if len(usable) < 2:
        raise BadInput("atlas", "must hold two patterns or more", len(usable))
    seen, wavelength = _of_pictures(pictures, grid)
    spread = np.maximum(known[usable].std(0), 1e-12)
    distances = (((known[usable] - seen) / spread) ** 2).mean(1)
    nearest = usable[np.argsort(distances, kind="stable")[:count]].tolist()
    return [_scaled(atlas, i, wavelength / float(lengths[i])) for i in nearest]


def _scaled(atlas: Atlas, cell: int, ratio: float) -> dict[str, float]:
    """The parameters of one cell, magnified."""
    varied = {name: float(v[cell // atlas.samples]) for name, v in atlas.design.values.items()}
    values = {**atlas.setting.fixed, **varied}
    diffusion = set(atlas.setting.cls.diffusion.values())
    return {name: value * ratio**2 if name in diffusion else value for name, value in values.items()}


def _of_atlas(atlas: Atlas, fields: list[str]) -> tuple[Float[np.ndarray, "N S"], Float[np.ndarray, " N"]]:
    """Statistics of the given fields of every cell, and the wavelength of the last of them."""
    columns, length = [], np.ones(atlas.values["regime"].size)
    for name in fields:
        c = list(atlas.setting.cls.fields).index(name)
        shapes = {each: atlas.values[each][..., c].ravel() for each in ("wavelength", "area", "perimeter", "euler")}
        length = shapes["wavelength"]
        quantiles = atlas.values["quantiles"][..., c, :].reshape(len(length), -1)
        columns.append(_without_size(quantiles, **shapes))
    return np.concatenate(columns, 1), length


def _of_pictures(pictures: Mapping[str, Float[np.ndarray, "M H W"]], grid: Grid) -> tuple[np.ndarray, float]:
    """The same of pictures, their mean."""
    columns, length = [], 1.0
    for samples in pictures.values():
        looks = [each for each in (pattern_statistics(grid, c) for c in samples) if each.wavelength is not None]
        if not looks:
            raise BadInput("pictures", "must show a pattern", "uniform pictures")
        shapes = {each: _column(looks, each) for each in ("wavelength", "area", "perimeter", "euler")}
        length = float(shapes["wavelength"].mean())
        columns.append(_without_size(np.stack([look.quantiles for look in looks]), **shapes).mean(0))
    return np.concatenate(columns), length


def _column(looks: list[PatternStatistics], name: str) -> np.ndarray:
    return np.array([np.nan if (value := getattr(look, name)) is None else value for look in looks])


def _without_size(
    quantiles: np.ndarray, wavelength: np.ndarray, area: np.ndarray, perimeter: np.ndarray, euler: np.ndarray
) -> Float[np.ndarray, "N S"]:
    """Levels, and shapes in units of the wavelength."""
    return np.concatenate([quantiles, np.stack([area, perimeter * wavelength, euler * wavelength**2], 1)], 1)
