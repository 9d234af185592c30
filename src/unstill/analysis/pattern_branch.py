"""A branch of patterns at rest by pseudo-arclength: points with what grows on them, and the folds between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import Float

from ..observations.steadiness import contrast
from ..simulation.multifrontal import SingularMatrix
from .pattern_modes import Modes, leading_modes
from .pattern_problem import Problem
from .pattern_steps import Direction, Place, corrected, direction, dot, drift_at, length, place, settled

End = Literal["edge", "uniform", "closed", "points", "stuck"]

_TURN = 0.9  # cosine of the angle between neighbouring directions at least
_SHORTEST = 1e-4  # steps, in units of the longest one
_FIRST = 0.2  # step, in units of the longest one
_EASY, _HARD = 4, 6  # Newton steps below which the next step is longer, above which shorter
_FADED = 0.05  # contrast in units of that at the start, from which a step through the uniform state is the end
_SHORT = 0.97  # of the way to the uniform state
_BISECTIONS = 60  # of a fold's bracket at most
_LEVEL = 1e-12  # |dλ/ds| in units of the range, at which a fold is found


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """Where the branch turns back: the parameter's value there, how far it may be off, and the mode that crosses zero.

    `error`: by how much the parameter differs between the last two iterates, and the round-off. `crossing` is the real
    eigenvalue nearest to zero, which a fold makes 0: a check; `None` where none was found. `lattice`: it is that of a
    translation; the pattern is pulled on to the next cells, which is of the grid and not of the equation.
    """

    state: Float[np.ndarray, "C H W"]
    value: float
    arclength: float
    error: float
    crossing: float | None
    lattice: bool


@dataclasses.dataclass(frozen=True, eq=False)
class PatternPoint:
    """A pattern at rest on the branch, `arclength` away from the start; `along`, in which direction the branch goes on;
    `step`, how far to try; `fold`, the one passed on the way here, if there was one."""

    state: Float[np.ndarray, "C H W"]
    value: float
    arclength: float
    drift: float
    modes: Modes
    along: Direction
    step: float
    pinned: bool
    fold: Fold | None = None


@dataclasses.dataclass(frozen=True)
class Follow:
    """How a branch is followed: within `low` and `high`, by steps of `step` at most."""

    problem: Problem
    low: float
    high: float
    step: float
    seed: int


def first_point(setting: Follow, at: Place) -> PatternPoint | None:
    """The start as a point of the branch, which goes on towards larger values; `None` where it has no direction."""
    problem = setting.problem
    along = direction(problem, at, Direction(np.zeros(problem.size), problem.width))
    if along is None:
        return None
    modes = leading_modes(problem, at, setting.seed)
    return PatternPoint(at.state, at.value, 0.0, at.drift, modes, along, _FIRST * setting.step, at.pinned)


def is_pinned(setting: Follow, at: Place) -> bool:
    """Whether the lattice pulls at a pattern that goes along the branch with its place held, and holds it without."""
    problem, moved = setting.problem, []
    for each in (at, released(at)):
        way = direction(problem, each, Direction(np.zeros(problem.size), problem.width))
        found = None if way is None else corrected(problem, each, way, _FIRST * setting.step)
        moved.append(np.inf if found is None else drift_at(problem, *found[:2]))
    return moved[0] > problem.calm >= moved[1]


def released(at: Place) -> Place:
    """A place whose steps may move the pattern as the lattice pulls."""
    return dataclasses.replace(at, held=at.held[:, :0])


def follow(setting: Follow, last: PatternPoint, start: PatternPoint, side: int) -> Iterator[PatternPoint | End]:
    """The points after `last`, one by one, on one side of the start (±1); at the end why there are no more."""
    here = place(setting.problem, last.state, last.value, last.pinned)
    while True:
        end = _ended(setting, last, start, side)
        found = end if end is not None else _next(setting, here, last, side)
        if isinstance(found, str):
            yield found
            return
        here, last = found
        yield last


def _ended(setting: Follow, last: PatternPoint, start: PatternPoint, side: int) -> End | None:
    """Why the branch ends at a point, if it does."""
    problem = setting.problem
    outwards = last.along.value > 0 if last.value >= setting.high else last.along.value < 0
    if outwards and not setting.low < last.value < setting.high:
        return "edge"
    near = length(problem, last.state - start.state, last.value - start.value)
    far = abs(last.arclength) > 3 * setting.step and near < 0.7 * last.step
    return "closed" if far and side * dot(problem, last.along, start.along) > _TURN else None


def _next(setting: Follow, here: Place, last: PatternPoint, side: int) -> tuple[Place, PatternPoint] | End:
    """One step, as long as Newton's method and the branch's curvature allow."""
    problem, h = setting.problem, last.step
    while h > _SHORTEST * setting.step:
        reached = _reached(setting, here, last, h)
        h_now, h = h, h / 2
        if reached is None:
            continue
        there, count = reached
        if (share := _faded(problem, here.state, there.state)) is not None:
            if share < _FADED:
                return "uniform"
            h = min(h, share * h_now)
            continue
        along = direction(problem, there, last.along)
        turned = along is None or dot(problem, along, last.along) < _TURN
        if along is None or (turned and there.pinned == here.pinned):
            continue
        h_next = min(setting.step, h_now * (1.5 if count <= _EASY else 0.7 if count >= _HARD else 1.0))
        return there, _point(setting, here, last, there, along, h_next, side)
    return "stuck"


def _reached(setting: Follow, here: Place, last: PatternPoint, h: float) -> tuple[Place, int] | None:
    """Where a step leads, on the edge of the range at farthest, and its Newton steps; `None` where to nothing."""
    found = corrected(setting.problem, here, last.along, h)
    if found is None:
        return None
    state, value, count = found
    if not setting.low <= value <= setting.high:
        edge = _edge(setting, here, last, h, value)
        if edge is None:
            return None
        state, value = edge
    there = _arrived(setting.problem, here, last, h, state, value)
    return None if there is None else (there, count)


def _point(
    setting: Follow, here: Place, last: PatternPoint, there: Place, along: Direction, step: float, side: int
) -> PatternPoint:
    """The point at a place, with what grows there and the fold on the way."""
    problem, fold = setting.problem, None
    gone = length(problem, there.state - here.state, there.value - here.value)
    if along.value * last.along.value < 0:
        fold = _fold(setting, here, last, gone, side) or _passed(problem, here, last, there, along, gone, side)
    modes, arclength = leading_modes(problem, there, setting.seed), last.arclength + side * gone
    return PatternPoint(there.state, there.value, arclength, there.drift, modes, along, step, there.pinned, fold)


def _faded(problem: Problem, last: np.ndarray, new: np.ndarray) -> float | None:
    """Where a step would pass through a uniform state, which turns the pattern into its negative: the share of it that
    ends before that, or the contrast that is left, where that is less; `None` elsewhere."""
    weights = problem.weights.reshape(last.shape)
    bare = last - last.mean((-2, -1), keepdims=True)
    size, ahead = float((weights * bare**2).sum()), float((weights * bare * new).sum())
    if ahead > 0:
        return None
    left = float((contrast(last) / problem.scale).max())
    return left if left < _FADED else _SHORT * size / (size - ahead)


def _arrived(
    problem: Problem, here: Place, last: PatternPoint, h: float, state: np.ndarray, value: float
) -> Place | None:
    """The place that a step has led to; where the lattice begins to pull, the one in which it holds the pattern, if
    there is one near."""
    try:
        there = place(problem, state, value, here.pinned)
        if there.drift <= problem.calm:
            return there
        if here.pinned:
            return None
        if here.drift <= problem.calm and here.held.shape[1]:
            found = corrected(problem, released(here), last.along, h)
            if found is not None and drift_at(problem, *found[:2]) <= problem.calm:
                return place(problem, *found[:2], True)
        return there
    except SingularMatrix:
        return None


def _edge(setting: Follow, here: Place, last: PatternPoint, h: float, value: float) -> tuple[np.ndarray, float] | None:
    """The pattern on the edge of the range that a step has crossed."""
    edge = setting.high if value > setting.high else setting.low
    near = last.step * (edge - here.value) / (value - here.value) if value != here.value else 0.0
    between = corrected(setting.problem, here, last.along, min(h, max(near, 0.0)))
    if between is None:
        return None
    try:
        return settled(setting.problem, place(setting.problem, *between[:2], here.pinned), edge)
    except SingularMatrix:
        return None


def _fold(setting: Follow, here: Place, last: PatternPoint, reach: float, side: int) -> Fold | None:
    """The turning point ahead, within a bracket of arclength; `None` where it is not found."""
    problem = setting.problem
    found = _turning(problem, here, last, reach)
    if found is None:
        return None
    there, before = found
    modes = leading_modes(problem, there, setting.seed)
    crossing, lattice = _crossing(modes, there.pinned)
    error = abs(there.value - before) + 8 * np.finfo(float).eps * abs(there.value)
    arclength = last.arclength + side * length(problem, there.state - here.state, there.value - here.value)
    return Fold(there.state, there.value, arclength, float(error), crossing, lattice)


def _turning(problem: Problem, here: Place, last: PatternPoint, reach: float) -> tuple[Place, float] | None:
    """Where dλ/ds = 0, by the Illinois method, and the parameter's value before the last iteration.

    The parameter's error is of second order in the arclength's, so that it is round-off where dλ/ds is 1e-12.
    """

    def at(s: float) -> tuple[Place, float] | None:
        found = corrected(problem, here, last.along, s)
        there = None if found is None else place(problem, *found[:2], here.pinned)
        along = None if there is None else direction(problem, there, last.along)
        return None if there is None or along is None else (there, along.value / problem.width)

    a, b, slope_a = 0.0, reach, last.along.value / problem.width
    found, before = at(b), last.value
    if found is None or found[1] * slope_a >= 0:
        return None
    slope_b = found[1]
    for _ in range(_BISECTIONS):
        s = (a * slope_b - b * slope_a) / (slope_b - slope_a)
        before = found[0].value
        found = at(s)
        if found is None:
            return None
        slope = found[1]
        if abs(slope) < _LEVEL or abs(b - a) < 1e-14 * reach:
            break
        if slope * slope_b < 0:
            a, slope_a = b, slope_b
        else:
            slope_a /= 2
        b, slope_b = s, slope
    return found[0], before


def _passed(
    problem: Problem, here: Place, last: PatternPoint, there: Place, along: Direction, gone: float, side: int
) -> Fold:
    """A fold that was passed and could not be located: the nearer of its neighbours, as far off as they are apart."""
    nearer, arclength = (here, last.arclength)
    if abs(along.value) < abs(last.along.value):
        nearer, arclength = there, last.arclength + side * gone
    bend = gone * max(abs(along.value), abs(last.along.value))  # |λ − λ_fold| ≤ ∫ |dλ/ds| ds
    return Fold(nearer.state, nearer.value, arclength, bend, None, False)


def _crossing(modes: Modes, pinned: bool) -> tuple[float | None, bool]:
    """The real eigenvalue nearest to zero, and whether it is that of a translation, where these are no symmetry."""
    near = [
        (abs(each.real), float(each.real), translation)
        for values, translation in ((modes.values, False), (modes.translations if pinned else [], True))
        for each in values
        if abs(each.imag) <= modes.neutral
    ]
    return min(near)[1:] if near else (None, False)
