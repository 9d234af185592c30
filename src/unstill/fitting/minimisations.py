"""Minimisations: one from one start, and the loop over roads and starts until the pictures are explained."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._errors import NumericalFailure
from .._types import Status
from ..observations.task import Task
from ..training import Outcome, Variables, minimise
from .journal import Journal
from .objective import FitObjective
from .plan import Plan
from .roads import Road
from .starts import starts_around
from .verdict import halt, judge

ENDS = (Status.CONVERGED, Status.UNIDENTIFIABLE, Status.INTERRUPTED)  # after which no other start is tried
UNFINISHED = (Status.NOT_CONVERGED, Status.INTERRUPTED)  # what a resumed run goes on from


@dataclasses.dataclass(frozen=True)
class Run:
    """One minimisation: its road, its end, its log, and the last prediction with the targets beside it."""

    start: int
    road: Road
    outcome: Outcome
    rows: list[dict[str, Any]]
    states: np.ndarray
    targets: np.ndarray


def run_starts(
    task: Task, roads: Sequence[Road], plan: Plan, first: Mapping[str, float], journal: Journal | None = None
) -> tuple[Run, list[Run]]:
    """The best run and all: road by road the first start and others around it, until the pictures are explained.

    Raises `NumericalFailure` where no start has a hidden field beside the pictures.
    """
    runs, failed = [], None
    starts = starts_around(task.system, task.grid, roads[0].problem.dt, first, plan.count, seed=plan.seed)
    starts[1:] = [roads[0].coordinates.inside(start) for start in starts[1:]]
    for number in range(len(roads) * plan.count):
        road, start = roads[number // plan.count], starts[number % plan.count]
        try:
            runs.append(run_start(road, plan, start, (number // plan.count, number), journal))
        except NumericalFailure as failure:  # no hidden field beside the pictures there: another start may have one
            failed = failure
            continue
        if runs[-1].outcome.status in ENDS:
            return runs[-1], runs
    if not runs:
        assert failed is not None
        raise failed
    return min(runs, key=_rank), runs


def _rank(run: Run):
    return run.outcome.status in (Status.BLOW_UP, Status.NO_GRADIENT, Status.DEAD), np.nan_to_num(
        run.outcome.loss, nan=np.inf
    )


def run_start(
    road: Road,
    plan: Plan,
    start: Mapping[str, float],
    numbers: tuple[int, int] = (0, 0),
    journal: Journal | None = None,
) -> Run:
    """One minimisation from one start, and what its end looks like; `numbers` are those of the road and the start."""
    journal, rows = journal or Journal(), []
    outcome = journal.reached.get(numbers[1])
    if outcome is None or outcome.status in UNFINISHED:
        outcome = _minimise(road, plan, start, numbers, journal, rows)
    batch = road.problem.draw(max(outcome.iterations - 1, 0))
    nothing = np.zeros((0, len(road.problem.system_class.fields), *road.problem.grid.shape))
    ended = Run(numbers[1], road, outcome, rows, nothing, batch.targets)
    if outcome.status is Status.INTERRUPTED:
        return ended
    try:
        look = FitObjective(road.evaluator, batch).look(outcome.x)
    except KeyboardInterrupt:
        return dataclasses.replace(ended, outcome=dataclasses.replace(outcome, status=Status.INTERRUPTED))
    outcome = judge(road, dataclasses.replace(outcome, loss=look.loss), look.states)
    return dataclasses.replace(ended, outcome=outcome, states=look.states)


def _minimise(road: Road, plan: Plan, start, numbers: tuple[int, int], journal: Journal, rows: list) -> Outcome:
    """The loop from the start, or from where an earlier call stood; adds its lines to `rows` and to the journal."""
    evaluator, reached = road.evaluator, journal.reached.get(numbers[1])

    def at(iteration: int) -> FitObjective:
        return FitObjective(evaluator, road.problem.draw(iteration))

    def describe(objective: FitObjective, x: Variables) -> dict[str, Any]:
        values = road.coordinates.values(x)
        shown = {name: float(np.mean(values[name])) for name in road.coordinates.free}
        counted = {"steps": objective.steps, "steps_differentiated": objective.steps_differentiated}
        return {"road": numbers[0], "start": numbers[1], "parameters": shown, **objective.first, **counted}

    def tell(row: dict[str, Any]) -> None:
        rows.append(row)
        journal.record(row)

    x, state, first = road.variables(plan, start), None, 0
    if reached is not None:
        x, state, first = reached.x, reached.state, reached.iterations
    return minimise(
        road.optimiser, at, x, iterations=road.iterations, state=state, first=first, record=tell,
        keep=lambda outcome: journal.keep(numbers[1], road, outcome), describe=describe, halt=halt,
    )  # fmt: skip
