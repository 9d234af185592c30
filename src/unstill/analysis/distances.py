"""Distances between two heaps of points: maximum mean discrepancy with its noise floor, sliced Wasserstein."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .._jax import enable_x64

WIDTH = 0.5  # of founding system B's kernel, on standardised points
_MEDIAN_OF = 1000


def mmd_squared(x: Float[np.ndarray, "M D"], y: Float[np.ndarray, "N D"], width: float = WIDTH) -> float:
    """MMD² = mean_{i≠j} k(x_i, x_j) + mean_{i≠j} k(y_i, y_j) − 2 mean k(x_i, y_j), k = exp(−|x − y|²/2·width²).

    Unbiased, so it scatters around 0, below it too, where both heaps have one density: compare with `mmd_floor`.
    Source: A. Gretton et al., J. Mach. Learn. Res. 13, 723 (2012), eq. 3. Raises `BadInput`.
    """
    _check(x, y)
    if not (np.isfinite(width) and width > 0):
        raise BadInput("width", "must be positive", width)
    with enable_x64():
        return float(_mmd_squared(jnp.asarray(x, jnp.float64), jnp.asarray(y, jnp.float64), width))


def mmd_floor(
    x: Float[np.ndarray, "M D"], count: int, width: float = WIDTH, *, draws: int = 100, seed: int = 0
) -> float:
    """The 95th percentile of MMD² between two disjoint random parts of x, `count` points each: two samples of one
    density differ by no more in 95 of 100 cases. Raises `BadInput` where 2·count points are not there."""
    if 2 * count > len(x):
        raise BadInput("count", f"must be at most half of the {len(x)} points", count)
    rng = np.random.default_rng(seed)
    orders = (rng.permutation(len(x))[: 2 * count] for _ in range(draws))
    return float(np.percentile([mmd_squared(x[o[:count]], x[o[count:]], width) for o in orders], 95))


def median_distance(x: Float[np.ndarray, "M D"], seed: int = 0) -> float:
    """The median distance between two points: a kernel width that suits most heaps."""
    some = x[np.random.default_rng(seed).permutation(len(x))[:_MEDIAN_OF]]
    square = np.sum((some[:, None] - some[None]) ** 2, -1)
    return float(np.sqrt(np.median(square[np.triu_indices(len(some), 1)])))


def sliced_wasserstein(
    x: Float[np.ndarray, "M D"], y: Float[np.ndarray, "N D"], *, directions: int = 100, seed: int = 0
) -> float:
    """SW₂ = √ mean_θ W₂²(θ·x, θ·y) over random unit directions, W₂ by quantiles; in the units of x. Raises `BadInput`.

    Source: N. Bonneel, J. Rabin, G. Peyré & H. Pfister, J. Math. Imaging Vis. 51, 22 (2015), eq. 9.
    """
    _check(x, y)
    theta = np.random.default_rng(seed).standard_normal((x.shape[1], directions))
    theta /= np.linalg.norm(theta, axis=0, keepdims=True)
    at = (np.arange(max(len(x), len(y))) + 0.5) / max(len(x), len(y))
    return float(np.sqrt(np.mean((_quantiles(x @ theta, at) - _quantiles(y @ theta, at)) ** 2)))


def _quantiles(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    ordered = np.sort(values, 0)
    return ordered[np.minimum((at * len(values)).astype(int), len(values) - 1)]


@jax.jit
def _mmd_squared(x: Array, y: Array, width: Array | float) -> Array:
    def total(a, b):
        square = jax.vmap(lambda p: jnp.sum((b - jnp.broadcast_to(p, b.shape)) ** 2, 1))(a)
        return jnp.sum(jnp.exp(-square / (2 * width**2)))

    m, n = len(x), len(y)
    within = (total(x, x) - m) / (m * (m - 1)) + (total(y, y) - n) / (n * (n - 1))
    return within - 2 * total(x, y) / (m * n)


def _check(x: np.ndarray, y: np.ndarray) -> None:
    if min(len(x), len(y)) < 2:
        raise BadInput("points", "must be at least 2 in each heap", min(len(x), len(y)))
