"""The loop of damped least squares: every fit of a sum of squares runs it, whatever its step is solved by."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Damping:
    """How λ of (H + λ diag H) δ = −g answers: ÷ `easier` after a step that gained, × `harder` after one that did not.

    K. Levenberg, Quart. Appl. Math. 2, 164 (1944); D. W. Marquardt, SIAM J. Appl. Math. 11, 431 (1963).
    """

    first: float
    easier: float = 10.0
    harder: float = 10.0
    least: float = 1e-12
    raised: float = 0.0  # what it rises to at least
    most: float = 1e8  # a step is nothing from here on
    tries: int = 1000

    def eased(self, value: float) -> float:
        """The damping after a step that gained at `value`."""
        return max(value / self.easier, self.least)

    def step(self, value: float, attempt: Callable[[float], T | None]) -> tuple[T | None, float]:
        """The first trial that is not None, from the damping `value` upwards, and the damping that it was made at."""
        for _ in range(self.tries):
            if value >= self.most:
                break
            found = attempt(value)
            if found is not None:
                return found, value
            value = max(value * self.harder, self.raised)
        return None, value


def descend(
    at: T, attempt: Callable[[T, float], T | None], settled: Callable[[T, T], bool], damping: Damping, iterations: int
) -> tuple[T, int]:
    """From `at` downwards, by `attempt(point, λ)`, which gives a better point or None; ends where none is found, or
    `settled(point, next)`. Returns the point reached, and the number of iterations."""
    value = damping.first
    for done in range(iterations):
        better, value = damping.step(value, lambda trial, here=at: attempt(here, trial))
        if better is None:
            return at, done + 1
        before, at, value = at, better, damping.eased(value)
        if settled(before, at):
            return at, done + 1
    return at, iterations
