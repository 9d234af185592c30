"""The admissible space: which coefficients c have E[∇φ·f_c] = 0 to within what the heap can tell, and how many.

Rows r = A c of the weak form scatter for two reasons, and a heap does not say which of them it has:

    C = a · C_ind(c) + β · Cov(φ)                                                            (1)

C_ind is the covariance of averages over independent points (a = 1). Averages of ∇φ·f over a trajectory of f telescope
to (φ(T) − φ(0))/T: they scatter with the covariance of φ itself, far less (a ≪ 1). Ensembles that are not quite at rest
statistically have both. (a, β) maximise the likelihood of r; c minimises rᵀC⁻¹r over |f| = 1; the two are iterated.
Sharp weights at a wrong c keep c wrong, so a ridge on the correlations is lowered step by step.

Dimension: c₁ is found, then c₂ in the orthogonal complement, and so on. T = rᵀ C_ind⁻¹ r is a sum of weighted χ²
variables under the ridge, with mean m = Σ q_k − (p − 1) and variance 2 Σ q_k² for p free coefficients, where
q_k = v_k/(v_k + ridge). c_j belongs to the space if T is at most six deviations above m, or 2 T₁, or, where averages
telescope, what a heap worth fewer independent points would show. T/m = 1 + M · misfit²: the misfit is the mean of ∇φ·f
in units of its own standard deviation.

c₁ itself *preserves* the points if T₁ is below the quantile 0.999 of that sum, approximated by a χ² of the same mean
and variance (F. E. Satterthwaite, Biometrics Bull. 2, 110 (1946)). Points that depend on one another, or are not at
rest statistically, make all T larger by one factor, which then is T₁/m; a library without the truth makes T₁ large
beside the others. So c₁ beyond the quantile still *stands out* if T₂/T₁ is beyond the quantile 0.999 of the F
distribution of their degrees of freedom, and M m/T₁, what the points would then count for, is no less than the number
of test functions: then the field may be right, and nothing vouches for it. Else none fits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.stats import chi2
from scipy.stats import f as f_ratio

from .weak_form import WeakForm

_COARSE, _FINE = (1e-1, 3e-2, 1e-2), (1e-3, 1e-4, 1e-4)
_RIDGE = _FINE[-1]
_STARTS = 2
STILL = 1e-2
_ROUNDS = 3
_DEVIATIONS = 6.0
LEVEL = 1e-3  # of the tests of the first field: its balances, and whether it stands out
_TELESCOPING = 0.5, 10.0  # a below this, and log likelihood gained over β = 0
_WORTH = 8.0  # independent points that one deviation of travel is worth; found on Lorenz runs
_A = np.logspace(-4, 2, 49)
_B = np.concatenate([[0.0], np.logspace(-4, 1, 41)])


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One candidate direction against the floor: its statistic, and the largest one that the floor allows."""

    statistic: float
    limit: float

    @property
    def admissible(self) -> bool:
        return self.statistic <= self.limit


@dataclasses.dataclass(frozen=True)
class NullSpace:
    """The admissible space within the columns of Q: `vectors` (p, N ≥ 1), best first, orthonormal; N is `dimension`,
    or 1 where that is 0.

    `normal` is Σ Aᵀ C⁻¹ A at the best vector; `spectrum` its eigenvalues over the degrees of freedom; `dispersion` how
    many times the scatter of independent points the heap's is; `telescopes` whether it is that of trajectories;
    `misfit` the mean of ∇φ·f in units of its standard deviation, beyond what sampling explains; `preserves` whether
    sampling explains all of it at the level 0.1 %.
    """

    dimension: int
    vectors: Float[np.ndarray, "p N"]
    normal: Float[np.ndarray, "p p"]
    spectrum: Float[np.ndarray, " p"]
    verdicts: tuple[Verdict, ...]
    dispersion: float
    telescopes: bool
    misfit: float
    preserves: bool


