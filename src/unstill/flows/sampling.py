"""New points from a score: noise is taken away level by level."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._jax import enable_x64
from .schedule import find_schedule
from .score import Score


def sample(score: Score, count: int, *, schedule: str = "even", seed: int = 0) -> Float[np.ndarray, "M D"]:
    """`count` new points in the points' units: the probability flow from pure noise down the schedule's levels.

    With y = z/√a and σ = τ/√a, dy/dσ = (y − E[z₀ | z])/σ, E[z₀ | z] = (z + τ² s)/√a, by Heun's method.
    Source: T. Karras, M. Aittala, T. Aila & S. Laine, NeurIPS 2022, arXiv:2206.00364, algorithm 1.
    """
    levels = find_schedule(schedule)[::-1]
    with enable_x64():
        z = jax.random.normal(jax.random.key(seed), (count, len(score.mean)), jnp.float64)
        z = np.asarray(probability_flow(score, z, jnp.asarray(levels)))
    return z * np.asarray(score.scale) + np.asarray(score.mean)


@eqx.filter_jit
def probability_flow(score: Any, z: Array, levels: Array) -> Array:
    """From noise at the first level to what is clean below the last; `score.at(z, τ)` of points or of pictures."""

    def clean(y, tau):
        """E[z₀ | z]: since s is per z = √a y, (z + τ² s)/√a = y + (τ²/√a) s."""
        root = jnp.sqrt(1 - tau**2)
        return y + tau**2 / root * score.at(root * y, tau)

    def step(y, pair):
        sigma, lower = (tau / jnp.sqrt(1 - tau**2) for tau in pair)
        slope = (y - clean(y, pair[0])) / sigma
        tried = y + (lower - sigma) * slope
        return y + (lower - sigma) / 2 * (slope + (tried - clean(tried, pair[1])) / lower), None

    y, _ = jax.lax.scan(step, z / jnp.sqrt(1 - levels[0] ** 2), (levels[:-1], levels[1:]))
    return clean(y, levels[-1])
