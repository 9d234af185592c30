"""Roads: what a plan comes to, all of it checked before anything is computed."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._errors import BadInput
from .._jax import enable_x64
from ..observations.task import Task
from ..simulation import OnGrid, default_dt
from ..training import AbstractOptimiser, Variables, make_optimiser
from .coordinates import Coordinates
from .losses import AbstractLoss, check_loss, find_loss
from .objective import Evaluator
from .plan import Plan
from .problem import Problem
from .starts import check_start, largest_values
from .strategies import AbstractStrategy, make_strategy

BEST = (("observed-start", "pixel", None), ("observed-start", "stationarity", 1))  # and the window
ENSEMBLE = 64  # targets an iteration of the stationarity loss: it needs a covariance
GLOBAL = ("cma-es", "hybrid")
ITERATIONS = {"levenberg-marquardt": 80, "cma-es": 100, "hybrid": 60}


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

    def variables(self, plan: Plan, start: Mapping[str, float]) -> Variables:
        """The optimiser's variables at a start: numbers, fields and states."""
        shape, batch = self.problem.grid.shape, self.problem.draw(0)
        values: dict[str, Any] = {n: np.full(shape, v) if n in plan.cellwise else v for n, v in start.items()}
        system = self.coordinates.system({name: np.asarray(v, float) for name, v in values.items()})
        values |= self.strategy.free_states(self.problem, system, batch)
        if plan.free_state:
            values["state"] = self.problem.start(batch)
        return self.coordinates.numbers(values)


def prepare(task: Task, plan: Plan) -> list[Road]:
    """The roads of a plan, all of it checked before anything is computed; raises `BadInput`."""
    roads = plan_roads(task, plan)
    check_start(task.system, task.grid, roads[0].problem.dt, plan.start)
    for name in (name for name in roads[0].coordinates.free if name in plan.start):
        roads[0].coordinates.number(name, plan.start[name])
    missing = [name for name in roads[0].coordinates.free if name not in plan.start]
    if missing and not plan.warm_start:
        free = [f"{name}={task.system.defaults()[name]:g}" for name in roads[0].coordinates.free]
        rule = "must give every free parameter, or `warm_start` must find them"
        raise BadInput("start", rule, f"no {', '.join(missing)}", f"For example {', '.join(free)}.")
    return roads


def plan_roads(task: Task, plan: Plan) -> list[Road]:
    """The roads that a plan names, or the best ones; raises `BadInput`."""
    if plan.strategy is not None:
        return [_road(task, plan, plan.strategy, plan.loss, plan.window)]
    whole = set(task.pictures) == set(task.system.fields)
    best = BEST if whole and plan.loss is None else BEST[:1]
    return [_road(task, plan, name, plan.loss or loss, plan.window or window) for name, loss, window in best]


def _road(task: Task, plan: Plan, strategy_name: str, loss_name: str | None, window: int | None) -> Road:
    strategy = make_strategy(strategy_name, window)
    loss_name = loss_name or strategy.loss
    problem = _problem(task, plan, loss_name)
    loss = find_loss(loss_name)
    if not loss.has_residual:
        with enable_x64():
            check_loss(loss, jnp.asarray(problem.targets[:2]))
    optimiser = plan.optimiser or _suited(strategy, loss, plan)
    states = (("state",) if plan.free_state else ()) + tuple(strategy.state_names)
    most = largest_values(task.system, task.grid, problem.dt)
    road = Road(
        problem, strategy, strategy_name, loss, loss_name, make_optimiser(optimiser, plan.rate, plan.seed), optimiser,
        plan.iterations or ITERATIONS.get(optimiser, 200),
        Coordinates(task.system, dict(task.fix), plan.constraint, states, most), plan.smoothness, plan.pair,
    )  # fmt: skip
    _check(road, plan)
    return road


def _problem(task: Task, plan: Plan, loss_name: str) -> Problem:
    dt = default_dt(OnGrid(task.system(), task.grid)) if plan.dt is None else float(plan.dt)
    observed = tuple(task.system.fields.index(name) for name in task.pictures)
    batch = max(plan.batch, ENSEMBLE) if loss_name == "stationarity" else plan.batch
    pictures = np.stack(list(task.pictures.values()), 1)
    return Problem(
        task.system, task.grid, dt, observed, pictures, plan.init, plan.horizon, plan.until_change, batch, plan.seed
    )  # fmt: skip


def _suited(strategy: AbstractStrategy, loss: AbstractLoss, plan: Plan) -> str:
    """The strategy's optimiser, or a first-order one where its own does not serve."""
    many = plan.cellwise or plan.free_state
    squares_needed = strategy.optimiser == "levenberg-marquardt"
    return "adam" if squares_needed and (many or not loss.has_residual) else strategy.optimiser


def _check(road: Road, plan: Plan) -> None:
    window = 0 if road.strategy.at_target else getattr(road.strategy, "window", 0)
    if window > plan.horizon:
        raise BadInput("window", f"must not be longer than the horizon, {plan.horizon} steps", window)
    if not road.strategy.at_target:
        road.problem.start(road.problem.draw(0))  # `init` suits the system
    if road.optimiser.needs_residual and not road.loss.has_residual:
        rule = f"must be first order: {road.loss_name} is no sum of squares"
        raise BadInput("optimiser", rule, road.optimiser_name, "Take `optimiser=adam`.")
    many = plan.cellwise or road.coordinates.states
    if many and (road.optimiser.needs_residual or road.optimiser_name in GLOBAL):
        rule = "must be first order where fields or states are fitted"
        raise BadInput("optimiser", rule, road.optimiser_name, "Take `optimiser=adam`.")
    if plan.free_state and road.strategy.at_target:
        raise BadInput("free_state", f"must be left out: {road.strategy_name} starts at its targets", plan.free_state)
    if road.coordinates.states and not road.problem.whole:
        rule = f"must be at least {len(road.problem.targets)}, all targets, where states are fitted"
        raise BadInput("batch", rule, road.problem.batch)
    for name in plan.cellwise:
        if name not in road.coordinates.free or name in road.problem.system_class.diffusion.values():
            raise BadInput("cellwise", "must name free kinetic parameters", repr(name))
