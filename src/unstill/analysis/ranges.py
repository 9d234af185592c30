"""Ranges of parameters and of fields, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .._errors import BadInput, nearest
from ..systems import ReactionDiffusion

Range = tuple[float, float]


def ranges(
    argument: str, what: str, known: Mapping[str, object], given: Mapping[str, Sequence[float]] | None
) -> dict[str, Range]:
    """The ends (low, high) by name, each of them known and low < high; raises `BadInput`."""
    found: dict[str, Range] = {}
    for name, ends in dict(given or {}).items():
        if name not in known:
            raise BadInput(argument, f"must name {what}", repr(name), nearest(name, known))
        numbers = np.asarray(ends, float).ravel()
        if len(numbers) != 2 or not (np.isfinite(numbers).all() and numbers[0] < numbers[1]):
            raise BadInput(argument, "must be (low, high) with low < high", f"{name}: {ends}")
        found[name] = float(numbers[0]), float(numbers[1])
    return found


def ranges_of_parameters(cls: type[ReactionDiffusion], over: Mapping[str, Sequence[float]] | None) -> dict[str, Range]:
    """The ranges of `over` within what the system allows; raises `BadInput`."""
    known = cls.parameters()
    found = ranges("over", f"a parameter of {cls.name}", known, over)
    for name, (low, high) in found.items():
        info = known[name]
        if low < info.low or high > info.high:
            rule = f"must keep {name} within [{info.low:g}, {info.high:g}] for {cls.name}"
            raise BadInput("over", rule, f"{low:g} to {high:g}")
    return found
