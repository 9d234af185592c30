"""Which terms the one field of independent points has: each set of terms is judged at its own best field.

Taking terms out under the weights of the field on all terms fails where these are many: that field is far off in the
sharp directions, and so are its weights. Here a set S costs

    min_{c on S} T(c) + price · |S|,      T(c) = r(c)ᵀ C(c)⁻¹ r(c),  r = A c                        (1)

with the covariance C at c itself (L. P. Hansen, J. Heaton & A. Yaron, J. Bus. Econ. Stat. 14, 262 (1996)): on true
terms T is a χ² variable, and a false one lowers it by one of one degree of freedom. The price is the quantile of that,
1 % for all terms that could come in together (Bonferroni), times the dispersion of the points (P. McCullagh &
J. Nelder, Generalized Linear Models, 1989, sec. 4.5) where they scatter more than independent ones.

Near a field c₀, (1) is the ratio m · cᵀNc/cᵀSc with N = AᵀC₀⁻¹A, S = E[δAᵀC₀⁻¹δA] what N would be of scatter
alone, and m = c₀ᵀSc₀: limited-information maximum likelihood, robust to heteroscedasticity and many functionals
(J. Hausman, W. Newey, T. Woutersen, J. Chao & N. Swanson, Quant. Econ. 3, 211 (2012), eq. 2.3). It proposes sets and
fields; T at the proposed field decides. A coarse ridge on the correlations, under which C changes little from field to
field, comes first, and all terms are thinned by a quarter at a time, with new weights in between. Fails where terms are
few and points many and nearly Gaussian: a field of large scatter has a small ratio, and what it proposes is dear (on a
turning Gaussian, 1,000 points, all terms stayed). There `Updating` settles on a set that is cheaper by (1).
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.stats import chi2

from .nullspace import Rows
from .sparse import Search

_LEVEL = 0.01  # of a false term among all that could come in
_RIDGES = (1e-2, 1e-3, 1e-4)
_KEPT = 0.75  # of the terms, from weights to weights
_HOPELESS = 10  # prices above the best set: the way down ends
_REFITS = 3


def price_of_a_term(terms: int, dispersion: float) -> float:
    """What T must fall by for a term to come in."""
    return float(chi2.isf(_LEVEL / terms, 1)) * max(1.0, dispersion)


@dataclasses.dataclass(frozen=True)
class _RatioSearch(Search):
    """Sets of terms by m · eᵀNe/eᵀSe, each at its own least ratio: eᵀNe = |`root` b|² and eᵀSe/m = |b|² with
    b = `columns` e. Each set has its own orthonormal basis, since columns may be nearly collinear."""

    root: Float[np.ndarray, "p p"]
    columns: Float[np.ndarray, "p p"]

    @classmethod
    def of(cls, pinned: int, price: float, N: np.ndarray, S: np.ndarray, units: np.ndarray) -> _RatioSearch:
        """Of N and S/m on t = `units` e."""
        half = np.linalg.cholesky(S)
        values, axes = np.linalg.eigh(N)
        root = (np.sqrt(np.maximum(values, 0.0)) * axes).T
        return cls(pinned, price, scipy.linalg.solve_triangular(half, root.T, lower=True).T, half.T @ units)

    @functools.cached_property
    def _known(self) -> dict[tuple[int, ...], float]:
        return {}

    def _on(self, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ratios' matrix in an orthonormal basis of one set, and what leads there from e: R."""
        Q, R = np.linalg.qr(self.columns[:, np.append(terms, self.pinned)])
        inner = self.root @ Q
        return inner.T @ inner, R

    def best_on(self, terms):
        """The vector of least ratio, 1 at the pinned term, and its covariance."""
        e, spread = np.zeros(len(self.root)), np.zeros_like(self.root)
        ratios, R = self._on(terms)
        values, vectors = np.linalg.eigh(ratios)
        inner = scipy.linalg.solve_triangular(R, vectors[:, 0])
        e[np.append(terms, self.pinned)] = inner / inner[-1]
        back = np.linalg.pinv(np.sqrt(values - values[0])[:, None] * (vectors.T @ R[:, :-1]))
        spread[np.ix_(terms, terms)] = back @ back.T / inner[-1] ** 2
        return e, spread

    def total(self, terms):
        """m · least ratio + price · terms."""
        key = tuple(sorted(terms.tolist()))
        if key not in self._known:
            least = scipy.linalg.eigvalsh(self._on(terms)[0], subset_by_index=[0, 0])[0]
            self._known[key] = float(least) + self.price * len(terms)
        return self._known[key]


