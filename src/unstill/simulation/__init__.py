"""How systems move, and how gradients come back."""

from ..observations.steadiness import STEADY_DRIFT
from ..systems.grid import BOUNDARIES, Grid, OnGrid
from .batches import initial_states, stacked
from .filming import film
from .initial import INITIAL_STATES, initial_state
from .layer import Simulator
from .motion import sample
from .rollout import ENGINES, default_dt, rollout, stability_limit, stable_dt
from .simulate import simulate
from .steady import polish
from .steppers import STEPPERS
from .trajectory import Trajectory

__all__ = [
    "BOUNDARIES", "ENGINES", "INITIAL_STATES", "STEADY_DRIFT", "STEPPERS", "Grid", "OnGrid", "Simulator",
    "Trajectory", "default_dt", "film", "initial_state", "initial_states", "polish", "rollout", "sample",
    "simulate", "stability_limit", "stable_dt", "stacked",
]  # fmt: skip
