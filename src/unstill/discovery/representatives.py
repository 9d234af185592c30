"""From the admissible space to equations: sparse members in the input's own units, with standard deviations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from .nullspace import NullSpace, Rows
from .problem import Problem
from .sparse import balanced, eliminate, pivots
from .weak_form import pairs

_LEAST_PRICE = 10.0
_FEW_RUNS = 5.0  # the ends of a few runs scatter like no Gaussian: their price is too low


@dataclasses.dataclass(frozen=True)
class Member:
    """One admissible field: coefficients (D, L) in the input's own units, Σ where the dynamics are stochastic, standard
    deviations, and whether what is known could be balanced."""

    coefficients: Float[np.ndarray, "D L"]
    covariance: Float[np.ndarray, "D D"] | None
    std: Float[np.ndarray, "D L"]
    closed: bool = True

    def times(self, factor: float) -> Member:
        S = None if self.covariance is None else self.covariance * factor
        return dataclasses.replace(
            self, coefficients=self.coefficients * factor, covariance=S, std=self.std * abs(factor)
        )

    @classmethod
    def combined(cls, basis: Sequence[Member], weights: Float[np.ndarray, " N"]) -> Member:
        """Σ_n w_n · member n."""
        total = np.sum([w * m.coefficients for w, m in zip(weights, basis, strict=True)], axis=0)
        S = None
        if basis[0].covariance is not None:
            S = np.sum([w * m.covariance for w, m in zip(weights, basis, strict=True)], axis=0)
        std = np.sqrt(np.sum([(w * m.std) ** 2 for w, m in zip(weights, basis, strict=True)], axis=0))
        return cls(total, S, std)


def members(problem: Problem, space: NullSpace, rows: Rows) -> list[Member]:
    """A sparse basis of the admissible space, the sparsest first. Where something is known, the first holds it and the
    others can be added to it in any amount."""
    T = problem.triangle
    normal, gram = T.T @ space.normal @ T, T.T @ T
    raw = np.linalg.solve(T, space.vectors)
    unit = np.sqrt(np.diag(gram))[:, None] * raw
    p, last = len(raw), len(raw) - 1
    marks = pivots(unit)
    if problem.has_known:
        # The known column tells one member from the others, whatever the pivoting would choose.
        rest = unit - np.outer(unit @ unit[last], unit[last]) / max(unit[last] @ unit[last], 1e-300)
        rest[last] = 0
        marks = [last, *[m for m in pivots(rest) if m != last][: len(marks) - 1]]
    price = max(_LEAST_PRICE, math.log(sum(form.count for form in problem.forms)))
    price *= _FEW_RUNS if space.telescopes else 1.0
    found = []
    for mark in marks:
        allowed = np.ones(p, bool)
        allowed[[other for other in marks if other != mark]] = False
        own = normal
        if len(marks) > 1:  # the weights of the best vector are not those of the others
            whole, _ = eliminate(normal, gram, allowed, mark, 0.0)
            own = T.T @ rows.normal_at(T @ whole / math.sqrt(whole @ gram @ whole)) @ T
        vector, spread = eliminate(own, gram, allowed, mark, price)
        if not (problem.has_known and mark == last):  # no scale is known: one standard deviation per unit time
            size = math.sqrt(vector @ gram @ vector)
            jacobian = (np.eye(p) - np.outer(vector, vector @ gram) / size**2) / size
            vector, spread = vector / size, jacobian @ spread @ jacobian.T
        found.append(_member(problem, vector, spread))
    if problem.has_known:
        found[0] = dataclasses.replace(found[0], closed=_balanced(normal, gram, unit, price))
    fixed = found[:1] if problem.has_known else []
    return fixed + sorted(found[len(fixed) :], key=lambda member: np.count_nonzero(member.coefficients))


def _balanced(normal, gram, unit: Float[np.ndarray, "p N"], price: float) -> bool:
    """Whether what is known has a share in the admissible space: of one vector, whether elimination keeps it."""
    if unit.shape[1] > 1:
        return balanced(normal, gram, unit.shape[1], price)
    vector, _ = eliminate(normal, gram, np.ones(len(unit), bool), int(np.argmax(np.abs(unit[:-1, 0]))), price)
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
