"""Bring a pattern that nearly rests to rest: by Newton's method where that is near enough, else by its own motion."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .._types import Status
from ..observations.steadiness import is_uniform
from ..simulation import polish, simulate
from ..simulation.multifrontal import SingularMatrix
from .pattern_branch import Follow, PatternPoint, first_point, is_pinned, released
from .pattern_steps import Direction, corrected, drift_at, place

_TRIED, _POLISHING, _LAST = 4, 16, 40  # implicit steps: at first, where these help, and when the motion ends
_HELPS = 0.3  # of the drift, or less: what is left of it where polishing helps
_FALLS = 0.1  # of the drift, at which Newton's method is tried anew
_STEPS, _CELL_STEPS = 400_000, 1.6e9  # of the motion at most, one side of which was measured at ten seconds

Tell = Callable[[str], None]


class NoRest(Exception):
    """No pattern at rest was found; the message says why."""


def brought_to_rest(
    setting: Follow, state: Float[np.ndarray, "C H W"], tell: Tell, budget: int | None = None
) -> PatternPoint:
    """The pattern at rest next to one that is given, to round-off, with its direction.

    Modes that hardly decay (spots far apart, defects of labyrinths) are what a pattern creeps along for long. Newton's
    method throws it far along them, so that it is polished (`unstill.simulation.polish`); where that does not settle
    it, it is moved on by its own motion until its drift has fallen by 10, and polished again.

    Args:
        setting: The branch that it is to lie on.
        state: Near rest.
        tell: Called with what is being done.
        budget: Steps of the motion at most (default: about ten seconds of work).

    Raises `NoRest`.
    """
    problem = setting.problem
    value = float(problem.system.values()[problem.name])
    left = min(_STEPS, int(_CELL_STEPS / np.prod(problem.grid.shape))) if budget is None else budget
    moved = 0
    while True:
        drift = drift_at(problem, state, value)
        tell(f"bringing the pattern to rest by Newton's method, drift {drift:.1e} per unit time")
        found = _by_newton(setting, state, value, left <= 0)
        if found is not None:
            return found
        if left <= 0:
            raise NoRest(_creeps(drift, moved))
        tell(f"moving the pattern on, drift {drift:.1e} per unit time")
        run = simulate(
            problem.system, state[None], grid=problem.grid, until_drift=_FALLS * drift, max_steps=left,
            progress=lambda done, total, entry: tell("moving the pattern on"),
        )  # fmt: skip
        if Status.INTERRUPTED in run.status:
            raise KeyboardInterrupt
        state, gone = run.state[0], int(run.steps[0])
        left, moved = left - max(gone, 1), moved + gone
        if run.status[0] in (Status.DEAD, Status.BLOW_UP) or is_uniform(state):
            raise NoRest(f"moved on, the pattern dies out within {moved:,} steps: nothing rests near it")


def _creeps(drift: float, moved: int) -> str:
    told = f"the pattern still creeps, {drift:.1e} per unit time after {moved:,} more steps"
    return f"{told}: run it longer, until its drift is {max(min(1e-8, 0.1 * drift), 1e-12):.0e}"


def _by_newton(setting: Follow, state: Float[np.ndarray, "C H W"], value: float, last: bool) -> PatternPoint | None:
    """The point at rest near a state; `None` where Newton's method finds none. `last`: take pains."""
    problem = setting.problem
    for iterations in (_LAST,) if last else (_TRIED, _POLISHING):
        before = drift_at(problem, state, value)
        state, drift, status = polish(problem.system, problem.grid, state, max_iterations=iterations)
        if status is Status.DEAD:
            return None
        if status is Status.STEADY or last:
            break
        if drift > _HELPS * before:
            return None
    for pinned in (False, True):
        with contextlib.suppress(SingularMatrix):
            found = corrected(problem, place(problem, state, value, pinned), _still(setting), 0.0)
            if found is None or drift_at(problem, found[0], value) > problem.calm or is_uniform(found[0]):
                continue
            at = place(problem, found[0], value, pinned)
            if not pinned and is_pinned(setting, at):
                at = released(at)
            return first_point(setting, at)
    return None


def _still(setting: Follow) -> Direction:
    """The direction in which the parameter alone changes."""
    return Direction(np.zeros(setting.problem.size), setting.problem.width)
