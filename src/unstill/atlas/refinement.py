"""Where a map is looked at more closely: between points of different regimes, stride by stride."""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Bool, Int


class Refinement:
    """Points of a grid in levels: every 2ʳ-th of each axis, then those half way between points that differ, and so on;
    at last, as long as there are any, those beside a point of another regime.

    A point is passed over where all points of the coarser lattice around it are of one regime, and is then supposed to
    be of that regime: what touches no point of the first lattice and no border is missed. `undecided` is a regime that
    differs from itself: no border runs unseen between two such points.
    """

    def __init__(self, shape: tuple[int, ...], levels: int, undecided: int):
        self.shape, self.levels, self.undecided = shape, levels, undecided
        self.supposed = np.zeros((*shape, 0), np.int8)

    def points(self, level: int, regime: Int[np.ndarray, "*shape M"]) -> Int[np.ndarray, " N"]:
        """Those of a level that are to be looked at, in flat order, by what is known from the levels before (−1:
        nothing)."""
        stride = 2 ** max(self.levels - level, 0)
        lattice = np.zeros(self.shape, bool)
        lattice[np.ix_(*(_lattice(n, stride) for n in self.shape))] = True
        if level == 0:
            self.supposed = np.array(regime)
            return np.flatnonzero(lattice)
        self.supposed = np.where(regime >= 0, regime, self.supposed)
        if level > self.levels:
            return np.flatnonzero((regime < 0).any(-1) & self._beside_others(regime))
        known = np.zeros(self.shape, bool)
        known[np.ix_(*(_lattice(n, 2 * stride) for n in self.shape))] = True
        first, differ = self._around(2 * stride)
        passed = lattice & ~known & ~differ
        self.supposed[passed] = first[passed]
        return np.flatnonzero(lattice & ~known & differ)

    def _beside_others(self, regime: Int[np.ndarray, "*shape M"]) -> Bool[np.ndarray, "*shape"]:
        """Whether a neighbour along an axis was looked at, and is not what a point is supposed to be."""
        beside = np.zeros(self.shape, bool)
        for axis, n in enumerate(self.shape):
            for here, there in ((slice(0, n - 1), slice(1, n)), (slice(1, n), slice(0, n - 1))):
                at, next_to = ((slice(None),) * axis + (side,) for side in (here, there))
                found = regime[next_to]
                beside[at] |= ((found >= 0) & (found != self.supposed[at])).any(-1)
        return beside

    def _around(self, stride: int) -> tuple[np.ndarray, Bool[np.ndarray, "*shape"]]:
        """The regimes at the lattice point below each point, and whether those around it differ."""
        sides = []
        for n in self.shape:
            lattice, place = _lattice(n, stride), np.arange(n)
            above = np.searchsorted(lattice, place)
            sides.append((lattice[np.where(lattice[above] == place, above, above - 1)], lattice[above]))
        first = self.supposed[np.ix_(*(side[0] for side in sides))]
        differ = (first == self.undecided).any(-1)
        for corner in itertools.product((0, 1), repeat=len(sides)):
            other = self.supposed[np.ix_(*(side[c] for side, c in zip(sides, corner, strict=True)))]
            differ |= (other != first).any(-1)
        return first, differ


def _lattice(n: int, stride: int) -> Int[np.ndarray, " N"]:
    """Every `stride`-th place of n, and the last one."""
    return np.unique(np.append(np.arange(0, n, stride), n - 1))