class Rows:
    """The rows of several heaps for coefficients restricted to the columns of Q."""

    def __init__(self, forms: Sequence[WeakForm], matrices: Sequence[np.ndarray], Q: Float[np.ndarray, "P p"]):
        self.forms, self.Q = forms, Q
        self.A = [matrix @ Q for matrix in matrices]

    def covariances(self, t: Float[np.ndarray, " p"], fine: bool = True) -> list[np.ndarray]:
        found = [form.covariance(self.Q @ t, fine=fine) for form in self.forms]
        if len(found) == 1:
            return found
        # A field that vanishes on one heap has no scatter there, and would be held for ever.
        return [C + np.diag(STILL * form.typical) for C, form in zip(found, self.forms, strict=True)]

    def normal(self, halves: Sequence[np.ndarray]) -> Float[np.ndarray, "p p"]:
        whitened = [half @ A for half, A in zip(halves, self.A, strict=True)]
        return sum((B.T @ B for B in whitened), np.zeros((self.Q.shape[1],) * 2))

    def halves(self, covariances: Sequence[np.ndarray], ridge: float) -> list[np.ndarray]:
        """H with HᵀH = C⁻¹ under a ridge on the correlations."""
        return [_half(C, ridge) for C in covariances]

    def scatter(self, halves: Sequence[np.ndarray]) -> Float[np.ndarray, "p p"]:
        """What `normal` would be in the mean if A were scatter of independent points only."""
        parts = (form.scatter(half) for form, half in zip(self.forms, halves, strict=True))
        return sum((self.Q.T @ S @ self.Q for S in parts), np.zeros((self.Q.shape[1],) * 2))

    def normal_at(self, t: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p p"]:
        """Σ Aᵀ C⁻¹ A with C that of independent points at t."""
        return self.normal([_half(C, _RIDGE) for C in self.covariances(t, False)])


def _ridged(C: np.ndarray, ridge: float) -> np.ndarray:
    return C + np.diag(ridge * np.diag(C))


def _half(C: np.ndarray, ridge: float) -> np.ndarray:
    """H with HᵀH = C⁻¹."""
    L = np.linalg.cholesky(_ridged(C, ridge))
    return scipy.linalg.solve_triangular(L, np.eye(len(C)), lower=True)


def _smallest(normal: np.ndarray, inside: np.ndarray, count: int = 1) -> list[np.ndarray]:
    """Unit vectors in the span of the columns `inside` with the least tᵀ N t."""
    _, vectors = np.linalg.eigh(inside.T @ normal @ inside)
    return list((inside @ vectors[:, :count]).T)


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """A direction t, the halves of its weights, its statistic T, and mean and deviation of T if it is admissible."""

    t: np.ndarray
    halves: list[np.ndarray]
    statistic: float
    mean: float
    deviation: float
    few: float  # a covariance from few points makes T so much too large, beyond Hotelling's factor

    @property
    def ratio(self) -> float:
        return self.statistic / self.mean

    @property
    def floor(self) -> float:
        return 1 + _DEVIATIONS * self.deviation / self.mean

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the χ² of T's mean and variance."""
        return 2 * (self.mean / max(self.deviation, 1e-300)) ** 2

    @property
    def quantile(self) -> float:
        """What T/m of an admissible field stays below but for `LEVEL`."""
        return self.few * float(chi2.isf(LEVEL, self.freedom)) / self.freedom

    def stands_out(self, second: _Candidate) -> bool:
        """Whether another field's T is larger by more than chance."""
        return second.ratio > second.few * self.ratio * float(f_ratio.isf(LEVEL, second.freedom, self.freedom))


def _polished(rows: Rows, inside: np.ndarray, t: np.ndarray, ridges: Sequence[float], fine: bool) -> _Candidate:
    covariances, halves = rows.covariances(t, fine), []
    for ridge in ridges:
        halves = [_half(C, ridge) for C in covariances]
        (t,) = _smallest(rows.normal(halves), inside)
        covariances = rows.covariances(t, fine)
    halves = [_half(C, _RIDGE) for C in covariances]
    statistic, mean, variance = 0.0, 1.0 - inside.shape[1], 0.0
    for form, A, half, C in zip(rows.forms, rows.A, halves, covariances, strict=True):
        statistic += form.shrinkage * float(np.sum((half @ (A @ t)) ** 2))
        deviation = np.sqrt(np.diag(C))
        v = np.maximum(np.linalg.eigvalsh(C / deviation / deviation[:, None]), 0)
        q = v / (v + _RIDGE)
        mean, variance = mean + float(q.sum()), variance + 2 * float((q**2).sum())
    few = max(2 - form.shrinkage for form in rows.forms)
    return _Candidate(t, halves, statistic, max(mean, 1.0), float(np.sqrt(variance)), few)


def independent(rows: Rows, inside: np.ndarray) -> _Candidate:
    """Iterated generalised least squares under C = C_ind; of several starts the one with the least statistic."""
    halves = [_half(np.diag((A**2).sum(1) + 1e-300), 0.0) for A in rows.A]
    starts: list[np.ndarray] = []
    for ridge in _COARSE:
        starts = _smallest(rows.normal(halves), inside, _STARTS)
        halves = [_half(C, ridge) for C in rows.covariances(starts[0], False)]
    candidates = [_polished(rows, inside, t, _FINE, False) for t in starts]
    return _polished(rows, inside, min(candidates, key=lambda found: found.statistic).t, _FINE[-1:], True)


def _weigh(form: WeakForm, C: np.ndarray, r: np.ndarray, free: int):
    """The (a, β) of greatest likelihood of the rows r, and the half of the inverse of (1)."""
    half = _half(C, _RIDGE)
    d, U = np.linalg.eigh(half @ _ridged(form.spread, _RIDGE) @ half.T)
    T = U.T @ half
    d, square = np.maximum(d, 0), form.shrinkage * (T @ r) ** 2
    unit = np.mean(square / np.maximum(d, 1e-12 * d.max()))
    a, b = (grid.ravel() for grid in np.meshgrid(_A, unit * _B, indexing="ij"))
    total = a[:, None] + b[:, None] * d
    # The fit has taken `free` degrees of freedom out of r.
    likelihood = -0.5 * (1 - free / len(r)) * np.log(total).sum(1) - 0.5 * (square / total).sum(1)
    best = int(np.argmax(likelihood))
    gained = likelihood[best] - likelihood[b == 0].max()
    telescopes = a[best] < _TELESCOPING[0] and gained > _TELESCOPING[1]
    return float(b[best]) if telescopes else None, T / np.sqrt(total[best])[:, None]


def _refined(rows: Rows, t: np.ndarray):
    """The best vector under the scatter (1), its weights, and β where averages telescope, else None; of one heap."""
    halves, betas = [], []
    for _ in range(_ROUNDS):
        weighed = [
            _weigh(form, C, A @ t, len(t) - 1)
            for form, A, C in zip(rows.forms, rows.A, rows.covariances(t, False), strict=True)
        ]
        betas, halves = [beta for beta, _ in weighed], [half for _, half in weighed]
        (t,) = _smallest(rows.normal(halves), np.eye(len(t)))
    return t, halves, betas


def _telescoped(rows: Rows, betas: Sequence[float | None]) -> float:
    """How many times the scatter of independent points another field's may be where averages telescope; else 1.

    There β = 2/(n T²) for n runs of length T, in units in which the field moves one standard deviation per unit time.
    Together they travelled n T ≥ √(2/β) deviations, each worth a few independent points to another field.
    """
    known = [form.count * np.sqrt(b / 2) / _WORTH for form, b in zip(rows.forms, betas, strict=False) if b is not None]
    return max([1.0, *map(float, known)])


def null_space(rows: Rows, *, most: int = 40) -> NullSpace:
    """The admissible space of `rows`, up to `most` dimensions."""
    p, points = rows.Q.shape[1], sum(form.count for form in rows.forms)
    first = independent(rows, np.eye(p))
    misfit = float(np.sqrt(max(first.ratio - 1, 0.0) / points))
    preserves = fits = first.ratio <= first.quantile
    t, halves, betas = first.t, first.halves, []
    if len(rows.forms) == 1:  # with weights of their own, heaps on which the field nearly stands would rule
        t, halves, betas = _refined(rows, t)
    dispersion = max(first.ratio, _telescoped(rows, betas))
    verdicts = [Verdict(first.ratio, first.quantile)]
    vectors = t[:, None]
    if not fits and p > 1 and points / first.ratio >= sum(len(A) for A in rows.A):
        fits = first.stands_out(independent(rows, scipy.linalg.null_space(vectors.T)))
    while fits and vectors.shape[1] < min(p, most):
        found = independent(rows, scipy.linalg.null_space(vectors.T))
        limit = max(found.floor, 2 * first.ratio, dispersion)
        verdicts.append(Verdict(found.ratio, limit))
        if not verdicts[-1].admissible:
            break
        vectors = np.concatenate([vectors, found.t[:, None]], 1)
    normal = rows.normal(halves)
    return NullSpace(
        vectors.shape[1] if fits else 0, vectors, normal, np.linalg.eigvalsh(normal) / first.mean, tuple(verdicts),
        dispersion, any(beta is not None for beta in betas), misfit, preserves,
    )  # fmt: skip
