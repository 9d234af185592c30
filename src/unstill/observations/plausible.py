"""Values that a system cannot have: named before the work, since every equation would take them at their word.

Two things show by themselves. Amounts are not negative: where a hundredth of the cells lies below 0 by more than three
standard deviations of the noise, the pictures were shifted. And floats that run from 0 to 1 exactly were stretched to
that range, as programs for pictures do: their gain and offset are gone.

Not seen: a gain that keeps the sign (v doubled), stretching by other limits or before noise was added.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._errors import BadInput
from ..systems.base import ReactionDiffusion
from ..systems.grid import Grid
from .noise import estimate_noise

_SHARE, _DEVIATIONS, _OF_CONTRAST = 0.01, 3.0, 0.02


def is_stretched(picture: np.ndarray) -> bool:
    """Whether the values of a field run from 0 to 1 exactly, each end met by a few cells at most.

    A field that is clipped there, or in two colours, meets the ends in many.
    """
    low, high = picture.min(), picture.max()
    few = 2 + picture.size // 1000
    return bool(low == 0 and high == 1 and (picture == 0).sum() <= few and (picture == 1).sum() <= few)


def is_negative(grid: Grid, pictures: np.ndarray) -> bool:
    """Whether a field (M, H, W) is negative in a hundredth of its cells, beyond noise."""
    slack = _DEVIATIONS * estimate_noise(grid, pictures).std + _OF_CONTRAST * float(pictures.std())
    return bool(np.quantile(pictures, _SHARE) < -slack)


def refuse_negative(cls: type[ReactionDiffusion], grid: Grid, pictures: Mapping[str, np.ndarray], remedy: str) -> None:
    """Raises `BadInput` for amounts, absolute and by field, that are negative."""
    for name, picture in pictures.items():
        if cls.amounts and is_negative(grid, picture):
            rule = f"must not be negative: {name} of {cls.name} is an amount"
            raise BadInput("pictures", rule, f"{name} from {picture.min():.4g} to {picture.max():.4g}", remedy)


def refuse_stretched(pictures: Mapping[str, np.ndarray], remedy: str) -> None:
    """Raises `BadInput` for a field that was stretched to 0 … 1."""
    for name, picture in pictures.items():
        if is_stretched(picture):
            rule = f"must be the values of {name} themselves, not stretched to 0 … 1"
            raise BadInput("pictures", rule, f"{name} from 0 to 1 exactly", remedy)
