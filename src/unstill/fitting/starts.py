"""Where a fit starts: checked values, a box of random ones around them, or what `recover` finds."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import qmc

from .._errors import BadInput, nearest
from .._types import Status
from ..observations.task import Task
from ..recovery import recover
from ..simulation import Grid
from ..systems import ReactionDiffusion
from .atlas_start import atlas_starts
from .plan import Plan

STABLE = 0.9  # of the stability limit: reaction adds to the rate
FACTOR = 2.5  # random starts differ from the given one by at most this, either way: 60 % less, or 150 % more


def largest_diffusion(grid: Grid, dt: float) -> float:
    """The largest diffusion coefficient that an explicit Euler step of `dt` bears, with a margin for the reaction."""
    return STABLE * grid.dx**2 / (4 * dt)


def largest_values(system_class: type[ReactionDiffusion], grid: Grid, dt: float) -> dict[str, float]:
    """How far an optimiser may take diffusion: to 0.95 of the stability limit, and inside the ranges."""
    limit, ranges = 0.95 * grid.dx**2 / (4 * dt), system_class.parameters()
    return {name: min(limit, (1 - 1e-6) * ranges[name].high) for name in system_class.diffusion.values()}


def check_parameters(system_class: type[ReactionDiffusion], argument: str, values: Mapping[str, float]) -> None:
    """Raises `BadInput` for values that are no parameters or outside their ranges."""
    for name in values:
        if name not in system_class.parameters():
            known = nearest(name, system_class.parameters())
            raise BadInput(argument, f"must name parameters of {system_class.name}", repr(name), known)
    system_class.make(None, **values)


def check_start(system_class: type[ReactionDiffusion], grid: Grid, dt: float, start: Mapping[str, float]) -> None:
    """Raises `BadInput` for values that are no parameters, outside their ranges, or unstable."""
    check_parameters(system_class, "start", start)
    limit = largest_diffusion(grid, dt) / STABLE
    for name in set(system_class.diffusion.values()) & set(start):
        if start[name] >= limit:
            rule = f"must have {name} below dx²/(4 dt) = {limit:g}, the stability limit"
            raise BadInput("start", rule, f"{name}={start[name]:g}", "Take a smaller `dt`.")


def clip(system_class: type[ReactionDiffusion], grid: Grid, dt: float, values: Mapping[str, float]) -> dict[str, float]:
    """Inside the ranges and the stability limit."""
    limit, out = largest_diffusion(grid, dt), {}
    for name, value in values.items():
        info = system_class.parameters()[name]
        high = min(info.high, limit) if name in system_class.diffusion.values() else info.high
        out[name] = float(np.clip(value, info.low, high))
    return out


def starts_around(
    system_class: type[ReactionDiffusion],
    grid: Grid,
    dt: float,
    start: Mapping[str, float],
    count: int,
    *,
    seed: int = 0,
    factor: float = FACTOR,
) -> list[dict[str, float]]:
    """The start itself as it is, then Sobol points of log-uniform factors between 1/factor and factor, clipped."""
    first = dict(start)
    if count == 1:
        return [first]
    names = list(start)
    sobol = qmc.Sobol(len(names), seed=np.random.default_rng(seed))
    cube = sobol.random_base2(max(0, int(np.ceil(np.log2(count - 1)))))[: count - 1]
    factors = factor ** (2 * cube - 1)
    points = [{n: start[n] * f for n, f in zip(names, row, strict=True)} for row in factors]
    return [first, *(clip(system_class, grid, dt, point) for point in points)]


def first_start(task: Task, dt: float, plan: Plan) -> dict[str, float]:
    """The plan's start, or what `recover` finds, a value for every free parameter. Raises `BadInput`."""
    free = [name for name in task.system.parameters() if name not in task.fix]
    start = {**(_warm_start(task, dt, plan.warm_start) if plan.warm_start else {}), **plan.start}
    return {name: float(start[name]) for name in free}


def _warm_start(task: Task, dt: float, where: str) -> dict[str, float]:
    """Where `recover` ends, or the nearest cell of an atlas, inside the ranges and the stability limit. Raises
    `BadInput`."""
    if where != "recover":
        cell = atlas_starts(task, where)[0]
        return clip(task.system, task.grid, dt, {name: v for name, v in cell.items() if name not in task.fix})
    few = {name: array[:8] for name, array in task.pictures.items()}
    seen = few if len(few) < len(task.system.fields) else task.pictures
    found = recover(task.system, seen, grid=task.grid, fix=task.fix)
    if found.status in (Status.DEAD, Status.NO_FIT):
        rule = f"cannot help: recover ends as {found.status} on these pictures"
        raise BadInput("warm_start", rule, None, "Give `start` instead.")
    values = {name: float(np.mean(value)) for name, value in found.system.values().items() if name not in task.fix}
    return clip(task.system, task.grid, dt, values)
