"""`fit` from fresh initial states: parameters by the statistics of the pictures alone."""

from __future__ import annotations

import hashlib
import time as clock
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..._errors import BadInput
from ..._progress import AbstractCheckpoint, Memory, Progress
from ..._result import plain
from ..._types import Status
from ...observations.steadiness import is_uniform
from ...observations.task import Task
from ...systems.same_call import fingerprint
from ..atlas_start import atlas_starts
from ..plan import SYNTHETIC, Plan
from ..result import Fit
from ..starts import check_start
from .ensemble import YOUNG, Ensemble
from .regression import Answer
from .search import Search

ITERATIONS = 20
SHOWN = 4  # simulated pictures that the result holds
LEVEL = 0.02  # chance of a larger χ² below which the statistics are not of this system
WIDE = 0.05  # relative standard deviation beyond which a parabola is no picture of the likelihood
AT_EDGE = 0.02  # in log θ
FIRST, LEAST, MOST = 0.2, 0.1, 0.3  # half width of the first box: around a given start; around an atlas' cells
_NEEDLESS = ("window", "loss", "pair", "optimiser", "rate", "starts", "from_iteration", "cellwise", "free_state")
_DEFAULTS = {"constraint": "log", "batch": 8, "until_change": 1e-4, "smoothness": 1e-2}


def fit_statistics(
    task: Task, plan: Plan, *, told: str, progress: Progress, resume: AbstractCheckpoint | None, started: float
) -> Fit:
    """Synthetic likelihood: the parameters at which fresh initial states grow pictures of the targets' statistics.

    For s, the mean statistics of M pictures that grew at θ to an age t, s ≈ N(μ(θ, t), C/M): S. N. Wood, Nature 466,
    1102 (2010), eq. 2; doi:10.1038/nature09319. One simulation at each of some points in a box around (θ, t), every
    one from its own fresh state; μ and C by a parabola through their statistics (a method of simulated moments:
    D. McFadden, Econometrica 57, 995 (1989)); Gauss–Newton on the parabola; the box follows and narrows until it is as
    wide as three standard deviations. The age is estimated too, since patterns go on coarsening.

    The parabola smooths what makes gradients through single motions useless: cliffs between numbers of spots, and
    plateaus, which are left out as simulations without a pattern.

    Fails for pictures that grew from other initial states than `init`; where several parameter sets make the same
    statistics; of moving patterns the statistics of one field tell parameters to 5 to 15 % only, said as
    `unidentifiable`.
    """
    _check(plan)
    kept = Memory() if resume is None else resume
    ensemble = Ensemble.of(task, dt=plan.dt, init=plan.init, horizon=plan.horizon, seed=plan.seed)
    uniform = is_uniform(ensemble.statistics.targets)
    _check_targets(ensemble, uniform)
    check_start(task.system, task.grid, ensemble.dt, plan.start)
    word = _fingerprint(ensemble, plan)
    search, rows = _begun(Search.around(*_first_box(ensemble, plan), _width(ensemble)), word, kept)
    ended = Status.NOT_CONVERGED
    try:
        while not (uniform or search.ended or search.generation >= (plan.iterations or ITERATIONS)):
            began = clock.perf_counter()
            alive = search.advance(ensemble)
            rows.append(_row(ensemble, search, alive, clock.perf_counter() - began))
            kept.append_log(rows[-1])
            kept.keep("state-0", call=word, **search.arrays())
            progress(len(rows), None, rows[-1])
        shown = _shown(ensemble, search) if not uniform else None
    except KeyboardInterrupt:
        ended, shown = Status.INTERRUPTED, None
    status, message = _judged(ensemble, search, ended, uniform)
    return _result(ensemble, search, rows, shown, status, told + message, clock.perf_counter() - started)


