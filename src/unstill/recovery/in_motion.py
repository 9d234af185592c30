"""A recovered system in motion: from the picture on, and grown anew."""

import numpy as np

from ..simulation import Trajectory, film, initial_state
from .result import Recovery


def motion(found: Recovery, *, time: float = 10_000.0, seed: int = 0) -> Trajectory:
    """A film of two samples under the recovered system: from its state on, and from a square."""
    states = np.stack([found.state, initial_state(found.system, found.grid, seed=seed)[0]])
    return film(found.system, states, grid=found.grid, time=time)
