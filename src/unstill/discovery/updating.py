"""The best field of independent points with honest standard deviations: continuously updated moments, many of them.

r = A c are K averages g̅ of contributions g_m = Z_m c of single points, with covariance Ω(c). The eigenvector of AᵀΩ⁻¹A
is biased, since the scatter of A by itself adds E[δAᵀ Ω⁻¹ δA] to it, as much as K functionals have; two-stage least
squares with many instruments has that bias. ½ rᵀΩ(c)⁻¹r with Ω moving along has not (Newey & Windmeijer, Econometrica
77, 687, 2009): its slope is D(c)ᵀΩ⁻¹r, in which the columns of D = A − Cov(Z, g)Ω⁻¹r are uncorrelated with r, and

    Cov(c) = H⁻¹ DᵀΩ⁻¹D H⁻¹,      H the second derivative                                      (1)

along the sphere |c| = 1. What is left of the bias is that of Ω, correlated with r through third moments; it goes where
Ω is taken with the weights 1 − g_mᵀΩ⁻¹r that close the balances (Newey & Smith, Econometrica 72, 219, 2004, sec. 5).
All that wants K² ≪ points: K is √(2M) here, whatever is used to find the space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float

from .nullspace import STILL, Rows
from .weak_form import WeakForm

_RIDGE = 1e-4
_ROUNDS = 40
_LONGEST = 1.0  # standard deviation a step: further off the second derivative tells nothing
_CLOSE = 1e-2  # standard deviations
_CURVED = 0.1  # of the information: what H is taken to be at least on the way
_LEAST_WEIGHT = 0.1


class _Heap:
    """Some rows of one heap: slope, second derivative and information of ½ rᵀΩ⁻¹r."""

    def __init__(self, form: WeakForm, A: Float[np.ndarray, "K p"], Q: Float[np.ndarray, "P p"], heaps: int):
        most, least = math.isqrt(2 * form.count), -(-3 * Q.shape[1] // (2 * heaps))
        self.enough = most >= least  # points: with fewer there are either too few functionals or too many for Ω
        most = max(most, least)
        self.chosen = np.random.default_rng(0).permutation(len(A))[:most]
        self.form, self.A, self.Q = form, A[self.chosen], Q
        # A field that vanishes on one heap of several, or along a functional, has no scatter there.
        still = heaps > 1 or getattr(form.functionals, "blind", False)
        self.floor = STILL * form.typical[self.chosen] * still

    def _inverse(self, g: Float[np.ndarray, "M K"], weight: Float[np.ndarray, " M"]):
        """The half of Ω⁻¹."""
        C = (g * weight[:, None]).T @ g / self.form.count
        L = np.linalg.cholesky(C + np.diag(_RIDGE * np.diag(C) + self.floor))
        return scipy.linalg.solve_triangular(L, np.eye(len(C)), lower=True)

    def derivatives(self, t: Float[np.ndarray, " p"]):
        """Slope (p), H (p, p) and DᵀΩ⁻¹D (p, p) at t."""
        count, r = self.form.count, self.A @ t
        g, weight = self.form.contributions(self.Q @ t)
        g = g[:, self.chosen]
        half = self._inverse(g, weight)
        u = half.T @ (half @ r)
        v = g @ u
        closing = self._inverse(g, weight * np.maximum(1 - v / count, _LEAST_WEIGHT))
        along, beside = [], []
        for G, factor in self.form.columns():
            G = G[:, self.chosen]
            along.append((G @ u)[:, None] * factor)
            beside.append(G.T @ (factor * (weight * v)[:, None]))
        Y = np.concatenate(along, 1) @ self.Q
        Y -= weight @ Y
        D = self.A - np.concatenate(beside, 1) @ self.Q / count
        E = half @ (D - g.T @ (weight[:, None] * Y) / count)
        H = E.T @ E - Y.T @ (weight[:, None] * Y) / count
        return D.T @ (closing.T @ (closing @ r)), H, D.T @ half.T @ half @ D


class Updating:
    """The estimating equations of all heaps, from some rows of each."""

    def __init__(self, rows: Rows):
        forms = zip(rows.forms, rows.A, strict=True)
        self.heaps = [_Heap(form, A, rows.Q, len(rows.forms)) for form, A in forms]

    def _newton(self, t: Float[np.ndarray, " p"], inside: Float[np.ndarray, "p q"]):
        """The tangent space B at t, U with UᵀJU = 1 and UᵀHU = diag(w) for the information J, w, and Uᵀ slope."""
        B = inside @ scipy.linalg.null_space((inside.T @ t)[None])
        slope, H, J = _summed([heap.derivatives(t) for heap in self.heaps])
        w, U = scipy.linalg.eigh(B.T @ H @ B, B.T @ J @ B)
        return B, U, w, U.T @ (B.T @ slope)

    def minimum(
        self, t: Float[np.ndarray, " p"], inside: Float[np.ndarray, "p q"]
    ) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "p p"]] | None:
        """The unit vector near t in the span of the orthonormal columns `inside`, and its covariance (1); None where
        Newton's method finds no minimum, or where points are too few for (1) to hold."""
        if not all(heap.enough for heap in self.heaps):
            return None
        t = _unit(inside @ (inside.T @ t))
        for _ in range(_ROUNDS):
            B, U, w, slope = self._newton(t, inside)
            step = slope / np.maximum(w, _CURVED)
            length = float(np.linalg.norm(step))
            if length < _CLOSE:
                return (t, B @ (U / w**2) @ (B @ U).T) if (w > 0).all() else None
            t = _unit(t - B @ (U @ step) * min(1.0, _LONGEST / length))
        return None

    def normal_at(self, t: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p p"]:
        """N such that eᵀNe is the squared distance of the direction e from the minimum on all terms, in its standard
        deviations and as it looks from t: one Newton step, e/(tᵀe) − t + step in the covariance (1)."""
        B, U, w, slope = self._newton(t, np.eye(len(t)))
        w = np.maximum(w, _CURVED)
        back = np.linalg.inv(U) * w[:, None]
        half = back @ (B.T + np.outer(U @ (slope / w), t))
        return half.T @ half


def _unit(t: np.ndarray) -> np.ndarray:
    return t / np.linalg.norm(t)


def _summed(parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    return [np.sum(part, axis=0) for part in zip(*parts, strict=True)]
