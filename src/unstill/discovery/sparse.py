"""Sparse representatives of an admissible space: terms that the heap does not ask for are taken out one by one."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float


def eliminate(
    normal: Float[np.ndarray, "p p"],
    gram: Float[np.ndarray, "p p"],
    allowed: Bool[np.ndarray, " p"],
    pinned: int,
    price: float,
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "p p"]]:
    """The coefficients e with e_pinned = 1 that make eᵀHe least on as few terms as possible, and their covariance.

    H = N − λ₀G with λ₀ the least eigenvalue of N against G, so that on all terms e is its eigenvector (the limited-
    information maximum likelihood of econometrics). Backward elimination: the coefficient whose loss costs least,
    e_j²/Var(e_j), goes, down to the pinned one alone; of all models on the way that with the least eᵀHe/eᵀGe + `price`
    · terms is taken. (To stop at the first dear term would miss groups of terms that stand for one another.)
    """
    unit = np.sqrt(np.diag(gram))
    N, G = normal / unit / unit[:, None], gram / unit / unit[:, None]
    values = scipy.linalg.eigh(N, G, eigvals_only=True)
    H = N - values[0] * G + 1e-12 * values[-1] * G
    free = np.array(allowed)
    free[pinned] = False
    best = (np.inf, np.zeros(len(N)), np.zeros_like(N))
    while True:
        index = np.flatnonzero(free)
        e, spread = np.zeros(len(N)), np.zeros_like(N)
        e[pinned] = 1.0
        if len(index):
            inverse = np.linalg.inv(H[np.ix_(index, index)])
            e[index] = -inverse @ H[index, pinned]
            spread[np.ix_(index, index)] = inverse * (e @ G @ e)  # H is that of |f| = 1
        total = (e @ H @ e) / (e @ G @ e) + price * len(index)
        best = min(best, (total, e / unit, spread / unit / unit[:, None]), key=lambda model: model[0])
        if len(index) == 0:
            return best[1] * unit[pinned], best[2] * unit[pinned] ** 2
        free[index[np.argmin(e[index] ** 2 / np.diag(spread)[index])]] = False


def balanced(normal: Float[np.ndarray, "p p"], gram: Float[np.ndarray, "p p"], dimension: int, price: float) -> bool:
    """Whether the last coefficient has a share in the admissible space: without it one dimension must be lost."""
    within = scipy.linalg.eigh(normal, gram, eigvals_only=True)[dimension - 1]
    without = scipy.linalg.eigh(normal[:-1, :-1], gram[:-1, :-1], eigvals_only=True)
    return dimension > len(without) or bool(without[dimension - 1] - within > price)


def pivots(space: Float[np.ndarray, "p N"]) -> list[int]:
    """N coordinates that tell the vectors of a space apart, the most telling first (QR with column pivoting)."""
    _, _, order = scipy.linalg.qr(space.T, pivoting=True)
    return [int(i) for i in order[: space.shape[1]]]
