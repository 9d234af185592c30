"""Variance-preserving noise: z_τ = √a z + τ ε with a + τ² = 1. A level is its τ, from 0 (clean) to 1 (pure noise)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .._errors import BadInput, nearest


def ddpm_levels(count: int = 100, low: float = 1e-4, high: float = 0.1) -> Float[np.ndarray, " L"]:
    """τ_n = √(1 − Π_{m≤n}(1 − β_m)) with β linear from `low` to `high`: founding system B's levels.

    Source: J. Ho, A. Jain & P. Abbeel, NeurIPS 2020, arXiv:2006.11239, eq. 4. A tenth of them lies below τ = 0.25.
    """
    return np.sqrt(-np.expm1(np.cumsum(np.log1p(-np.linspace(low, high, count)))))


def even_levels(count: int = 100, low: float = 0.02, high: float = 0.995) -> Float[np.ndarray, " L"]:
    """τ at even steps of log(a/τ²), the logarithm of the signal-to-noise ratio: two fifths lie below τ = 0.25."""
    first, last = (2 * np.log(tau) - np.log1p(-(tau**2)) for tau in (low, high))
    return 1 / np.sqrt(1 + np.exp(-np.linspace(first, last, count)))


SCHEDULES: dict[str, Callable[[], Float[np.ndarray, " L"]]] = {"even": even_levels, "ddpm": ddpm_levels}


def find_schedule(name: str) -> Float[np.ndarray, " L"]:
    """The levels τ (L,) of a schedule, rising; raises `BadInput`."""
    if name not in SCHEDULES:
        raise BadInput("schedule", "must be a known schedule", repr(name), nearest(name, SCHEDULES))
    return SCHEDULES[name]()


def check_level(tau: float) -> float:
    """τ itself; raises `BadInput` outside (0, 1)."""
    if not 0 < tau < 1:
        raise BadInput("tau", "must lie between 0 and 1", tau)
    return float(tau)
