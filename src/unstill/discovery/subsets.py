"""The sparsest models: which few of many terms balance, found among all sub-libraries or by exchanging terms."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float

from .result import Sparsity

_MOST_EXHAUSTED = 12  # terms of which every choice is tried: 4,096 of them
_RIDGE = 1e-13  # of unit columns: terms that add up to nothing must not stop the search

Cost = Callable[[np.ndarray, float, int], float]  # (e, eᵀNe, number of free terms) → what is to be least


@dataclasses.dataclass(frozen=True)
class Choice:
    """A sub-library: coefficients e with e = 1 at the pinned term, what they leave open, eᵀNe, and its cost."""

    cost: float
    support: frozenset[int]
    e: Float[np.ndarray, " p"]
    open: float


@dataclasses.dataclass(frozen=True)
class Selection:
    """The best sub-library; the best of each number of free terms, among those that were tried; and of those with as
    many terms as the best, the second best."""

    best: Choice
    by_size: dict[int, Choice]
    second: Choice | None

    def sparsity(self, open: Callable[[Choice], float], pinned: int) -> Sparsity:
        """In numbers of terms, `pinned` of which are not among the free ones."""
        second = None if self.second is None else open(self.second)
        paths = {count + pinned: open(choice) for count, choice in self.by_size.items()}
        return Sparsity(len(self.best.support) + pinned, paths, second)


class _Tried:
    """Sub-libraries that were tried, each solved once: e minimises eᵀNe."""

    def __init__(self, normal: np.ndarray, pinned: int, cost: Cost):
        unit = np.sqrt(np.maximum(np.diag(normal), 0.0))  # round-off may leave it below 0
        self.unit = np.where(unit > 0, unit, 1.0)
        self.N = normal / self.unit / self.unit[:, None]
        self.pinned, self.cost = pinned, cost
        self.found: dict[frozenset[int], Choice] = {}

    def __call__(self, support: Iterable[int]) -> Choice:
        chosen = frozenset(support)
        if chosen not in self.found:
            index, e = sorted(chosen), np.zeros(len(self.N))
            e[self.pinned] = 1.0
            inner = self.N[np.ix_(index, index)] + _RIDGE * np.eye(len(index))
            e[index] = -np.linalg.solve(inner, self.N[index, self.pinned])
            left = float(e @ self.N @ e) * self.unit[self.pinned] ** 2
            scaled = e / self.unit * self.unit[self.pinned]
            self.found[chosen] = Choice(self.cost(scaled, left, len(index)), chosen, scaled, left)
        return self.found[chosen]


def select(
    normal: Float[np.ndarray, "p p"],
    pinned: int,
    forced: Iterable[int],
    free: Bool[np.ndarray, " p"],
    cost: Cost,
    starts: Sequence[Sequence[int]] = (),
) -> Selection:
    """The choice of free terms, besides the pinned and the forced ones, of least cost.

    Up to 12 free terms: the best of all choices. More: the best that exchanging terms reaches (add one, drop one, or
    swap two, whatever costs least) from `starts`, or from none and from all terms.
    """
    forced = frozenset(forced) - {pinned}
    rest = [int(i) for i in np.flatnonzero(free) if i != pinned and i not in forced]
    tried = _Tried(normal, pinned, cost)
    if len(rest) <= _MOST_EXHAUSTED:
        for count in range(len(rest) + 1):
            for chosen in itertools.combinations(rest, count):
                tried(forced.union(chosen))
    else:
        for start in starts or ([], rest):
            _exchange(tried, forced, rest, [i for i in start if i in rest])
    return _ranked(tried)


def _exchange(tried: _Tried, forced: frozenset[int], rest: list[int], start: Iterable[int]) -> None:
    here = tried(forced.union(start))
    while True:
        inside = here.support - forced
        outside = [i for i in rest if i not in inside]
        moves = [here.support - {i} for i in inside] + [here.support | {j} for j in outside]
        moves += [here.support - {i} | {j} for i in inside for j in outside]
        best = min(map(tried, moves), key=lambda choice: choice.cost)
        if best.cost >= here.cost:
            return
        here = best


def _ranked(tried: _Tried) -> Selection:
    every = sorted(tried.found.values(), key=lambda choice: (choice.cost, sorted(choice.support)))
    by_size: dict[int, Choice] = {}
    for choice in every:
        by_size.setdefault(len(choice.support), choice)
    best = every[0]
    second = next((c for c in every[1:] if len(c.support) == len(best.support)), None)
    return Selection(best, dict(sorted(by_size.items())), second)
