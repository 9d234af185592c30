"""Sparse representatives of an admissible space: terms that the heap does not ask for are taken out."""

from __future__ import annotations

import dataclasses

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
    information maximum likelihood of econometrics). What is made least is eᵀHe/eᵀGe + `price` · terms, first along
    backward elimination (the coefficient whose loss costs least, e_j²/Var(e_j), goes, down to the pinned one alone; to
    stop at the first dear term would miss groups of terms that stand for one another), then by exchange: a term comes
    back and the others are thinned again, while that lowers it. (Elimination by itself takes no term back: of those
    that nearly stand for one another it may drop the right one.) Only all subsets would be sure to hold the least.
    """
    unit = np.sqrt(np.diag(gram))
    N, G = normal / unit / unit[:, None], gram / unit / unit[:, None]
    values = scipy.linalg.eigh(N, G, eigvals_only=True)
    search = Search(N - values[0] * G + 1e-12 * values[-1] * G, G, pinned, price)
    free = np.array(allowed)
    free[pinned] = False
    terms = search.exchanged(search.eliminated(np.flatnonzero(free)), np.flatnonzero(free))
    e, spread = search.best_on(terms)
    return e / unit * unit[pinned], spread / unit / unit[:, None] * unit[pinned] ** 2


@dataclasses.dataclass(frozen=True)
class Search:
    """Sets of terms beside the pinned one, and what they cost."""

    H: Float[np.ndarray, "p p"]
    G: Float[np.ndarray, "p p"]
    pinned: int
    price: float

    def best_on(self, terms: np.ndarray):
        """The best vector on these terms and its covariance."""
        e, spread = np.zeros(len(self.H)), np.zeros_like(self.H)
        e[self.pinned] = 1.0
        if len(terms):
            inverse = np.linalg.inv(self.H[np.ix_(terms, terms)])
            e[terms] = -inverse @ self.H[terms, self.pinned]
            spread[np.ix_(terms, terms)] = inverse * (e @ self.G @ e)  # H is that of |f| = 1
        return e, spread

    def total(self, terms: np.ndarray) -> float:
        """eᵀHe/eᵀGe + price · terms."""
        every = np.append(terms, self.pinned)
        H, G = self.H[np.ix_(every, every)], self.G[np.ix_(every, every)]
        e = np.append(-np.linalg.solve(H[:-1, :-1], H[:-1, -1]), 1.0)
        return float((e @ H @ e) / (e @ G @ e)) + self.price * len(terms)

    def without_cheapest(self, terms: np.ndarray, kept: int = -1) -> np.ndarray:
        """Without the term whose loss costs least, e_j²/Var(e_j), of all but `kept`."""
        e, spread = self.best_on(terms)
        cost = e[terms] ** 2 / np.maximum(np.diag(spread)[terms], 1e-300)
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


def balanced(normal: Float[np.ndarray, "p p"], gram: Float[np.ndarray, "p p"], dimension: int, price: float) -> bool:
    """Whether the last coefficient has a share in the admissible space: without it one dimension must be lost."""
    within = scipy.linalg.eigh(normal, gram, eigvals_only=True)[dimension - 1]
    without = scipy.linalg.eigh(normal[:-1, :-1], gram[:-1, :-1], eigvals_only=True)
    return dimension > len(without) or bool(without[dimension - 1] - within > price)


def pivots(space: Float[np.ndarray, "p N"]) -> list[int]:
    """N coordinates that tell the vectors of a space apart, the most telling first (QR with column pivoting)."""
    _, _, order = scipy.linalg.qr(space.T, pivoting=True)
    return [int(i) for i in order[: space.shape[1]]]