def _check(plan: Plan) -> None:
    """Raise `BadInput` for what other strategies need."""
    for name in _NEEDLESS:
        if plan.arguments[name]:
            raise BadInput(name, f"must be left out: {SYNTHETIC} has none", plan.arguments[name])
    if plan.horizon < YOUNG:
        raise BadInput("horizon", f"must be at least {YOUNG} steps for {SYNTHETIC}", plan.horizon)
    for name, default in _DEFAULTS.items():
        if plan.arguments[name] != default:
            raise BadInput(name, f"must stay {default} for {SYNTHETIC}", plan.arguments[name])


def _check_targets(ensemble: Ensemble, uniform: bool) -> None:
    """Raise `BadInput` where some of the targets carry no pattern: means over them would be of nothing."""
    blank = ~np.isfinite(ensemble.statistics.of_targets).all(1)
    if blank.any() and not uniform:
        rule = "must all show a pattern"
        raise BadInput("pictures", rule, f"a uniform one, sample {int(np.argmax(blank))}", "Leave it out.")


def _width(ensemble: Ensemble) -> int:
    """How many statistics there are."""
    return ensemble.statistics.of_targets.shape[1]


def _fingerprint(ensemble: Ensemble, plan: Plan) -> np.ndarray:
    """What all numbers of a call depend on, but for how long it may go on."""
    facts = {name: getattr(ensemble, name) for name in ("dt", "init", "horizon", "seed")}
    seen = hashlib.sha256(np.ascontiguousarray(ensemble.statistics.targets)).hexdigest()
    asked = {"grid": ensemble.task.grid, "fix": dict(ensemble.task.fix), "start": plan.start, "from": plan.warm_start}
    return fingerprint(ensemble.task.system, targets=seen, observed=ensemble.observed, **facts, **asked)


def _begun(new: Search, word: np.ndarray, kept: AbstractCheckpoint) -> tuple[Search, list[dict[str, Any]]]:
    """The search where an earlier call left it, with the log up to there, or the new one; raises `BadInput` where that
    was another call."""
    arrays = kept.kept("state-0")
    if arrays is not None and str(arrays.get("call")) != str(word):
        rule = "must hold an interrupted call like this one"
        raise BadInput("resume", rule, "other pictures, settings or version", "Use another folder.")
    search = new if arrays is None else Search.of({n: v for n, v in arrays.items() if n != "call"})
    rows = kept.log()[: search.generation]
    kept.write_log(rows)
    return search, rows


