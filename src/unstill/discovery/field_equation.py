"""The sparsest balance of one field, and how unique it is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float

from .balances import Balances
from .result import Sparsity
from .subsets import Choice, select

_WORTH = math.log(4.0)  # a term must at least halve what stays open to be worth its place
_DEVIATIONS = 3.0
_AS_GOOD = 3.0  # directions that leave open up to so many times what the equation found does, are admissible too
_ROUND_OFF = 1e-14  # of what is open, squared: float64 quadratic forms know no better


@dataclasses.dataclass(frozen=True)
class FieldEquation:
    """Coefficients of all terms, and their deviations, given that these are the terms.

    `open` is what the equation leaves open, as a share of the field's diffusion or of its rates, `floor` what noise may
    leave open of a true one, `cost` what the choice of terms made least; `sparsity` says why these. `tests` are pairs
    (open share, limit) of unit directions of the space of all terms, up to the first past the limit.
    """

    coefficients: Float[np.ndarray, " L"]
    std: Float[np.ndarray, " L"]
    floor: float
    cost: float
    sparsity: Sparsity
    tests: tuple[tuple[float, float], ...]

    @property
    def open(self) -> float:
        return self.sparsity.open[self.sparsity.terms]

    @property
    def second(self) -> float | None:
        return self.sparsity.second

    @property
    def nullity(self) -> int:
        return sum(statistic <= limit for statistic, limit in self.tests)


def field_equation(
    balances: Balances,
    forms: tuple[Float[np.ndarray, "N N"], Float[np.ndarray, "N N"], float],
    field: int,
    known: Float[np.ndarray, " L"],
    free: Bool[np.ndarray, " L"],
) -> FieldEquation:
    """The choice of terms of least cost log(open² + chance) + log 4 · terms.

    Pinned to 1 is what is known: given coefficients, or rates; else the field's Laplacian, or, where that is forbidden,
    the largest term. `forms` is that of `balances`.
    """
    normal, noise, modes = forms
    index, given = np.flatnonzero(free), np.zeros(len(normal))
    given[: len(known)] = known
    ordered = len(normal) > len(known)
    if ordered:
        given[len(known) + field] = -1.0  # Σ c θ − rate = 0
    spreading = balances.library.laplacian_of(field)
    R = np.eye(len(normal))[:, index]
    if given.any():
        R = np.concatenate([R, given[:, None]], 1)
    N, B = R.T @ normal @ R, R.T @ noise @ R
    forced = [int(i) for i in np.flatnonzero(index == spreading)]
    pinned = len(index) if given.any() else forced[0] if forced else int(np.argmax(np.diag(N)))
    measure = forced[0] if forced and not ordered else pinned

    def share(value: float, e: np.ndarray) -> float:
        return max(value, 0.0) / max(float(e[measure] ** 2 * N[measure, measure]), 1e-300)

    def chance(e: np.ndarray) -> float:
        # What noise adds to eᵀNe has a mean, which is taken out, and a scatter, which is not.
        return _DEVIATIONS * math.sqrt(2 / modes) * share(float(e @ B @ e), e)

    def cost(e: np.ndarray, left: float, count: int) -> float:
        return math.log(share(left, e) + chance(e) + _ROUND_OFF) + _WORTH * count

    found = select(N, pinned, forced, np.ones(len(N), bool), cost)
    best, chosen, std = found.best, sorted(found.best.support), np.zeros(len(known))
    if chosen:
        spread = balances.spread([int(index[i]) for i in chosen], N[np.ix_(chosen, chosen)], R @ best.e)
        std[index[chosen]] = np.sqrt(np.maximum(np.diag(spread), 0))
    pins = int(np.count_nonzero(known)) if given.any() else 1
    sparsity = found.sparsity(lambda choice: math.sqrt(share(choice.open, choice.e)), pins)
    return FieldEquation(
        (R @ best.e)[: len(known)], std, math.sqrt(chance(best.e)), best.cost, sparsity, _tests(N, B, modes, best)
    )


def _tests(N: np.ndarray, B: np.ndarray, modes: float, best: Choice) -> tuple[tuple[float, float], ...]:
    """Unit directions, each term in units of its root mean square: what they leave open, against the best's."""
    unit = np.sqrt(np.maximum(np.diag(N), 0.0))
    unit = np.where(unit > 0, unit, 1.0)  # a term that is 0 in all modes is open in any amount
    values, vectors = np.linalg.eigh(N / unit / unit[:, None])
    added = np.einsum("ij,ik,jk->k", B / unit / unit[:, None], vectors, vectors)
    chance = _DEVIATIONS * math.sqrt(2 / modes) * np.maximum(added, 0)
    own = max(best.open, 0.0) / float(np.sum((best.e * unit) ** 2))
    limits = np.sqrt(_AS_GOOD**2 * own + chance + _ROUND_OFF)
    found = [(math.sqrt(own), float(limits[0]))]  # the equation itself is the first
    for value, limit in zip(np.sqrt(np.maximum(values, 0))[1:], limits[1:], strict=True):
        found.append((float(value), float(limit)))
        if value > limit:
            break
    return tuple(found)
