"""New pictures from a score, and how far they are from the pictures it was learnt from."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..flows.sampling import probability_flow
from ..flows.schedule import find_schedule
from .field_score import FieldScore
from .spectral_normal import LARGEST, wavenumbers

_AT_ONCE = 8
_SHELLS = 24


def sample_pictures(
    score: FieldScore, count: int, shape: tuple[int, int], *, seed: int = 0
) -> Float[np.ndarray, "M C H W"]:
    """`count` new pictures in their own units on a grid of any size: the probability flow from pure noise."""
    levels, found = jnp.asarray(find_schedule("even")[::-1], jnp.float32), []
    for i, first in enumerate(range(0, count, _AT_ONCE)):
        key = jax.random.fold_in(jax.random.key(seed), i)
        z = jax.random.normal(key, (min(_AT_ONCE, count - first), len(score.fields), *shape), jnp.float32)
        found.append(np.asarray(score.natural(probability_flow(score, z, levels))))
    return np.concatenate(found)


def spectral_distance(a: Float[np.ndarray, "M C H W"], b: Float[np.ndarray, "N C h w"]) -> float:
    """Mean |log ratio| of the mean power by shell of |k|, over shells and fields; the grids may differ."""
    return float(np.nanmean(np.abs(np.log(_shells(a) / _shells(b)))))


def _shells(c: np.ndarray) -> np.ndarray:
    power = (np.abs(np.fft.fft2(c - c.mean((2, 3), keepdims=True), norm="ortho")) ** 2).mean(0)
    k = wavenumbers(c.shape[-2:], half=False)
    which = np.minimum((k / (LARGEST / np.sqrt(2)) * _SHELLS).astype(int), _SHELLS).ravel()
    which[0] = _SHELLS  # the mean is left out
    own = np.bincount(which, minlength=_SHELLS + 1)[:_SHELLS]
    sums = np.array([np.bincount(which, p.ravel(), minlength=_SHELLS + 1)[:_SHELLS] for p in power])
    return np.where(own > 0, sums / np.maximum(own, 1), np.nan)


def density_distance(a: Float[np.ndarray, "M C H W"], b: Float[np.ndarray, "N C h w"]) -> float:
    """Wasserstein distance of the fields' values at a cell, in standard deviations of b, mean over fields."""
    shares = (np.arange(512) + 0.5) / 512
    return float(np.mean([
        np.abs(np.quantile(a[:, f], shares) - np.quantile(b[:, f], shares)).mean() / b[:, f].std()
        for f in range(a.shape[1])
    ]))  # fmt: skip
