"""How many independent samples a heap holds: copies are found exactly, pictures of one run by how alike they are.

**Copies.** A picture that another one holds turned, mirrored or shifted tells no functional anything new: pictures are
copies where their sorted values are equal to the last bit. Points are copies where their rows are, unless values are
rounded so coarsely that independent points meet.

**Pictures close in time.** Two independent pictures, each less its mean over cells, are uncorrelated but for chance,
since a pattern may stand anywhere. Let R_mn be the correlation of pictures m and n, and r₀ the quantile 1 − 1/M²
of what it is where one of them is shifted at random: so chance alone passes r₀ about once. With ρ_mn = R_mn above r₀
and 0 below it, and ρ_mm = 1, the mean over the heap of anything that is as alike as the pictures has the variance of

    M_eff = M² / Σ_mn ρ_mn                                                                  (1)

independent ones (the variance of a mean of correlated samples, e.g. Priestley, Spectral Analysis and Time Series, 1981,
sec. 5.3.2; by pairs, so that it needs no order).

Fails where averages remember longer than the pattern's place, as in slow transients of a field of waves: then (1) is
too large. It is cautious in long films sampled densely: averages of rates telescope there, and scatter less than (1).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_SHIFTS = 4  # random shifts of each pair
_ROUNDED = 0.5  # of the distinct rows: fewer values than these in each column are values on a lattice


def distinct_pictures(states: Float[np.ndarray, "M C H W"]) -> Int[np.ndarray, " N"]:
    """The first of each set of copies, in order."""
    seen: dict[bytes, int] = {}
    for m, state in enumerate(states):
        key = np.sort(state.reshape(len(state), -1), 1).tobytes()
        seen.setdefault(key, m)
    return np.array(sorted(seen.values()))


def distinct_points(x: Float[np.ndarray, "M D"]) -> Float[np.ndarray, "N D"]:
    """The points without copies, in their order; all of them where values are rounded."""
    unique, first = np.unique(x, axis=0, return_index=True)
    values = max(len(np.unique(column)) for column in unique.T)
    copied = len(unique) < len(x) and values >= _ROUNDED * len(unique)
    return x[np.sort(first)] if copied else x


def effective_number(states: Float[np.ndarray, "M C H W"], seed: int = 0) -> float:
    """M_eff of equation (1), between 1 and M; noise should be taken out first, or pictures seem less alike."""
    M, rng = len(states), np.random.default_rng(seed)
    if M < 2:
        return float(M)
    unit = _normalised(states)
    flat = unit.reshape(M, -1)
    alike = flat @ flat.T
    chance = []
    for _ in range(_SHIFTS):
        rows, columns = (int(rng.integers(n // 8, n - n // 8)) for n in states.shape[2:])
        chance.append((flat @ np.roll(unit, (rows, columns), (2, 3)).reshape(M, -1).T)[~np.eye(M, dtype=bool)])
    limit = float(np.quantile(np.concatenate(chance), 1 - 1 / M**2))
    counted = np.where(alike > limit, alike, 0.0)
    np.fill_diagonal(counted, 1.0)
    return float(np.clip(M**2 / counted.sum(), 1.0, M))


def _normalised(states: np.ndarray) -> np.ndarray:
    """Less the mean over cells, which a shift leaves alone; every field in its own unit, with sum of squares 1."""
    rest = states - states.mean((2, 3), keepdims=True)
    scale = rest.std((0, 2, 3))
    rest = rest / np.where(scale > 0, scale, 1.0)[:, None, None]
    size = np.sqrt((rest**2).sum((1, 2, 3), keepdims=True))
    return rest / np.where(size > 0, size, 1.0)
