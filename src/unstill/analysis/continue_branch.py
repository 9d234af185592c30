"""`continue_branch`: the verb that follows a pattern at rest along a parameter, through folds."""

from __future__ import annotations

import dataclasses
import hashlib
import time as clock
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._arguments import Count, Positive, Whole, checked
from .._errors import BadInput
from .._jax import enable_x64
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._stopping import shielded
from .._types import Status
from ..observations.steadiness import STEADY_SHARE, is_uniform
from ..simulation import Trajectory
from ..simulation.jacobian import drift_of, rms_drift
from ..simulation.motion import sample as system_of_sample
from ..systems import Grid, ReactionDiffusion, find_system
from ..systems.contract import check_contract
from ..systems.same_call import fingerprint, same_call
from .branch_record import packed, unpacked
from .branch_result import ENDS, PatternBranch
from .pattern_branch import Follow, PatternPoint, follow
from .pattern_problem import problem_of, terms
from .pattern_rest import NoRest, brought_to_rest
from .ranges import ranges_of_parameters


@checked
def continue_branch(
    dynamics: ReactionDiffusion | Trajectory | str,
    state: np.ndarray | None = None,
    *,
    over: Mapping[str, Sequence[float]],
    sample: Whole = 0,
    grid: Grid | None = None,
    step: Positive = 0.1,
    points: Count = 100,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> PatternBranch:
    """Follow a pattern at rest along a parameter, through folds, and say what grows on it.

    The pattern is brought to rest by Newton's method (`polish`, then to round-off); one that creeps is moved on by its
    own motion first (`unstill.analysis.pattern_rest`). The branch is followed both ways by
    pseudo-arclength (H. B. Keller, in P. H. Rabinowitz (ed.), Applications of Bifurcation Theory, Academic Press 1977,
    p. 359): 0 = D∇²c + R(c; λ) + Σ aᵢ Tᵢ, 0 = ⟨Tᵢ, c − c_last⟩, 0 = ⟨t, (c, λ) − (c, λ)_last⟩ − h, with the directions
    Tᵢ in which translations move the pattern, their speeds aᵢ (0 but for the pull of the lattice), the branch's
    direction t, and steps h that adapt (H. Uecker, D. Wetzel, J. D. M. Rademacher, Numer. Math. Theor. Meth. Appl. 7,
    58 (2014), section 2). Its linear systems are solved by GMRES with the last point's sparse LU. A fold is where
    dλ/ds = 0, solved for to round-off (Y. A. Kuznetsov, Elements of Applied Bifurcation Theory (3rd ed.), section
    10.2). Eigenvalues: `unstill.analysis.pattern_modes`.

    All of this holds for the discrete equations (five-point Laplacian) in this box. Translations are the one symmetry
    that is taken out: other modes near zero, as of labyrinths' defects or of spots far apart, make steps short and may
    lead to a neighbouring branch. Branches that cross are not followed; where modes begin to grow is said. Waves and
    spirals do not rest, and have no branch here. Costs a sparse factorisation or two a point: 128² cells and less.

    Args:
        dynamics: A system with its values, its name for its default ones, or a `Trajectory`, whose last states are
            taken.
        state: The pattern, all fields of it, near rest: (C, H, W), or states (M, C, H, W).
        over: The parameter to follow, and its range (low, high), which holds the present value.
        sample: Which of several states.
        grid: Cells, cell size and boundary (default: the states' cells; dx = 1, periodic).
        step: Longest step along the branch. A length of 1 is the pattern's contrast, or the range.
        points: How many points at most on each side of the start.
        seed: Seed of the vectors that eigenvalues are looked for with.
        progress: Called with the points done, and with what is being done (`doing`) until there is one.
        resume: Keeps the points; the same call goes on from there.

    Ctrl-C returns what was reached, `interrupted`. Raises `BadInput`, also for a pattern that moves or is uniform.
    """
    began = clock.perf_counter()
    system, grid, given = _placed(dynamics, state, sample, grid)
    name, ends = _range(system, over)
    kept = Memory() if resume is None else resume
    with enable_x64():
        drift = _check_rests(system, grid, given)
        word = fingerprint(
            type(system), values=system.values(), grid=grid, over={name: ends}, step=step, points=points, seed=seed,
            state=hashlib.sha256(np.ascontiguousarray(given)).hexdigest(),
        )  # fmt: skip
        same_call(kept, word)
        problem = problem_of(system, grid, name, ends, given)
        setting = Follow(problem, *ends, step, seed)
        call = _Call(setting, points, kept, progress)
        status, message = call.run(given)
    return PatternBranch(
        system, grid, name, ends, call.ordered(), len(call.sides[-1]), (call.ends[-1], call.ends[1]), given, drift,
        call.moved, problem.calm, status, message, clock.perf_counter() - began,
    )  # fmt: skip


class _Call:
    """One call: the points of both sides (1: towards larger values at first), in memory and in the checkpoint."""

    def __init__(self, setting: Follow, points: int, kept: AbstractCheckpoint, progress: Progress):
        self.setting, self.points, self.kept, self.progress = setting, points, kept, progress
        self.start: PatternPoint | None = None
        self.sides: dict[int, list[PatternPoint]] = {1: [], -1: []}
        self.ends = {1: "stopped", -1: "stopped"}
        self.moved: float | None = None

    def run(self, given: np.ndarray) -> tuple[Status, str]:
        """Bring to rest, follow; status and message."""
        known = self.kept.kept("start")
        try:
            if known is None:
                self.kept.write_log([])
                self._take("start", brought_to_rest(self.setting, given, self._tell), given=given)
            else:
                self._begin(unpacked(known), given)
            for side in (1, -1):
                self._follow(side)
        except NoRest as error:
            return Status.NOT_CONVERGED, str(error)
        except KeyboardInterrupt:
            return Status.INTERRUPTED, self._told()
        self._drop()
        return (Status.NOT_CONVERGED if "stuck" in self.ends.values() else Status.CONVERGED), self._told()

    def _begin(self, start: PatternPoint, given: np.ndarray) -> None:
        self.start = start
        away = (start.state - given).ravel()
        self.moved = float(np.sqrt(self.setting.problem.weights @ away**2))

    def _tell(self, doing: str) -> None:
        self.progress(0, None, {"doing": doing})

    def _follow(self, side: int) -> None:
        assert self.start is not None
        if self.ends[1] == "closed" and side < 0:
            self.ends[-1] = "closed"
            return
        found = self.sides[side]
        while (earlier := self.kept.kept(_name(side, len(found)))) is not None:
            found.append(unpacked(earlier))
        start = self.start if side > 0 else dataclasses.replace(self.start, along=self.start.along.reversed())
        if len(found) >= self.points:
            self.ends[side] = "points"
            return
        for each in follow(self.setting, found[-1] if found else start, self.start, side):
            if isinstance(each, str):
                self.ends[side] = each
                return
            self._take(_name(side, len(found)), each, found)
            if len(found) >= self.points:
                self.ends[side] = "points"
                return

    def _take(
        self, name: str, point: PatternPoint, among: list[PatternPoint] | None = None, given: np.ndarray | None = None
    ) -> None:
        """Know and keep a point, whole or not at all."""
        facts = {
            self.setting.problem.name: point.value, "arclength": point.arclength, "stable": point.modes.stable,
            "growth": point.modes.growth,
        }  # fmt: skip
        facts = {key: None if value != value else value for key, value in facts.items()}
        with shielded():
            if among is not None:
                among.append(point)
            if given is not None:
                self._begin(point, given)
            self.kept.keep(name, **packed(point))
            self.kept.append_log(facts)
        self.progress(sum(map(len, self.sides.values())), None, facts)

    def _drop(self) -> None:
        """Forget the checkpoint: all is done."""
        for name in ("call", "start", *(_name(side, i) for side in (1, -1) for i in range(len(self.sides[side])))):
            self.kept.drop(name)

    def ordered(self) -> list[PatternPoint]:
        """All points along the branch."""
        middle = [] if self.start is None else [self.start]
        return [*self.sides[-1][::-1], *middle, *self.sides[1]]

    def _told(self) -> str:
        """The branch in a line."""
        points, name = self.ordered(), self.setting.problem.name
        if not points:
            return "stopped before the pattern was at rest"
        values = [point.value for point in points]
        folds = sum(point.fold is not None for point in points)
        stable = sum(point.modes.stable is True for point in points)
        told = f"{len(points)} points, {name} from {min(values):.6g} to {max(values):.6g}, "
        told += f"{folds or 'no'} fold{'' if folds == 1 else 's'}, stable at {stable} of {len(points)}"
        stuck = [side for side, end in self.ends.items() if end == "stuck"]
        return f"{told}; it ends {ENDS['stuck']}: a smaller step may" if stuck else told


def _name(side: int, number: int) -> str:
    return f"{'up' if side > 0 else 'down'}-{number}"


def _check_rests(system: ReactionDiffusion, grid: Grid, state: np.ndarray) -> float:
    """The drift of a pattern near rest; raises `BadInput` for one that moves."""
    drift = rms_drift(drift_of(system, grid, state))
    share = drift / terms(system, grid, state)
    if not share <= STEADY_SHARE:
        told = f"a drift of {drift:.3g} per unit time, {100 * share:.3g} % of its terms"
        remedy = "Simulate it on first, under these very parameters, until its drift is small."
        raise BadInput("state", "must be a pattern that hardly moves", told, f"{remedy} Waves and spirals never rest.")
    return drift


def _placed(
    dynamics: Any, state: np.ndarray | None, sample: int, grid: Grid | None
) -> tuple[ReactionDiffusion, Grid, np.ndarray]:
    """The system with one number a parameter, the grid, and the pattern (C, H, W); raises `BadInput`."""
    if isinstance(dynamics, Trajectory):
        for name, value in (("state", state), ("grid", grid)):
            if value is not None:
                raise BadInput(name, "must be left out: the trajectory has its own", type(value).__name__)
        dynamics, state, grid = dynamics.dynamics, dynamics.state, dynamics.grid
    system: Any = find_system(dynamics)() if isinstance(dynamics, str) else dynamics
    if not isinstance(system, ReactionDiffusion):
        rule = "must be a reaction–diffusion system, or a trajectory of one"
        raise BadInput("dynamics", rule, getattr(system, "name", type(system).__name__))
    check_contract(type(system))
    if state is None:
        raise BadInput("state", "must be given: a pattern near rest, all fields of it", None)
    states = np.asarray(state, np.float64)
    states = states[None] if states.ndim == 3 else states
    if states.ndim != 4 or states.shape[1] != len(system.fields) or not np.isfinite(states).all():
        rule = f"must be finite, of shape ({len(system.fields)}, H, W) or (M, {len(system.fields)}, H, W)"
        raise BadInput("state", f"{rule}, fields {', '.join(system.fields)}", states.shape)
    if sample >= len(states):
        raise BadInput("sample", f"must be below {len(states)}, the number of states", sample)
    one = system_of_sample(system, sample)
    several = [name for name, value in one.values().items() if np.size(value) != 1]
    if several:
        raise BadInput("dynamics", "must have one value a parameter", f"{np.size(one.values()[several[0]])} values")
    one = one.with_values(**{name: float(np.reshape(value, ())) for name, value in one.values().items()})
    grid = grid or Grid((states.shape[2], states.shape[3]))
    if tuple(grid.shape) != states.shape[2:]:
        raise BadInput("state", f"must be of the grid's shape {grid.shape}", states.shape[2:])
    if is_uniform(states[sample]):
        raise BadInput("state", "must hold a pattern", "a uniform state", "`stability` judges uniform states.")
    return one, grid, states[sample]


def _range(system: ReactionDiffusion, over: Mapping[str, Sequence[float]]) -> tuple[str, tuple[float, float]]:
    """The parameter and its range; raises `BadInput`."""
    found = ranges_of_parameters(type(system), over)
    if len(found) != 1:
        raise BadInput("over", "must name one parameter", ", ".join(found) or "none")
    ((name, ends),) = found.items()
    value = float(system.values()[name])
    if not ends[0] <= value <= ends[1]:
        rule = f"must hold the present value of {name}, {value:g}"
        raise BadInput("over", rule, f"{ends[0]:g} to {ends[1]:g}", "The branch starts there.")
    return name, ends
