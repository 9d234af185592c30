"""Where a landscape looks: the parameter sets of a slice, of a section, or of a list."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._arguments import Values
from .._errors import BadInput
from ..systems import ReactionDiffusion

LIST = "parameter set"  # the axis of a list of sets

Sets = Sequence[Mapping[str, float]]
Axes = Mapping[str, np.ndarray]


def points_of(
    cls: type[ReactionDiffusion], along: Mapping[str, Any] | None, given: Any, truth: Values | None
) -> tuple[dict[str, np.ndarray], list[dict[str, float]]]:
    """The axes and the parameter sets: a slice, a section, or a list; raises `BadInput`."""
    several = [dict(one) for one in ([given] if isinstance(given, Mapping) else given or [])]
    if along and len(several) > 1:
        raise BadInput("set", "must be one beside `along`", f"{len(several)} sets")
    base = {**(truth or {}), **(several[0] if several else {})}
    if not along:
        if len(several) < 2:
            raise BadInput("along", "must say where to go, or `set` must list parameter sets")
        sets = [{**base, **values} for values in several]
        return {LIST: np.arange(1.0, len(sets) + 1)}, _whole(cls, sets)
    axes = {name: np.asarray(values, float) for name, values in along.items()}
    for name, values in axes.items():
        if name not in cls.parameters() or values.ndim != 1 or len(values) < 2:
            raise BadInput("along", f"must give parameters of {cls.name} two values or more", f"{name}: {values}")
        if several and name in several[0]:
            raise BadInput("set", f"must leave out what `along` varies, {name}", several[0][name])
    return axes, _whole(cls, sections(base, axes))


def _whole(cls: type[ReactionDiffusion], sets: list[dict[str, float]]) -> list[dict[str, float]]:
    missing = [name for name in cls.parameters() if name not in sets[0]]
    if missing:
        raise BadInput("set", "must give the parameters that `along` does not", f"no {', '.join(missing)}")
    return sets


def sections(base: Mapping[str, float], along: Axes) -> list[dict[str, float]]:
    """The parameter sets of a slice or a section through `base`, the last axis fastest."""
    grids = np.meshgrid(*along.values(), indexing="ij")
    points = np.stack([g.ravel() for g in grids], 1)
    return [{**base, **dict(zip(along, map(float, point), strict=True))} for point in points]
