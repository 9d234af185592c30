"""From a rule to a formula: coefficients in the fields' own units, and the sparse equation nearest to the rule."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..discovery.subsets import select
from .levels import Level
from .terms import Polynomials

_PRICE = 20.0  # of a term, in units of χ², as `discover` has it
_MOST = 40  # numbers; more would take minutes to thin
_SPARSE = 0.6  # of all terms: an equation of more is no sparse one
_HELD = 100.0  # of χ²: what a change of the pace by its own size would cost


def natural_coefficients(terms: Polynomials, coefficients: Float[np.ndarray, "C J"]) -> Float[np.ndarray, "C J"]:
    """Of the monomials of the features themselves, from those of the standardised ones."""
    return coefficients @ terms.natural()


def thinned(level: Level) -> Float[np.ndarray, "C J"] | None:
    """Coefficients of the features' own monomials, most of them 0: the choice of least Δχ² + 20 a term.

    Near the solution χ² rises by (θ − θ̂)ᵀN(θ − θ̂) along the family's shapes; the pace, which the pictures do not tell,
    is held. None for splines and for too many terms.
    """
    terms, allowed = level.form.terms, level.problem.allowed
    if not isinstance(terms, Polynomials) or allowed.sum() > _MOST:
        return None
    found = natural_coefficients(terms, level.coefficients)[allowed]
    back = np.linalg.inv(np.kron(np.eye(len(allowed)), terms.natural())[np.ix_(allowed.ravel(), allowed.ravel())])
    along = level.problem.G @ level.solution.theta
    H = back @ (level.solution.normal + _HELD * level.solution.dof * np.outer(along, along)) @ back.T
    # (θ − θ̂)ᵀH(θ − θ̂) as a form of (θ, 1), of which the last is pinned.
    form = np.block([[H, -(H @ found)[:, None]], [-(found @ H)[None], found @ H @ found]])
    places = np.argwhere(allowed)
    alike = [[i for i, (_, j) in enumerate(places) if j == term] for term in range(allowed.shape[1])]
    best = select(
        form, len(found), [], np.append(np.ones(len(found), bool), False),
        lambda e, left, count: left + _PRICE * count, [[], list(range(len(found))), *alike],
    ).best  # fmt: skip
    table = np.zeros(allowed.shape)
    table[allowed] = best.e[: len(found)]
    return table if len(best.support) <= _SPARSE * len(found) else None
