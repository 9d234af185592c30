"""The score of the noised empirical distribution in closed form, and the true mean velocity of noised points.

Averages over the clean points z_i with weights w_i ∝ exp(−|z − √a z_i|²/2τ²), which are P(z_0 = z_i | z_τ = z).
Fails where τ is below the distance between neighbours: then each point is an island of its own.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._jax import enable_x64

_PAIRS = 40_000_000  # distances held at once


def posterior_mean(
    z: Float[np.ndarray, "M D"], clean: Float[np.ndarray, "N D"], values: Float[np.ndarray, "N V"], tau: float
) -> Float[np.ndarray, "M V"]:
    """E[values(z_0) | z_τ = z] (M, V) over the clean points; in the dtype of `clean`."""
    size = max(1, min(_PAIRS // len(clean), len(z)))
    padded = np.concatenate([z, np.repeat(z[:1], -len(z) % size, 0)]).astype(clean.dtype)  # equal parts compile once
    with enable_x64():
        centres, kept = jnp.asarray(float(np.sqrt(1 - tau**2)) * clean), jnp.asarray(values.astype(clean.dtype))
        parts = [_weighted(padded[i : i + size], centres, kept, tau) for i in range(0, len(padded), size)]
        return np.concatenate([np.asarray(part) for part in parts])[: len(z)]


@jax.jit
def _weighted(z: Array, centres: Array, values: Array, tau: Array | float) -> Array:
    half = jnp.broadcast_to(jnp.sum(centres**2, 1) / 2, (len(z), len(centres)))
    return jax.nn.softmax(((z @ centres.T - half) / tau**2).astype(z.dtype), axis=1) @ values


def kernel_score(z: Float[np.ndarray, "M D"], clean: Float[np.ndarray, "N D"], tau: float) -> Float[np.ndarray, "M D"]:
    """s_τ(z) = (√a E[z_0 | z_τ = z] − z)/τ² of N clean points: the score of a mixture of N Gaussians."""
    return (np.sqrt(1 - tau**2) * posterior_mean(z, clean, clean, tau) - z) / tau**2


def oracle_velocity(
    z: Float[np.ndarray, "M D"], clean: Float[np.ndarray, "N D"], rates: Float[np.ndarray, "N D"], tau: float
) -> Float[np.ndarray, "M D"]:
    """u_τ(z) = √a E[f(z_0) | z_τ = z], the mean velocity of noised points whose clean ones move by `rates` f(z_i).

    ∇·(p_τ u_τ) = 0 exactly if f preserves p: what a perfect learner could find at level τ.
    """
    return np.sqrt(1 - tau**2) * posterior_mean(z, clean, rates, tau)
