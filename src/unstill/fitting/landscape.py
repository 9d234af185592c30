"""`landscape`: a loss over parameters, along one, over a section of two, or over a list of sets."""

import dataclasses
import time as clock
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from .._arguments import Count, Names, NonNegative, Positive, Values, Whole, checked
from .._errors import BadInput, NumericalFailure
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from ..analysis.bifurcations import closed_curves
from ..observations.task import Pictures, Task, check, named_fields, system_class
from ..simulation import Grid
from ..systems import AbstractSystem
from .fit import plan_of
from .landscape_result import Landscape
from .objective import FitObjective, is_lost
from .plan import Plan
from .result import Fit
from .roads import Road, plan_roads
from .sections import Axes, Sets, points_of
from .starts import STABLE, check_parameters, largest_diffusion

_KEPT = "landscape"  # in the checkpoint
_KEEP_EVERY = 5.0  # seconds


@checked
def landscape(
    system: str | type[AbstractSystem],
    pictures: Pictures | Mapping[str, np.ndarray] | np.ndarray,
    *,
    along: Mapping[str, Sequence[float] | np.ndarray] | None = None,
    set: Values | Sequence[Values] | None = None,
    truth: Values | None = None,
    path: Fit | Sequence[Mapping[str, Any]] | None = None,
    observe: Names | None = None,
    grid: Grid | None = None,
    strategy: str = "bptt",
    window: Count | None = None,
    loss: str | None = None,
    pair: Literal["each", "mean"] | None = None,
    batch: Count = 8,
    init: str = "square",
    horizon: Count = 40_000,
    until_change: NonNegative = 1e-4,
    dt: Positive | None = None,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Landscape:
    """Map a loss along one parameter, over a section of two, or over a list of parameter sets.

    The loss is that of a strategy of `fit`, without derivatives; all points see the same initial states, and each
    evaluation uses all threads over its batch.

    Args:
        system: A system's name, file.py:NAME, or a class.
        pictures: The targets, as for `fit`.
        along: The values of one parameter, or of two for a section, by name.
        set: The other parameters; or a list of sets in place of `along`, where what a set leaves out is taken from
            the first.
        truth: The parameters behind the pictures, where they are known: drawn, and taken where `along` and `set` say
            nothing.
        path: A fit, or the lines of its log, whose way (that of the last start) is drawn.
        observe: Fields that are seen, such as v or u,v (default: all that the pictures hold).
        grid: Cell size `dx` and boundary (default: the pictures' own, else periodic with dx = 1).
        strategy: Where rollouts start: bptt (fresh states), observed-start, or any other of `fit` but shooting.
        window: Steps of the strategy's window (default: the strategy's).
        loss: A loss's name, module:function or file.py:function (default: the strategy's).
        pair: Compare each prediction with its own target, or means (default: each where rollouts start at the
            pictures).
        batch: Targets and fresh states.
        init: Fresh initial states: square, discs, noise.
        horizon: Steps from a fresh state at most.
        until_change: Change a step at which fresh states count as steady.
        dt: Time step (default: the system's).
        seed: Seed of all random numbers.
        progress: Called after each point.
        resume: Keeps the points that are known; the same call computes what is open.

    Returns a `Landscape` with status `converged`, `blow-up` (no point has a finite loss) or `interrupted`. Raises
    `BadInput`.
    """
    started, kept = clock.perf_counter(), Memory() if resume is None else resume
    cls = system_class(system)
    task = check(cls, named_fields(cls, pictures, observe)[0], observe=observe, grid=grid)
    plan = plan_of(
        strategy=strategy, window=window, loss=loss, pair=pair, batch=batch, init=init, horizon=horizon,
        until_change=until_change, dt=dt, seed=seed,
    )  # fmt: skip
    axes, sets = points_of(cls, along, set, truth)
    road = landscape_road(task, sets, axes, plan)
    way, names = _way(path, axes)
    losses, ends = _known(kept, axes)
    found = Landscape(
        cls, axes, sets, losses, ends, road.loss_name, road.strategy_name, truth, way, names,
        closed_curves(cls, axes, sets[0]),
    )  # fmt: skip
    _fill(found, task, road, kept, progress)
    return dataclasses.replace(found, seconds=clock.perf_counter() - started)


def landscape_road(task: Task, sets: Sets, axes: Axes, plan: Plan) -> Road:
    """The road that looks at every point, all of it checked before anything is computed; raises `BadInput`."""
    road = plan_roads(task, plan)[0]
    if not 1 <= len(axes) <= 2 or int(np.prod([len(values) for values in axes.values()])) != len(sets):
        raise BadInput("along", "must name one or two parameters", ", ".join(axes))
    if road.coordinates.states:
        raise BadInput("strategy", "must be one without free states", road.strategy_name)
    for values in sets:
        check_parameters(task.system, "set", values)
        missing = [name for name in task.system.parameters() if name not in values]
        if missing:
            raise BadInput("set", "must give every parameter", f"no {', '.join(missing)}")
    return road


def _way(path: Any, axes: Axes) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """An optimiser's way, (T, P), and the names of its parameters; raises `BadInput`."""
    if path is None:
        return None, ()
    rows = list(path.history if isinstance(path, Fit) else path)
    rows = [row for row in rows if row.get("start") == rows[-1].get("start")]
    if not rows or not isinstance(rows[0].get("parameters"), dict):
        raise BadInput("path", "must be a fit with a log", f"{len(rows)} lines, without parameters")
    names = tuple(rows[0]["parameters"])
    missing = [name for name in axes if name not in names]
    if missing:
        raise BadInput("path", "must be of a fit that moved the parameters of `along`", f"no {', '.join(missing)}")
    return np.array([[row["parameters"][name] for name in names] for row in rows], float), names


def _known(kept: AbstractCheckpoint, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Losses and ends of an unfinished call; all open where there is none. Raises `BadInput`."""
    shape = tuple(len(values) for values in axes.values())
    before = kept.kept(_KEPT)
    if before is None:
        return np.full(shape, np.nan), np.full(shape, "", dtype="<U10")
    nothing = np.zeros(0)
    if before.get("losses", nothing).shape != shape or before.get("status", nothing).shape != shape:
        raise BadInput("resume", "must find the landscape of the same command", None, "Pass `force=True`.")
    return before["losses"].copy(), before["status"].astype("<U10")


def _fill(found: Landscape, task: Task, road: Road, kept: AbstractCheckpoint, progress: Progress) -> None:
    """Compute the points that are open, until Ctrl-C; what is reached is kept."""
    batch, limit = road.problem.draw(0), largest_diffusion(task.grid, road.problem.dt) / STABLE
    saved, reached = clock.perf_counter(), False
    try:
        for i, values in enumerate(found.sets):
            place = np.unravel_index(i, found.ends.shape)
            if found.ends[place]:
                continue
            loss, end = _point(FitObjective(road.evaluator, batch), road, values, limit)
            found.losses[place], found.ends[place], reached = loss, end, True
            progress(i + 1, len(found.sets), {"parameters": values, "loss": loss, "status": end})
            if clock.perf_counter() - saved > _KEEP_EVERY:
                kept.keep(_KEPT, **found.kept())
                saved = clock.perf_counter()
    except KeyboardInterrupt:
        if not reached:
            raise
    kept.keep(_KEPT, **found.kept())


def _point(objective: FitObjective, road: Road, values: Mapping[str, float], limit: float) -> tuple[float, str]:
    """The loss at one parameter set, and what became of the motion."""
    cls = road.problem.system_class
    if any(values[name] >= limit for name in cls.diffusion.values()):
        return np.nan, "unstable"
    try:
        look = objective.look_at({name: np.asarray(values[name], float) for name in road.coordinates.free})
    except NumericalFailure as failure:
        return np.nan, str(failure.status)
    if not (np.isfinite(look.loss) and np.isfinite(look.states).all()):
        return np.nan, "blow-up"
    return look.loss, "dead" if is_lost(road.problem, look.states) else "ok"
