"""`Ordered`: a few points or pictures in order of time, a hint beside an unordered heap."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from .._numbers import real_numbers


@dataclasses.dataclass(frozen=True)
class Ordered:
    """Points (T, D) or pictures (T, C, H, W) in order of time, T ≥ 2 of them, `interval` apart (None: only the arrow of
    time is known)."""

    x: Float[np.ndarray, "T *D"]  # noqa: UP037
    interval: float | None = None

    def __post_init__(self):
        x = real_numbers("ordered", self.x).astype(np.float64)
        if x.ndim not in (2, 4) or len(x) < 2 or not np.isfinite(x).all():
            raise BadInput("ordered", "must hold at least two finite points, one a row, or two pictures", x.shape)
        if self.interval is not None and not (self.interval > 0 and np.isfinite(self.interval)):
            raise BadInput("interval", "must be positive", self.interval)
        if not np.ptp(x, axis=0).any():
            raise BadInput("ordered", "must move", f"{len(x)} that are all the same")
        object.__setattr__(self, "x", x)

    def combine(self, rates: Float[np.ndarray, "N T D"], size: Float[np.ndarray, " D"]) -> Float[np.ndarray, " N"]:
        """Weights of N fields with the given rates at the points that fit the steps best: the trapezium rule,
        x(t + h) − x(t) = h (f(x(t)) + f(x(t + h)))/2 + O(h³). Without an interval their sum has the right sign only."""
        mean = ((rates[:, 1:] + rates[:, :-1]) / 2 / size).reshape(len(rates), -1)
        step = (np.diff(self.x, axis=0) / size).ravel() / (self.interval or 1.0)
        weights = np.linalg.lstsq(mean.T, step, rcond=1e-6)[0]
        return weights if self.interval is not None else weights / np.linalg.norm(weights)
