"""A recovered system in motion: from the picture on, and grown anew."""

import numpy as np

from .._progress import Progress, silent
from ..simulation import Trajectory, film, initial_state
from ..simulation.rollout import default_dt
from ..systems.grid import FIVE_POINT, OnGrid
from .result import Recovery

STEPS = 10_000  # of the system's own Euler step, which follows its fastest rate: patterns of most presets are grown
BUDGET = 2e9  # cells times steps of the fused kernels: some ten seconds of a core
_SLOWER = 20.0  # times, without them: Laplacians of other than five points, measured 36 ns a cell and step at 64²


def own_time(found: Recovery) -> float:
    """A time in which a pattern moves on visibly: so many of the system's own steps, fewer of a large picture."""
    cells = 2 * found.state.size  # of two samples
    budget = BUDGET if found.grid.scheme == FIVE_POINT else BUDGET / _SLOWER
    return default_dt(OnGrid(found.system, found.grid)) * min(STEPS, max(1, int(budget / cells)))


def motion(found: Recovery, *, time: float | None = None, seed: int = 0, progress: Progress = silent) -> Trajectory:
    """A film of two samples under the recovered system: from its state on, and from a square; of `own_time` by
    default."""
    states = np.stack([found.state, initial_state(found.system, found.grid, seed=seed)[0]])
    time = own_time(found) if time is None else time
    return film(found.system, states, grid=found.grid, time=time, progress=progress)
