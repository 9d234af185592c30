"""`fit`: parameters (or fields of them, or initial states) by gradient against a loss."""

import dataclasses
import functools
import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._errors import BadInput, NumericalFailure
from .._jax import enable_x64
from .._types import Status
from ..recovery._noise import estimate_noise
from ..recovery.recover import Task, check
from ..simulation import Grid, OnGrid, default_dt
from ..systems import AbstractSystem
from ..training import AbstractOptimiser, Outcome, Variables, make_optimiser, minimise
from .coordinates import Coordinates
from .losses import AbstractLoss, check_loss, find_loss
from .objective import Evaluator, FitObjective, is_dead, is_uniform_set
from .plan import Plan
from .problem import Problem
from .result import Fit
from .starts import check_start, clip, largest_values, starts_around, warm_start
from .strategies import AbstractStrategy, make_strategy

MISFIT = 0.02  # of the contrast: pictures at rest under the right system differ by less, beyond their noise
CHI_SQUARE = 3.0  # of the stationarity loss, which is about 1 for the right system
BEST = (("observed-start", "pixel", None), ("observed-start", "stationarity", 1))  # and the window
ENSEMBLE = 64  # targets an iteration of the stationarity loss: it needs a covariance
_DEAD = "the prediction carries no pattern: nothing pulls it towards one"
NOTHING = 1e-12  # a gradient
ENDS = (Status.CONVERGED, Status.UNIDENTIFIABLE, Status.INTERRUPTED)  # after which no other start is tried
UNFINISHED = (Status.NOT_CONVERGED, Status.INTERRUPTED)  # what a resumed run goes on from
GLOBAL = ("cma-es", "hybrid")
ITERATIONS = {"levenberg-marquardt": 80, "cma-es": 100, "hybrid": 60}


@dataclasses.dataclass(frozen=True)
class Resume:
    """Where to go on: the outcome that each start had reached, by its number over all roads, and the log so far."""

    outcomes: Mapping[int, Outcome]
    rows: Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Road:
    """One way of fitting: what is compared, how the derivative comes about, and who moves the variables."""

    problem: Problem
    strategy: AbstractStrategy
    strategy_name: str
    loss: AbstractLoss
    loss_name: str
    optimiser: AbstractOptimiser
    optimiser_name: str
    iterations: int
    coordinates: Coordinates
    smoothness: float
    pair: str | None

    @functools.cached_property
    def evaluator(self) -> Evaluator:
        """The compiled functions, shared by all starts."""
        return Evaluator(self.problem, self.strategy, self.loss, self.coordinates, self.smoothness, self.pair)


@dataclasses.dataclass(frozen=True)
class Run:
    """One minimisation: its road, its end, its log, and the last prediction with the targets beside it."""

    start: int
    road: Road
    outcome: Outcome
    rows: list[dict[str, Any]]
    states: np.ndarray
    targets: np.ndarray


def fit(
    system: str | type[AbstractSystem],
    targets: Any,
    plan: Plan | None = None,
    *,
    observe: Any = None,
    grid: Grid | None = None,
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
    keep: Callable[[int, Outcome], None] = lambda start, outcome: None,
    resume: Resume | None = None,
    **options: Any,
) -> Fit:
    """Fit the parameters of a reaction–diffusion system to pictures by rolling out and differentiating.

    Without a strategy: the best proven one, rollouts of a few steps from the pictures (`observed-start`), from up to
    8 starts until one fits; and for pictures of all fields that do not rest, the same with the `stationarity` loss.

    Arguments: the system's name or class and pictures, `observe` and `grid` as for `recover`; a `Plan`, or its fields
    as keywords. `record` gets one dictionary an iteration, `keep` every outcome reached; `resume` goes on from one.

    Returns a `Fit` with status `converged` (whether the pictures are explained is judged for `pixel` from the pictures
    and for `stationarity`; other losses have no scale to judge by), `not-converged` (the iterations are done), `no-fit`
    (converged, but the pictures are not explained), `unidentifiable` (uniform targets), `dead` (the prediction carries
    no pattern), `blow-up` (no sound step was found) or `interrupted`. Raises `BadInput`; `NumericalFailure` where a
    hidden field does not follow from the pictures.
    """
    started = clock.perf_counter()
    plan = dataclasses.replace(plan or Plan(), **options)
    task = check(system, targets, observe=observe, grid=grid, fix=plan.fix)
    roads, before = prepare(task, plan), resume or Resume({}, [])
    first = first_start(task, roads[0].problem.dt, plan)
    best, runs = run_starts(task, roads, plan, first, record, keep, before.outcomes)
    history = [*before.rows, *(row for run in runs for row in run.rows)]
    return _result(best, task, history, clock.perf_counter() - started)


