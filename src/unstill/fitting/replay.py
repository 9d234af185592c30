"""The motion that an iteration of a fit computed, once more and bit for bit, as films and figures want it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._errors import BadInput, NumericalFailure
from .._jax import enable_x64
from .._types import Status
from ..observations.task import Task
from ..simulation import Trajectory, film
from .objective import checksum
from .plan import SYNTHETIC, Plan
from .roads import plan_roads


def replay(task: Task, plan: Plan, row: Mapping[str, Any], *, frames: int = 150) -> Trajectory:
    """The rollout of one line of a fit's log, as a film of at most `frames` pictures after its first one.

    Starts, batches and parameters follow from the plan and the logged numbers; the last state is compared with the
    checksum that training wrote. Raises `BadInput` for a fit whose variables the log does not hold (fields, states)
    and for one without a motion, `NumericalFailure` where the bits differ (another version of the code or a library).
    """
    if plan.is_synthetic:
        raise BadInput("iterations", "cannot be replayed: one is many motions", SYNTHETIC)
    road = plan_roads(task, plan)[int(row["road"])]
    if plan.cellwise or road.coordinates.states:
        raise BadInput("iterations", "cannot be replayed: the log holds no fields or states", road.strategy_name)
    if "checksum" not in row:
        raise BadInput("iterations", "cannot be replayed: no single motion was logged", road.optimiser_name)
    batch = road.problem.draw(int(row["iteration"]))
    system = road.coordinates.system({name: np.asarray(row["parameters"][name]) for name in road.coordinates.free})
    prepared = road.strategy.prepare(road.problem, system, batch)
    if prepared.total == 0:
        rule = f"cannot be filmed: {road.strategy_name} ends at rest, without a motion"
        raise BadInput("iterations", rule, row["iteration"])
    first = prepared.first
    if first is None:
        with enable_x64():
            first = np.asarray(road.strategy.begin(road.problem, system, prepared.arrays))
    moved = film(system, first, grid=task.grid, dt=road.problem.dt, steps=prepared.total, frames=frames)
    if checksum(moved.state) != row["checksum"]:
        raise NumericalFailure(Status.NO_FIT, f"iteration {row['iteration']} does not repeat bit for bit")
    return moved
