"""Where a fit starts: checked values, a box of random ones around them, or what `recover` finds."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import qmc

from .._errors import BadInput, nearest
from ..simulation import Grid
from ..systems import ReactionDiffusion

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
            raise BadInput("start", rule, f"{name}={start[name]:g}", "Take a smaller --dt.")


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


def warm_start(system_class, grid: Grid, pictures: Mapping[str, np.ndarray], fix: Mapping[str, float]):
    """Where `recover` ends: values by name, and the status it ended with."""
    from ..recovery import recover

    few = {name: array[:8] if len(pictures) < len(system_class.fields) else array for name, array in pictures.items()}
    found = recover(system_class, few, grid=grid, fix=fix)
    values = {name: float(np.mean(value)) for name, value in found.system.values().items() if name not in fix}
    return values, found.status
