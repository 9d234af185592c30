"""`fit`: parameters (or fields of them, or initial states) by gradient against a loss."""

import time as clock
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from .._arguments import Count, Names, NonNegative, Positive, Values, Whole, checked, whole_call
from .._progress import AbstractCheckpoint, Progress, silent
from ..observations.task import Pictures, Task, check, named_fields, system_class
from ..simulation import Grid
from ..systems import AbstractSystem
from .journal import Journal
from .minimisations import Run, run_starts
from .plan import Plan
from .result import Fit
from .roads import prepare
from .starts import first_start
from .synthetic import fit_statistics


@checked
def fit(
    system: str | type[AbstractSystem],
    pictures: Pictures | Mapping[str, np.ndarray] | np.ndarray,
    *,
    observe: Names | None = None,
    grid: Grid | None = None,
    start: Values | None = None,
    fix: Values | None = None,
    warm_start: str | None = None,
    starts: Count | None = None,
    strategy: str | None = None,
    window: Count | None = None,
    loss: str | None = None,
    pair: Literal["each", "mean"] | None = None,
    optimiser: str | None = None,
    rate: Positive | None = None,
    iterations: Count | None = None,
    constraint: Literal["log", "founding", "range"] = "log",
    cellwise: Names = (),
    smoothness: NonNegative = 1e-2,
    free_state: bool = False,
    batch: Count = 8,
    init: str = "square",
    horizon: Count = 40_000,
    until_change: NonNegative = 1e-4,
    dt: Positive | None = None,
    seed: Whole = 0,
    from_iteration: Whole | None = None,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Fit:
    """Fit the parameters of a reaction–diffusion system to pictures by rolling out and differentiating.

    Without a strategy: the best proven one, rollouts of a few steps from the pictures (`observed-start`), from up to
    8 starts until one fits; and for pictures of all fields that do not rest, the same with the `stationarity` loss.

    Args:
        system: A system's name, file.py:NAME, or a class.
        pictures: The targets: arrays (M, H, W) or (H, W) by field name, what `load` returns, or one array: of all
            fields (M, C, H, W), else of the field that `observe` names, by default v, or the system's last field.
        observe: Fields that are seen, such as v or u,v (default: all that the pictures hold).
        grid: Cell size `dx` and boundary (default: the pictures' own, else periodic with dx = 1).
        start: Where to begin: a value for every free parameter, unless `warm_start` finds them.
        fix: Parameters that are known.
        warm_start: Where to begin instead: `recover`, where `recover` ends; `atlas`, at the cells of the shipped atlas
            whose patterns are most like the pictures; or a run folder of `survey`, at those of another atlas.
        starts: Starts within a factor of 2.5 to try until one converges (default: 1; 8 without a strategy).
        strategy: Where rollouts start and how the derivative comes back: bptt, tbptt, forward, implicit,
            observed-start, curriculum, em, shooting, synthetic-likelihood (default: the best proven;
            synthetic-likelihood, from fresh states, after `warm_start` from an atlas).
        window: Steps that are differentiated (default: the strategy's).
        loss: A loss's name, module:function or file.py:function (default: the strategy's).
        pair: Compare each prediction with its own target, or means (default: each where rollouts start at the
            pictures).
        optimiser: What moves the parameters: levenberg-marquardt, adam, sgd, rmsprop, adaptive, cma-es, hybrid
            (default: the strategy's).
        rate: Rate of the optimiser (default: the optimiser's).
        iterations: Iterations at most (default: 200; 80 of levenberg-marquardt, 100 of cma-es, 60 of hybrid,
            20 generations of synthetic-likelihood).
        constraint: How parameters are kept in bounds: by a logarithm, as founding system A did, or inside the
            system's ranges.
        cellwise: Kinetic parameters fitted cell by cell, such as F,k.
        smoothness: Weight of the roughness ⟨|∇θ|²⟩/⟨θ⟩² of such fields, added to the loss.
        free_state: Fit the initial states too.
        batch: Targets an iteration.
        init: Fresh initial states: square, discs, noise.
        horizon: Steps from a fresh state at most.
        until_change: Change a step at which fresh states count as steady.
        dt: Time step (default: the system's).
        seed: Seed of all random numbers.
        from_iteration: Go on from this line of the log that `resume` holds, dropping what came after.
        progress: Called with one line of the log an iteration.
        resume: Keeps the log and every start's state, from which the same call goes on, bit for bit.

    Returns a `Fit` with status `converged` (whether the pictures are explained is judged for `pixel` from the pictures
    and for `stationarity`; other losses have no scale to judge by), `not-converged` (the iterations are done), `no-fit`
    (converged, but the pictures are not explained), `unidentifiable` (uniform targets), `dead` (the prediction carries
    no pattern), `blow-up` (no sound step was found), `no-gradient` (a finite loss whose gradient is not; the
    message names the parameter) or `interrupted`. Raises `BadInput`; `NumericalFailure` where a
    hidden field does not follow from the pictures.
    """
    plan, started = Plan(locals()), clock.perf_counter()
    named, told = named_fields(system_class(system), pictures, observe)
    task = check(system, named, observe=observe, grid=grid, fix=fix)
    if plan.is_synthetic:
        return fit_statistics(task, plan, told=told, progress=progress, resume=resume, started=started)
    roads, journal = prepare(task, plan), Journal(resume, progress)
    first = first_start(task, roads[0].problem.dt, plan)  # may refuse: before anything is written
    journal.take_up(roads, plan)
    best, runs = run_starts(task, roads, plan, first, journal)
    history = [*journal.before, *(row for run in runs for row in run.rows)]
    return _result(best, task, history, told, clock.perf_counter() - started)


def plan_of(**options: Any) -> Plan:
    """The plan of a call of `fit` with these options, for landscapes, studies and replays; raises `BadInput`."""
    return Plan(whole_call(fit, **options))


def _result(run: Run, task: Task, history: list, told: str, seconds: float) -> Fit:
    road, values = run.road, run.road.coordinates.values(run.outcome.x)
    return Fit(
        start=run.start,
        system=road.coordinates.system(values),
        grid=task.grid,
        observed=tuple(task.pictures),
        free=road.coordinates.free,
        strategy=road.strategy_name,
        loss_name=road.loss_name,
        optimiser=road.optimiser_name,
        status=run.outcome.status,
        message=told + run.outcome.message,
        loss=run.outcome.loss,
        iterations=run.outcome.iterations,
        history=history,
        states=run.states,
        targets=run.targets,
        seconds=seconds,
    )
