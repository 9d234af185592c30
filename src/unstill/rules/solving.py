"""Iterated generalised least squares for E[A θ] = 0, a homogeneous problem: starts, weights, χ², what is determined.

With r = A θ of S samples (tiles) the statistic is J(θ) = r̄ᵀ C(θ)⁻¹ r̄, C the covariance of the mean r̄. A solution is a
fixed point of: θ ← the least eigenvector of (ĀᵀC⁻¹Ā, G), C ← C(θ), where θᵀGθ = E|f|²/scale² (L. P. Hansen,
Econometrica 50, 1029, 1982, doi:10.2307/1912775, for the weights). Minimising J itself (continuous updating) was tried
and ends in fields of huge scatter.

C from S samples makes J too large by (S − 1)/(S − K − 2) (Hotelling's T²; Hartlap et al., A&A 464, 399, 2007,
doi:10.1051/0004-6361:20066170). Tiles of one picture, and pictures of one run, are not independent: the `dispersion` is
how many times the scatter of independent tiles the mean has. It is told from pictures' means, and, since a homogeneous
system knows no place, from the scatter over places of the mean over pictures: pictures that hold the same
pattern at the same place are seen without knowing which run they are from.
"""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float

from .weak_form import WeakForm

_RIDGE = 1e-6  # of the covariance, in units of its mean variance
_ROUND_OFF = 1e-10
_ROUNDS, _UNDAMPED = 40, 8
_SETTLED, _SETTLED_LEFT = 1e-6, 1e-3
_CHUNK = 64  # pictures whose rows are held in float64 at once


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """θ of the columns that are allowed, with θᵀGθ = 1; χ² and its degrees of freedom; the matrices at the solution.

    `normal` is ∂²(χ²/2)/∂θ², `scatter` what it would be in the mean for rows that are chance.
    """

    theta: Float[np.ndarray, " P"]
    chi2: float
    dof: int
    dispersion: float
    normal: Float[np.ndarray, "P P"]
    scatter: Float[np.ndarray, "P P"]
    settled: bool

    @property
    def ratio(self) -> float:
        return self.chi2 / self.dof


class Problem:
    """The rows of the terms that `allowed` lets stand in each equation."""

    def __init__(self, form: WeakForm, allowed: Bool[np.ndarray, "C J"]):
        M, T, K = form.rows.shape[:3]
        self.allowed, self.functionals = allowed, form.functionals
        self.A = form.rows.reshape(M, T, K, -1)[..., allowed.ravel()]
        self.mean = self.A.mean((0, 1), dtype=np.float64)
        blocks = [form.products[np.ix_(a, a)] / s**2 for a, s in zip(allowed, form.functionals.scale, strict=True)]
        self.G = scipy.linalg.block_diag(*blocks)
        self.G += _ROUND_OFF * np.trace(self.G) / len(self.G) * np.eye(len(self.G))

    def part(self, pictures: slice) -> Problem:
        """The same of some pictures."""
        other = copy.copy(self)
        other.A = self.A[pictures]
        other.mean = other.A.mean((0, 1), dtype=np.float64)
        return other

    @property
    def samples(self) -> int:
        return self.A.shape[0] * self.A.shape[1]

    def unit(self, theta: np.ndarray) -> np.ndarray:
        """θ with E|f|² = 1."""
        return theta / np.sqrt(theta @ self.G @ theta)

    def residuals(self, theta: np.ndarray) -> Float[np.ndarray, "M T K"]:
        return (self.A @ theta.astype(np.float32)).astype(np.float64)

    def starts(self, count: int) -> list[np.ndarray]:
        """The least eigenvectors under weights of each functional by itself."""
        size = np.sqrt(np.mean(np.square(self.A), axis=(0, 1, 3), dtype=np.float64))
        rows = self.mean / np.maximum(size, 1e-300)[:, None]
        return list(scipy.linalg.eigh(rows.T @ rows, self.G)[1][:, :count].T)

    def solve(self, theta: np.ndarray, more: Float[np.ndarray, "M T K"] | None = None) -> Solution:
        """The fixed point from a start; `more` are rows of a nuisance whose share is free."""
        theta, covariance, share, settled = self.unit(theta), None, 0.0, False
        whitener, rows, before = np.zeros(0), self.mean, np.inf
        for turn in range(_ROUNDS):
            r = self.residuals(theta) + (0.0 if more is None else share * more)
            found = _covariance(r.reshape(self.samples, -1))
            damped = covariance is not None and turn >= _UNDAMPED  # it may oscillate
            covariance = (covariance + found) / 2 if damped else found
            whitener = scipy.linalg.solve_triangular(
                np.linalg.cholesky(covariance), np.eye(len(covariance)), lower=True
            )
            rows, nuisance = whitener @ self.mean, None
            if more is not None:
                nuisance = whitener @ more.mean((0, 1))
                rows = rows - np.outer(nuisance, nuisance @ rows) / (nuisance @ nuisance)
            new = scipy.linalg.eigh(rows.T @ rows, self.G, subset_by_index=[0, 0])[1][:, 0]
            new = self.unit(new) * np.sign(new @ self.G @ theta)
            left = float(np.sum((rows @ new) ** 2))
            settled = bool(1 - new @ self.G @ theta < _SETTLED) and abs(left - before) < _SETTLED_LEFT * left
            theta, before = new, left
            if nuisance is not None:
                share = -float(nuisance @ (whitener @ self.mean @ theta)) / float(nuisance @ nuisance)
            if settled:
                break
        return self._solution(theta, whitener, rows, more, share, settled)

    def _solution(self, theta, whitener, rows, more, share: float, settled: bool) -> Solution:
        S, K = self.samples, len(whitener)
        r = self.residuals(theta) + (0.0 if more is None else share * more)
        dispersion = _dispersion((r - r.mean((0, 1))) @ whitener.T)
        corrected = (S - K - 2) / (S - 1) / dispersion
        normal = rows.T @ rows * corrected
        dof = K - len(theta) + 1 - (more is not None)
        chi2 = float(theta @ normal @ theta)
        return Solution(theta, chi2, dof, dispersion, normal, self._scatter(whitener) * corrected, settled)

    def _scatter(self, whitener: np.ndarray) -> Float[np.ndarray, "P P"]:
        """What the normal matrix would be, were the mean rows scatter of independent tiles only."""
        total, S = np.zeros((self.mean.shape[1],) * 2), self.samples
        for part in np.array_split(self.A, max(1, len(self.A) // _CHUNK)):
            D = (whitener.astype(np.float32) @ (part - self.mean.astype(np.float32))).reshape(-1, self.mean.shape[1])
            total += (D.T @ D).astype(np.float64)
        return total / S**2


def _covariance(r: Float[np.ndarray, "S K"]) -> Float[np.ndarray, "K K"]:
    """Of the mean of independent samples."""
    centred = r - r.mean(0)
    C = centred.T @ centred / len(r) ** 2
    return C + _RIDGE * np.trace(C) / len(C) * np.eye(len(C))


def _dispersion(y: Float[np.ndarray, "M T K"]) -> float:
    """Var(mean) over that of independent tiles: within pictures, times between pictures at the same place."""
    M, T, _ = y.shape
    one = float(np.mean(y**2))
    within = T * float(np.mean(y.mean(1) ** 2)) * M / (M - 1) / one if M > 1 else 1.0
    places = y.mean(0) - y.mean((0, 1))
    between = M * float(np.mean(places**2)) * T / (T - 1) / one if T > 1 else 1.0
    return max(within, 1e-6) * max(between, 1.0)