def run_starts(
    task: Task,
    roads: Sequence[Road],
    plan: Plan,
    first: Mapping[str, float],
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
    keep: Callable[[int, Outcome], None] = lambda start, outcome: None,
    reached: Mapping[int, Outcome] | None = None,
) -> tuple[Run, list[Run]]:
    """The best run and all: road by road the first start and others around it, until the pictures are explained.

    Raises `NumericalFailure` where no start has a hidden field beside the pictures.
    """
    runs, failed = [], None
    starts = starts_around(task.system, task.grid, roads[0].problem.dt, first, plan.count, seed=plan.seed)
    starts[1:] = [roads[0].coordinates.inside(start) for start in starts[1:]]
    for number in range(len(roads) * plan.count):
        road, start = roads[number // plan.count], starts[number % plan.count]
        numbers = (number // plan.count, number)
        try:
            runs.append(run_start(road, plan, start, numbers, record, keep, (reached or {}).get(number)))
        except NumericalFailure as failure:  # no hidden field beside the pictures there: another start may have one
            failed = failure
            continue
        if runs[-1].outcome.status in ENDS:
            return runs[-1], runs
    if not runs:
        assert failed is not None
        raise failed
    return min(runs, key=_rank), runs


def prepare(task: Task, plan: Plan) -> list[Road]:
    """The roads of a plan, all of it checked before anything is computed; raises `BadInput`."""
    roads = plan_roads(task, plan)
    check_start(task.system, task.grid, roads[0].problem.dt, plan.start)
    for name in (name for name in roads[0].coordinates.free if name in plan.start):
        roads[0].coordinates.number(name, plan.start[name])
    missing = [name for name in roads[0].coordinates.free if name not in plan.start]
    if missing and not plan.warm_start:
        free = [f"{name}={task.system.defaults()[name]:g}" for name in roads[0].coordinates.free]
        rule = "must give every free parameter, or --warm-start recover must find them"
        raise BadInput("start", rule, f"no {', '.join(missing)}", f"For example --start {','.join(free)}")
    return roads


def plan_roads(task: Task, plan: Plan) -> list[Road]:
    """The roads that a plan names, or the best ones; raises `BadInput`."""
    cls, whole = task.system, set(task.pictures) == set(task.system.fields)
    dt = default_dt(OnGrid(cls(), task.grid)) if plan.dt is None else float(plan.dt)
    pictures = np.stack(list(task.pictures.values()), 1)
    observed = tuple(cls.fields.index(name) for name in task.pictures)
    named = [(plan.strategy, plan.loss, plan.window)]
    if plan.strategy is None:
        best = BEST if whole and plan.loss is None else BEST[:1]
        named = [(name, plan.loss or loss, plan.window or window) for name, loss, window in best]
    roads = []
    for name, loss_name, window in named:
        assert name is not None
        strategy = make_strategy(name, window)
        loss_name = loss_name or strategy.loss
        batch = max(plan.batch, ENSEMBLE) if loss_name == "stationarity" else plan.batch
        problem = Problem(
            cls, task.grid, dt, observed, pictures, plan.init, plan.horizon, plan.until_change, batch, plan.seed
        )
        loss = find_loss(loss_name)
        if not loss.has_residual:
            with enable_x64():
                check_loss(loss, jnp.asarray(pictures[:2]))
        optimiser = plan.optimiser or _suited(strategy, loss, plan)
        method = make_optimiser(optimiser, plan.rate, plan.seed)
        iterations = plan.iterations or ITERATIONS.get(optimiser, 200)
        states = ("state",) if plan.free_state else ()
        states += tuple(strategy.state_names)
        coordinates = Coordinates(cls, dict(task.fix), plan.constraint, states, largest_values(cls, task.grid, dt))
        road = Road(
            problem,
            strategy,
            name,
            loss,
            loss_name,
            method,
            optimiser,
            iterations,
            coordinates,
            plan.smoothness,
            plan.pair,
        )
        _check(road, plan)
        roads.append(road)
    return roads


def _suited(strategy: AbstractStrategy, loss: AbstractLoss, plan: Plan) -> str:
    """The strategy's optimiser, or a first-order one where its own does not serve."""
    many = plan.cellwise or plan.free_state
    return (
        "adam"
        if strategy.optimiser == "levenberg-marquardt" and (many or not loss.has_residual)
        else strategy.optimiser
    )


def _check(road: Road, plan: Plan) -> None:
    window = 0 if road.strategy.at_target else getattr(road.strategy, "window", 0)
    if window > plan.horizon:
        raise BadInput("window", f"must not be longer than the horizon, {plan.horizon} steps", window)
    if not road.strategy.at_target:
        road.problem.start(road.problem.draw(0))  # `init` is a known rule
    if road.optimiser.needs_residual and not road.loss.has_residual:
        rule = f"must be first order: {road.loss_name} is no sum of squares"
        raise BadInput("optimiser", rule, road.optimiser_name, "Take --optimiser adam.")
    many = plan.cellwise or road.coordinates.states
    if many and (road.optimiser.needs_residual or road.optimiser_name in GLOBAL):
        rule = "must be first order where fields or states are fitted"
        raise BadInput("optimiser", rule, road.optimiser_name, "Take --optimiser adam.")
    if plan.free_state and road.strategy.at_target:
        raise BadInput("free-state", f"must be left out: {road.strategy_name} starts at its targets")
    if road.coordinates.states and not road.problem.whole:
        rule = f"must be at least {len(road.problem.targets)}, all targets, where states are fitted"
        raise BadInput("batch", rule, road.problem.batch)
    for name in plan.cellwise:
        if name not in road.coordinates.free or name in road.problem.system_class.diffusion.values():
            raise BadInput("cellwise", "must name free kinetic parameters", repr(name))


def first_start(task: Task, dt: float, plan: Plan) -> dict[str, float]:
    """The plan's start, or what `recover` finds, a value for every free parameter. Raises `BadInput`."""
    free = [name for name in task.system.parameters() if name not in task.fix]
    found: Mapping[str, float] = {}
    if plan.warm_start:
        values, status = warm_start(task.system, task.grid, task.pictures, task.fix)
        if status in (Status.DEAD, Status.NO_FIT):
            raise BadInput("warm-start", f"recover ends as {status} on these pictures", None, "Give --start instead.")
        found = clip(task.system, task.grid, dt, values)
    start = {**found, **plan.start}
    return {name: float(start[name]) for name in free}


def run_start(
    road: Road,
    plan: Plan,
    start: Mapping[str, float],
    numbers: tuple[int, int] = (0, 0),
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
    keep: Callable[[int, Outcome], None] = lambda start, outcome: None,
    reached: Outcome | None = None,
) -> Run:
    """One minimisation from one start, and what its end looks like; `numbers` are those of the road and the start."""
    evaluator, rows = road.evaluator, []

    def at(iteration: int) -> FitObjective:
        return FitObjective(evaluator, road.problem.draw(iteration))

    def describe(objective: FitObjective, x: Variables) -> dict[str, Any]:
        values = road.coordinates.values(x)
        shown = {name: float(np.mean(values[name])) for name in road.coordinates.free}
        counted = {"steps": objective.steps, "steps_differentiated": objective.steps_differentiated}
        return {"road": numbers[0], "start": numbers[1], "parameters": shown, **objective.first, **counted}

    def tell(row: dict[str, Any]) -> None:
        rows.append(row)
        record(row)

    x, state, first = variables(road, plan, start), None, 0
    if reached is not None:
        x, state, first = reached.x, reached.state, reached.iterations
    outcome = reached
    if reached is None or reached.status in UNFINISHED:
        outcome = minimise(
            road.optimiser, at, x, iterations=road.iterations, state=state, first=first, record=tell,
            keep=lambda reached: keep(numbers[1], reached), describe=describe, halt=_halt,
        )  # fmt: skip
    assert outcome is not None
    batch = road.problem.draw(max(outcome.iterations - 1, 0))
    nothing = np.zeros((0, len(road.problem.system_class.fields), *road.problem.grid.shape))
    if outcome.status is Status.INTERRUPTED:
        return Run(numbers[1], road, outcome, rows, nothing, batch.targets)
    try:
        look = FitObjective(evaluator, batch).look(outcome.x)
    except KeyboardInterrupt:
        return Run(
            numbers[1], road, dataclasses.replace(outcome, status=Status.INTERRUPTED), rows, nothing, batch.targets
        )
    outcome = _judge(road, dataclasses.replace(outcome, loss=look.loss), look.states)
    return Run(numbers[1], road, outcome, rows, look.states, batch.targets)


def _halt(objective: FitObjective) -> tuple[Status, str] | None:
    """Without pattern and without gradient no optimiser comes back; a small gradient may still lead out."""
    slopes = objective.first.get("gradients", {}).values()
    nothing = all(abs(slope) <= NOTHING for slope in slopes)
    return (Status.DEAD, _DEAD) if objective.first.get("dead") and nothing else None


def variables(road: Road, plan: Plan, start: Mapping[str, float]) -> Variables:
    """The optimiser's variables at a start: numbers, fields and states."""
    shape, batch = road.problem.grid.shape, road.problem.draw(0)
    values: dict[str, Any] = {n: np.full(shape, v) if n in plan.cellwise else v for n, v in start.items()}
    system = road.coordinates.system({name: np.asarray(v, float) for name, v in values.items()})
    values |= road.strategy.free_states(road.problem, system, batch)
    if plan.free_state:
        values["state"] = road.problem.start(batch)
    return road.coordinates.numbers(values)


def _judge(road: Road, outcome: Outcome, states: np.ndarray) -> Outcome:
    """What the end means: a small gradient is no fit yet."""
    if outcome.status is not Status.BLOW_UP and not np.isfinite(outcome.loss):
        message = "the loss is not finite where the iterations ended"
        return dataclasses.replace(outcome, status=Status.BLOW_UP, message=message)
    if outcome.status is not Status.BLOW_UP and is_dead(road.problem, states):
        return dataclasses.replace(outcome, status=Status.DEAD, message=_DEAD)
    if outcome.status is not Status.CONVERGED:
        return outcome
    if is_uniform_set(road.problem):
        message = "the targets are uniform: they do not determine the parameters"
        return dataclasses.replace(outcome, status=Status.UNIDENTIFIABLE, message=message)
    message, fits = outcome.message or "no step makes the loss smaller", True
    if road.loss_name == "stationarity":
        message, fits = (
            f"the statistics change by {np.sqrt(outcome.loss):.1f} standard errors",
            outcome.loss <= CHI_SQUARE,
        )
    if road.loss_name == "pixel" and road.strategy.at_target:
        message, fits = _misfit(road, outcome.loss)
    return dataclasses.replace(outcome, status=Status.CONVERGED if fits else Status.NO_FIT, message=message)


def _misfit(road: Road, loss: float) -> tuple[str, bool]:
    """What pictures at rest leave unexplained, in words, and whether that is little beyond their noise."""
    seen = road.problem.targets
    contrast = float(seen.std((-2, -1)).mean())
    levels = [estimate_noise(seen[:, j], road.problem.grid) for j in range(seen.shape[1])]
    noise = max((level.std for level in levels if level.detected), default=0.0)
    misfit = float(np.sqrt(loss)) / contrast
    fits = misfit <= np.hypot(MISFIT, 2 * noise / contrast)
    why = "" if fits else ": not at rest, or not of this system"
    return f"{100 * misfit:.2g} % of the contrast stays unexplained{why}", bool(fits)


def _rank(run: Run):
    return run.outcome.status in (Status.BLOW_UP, Status.DEAD), np.nan_to_num(run.outcome.loss, nan=np.inf)


def _result(run: Run, task: Task, history, seconds: float) -> Fit:
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
        message=run.outcome.message,
        loss=run.outcome.loss,
        iterations=run.outcome.iterations,
        history=history,
        states=run.states,
        targets=run.targets,
        seconds=seconds,
    )
