"""What a picture determines: null directions of the fit, and the combinations of parameters that remain."""

import dataclasses
from fractions import Fraction

import numpy as np

from ._search import Scaling

STRUCTURAL = 1e-7  # singular values below this share of the largest are exact degeneracies, not weak data
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
    """Products of powers of the logarithmic parameters that a null direction leaves alone, in simplest form."""
    part = np.flatnonzero((np.abs(null).max(1, initial=0.0) > TAKES_PART) & scaling.logarithmic)
    if not len(part) or null.shape[1] >= len(part):
        return []
    rows = _echelon(np.linalg.svd(null[part].T)[2][null.shape[1] :])
    found = []
    for row in rows:
        exponents = np.array([float(Fraction(float(e)).limit_denominator(6)) for e in row])
        keep = np.abs(exponents) > 1e-9
        full = np.zeros(len(names))
        full[part[keep]] = exponents[keep]
        value = float(np.prod(values[part[keep]] ** exponents[keep]))
        std = float(np.sqrt(max(full @ covariance @ full, 0.0)))
        found.append(
            Combination(
                dict(zip(np.array(names)[part[keep]].tolist(), exponents[keep].tolist(), strict=True)), value, std
            )
        )
    return found


def _echelon(rows: np.ndarray) -> np.ndarray:
    rows = rows.copy()
    for i in range(len(rows)):
        pivot = int(np.argmax(np.abs(rows[i]) > 1e-8))
        rows[i] /= rows[i, pivot]
        for j in range(len(rows)):
            if j != i:
                rows[j] -= rows[j, pivot] * rows[i]
    return rows