def _first_box(ensemble: Ensemble, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Around the start, or around the nearest cells of an atlas: as wide as these lie apart."""
    task, age = ensemble.task, np.sqrt(np.exp(ensemble.low[-1] + ensemble.high[-1]))
    free, diffusion = ensemble.coordinates.free, set(task.system.diffusion.values())
    missing = [name for name in free if name not in plan.start]
    if plan.warm_start is None:
        if missing:
            rule = "must give every free parameter, or `warm_start=atlas` must find them"
            raise BadInput("start", rule, f"no {', '.join(missing)}")
        middle = ensemble.point(plan.start, age)
        half = np.full(len(free), FIRST)
    else:
        cells = [{**cell, **plan.start} for cell in atlas_starts(task, plan.warm_start)]
        points = np.clip(np.stack([ensemble.point(cell, age) for cell in cells]), ensemble.low, ensemble.high)
        middle = points[0]
        half = np.clip(1.5 * points[:, :-1].std(0), LEAST, MOST)
        half[[name in diffusion for name in free]] = MOST  # an atlas has one ratio of them
    return np.clip(middle, ensemble.low, ensemble.high), np.append(half, (ensemble.high - ensemble.low)[-1] / 2)


def _row(ensemble: Ensemble, search: Search, alive: int, seconds: float) -> dict[str, Any]:
    """A line of the log: where the box went, how far the statistics are, and what it cost."""
    answer = search.last
    values = {name: float(value) for name, value in ensemble.values(search.middle).items()}
    return plain({
        "road": 0, "start": 0, "iteration": search.generation - 1,
        "loss": None if answer is None else answer.chi2 / answer.dof, "parameters": values,
        "std": None if answer is None else _stds(ensemble, answer), "age": float(np.exp(search.middle[-1])),
        "rates_tried": [], "rate": float(search.half[:-1].max()), "simulations": search.drawn, "with_pattern": alive,
        "steps": search.steps, "steps_differentiated": 0, "seconds": seconds, "status": "ok" if alive else "dead",
    })  # fmt: skip


def _stds(ensemble: Ensemble, answer: Answer) -> dict[str, float]:
    """Standard deviations of the parameters themselves."""
    slopes = ensemble.slopes(answer.q)
    return {name: abs(slopes[name]) * float(answer.std[i]) for i, name in enumerate(ensemble.coordinates.free)}


def _judged(ensemble: Ensemble, search: Search, ended: Status, uniform: bool) -> tuple[Status, str]:
    """Status and message."""
    answer = search.last
    if uniform:
        return Status.UNIDENTIFIABLE, "the targets are uniform: they do not determine the parameters"
    if ended is Status.INTERRUPTED:
        return ended, "interrupted"
    if search.is_lost and len(search.q) == 0:
        return Status.DEAD, "no simulation around the start shows a pattern"
    if search.is_lost:
        return Status.NOT_CONVERGED, "too few simulations around the start show a pattern"
    if answer is None or not search.ended:
        return Status.NOT_CONVERGED, f"the {search.generation} generations are done"
    distance = f"χ² {answer.chi2:.1f} for {answer.dof} degrees of freedom"
    if answer.p < LEVEL:
        why = f"no pattern that grows from `init={ensemble.init}` within {ensemble.horizon} steps has such statistics"
        return Status.NO_FIT, f"{why} ({distance}): another system, other initial states, or a camera"
    if answer.q[-1] < ensemble.low[-1] + AT_EDGE:
        youngest = int(ensemble.ages(ensemble.low[None])[0])
        return Status.NOT_CONVERGED, f"the pictures look younger than {youngest} steps: take a smaller `horizon`"
    edges = np.minimum(answer.q - ensemble.low, ensemble.high - answer.q)[:-1]
    if edges.min() < AT_EDGE:
        name = ensemble.coordinates.free[int(np.argmin(edges))]
        return Status.NOT_CONVERGED, f"{name} is at the edge of what it may be, here the answer is cut off"
    values, stds = ensemble.values(answer.q), _stds(ensemble, answer)
    wide = {name: std / abs(float(values[name])) for name, std in stds.items()}
    if max(wide.values()) > WIDE:
        told = ", ".join(f"{name} by {100 * share:.0f} %" for name, share in wide.items())
        return Status.UNIDENTIFIABLE, f"the statistics leave open {told} or more; {distance}"
    return Status.CONVERGED, f"{distance}, age {np.exp(answer.q[-1]):.2g} steps"


def _shown(ensemble: Ensemble, search: Search) -> np.ndarray:
    """A few fresh states grown at the answer."""
    few = min(SHOWN, len(ensemble.statistics.targets))
    return ensemble.grow(np.repeat(search.middle[None], few, 0), search.generation)


def _result(
    ensemble: Ensemble, search: Search, rows: list[dict[str, Any]], shown: np.ndarray | None,
    status: Status, message: str, seconds: float,
) -> Fit:  # fmt: skip
    task, answer = ensemble.task, search.last
    known: Mapping[str, float] = _stds(ensemble, answer) if status is Status.CONVERGED and answer is not None else {}
    return Fit(
        start=0, system=ensemble.coordinates.system(ensemble.values(search.middle)), grid=task.grid,
        observed=tuple(task.pictures), free=ensemble.coordinates.free, strategy=SYNTHETIC,
        loss_name="pattern-statistics", optimiser="regression", status=status, message=message,
        loss=float("nan") if answer is None else answer.chi2 / answer.dof, iterations=search.generation, history=rows,
        states=np.zeros((0, len(task.system.fields), *task.grid.shape)) if shown is None else shown,
        targets=ensemble.statistics.targets, seconds=seconds, stds=known,
    )  # fmt: skip
