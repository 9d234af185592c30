"""Variables that are angles: one period on they are the same. Which they are, and their values within one period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from .._errors import BadInput, nearest


def known_periods(given: Mapping[str, float] | None, names: Sequence[str]) -> dict[str, float]:
    """Periods by variable, in the variables' order; raises `BadInput` for other names and for what is no period."""
    periods = {str(name): float(value) for name, value in (given or {}).items()}
    for name, period in periods.items():
        if name not in names:
            raise BadInput("periodic", "must name variables", repr(name), nearest(name, names))
        if not (np.isfinite(period) and period > 0):
            raise BadInput("periodic", "must be a positive period", f"{name}={period:g}")
    return {name: periods[name] for name in names if name in periods}


def wrapped(
    x: Float[np.ndarray, "M D"], names: Sequence[str], periods: Mapping[str, float]
) -> Float[np.ndarray, "M D"]:
    """The points with every periodic variable from 0 to its period."""
    x = np.array(x, float)
    for name, period in periods.items():
        i = list(names).index(name)
        x[:, i] = np.mod(x[:, i], period)
        x[x[:, i] >= period, i] = 0.0  # rounding of a small negative number
    return x


def unwrapped(
    x: Float[np.ndarray, "T D"], names: Sequence[str], periods: Mapping[str, float]
) -> Float[np.ndarray, "T D"]:
    """Points in order of time, each periodic variable by the shorter way from one to the next."""
    x = np.array(x, float)
    for name, period in periods.items():
        i = list(names).index(name)
        x[:, i] = np.unwrap(x[:, i], period=period)
    return x