@dataclasses.dataclass(frozen=True)
class _Fit:
    """A set of terms beside the pinned one, its field e, its cost (1), and the ratios near e."""

    total: float
    terms: np.ndarray
    e: np.ndarray
    near: _RatioSearch

    @property
    def proposed(self) -> np.ndarray:
        return self.near.best_on(self.terms)[0]


@dataclasses.dataclass(frozen=True)
class _Ridged:
    """Sets of terms of `rows` in units in which all columns are alike: t = `units` e."""

    rows: Rows
    units: Float[np.ndarray, "p p"]
    pinned: int
    price: float
    ridge: float

    def _at(self, e: np.ndarray, terms: np.ndarray) -> _Fit:
        t = self.units @ e
        t /= np.linalg.norm(t)
        covariances = self.rows.covariances(t)
        halves = self.rows.halves(covariances, self.ridge)
        N, S = self.rows.normal(halves), self.rows.scatter(halves)
        N *= min(form.shrinkage for form in self.rows.forms)
        search = _RatioSearch.of(self.pinned, self.price, N, S / (t @ S @ t), self.units)
        return _Fit(float(t @ N @ t) + self.price * len(terms), terms, e, search)

    def fit(self, e: np.ndarray, terms: np.ndarray, rounds: int = _REFITS) -> _Fit:
        """The least (1) that iterated weights come by from e."""
        best = found = self._at(e, terms)
        for _ in range(rounds - 1):
            found = self._at(found.proposed, terms)
            if found.total < best.total:
                best = found
            elif found.total > best.total + 1:
                break
        return best

    def descent(self, e: np.ndarray, terms: np.ndarray) -> _Fit:
        """Terms are taken out, a quarter of them at a time, under new weights each time; the best set on the way."""
        best = found = self.fit(e, terms, 2)
        while len(terms) and found.total <= best.total + _HOPELESS * self.price:
            goal = min(int(_KEPT * len(terms)), len(terms) - 1)
            while len(terms) > goal:
                terms = found.near.without_cheapest(terms)
            found = self.fit(found.near.best_on(terms)[0], terms, 2)
            best = min(best, found, key=lambda fit: fit.total)
        return best

    def exchanged(self, best: _Fit, every: np.ndarray) -> _Fit:
        """Sets that are better near the best field, from its terms and from all, while one is better at its own."""
        while True:
            starts = (best.terms, best.near.eliminated(every))
            proposals = {tuple(sorted(best.near.exchanged(start, every).tolist())) for start in starts}
            sets = [np.array(one, int) for one in proposals - {tuple(sorted(best.terms.tolist()))}]
            fits = [self.fit(best.near.best_on(one)[0], one) for one in sorted(sets, key=list)]
            found = min(fits, key=lambda fit: fit.total, default=best)
            if found.total >= best.total - 1e-6 * abs(best.total):
                return best
            best = found


@dataclasses.dataclass(frozen=True)
class Thinning:
    """The search for the set of least (1) among the fields e of `rows`, 1 at the pinned term; t = T e are coordinates
    in the columns of Q."""

    rows: Rows
    units: Float[np.ndarray, "p p"]
    size: Float[np.ndarray, " p"]
    pinned: int
    price: float

    @classmethod
    def of(cls, rows: Rows, T: Float[np.ndarray, "p p"], pinned: int, price: float) -> Thinning:
        size = np.linalg.norm(T, axis=0)
        return cls(rows, T / size, size, pinned, price)

    def _under(self, ridge: float) -> _Ridged:
        return _Ridged(self.rows, self.units, self.pinned, self.price, ridge)

    def _alike(self, e: np.ndarray) -> np.ndarray:
        """The field in units in which all columns are alike."""
        return e * self.size / (e[self.pinned] * self.size[self.pinned])

    def cost(self, e: Float[np.ndarray, " p"]) -> float:
        """(1) of the terms of e, from e on, under the sharpest ridge."""
        terms = np.setdiff1d(np.flatnonzero(e), [self.pinned])
        return self._under(_RIDGES[-1]).fit(self._alike(e), terms).total

    def thinned(self, e: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
        """The field of the set of least (1) that is found from e on all terms. Only all sets would be sure to hold the
        least."""
        whole, every = self._alike(e), np.delete(np.arange(len(e)), self.pinned)
        best = self._under(_RIDGES[0]).descent(whole, every)
        for ridge in _RIDGES:
            thinning = self._under(ridge)
            # Under sharper weights the thin field may turn out to be wrong: then all terms are cheaper.
            starts = (thinning.fit(best.e, best.terms), thinning.fit(whole, every, 1))
            best = thinning.exchanged(min(starts, key=lambda fit: fit.total), every)
        return best.e / self.size * self.size[self.pinned]
