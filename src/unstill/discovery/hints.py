"""Hints: what a user knows besides the points, and how it settles the pace and the arrow of time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from .._errors import BadInput, nearest
from .field_library import FieldLibrary
from .library import Library


@dataclasses.dataclass(frozen=True)
class Ordered:
    """Points (T, D) or pictures (T, C, H, W) in order of time, T ≥ 2 of them, `interval` apart (None: only the arrow of
    time is known)."""

    x: Float[np.ndarray, "T *D"]  # noqa: UP037
    interval: float | None = None

    def __post_init__(self):
        x = np.asarray(self.x, dtype=np.float64)
        if x.ndim not in (2, 4) or len(x) < 2 or not np.isfinite(x).all():
            raise BadInput("ordered", "must hold at least two finite points, one a row, or two pictures", x.shape)
        if self.interval is not None and not (self.interval > 0 and np.isfinite(self.interval)):
            raise BadInput("interval", "must be positive", self.interval)
        if not np.ptp(x, axis=0).any():
            raise BadInput("ordered", "must move")
        object.__setattr__(self, "x", x)

    def combine(self, rates: Float[np.ndarray, "N T D"], size: Float[np.ndarray, " D"]) -> Float[np.ndarray, " N"]:
        """Weights of N fields with the given rates at the points that fit the steps best: the trapezium rule,
        x(t + h) − x(t) = h (f(x(t)) + f(x(t + h)))/2 + O(h³). Without an interval their sum has the right sign only."""
        mean = ((rates[:, 1:] + rates[:, :-1]) / 2 / size).reshape(len(rates), -1)
        step = (np.diff(self.x, axis=0) / size).ravel() / (self.interval or 1.0)
        weights = np.linalg.lstsq(mean.T, step, rcond=1e-6)[0]
        return weights if self.interval is not None else weights / np.linalg.norm(weights)


def coefficient(
    argument: str, name: str, library: Library | FieldLibrary, variables: tuple[str, ...]
) -> tuple[int, int]:
    """`x:y z` → (equation, term); raises `BadInput`."""
    variable, colon, term = name.partition(":")
    if not colon:
        raise BadInput(argument, "must be VARIABLE:TERM=VALUE", repr(name), f'For example --{argument} "x:y=10".')
    if variable.strip() not in variables:
        raise BadInput(argument, "must name a variable before the colon", repr(name), nearest(variable, variables))
    return variables.index(variable.strip()), library.index(argument, term.strip())


def coefficients(
    argument: str, values: Mapping[str, float], library: Library | FieldLibrary, variables: tuple[str, ...]
) -> dict[tuple[int, int], float]:
    """`{"x:y": 10}` → {(equation, term): value}; raises `BadInput`."""
    found = {}
    for name, value in values.items():
        if not np.isfinite(value):
            raise BadInput(argument, "must be finite", f"{name}={value}")
        found[coefficient(argument, name, library, variables)] = float(value)
    return found


def known_signs(
    values: Mapping[str, float] | None, library: Library | FieldLibrary, variables: tuple[str, ...]
) -> dict[tuple[int, int], float]:
    """`{"x:y": -1}` → {(equation, term): ±1}; raises `BadInput`."""
    for name, value in (values or {}).items():
        if value not in (1, -1):
            raise BadInput("sign", "must be 1 or -1", f"{name}={value}", "A known coefficient is for --fix.")
    return {coefficient("sign", name, library, variables): value for name, value in (values or {}).items()}
