"""Sparse representatives of an admissible space: terms that the heap does not ask for are taken out."""

from __future__ import annotations

import abc
import dataclasses

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float


def eliminate(
    normal: Float[np.ndarray, "p p"],
    triangle: Float[np.ndarray, "p p"],
    allowed: Bool[np.ndarray, " p"],
    pinned: int,
    price: float,
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "p p"]]:
    """The coefficients e with e_pinned = 1 that make eᵀHe least on as few terms as possible, and their covariance.

    `normal` N is that of z = Te with T the `triangle`, and H = Tᵀ(N − λ₀)T with λ₀ the least eigenvalue of N, so that
    on all terms Te is its eigenvector (the limited-information maximum likelihood of econometrics). What is made least
    is eᵀHe/|Te|² + `price` · terms, first along backward elimination (the coefficient whose loss costs least,
    e_j²/Var(e_j), goes, down to the pinned one alone; to stop at the first dear term would miss groups of terms that
    stand for one another), then by exchange: a term comes back and the others are thinned again, while that lowers it.
    (Elimination by itself takes no term back: of those that nearly stand for one another it may drop the right one.)
    Only all subsets would be sure to hold the least.
    """
    unit = np.sqrt((triangle**2).sum(0))
    T = triangle / unit
    values, axes = np.linalg.eigh(normal)
    weights = np.sqrt(np.maximum(values - values[0], 0.0) + 1e-12 * values[-1])
    search = SparseSearch(pinned, price, weights[:, None] * (axes.T @ T), T)
    free = np.array(allowed)
    free[pinned] = False
    terms = search.exchanged(search.eliminated(np.flatnonzero(free)), np.flatnonzero(free))
    e, spread = search.best_on(terms)
    return e / unit * unit[pinned], spread / unit / unit[:, None] * unit[pinned] ** 2


@dataclasses.dataclass(frozen=True)
class Search(abc.ABC):
    """Sets of terms beside the pinned one, and what they cost."""

    pinned: int
    price: float

    @abc.abstractmethod
    def best_on(self, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best vector on these terms, 1 at the pinned one, and its covariance."""

    @abc.abstractmethod
    def total(self, terms: np.ndarray) -> float:
        """What the best vector on these terms costs, and price · terms."""

    def without_cheapest(self, terms: np.ndarray, kept: int = -1) -> np.ndarray:
        """Without the term whose loss costs least, e_j²/Var(e_j), of all but `kept`."""
        e, spread = self.best_on(terms)
        cost = (e[terms] / np.sqrt(np.maximum(np.diag(spread)[terms], 1e-300))) ** 2
        return np.delete(terms, np.argmin(np.where(terms == kept, np.inf, cost)))

    def eliminated(self, terms: np.ndarray, kept: int = -1) -> np.ndarray:
        """The best set on the way of backward elimination, in which `kept` stays."""
        best = (self.total(terms), terms)
        while (terms != kept).any():
            terms = self.without_cheapest(terms, kept)
            best = min(best, (self.total(terms), terms), key=lambda one: one[0])
        return best[1]

    def exchanged(self, terms: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """A term comes, and the others are thinned again: the best such move while the total falls."""
        least = self.total(terms)
        while True:
            moves = [self.eliminated(np.append(terms, one), kept=int(one)) for one in np.setdiff1d(allowed, terms)]
            totals = [self.total(move) for move in moves]
            if not moves or min(totals) >= least - 1e-9 * (abs(least) + 1):
                return terms
            least, terms = min(totals), moves[int(np.argmin(totals))]


@dataclasses.dataclass(frozen=True)
class SparseSearch(Search):
    """Sets of terms by eᵀHe/|Te|² with H = AᵀA, `root` A.

    Least squares by QR: terms far from the origin are nearly collinear, and H itself would hold twice the digits.
    """

    root: Float[np.ndarray, "p p"]
    triangle: Float[np.ndarray, "p p"]

    def _vector(self, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """−(A_S)⁺ A_pinned on the terms S, 1 at the pinned one, and R of their QR."""
        e = np.zeros(len(self.root))
        e[self.pinned] = 1.0
        R = np.linalg.qr(self.root[:, np.append(terms, self.pinned)], mode="r")
        if len(terms):
            e[terms] = -scipy.linalg.solve_triangular(R[:-1, :-1], R[:-1, -1])
        return e, R

    def best_on(self, terms):
        """The best vector on these terms; the covariance is that of |Te| = 1."""
        e, R = self._vector(terms)
        spread = np.zeros_like(self.root)
        if len(terms):
            back = scipy.linalg.solve_triangular(R[:-1, :-1], np.eye(len(terms)))
            spread[np.ix_(terms, terms)] = back @ back.T * np.sum((self.triangle @ e) ** 2)
        return e, spread

    def total(self, terms):
        """eᵀHe/|Te|² + price · terms."""
        e, R = self._vector(terms)
        return float(R[len(terms), -1] ** 2 / np.sum((self.triangle @ e) ** 2)) + self.price * len(terms)


def balanced(
    normal: Float[np.ndarray, "p p"], triangle: Float[np.ndarray, "p p"], dimension: int, price: float
) -> bool:
    """Whether the last coefficient has a share in the admissible space: without it one dimension must be lost."""
    others = np.linalg.qr(triangle[:, :-1])[0]
    within = np.linalg.eigvalsh(normal)[dimension - 1]
    without = np.linalg.eigvalsh(others.T @ normal @ others)
    return dimension > len(without) or bool(without[dimension - 1] - within > price)


def pivots(space: Float[np.ndarray, "p N"]) -> list[int]:
    """N coordinates that tell the vectors of a space apart, the most telling first (QR with column pivoting)."""
    _, _, order = scipy.linalg.qr(space.T, pivoting=True)
    return [int(i) for i in order[: space.shape[1]]]
