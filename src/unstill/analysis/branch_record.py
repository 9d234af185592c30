"""A point of a branch as arrays for a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .pattern_branch import Fold, PatternPoint
from .pattern_modes import Modes
from .pattern_steps import Direction


def packed(point: PatternPoint) -> dict[str, np.ndarray]:
    """All of a point."""
    modes, fold = point.modes, point.fold
    arrays = {
        "state": point.state,
        "along": point.along.state,
        "numbers": np.array([point.value, point.arclength, point.drift, point.along.value, point.step, point.pinned]),
        "values": modes.values,
        "translations": modes.translations,
        "neutral": np.array(modes.neutral),
        "complete": np.array(modes.complete),
    }
    if fold is not None:
        crossing = np.nan if fold.crossing is None else fold.crossing
        arrays["fold_state"] = fold.state
        arrays["fold"] = np.array([fold.value, fold.arclength, fold.error, crossing, fold.lattice])
    return arrays


def unpacked(arrays: Mapping[str, np.ndarray]) -> PatternPoint:
    """The point that was packed."""
    value, arclength, drift, along, step, pinned = arrays["numbers"].tolist()
    modes = Modes(arrays["values"], arrays["translations"], float(arrays["neutral"]), bool(arrays["complete"]))
    fold = None
    if "fold" in arrays:
        at, where, error, crossing, lattice = arrays["fold"].tolist()
        fold = Fold(arrays["fold_state"], at, where, error, None if np.isnan(crossing) else crossing, bool(lattice))
    way = Direction(arrays["along"], along)
    return PatternPoint(arrays["state"], value, arclength, drift, modes, way, step, bool(pinned), fold)
