"""What a picture determines: null directions of the fit, and the combinations of parameters that remain."""

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np

from .hidden_problem import Problem, Scaling

STRUCTURAL = 1e-7  # singular values below this share of the largest are exact degeneracies, not weak data
RATIONAL = 1e-5  # exponents closer than this to a fraction are that fraction
TAKES_PART = 1e-3  # a parameter whose share of a null direction is smaller is determined


@dataclasses.dataclass(frozen=True)
class Combination:
    """∏ θ^exponent, determined although its members are not; `std` is relative."""

    exponents: dict[str, float]
    value: float
    std: float

    def __str__(self) -> str:
        def side(sign: int) -> str:
            parts = [n if abs(e) == 1 else f"{n}^{abs(e):g}" for n, e in self.exponents.items() if e * sign > 0]
            return "·".join(parts)

        below = side(-1)
        return (side(1) or "1") + (f"/{below}" if below and "·" not in below else f"/({below})" if below else "")


def null_directions(slopes: np.ndarray) -> np.ndarray:
    """Orthonormal directions of q, shape (P, N), that change no residual; `slopes` is ∂r/∂q of shape (P, …)."""
    J = slopes.reshape(len(slopes), -1)
    size = np.maximum(np.linalg.norm(J, axis=1), 1e-300)
    left, sizes, _ = np.linalg.svd(J / size[:, None], full_matrices=False)
    null = left[:, sizes < STRUCTURAL * sizes[0]] / size[:, None]
    return np.linalg.qr(null)[0] if null.shape[1] else null


def undetermined(null: np.ndarray, covariance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which quantities are free, each a row of derivatives by q: they change along a null direction, or are uncertain
    by more than 1 (a factor e, of logarithms)."""
    loose = np.sqrt(np.maximum(np.einsum("ap,pq,aq->a", rows, covariance, rows), 0)) > 1.0
    return (np.abs(rows @ null).max(1, initial=0.0) > TAKES_PART) | loose


@dataclasses.dataclass(frozen=True)
class Product:
    """Powers of free parameters, or of sums of two, that no null direction changes."""

    exponents: dict[str, float]
    sums: dict[str, tuple[str, str]]

    def row(self, names, values) -> tuple[float, np.ndarray]:
        """Its value, and the derivatives of its logarithm by those of the named parameters."""
        known, row, value = dict(zip(names, values, strict=True)), np.zeros(len(names)), 1.0
        for text, power in self.exponents.items():
            members = self.sums.get(text, (text,))
            total = sum(known[m] for m in members)
            value *= total**power
            for m in members:
                row[names.index(m)] += power * known[m] / total
        return float(value), row


def determined_products(null: np.ndarray, problem: Problem, scaling: Scaling, values: np.ndarray) -> list[Product]:
    """Products of powers of the logarithmic parameters that a null direction leaves alone, in whole exponents.

    Only exact powers count. Where the degenerate family is curved in log θ, a sum of two parameters may be what is
    scaled (Gray–Scott with v of unknown gain: F + k): sums take the place of their second member where that makes
    more products whole. Parameters that bend all the same are left out, and the products of the others are kept.
    `values` are those that `null` was found at.
    """
    count = len(problem.names)
    part = np.flatnonzero((np.abs(null[:count]).max(1, initial=0.0) > TAKES_PART) & scaling.logarithmic[:count])
    if null.shape[1] == 0 or null.shape[1] >= len(part):
        return []
    names = list(problem.names)
    best = _whole_products(null, [Product({names[p]: 1.0}, {}) for p in part], names, values[:count])
    infos = problem.system_class.parameters()
    for i, j in itertools.permutations(part, 2):
        if len(best) == len(part) - null.shape[1]:
            break
        if infos[names[i]].unit != infos[names[j]].unit:
            continue
        text = f"({names[i]}+{names[j]})"
        rest = [Product({names[p]: 1.0}, {}) for p in part if p != j]
        terms = [Product({text: 1.0}, {text: (names[i], names[j])}), *rest]
        found = _whole_products(null, terms, names, values[:count])
        best = found if len(found) > len(best) else best
    return best


def _whole_products(null, terms: list[Product], names, values) -> list[Product]:
    """Products of the terms that are free of the null directions, with whole exponents."""
    changes = np.array([term.row(names, values)[1] for term in terms]) @ null[: len(names)]
    best: list[Product] = []
    for turn in range(len(terms)):
        order = np.roll(np.arange(len(terms)), -turn)
        rows = _echelon(np.linalg.svd(changes[order].T)[2][null.shape[1] :])
        whole = [powers for row in rows if (powers := _whole(row)) is not None]
        found = [_product([terms[t] for t in order], powers) for powers in whole]
        best = found if len(found) > len(best) else best
    return best


def _product(terms: list[Product], powers: np.ndarray) -> Product:
    used = [(term, float(power)) for term, power in zip(terms, powers, strict=True) if power]
    exponents = {name: power for term, power in used for name in term.exponents}
    return Product(exponents, {name: pair for term, _ in used for name, pair in term.sums.items()})


def combinations(products: list[Product], covariance, problem: Problem, scaling: Scaling, values) -> list[Combination]:
    """The products with their values and relative standard deviations."""
    count, found = len(problem.names), []
    for product in products:
        value, row = product.row(list(problem.names), values[:count])
        full = np.zeros(len(values))
        full[:count] = row
        found.append(Combination(product.exponents, value, float(np.sqrt(max(full @ covariance @ full, 0.0)))))
    return found


def _whole(row: np.ndarray) -> np.ndarray | None:
    """The row as whole numbers, or None where it is not a multiple of such."""
    fractions = [Fraction(float(e)).limit_denominator(4) for e in row]
    if max(abs(float(f) - e) for f, e in zip(fractions, row, strict=True)) > RATIONAL:
        return None
    return np.array([float(f) for f in fractions]) * math.lcm(*(f.denominator for f in fractions))


def _echelon(rows: np.ndarray) -> np.ndarray:
    rows = rows.copy()
    for i in range(len(rows)):
        pivot = int(np.argmax(np.abs(rows[i]) > 1e-8))
        rows[i] /= rows[i, pivot]
        for j in range(len(rows)):
            if j != i:
                rows[j] -= rows[j, pivot] * rows[i]
    return rows
