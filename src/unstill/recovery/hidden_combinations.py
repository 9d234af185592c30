"""What a picture determines: null directions of the fit, and the combinations of parameters that remain."""

import dataclasses
import math
from fractions import Fraction

import numpy as np

from .hidden_search import Scaling

STRUCTURAL = 1e-7  # singular values below this share of the largest are exact degeneracies, not weak data
RATIONAL = 1e-5  # exponents closer than this to a fraction are that fraction
TAKES_PART = 1e-3  # a parameter whose share of a null direction is smaller is determined


@dataclasses.dataclass(frozen=True)
class Combination:
    """∏ θ^exponent, determined although its members are not; `std` is relative."""

    exponents: dict[str, float]
    value: float
    std: float

    def __str__(self) -> str:
        def side(sign: int) -> str:
            parts = [n if abs(e) == 1 else f"{n}^{abs(e):g}" for n, e in self.exponents.items() if e * sign > 0]
            return "·".join(parts)

        below = side(-1)
        return (side(1) or "1") + (f"/{below}" if below and "·" not in below else f"/({below})" if below else "")


def null_directions(slopes: np.ndarray) -> np.ndarray:
    """Orthonormal directions of q, shape (P, N), that change no residual; `slopes` is ∂r/∂q of shape (P, …)."""
    J = slopes.reshape(len(slopes), -1)
    size = np.maximum(np.linalg.norm(J, axis=1), 1e-300)
    left, sizes, _ = np.linalg.svd(J / size[:, None], full_matrices=False)
    null = left[:, sizes < STRUCTURAL * sizes[0]] / size[:, None]
    return np.linalg.qr(null)[0] if null.shape[1] else null


def undetermined(null: np.ndarray, covariance: np.ndarray, scaling: Scaling, values: np.ndarray) -> np.ndarray:
    """Which parameters are free: they take part in a null direction, or are uncertain by more than a factor e."""
    loose = np.sqrt(np.diag(covariance)) > 1.0
    return (np.abs(null).max(1, initial=0.0) > TAKES_PART) | loose


def combinations(null: np.ndarray, covariance: np.ndarray, names, scaling: Scaling, values) -> list[Combination]:
    """Products of powers of the logarithmic parameters that a null direction leaves alone, in whole exponents.

    Only exact powers count: where the degenerate family is curved in log θ (Gray–Scott with u seen: k = g − F enters
    through g), the parameters that bend it are left out, and the products of the others are kept.
    """
    part = np.flatnonzero((np.abs(null).max(1, initial=0.0) > TAKES_PART) & scaling.logarithmic)
    if null.shape[1] == 0 or null.shape[1] >= len(part):
        return []
    best: list[tuple[np.ndarray, np.ndarray]] = []
    for turn in range(len(part)):
        order = np.roll(part, -turn)
        rows = _echelon(np.linalg.svd(null[order].T)[2][null.shape[1] :])
        exact = [(order, powers) for row in rows if (powers := _whole(row)) is not None]
        best = exact if len(exact) > len(best) else best
    found = []
    for order, powers in best:
        full = np.zeros(len(names))
        full[order] = powers
        used = np.flatnonzero(full)
        std = float(np.sqrt(max(full @ covariance @ full, 0.0)))
        exponents = {names[p]: float(full[p]) for p in used}
        found.append(Combination(exponents, float(np.prod(values[used] ** full[used])), std))
    return found


def _whole(row: np.ndarray) -> np.ndarray | None:
    """The row as whole numbers, or None where it is not a multiple of such."""
    fractions = [Fraction(float(e)).limit_denominator(4) for e in row]
    if max(abs(float(f) - e) for f, e in zip(fractions, row, strict=True)) > RATIONAL:
        return None
    return np.array([float(f) for f in fractions]) * math.lcm(*(f.denominator for f in fractions))


def _echelon(rows: np.ndarray) -> np.ndarray:
    rows = rows.copy()
    for i in range(len(rows)):
        pivot = int(np.argmax(np.abs(rows[i]) > 1e-8))
        rows[i] /= rows[i, pivot]
        for j in range(len(rows)):
            if j != i:
                rows[j] -= rows[j, pivot] * rows[i]
    return rows
