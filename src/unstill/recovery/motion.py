"""A recovered system in motion: from the picture on, and grown anew."""

import numpy as np

from ..simulation import OnGrid, Trajectory, initial_state, simulate, stable_dt
from .result import Recovery

_FRAMES = 150


def motion(found: Recovery, *, time: float = 10_000.0, seed: int = 0) -> Trajectory:
    """Two samples under the recovered system for `time`, in about 150 frames: from its state on, and from a square."""
    system, grid = found.system, found.grid
    dt = stable_dt(OnGrid(system, grid))
    every = max(1, round(time / dt / _FRAMES))
    steps = max(every, round(time / dt / every) * every)
    states = np.stack([found.state, initial_state(system, grid, seed=seed)[0]])
    return simulate(system, states, grid=grid, dt=dt, steps=steps, save_every=every)
