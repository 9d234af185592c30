"""The loss over parameters: along one, over a list of sets, over a section of two."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._errors import BadInput, NumericalFailure
from ..analysis.bifurcations import curves
from ..recovery.recover import Task
from ..systems import GrayScott, ReactionDiffusion
from .fit import Road, plan_roads
from .objective import FitObjective, is_dead
from .plan import Plan
from .starts import STABLE, check_parameters, largest_diffusion

LIST = "parameter set"


@dataclasses.dataclass(frozen=True)
class Landscape:
    """Losses over `axes` (name → values (N,), one or two, or the numbers of a list of `sets`).

    `losses` is NaN where the motion failed or where nothing was computed yet; `status` says which: "ok", "dead" (the
    prediction carries no pattern; its loss is kept), "blow-up", "unstable" (beyond the stability limit), "" (open).
    `truth` is drawn where it is known, `path` (T, P) of `path_names` is an optimiser's way, `curves` the closed-form
    bifurcations of the uniform states where the axes are F and k of Gray–Scott.
    """

    system: type[ReactionDiffusion]
    axes: Mapping[str, np.ndarray]
    sets: Sequence[Mapping[str, float]]
    losses: np.ndarray
    status: np.ndarray
    loss_name: str
    strategy: str
    truth: Mapping[str, float] | None = None
    path: np.ndarray | None = None
    path_names: tuple[str, ...] = ()
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None

    @property
    def least(self) -> int:
        """The index of the least finite loss: of predictions that carry a pattern, where there is one."""
        alive = np.where(self.status == "ok", self.losses, np.nan)
        return int(np.nanargmin(alive if np.isfinite(alive).any() else self.losses))

    @property
    def best(self) -> Mapping[str, float]:
        """The parameter set of that loss."""
        return self.sets[self.least]


def sections(base: Mapping[str, float], along: Mapping[str, np.ndarray]) -> list[dict[str, float]]:
    """The parameter sets of a slice or a section through `base`, the last axis fastest."""
    grids = np.meshgrid(*along.values(), indexing="ij")
    points = np.stack([g.ravel() for g in grids], 1)
    return [{**base, **dict(zip(along, map(float, point), strict=True))} for point in points]


def plan_landscape(task: Task, sets: Sequence[Mapping[str, float]], axes: Mapping[str, np.ndarray], plan: Plan) -> Road:
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


def landscape(
    task: Task,
    sets: Sequence[Mapping[str, float]],
    axes: Mapping[str, np.ndarray],
    plan: Plan,
    *,
    truth: Mapping[str, float] | None = None,
    path: np.ndarray | None = None,
    path_names: tuple[str, ...] = (),
    known: tuple[np.ndarray, np.ndarray] | None = None,
    progress: Callable[[Landscape, int], None] = lambda found, done: None,
) -> Landscape:
    """The loss of a plan's strategy at every parameter set, without derivatives; all see the same initial states.

    `known` holds losses and status of an earlier, unfinished call: only open points are computed. Each evaluation uses
    all threads over its batch. `progress` gets what is known after every point. Raises `BadInput`.
    """
    road, shape = plan_landscape(task, sets, axes, plan), tuple(len(values) for values in axes.values())
    evaluator, batch = road.evaluator, road.problem.draw(0)
    losses, status = known or (np.full(shape, np.nan), np.full(shape, "", dtype="<U10"))
    found = Landscape(
        task.system, axes, sets, losses, status, road.loss_name, road.strategy_name, truth, path, path_names,
        _curves(task.system, axes, sets),
    )  # fmt: skip
    limit = largest_diffusion(task.grid, road.problem.dt) / STABLE
    for i, values in enumerate(sets):
        place = np.unravel_index(i, shape)
        if found.status[place]:
            continue
        loss, status = _point(FitObjective(evaluator, batch), road, values, limit)
        found.losses[place], found.status[place] = loss, status
        progress(found, i + 1)
    return found


def _point(objective: FitObjective, road, values: Mapping[str, float], limit: float) -> tuple[float, str]:
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
    return look.loss, "dead" if is_dead(road.problem, look.states) else "ok"


def _curves(system, axes: Mapping[str, np.ndarray], sets) -> dict[str, Any] | None:
    """Gray–Scott's saddle-node, Hopf and Turing curves in the order of the axes; `None` for other sections."""
    if system is not GrayScott or set(axes) != {"F", "k"}:
        return None
    spans = {name: (float(min(values)), float(max(values))) for name, values in axes.items()}
    sigma = sets[0]["Du"] / max(sets[0]["Dv"], 1e-12)
    found = curves(sigma, k_range=spans["k"], F_range=spans["F"])
    order = [("k", "F").index(name) for name in axes]
    return {name: (pair[order[0]], pair[order[1]]) for name, pair in found.items()}
