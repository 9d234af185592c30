"""Distances between heaps of points (MMD with its noise floor, sliced Wasserstein, D_stsp) and of motions (D_H)."""

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


def state_space_divergence(
    x: Float[np.ndarray, "M D"], y: Float[np.ndarray, "N D"], *, bins: int = 30, smoothing: float = 1e-5
) -> float:
    """D_stsp = Σ_c p_c log(p_c/q_c) in nats: where points x lie against where y lie, `bins` cells along each variable.

    The cells span the range of x, and all that lies outside is one cell more. q_c = (n_c + α)/Σ(n_c + α) with α the
    `smoothing`, p_c likewise. It falls with the number of points, so compare with that of two heaps of one density.
    Source: G. Koppe et al., PLoS Comput. Biol. 15, e1007263 (2019), with Laplace smoothing. Raises `BadInput`.
    """
    _check(x, y)
    if bins < 1:
        raise BadInput("bins", "must be at least 1", bins)
    low, high = x.min(0), x.max(0)
    labels = np.concatenate([_cells(points, low, high, bins) for points in (x, y)])
    places = np.unique(labels, return_inverse=True)[1]
    counts = np.stack([np.bincount(part, minlength=places.max() + 1) for part in np.split(places, [len(x)])])
    cells = float(bins) ** x.shape[1] + 1
    p, q = (counts + smoothing) / (counts.sum(1, keepdims=True) + smoothing * cells)
    empty = (cells - counts.shape[1]) * smoothing / (len(x) + smoothing * cells)  # share of p in cells without points
    ratio = (len(y) + smoothing * cells) / (len(x) + smoothing * cells)
    return float(np.sum(p * np.log(p / q)) + empty * np.log(ratio))


def _cells(points: np.ndarray, low: np.ndarray, high: np.ndarray, bins: int) -> np.ndarray:
    """The number of each point's cell, −1 outside."""
    unit = (points - low) / np.where(high > low, high - low, 1.0)
    inside = np.all((unit >= 0) & (unit <= 1), 1)
    index = np.minimum((np.where(inside[:, None], unit, 0) * bins).astype(np.int64), bins - 1)
    return np.where(inside, index @ (bins ** np.arange(points.shape[1], dtype=np.int64)), -1)


def spectral_distance(x: Float[np.ndarray, "T M D"], y: Float[np.ndarray, "S N D"], *, smoothing: float = 3.0) -> float:
    """D_H = mean over variables of √(1 − Σ_f √(P_f Q_f)), the Hellinger distance of power spectra that sum to 1: 0 … 1.

    The paths of x and y (time, orbit, variable) are equally spaced in time; spectra are averages over orbits, without
    the mean, under a Gaussian of `smoothing` frequencies. A motion and its reverse have one spectrum.
    Source: J. Mikhaeil, Z. Monfared & D. Durstewitz, NeurIPS 2022, arXiv:2110.07238. Raises `BadInput`.
    """
    if len(x) != len(y) or len(x) < 4:
        raise BadInput("paths", "must have the same number of times, 4 or more", f"{len(x)} and {len(y)}")
    p, q = (_spectra(paths, smoothing) for paths in (x, y))
    return float(np.mean(np.sqrt(np.maximum(1 - np.sum(np.sqrt(p * q), 0), 0))))


def _spectra(paths: np.ndarray, smoothing: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    power = np.mean(np.abs(np.fft.rfft(paths - paths.mean((0, 1)), axis=0)[1:]) ** 2, 1)
    power = np.maximum(gaussian_filter1d(power, smoothing, axis=0), 1e-300)
    return power / power.sum(0)


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
        raise BadInput("points", "must hold at least 2 points in each heap", min(len(x), len(y)))
