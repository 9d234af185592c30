"""What a simulation returns."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from .._types import Status
from ..systems import Dynamics, ReactionDiffusion
from .grid import Grid


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """States in order, sample by sample. NumPy arrays; M samples, C fields, T saved times.

    `status[m]` is how sample m ended, after `steps[m]` steps of `dt`, moving at `drift[m]` per unit time (root mean
    square over cells of ∂c/∂t, the larger of the fields). A sample that stopped early repeats its last state in the
    frames. A sample that blew up keeps its last finite state.
    """

    dynamics: Dynamics | ReactionDiffusion
    grid: Grid | None
    dt: float
    state: Float[np.ndarray, "M C H W"] | Float[np.ndarray, "M D"]
    frames: Float[np.ndarray, "T M C H W"] | Float[np.ndarray, "T M D"] | None
    ts: Float[np.ndarray, " T"] | None
    status: tuple[Status, ...]
    steps: Int[np.ndarray, " M"]
    drift: Float[np.ndarray, " M"]

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in the order of axis C."""
        return getattr(self.dynamics, "fields", tuple(f"x{i}" for i in range(self.state.shape[1])))
