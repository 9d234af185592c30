"""From the admissible space to equations: sparse members in the input's own units, with standard deviations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from .nullspace import NullSpace, Rows
from .point_problem import Problem
from .sparse import balanced, eliminate, pivots
from .thinning import Thinning, price_of_a_term
from .updating import Updating
from .weak_form import pairs

_LEAST_PRICE = 10.0
_PASSES = 4
_FEW_RUNS = 5.0  # the ends of a few runs scatter like no Gaussian: their price is too low


@dataclasses.dataclass(frozen=True)
class Member:
    """One admissible field: coefficients (D, L) in the input's own units, Σ where the dynamics are stochastic, standard
    deviations, and whether what is known could be balanced."""

    coefficients: Float[np.ndarray, "D L"]
    covariance: Float[np.ndarray, "D D"] | None
    std: Float[np.ndarray, "D L"] | None
    closed: bool = True

    def times(self, factor: float) -> Member:
        S = None if self.covariance is None else self.covariance * factor
        std = None if self.std is None else self.std * abs(factor)
        return dataclasses.replace(self, coefficients=self.coefficients * factor, covariance=S, std=std)

    @classmethod
    def combined(cls, basis: Sequence[Member], weights: Float[np.ndarray, " N"]) -> Member:
        """Σ_n w_n · member n."""
        total = np.sum([w * m.coefficients for w, m in zip(weights, basis, strict=True)], axis=0)
        S = None
        if basis[0].covariance is not None:
            S = np.sum([w * m.covariance for w, m in zip(weights, basis, strict=True)], axis=0)
        known = [(w * m.std) ** 2 for w, m in zip(weights, basis, strict=True) if m.std is not None]
        return cls(total, S, np.sqrt(np.sum(known, axis=0)) if len(known) == len(basis) else None)


def members(problem: Problem, space: NullSpace, rows: Rows) -> list[Member]:
    """A sparse basis of the admissible space, the sparsest first. Where something is known, the first holds it and the
    others can be added to it in any amount."""
    T = problem.triangle
    normal = space.normal
    raw = np.linalg.solve(T, space.vectors)
    unit = np.sqrt((T**2).sum(0))[:, None] * raw
    last = len(raw) - 1
    marks = pivots(unit)
    if problem.has_known:
        # The known column tells one member from the others, whatever the pivoting would choose.
        rest = unit - np.outer(unit @ unit[last], unit[last]) / max(unit[last] @ unit[last], 1e-300)
        rest[last] = 0
        marks = [last, *[m for m in pivots(rest) if m != last][: len(marks) - 1]]
    price = max(_LEAST_PRICE, math.log(sum(form.count for form in problem.forms)))
    price *= _FEW_RUNS if space.telescopes else 1.0
    if len(marks) == 1 and space.dimension == 1 and not space.telescopes:
        found = [_single(problem, rows, space, normal, marks[0], price)]
    else:
        found = [_one_of(problem, rows, normal, marks, mark, price) for mark in marks]
    if problem.has_known:
        found[0] = dataclasses.replace(found[0], closed=_balanced(normal, T, unit, price))
    fixed = found[:1] if problem.has_known else []
    return fixed + sorted(found[len(fixed) :], key=lambda member: np.count_nonzero(member.coefficients))


def _one_of(problem: Problem, rows: Rows, normal: np.ndarray, marks: Sequence[int], mark: int, price: float) -> Member:
    """The sparse member that has a share in `mark` and in none of the other marks."""
    T, allowed = problem.triangle, np.ones(len(normal), bool)
    allowed[[other for other in marks if other != mark]] = False
    own = normal
    if len(marks) > 1:  # the weights of the best vector are not those of the others
        whole, _ = eliminate(normal, T, allowed, mark, 0.0)
        own = rows.normal_at(T @ whole / np.linalg.norm(T @ whole))
    vector, spread = eliminate(own, T, allowed, mark, price)
    return _scaled(problem, vector, spread, mark)


def _single(problem: Problem, rows: Rows, space: NullSpace, normal: np.ndarray, mark: int, price: float) -> Member:
    """The one field of independent points, on the cheaper of two sets of terms by `Thinning.cost`: that on which the
    updated estimate settles, if it does, and that of `thinned`. Numbers and deviations are those of the updated
    estimate on the set; without a minimum there the field stands without deviations."""
    T, updating = problem.triangle, Updating(rows)
    thinning = Thinning.of(rows, T, mark, price_of_a_term(len(T), space.verdicts[0].statistic))
    found = _updated(T, updating, normal, mark, price)
    vector = thinning.thinned(np.linalg.solve(T, space.vectors[:, 0]))
    if found is None or thinning.cost(vector) < thinning.cost(_pinned(found[0], T, found[1], mark)[0]):
        kept = vector != 0
        minimum = updating.minimum(T @ vector, np.linalg.qr(T[:, kept])[0])
        if minimum is None:
            return dataclasses.replace(_scaled(problem, vector, np.zeros_like(T), mark), std=None)
        found = minimum, kept
    return _scaled(problem, *_pinned(found[0], T, found[1], mark), mark)


def _updated(T: Float[np.ndarray, "p p"], updating: Updating, normal: np.ndarray, mark: int, price: float):
    """The updated estimate on the terms that it leaves, and these; None where there is no minimum."""
    every = np.ones(len(T), bool)
    vector, found, before = eliminate(normal, T, every, mark, price)[0], None, every
    for _ in range(_PASSES):
        kept = vector != 0
        if found is not None and (kept == before).all():
            break
        found, before = updating.minimum(T @ vector, np.linalg.qr(T[:, kept])[0]), kept
        if found is None:
            return None
        vector, _ = eliminate(updating.normal_at(found[0]), T, every, mark, price)
    return None if found is None else (found, before)


def _pinned(found, T: Float[np.ndarray, "p p"], kept: Bool[np.ndarray, " p"], mark: int):
    """A unit vector in the span of the kept columns of T and its covariance → coefficients with a 1 at `mark`, and
    theirs."""
    back, size = np.zeros_like(T), np.sqrt((T[:, kept] ** 2).sum(0))
    back[kept] = np.linalg.pinv(T[:, kept] / size) / size[:, None]  # terms in units that differ by 10⁹ count alike
    vector = back @ found[0]
    jacobian = np.eye(len(T)) / vector[mark]
    jacobian[:, mark] -= vector / vector[mark] ** 2
    jacobian[mark] = 0.0  # it stays 1
    return vector / vector[mark], jacobian @ back @ found[1] @ (jacobian @ back).T


def _scaled(problem: Problem, vector: Float[np.ndarray, " p"], spread: Float[np.ndarray, "p p"], mark: int) -> Member:
    """A vector with a 1 at `mark`: so it stays if that is what is known, else it is set to unit speed."""
    if not (problem.has_known and mark == len(vector) - 1):
        moved = problem.triangle @ vector  # not by the Gram matrix, which loses twice the digits far from the origin
        size = float(np.linalg.norm(moved))
        jacobian = (np.eye(len(vector)) - np.outer(vector, moved @ problem.triangle) / size**2) / size
        vector, spread = vector / size, jacobian @ spread @ jacobian.T
    return _member(problem, vector, spread)


def _balanced(normal, T, unit: Float[np.ndarray, "p N"], price: float) -> bool:
    """Whether what is known has a share in the admissible space: of one vector, whether elimination keeps it."""
    if unit.shape[1] > 1:
        return balanced(normal, T, unit.shape[1], price)
    vector, _ = eliminate(normal, T, np.ones(len(unit), bool), int(np.argmax(np.abs(unit[:-1, 0]))), price)
    return bool(vector[-1] != 0)


def _member(problem: Problem, vector: Float[np.ndarray, " p"], spread: Float[np.ndarray, "p p"]) -> Member:
    full = problem.reduction @ vector
    variances = np.einsum("ij,jk,ik->i", problem.reduction, spread, problem.reduction)
    D, L = len(problem.names), len(problem.library.terms)
    S = None
    if problem.stochastic:
        S = np.zeros((D, D))
        for (a, b), value in zip(pairs(D), full[D * L :], strict=True):
            S[a, b] = S[b, a] = value + 0.0  # never −0
    std = np.sqrt(np.maximum(variances[: D * L], 0)).reshape(D, L)
    return Member(full[: D * L].reshape(D, L), S, std)
