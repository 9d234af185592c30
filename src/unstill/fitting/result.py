"""What a fit returns."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from .._types import Status
from ..simulation import Grid
from ..systems import ReactionDiffusion


@dataclasses.dataclass(frozen=True)
class Fit:
    """Parameters found by gradient (or without) against a loss, and how they were found.

    `system` carries them: numbers, or fields (H, W) for those fitted cell by cell; `states` are the last prediction
    (B, C, H, W) and `targets` the pictures (M, K, H, W) that it was compared with; no states after an interrupt;
    `history` holds one record an iteration, of all starts; `iterations` and `loss` are of the best one, `start`. A fit
    has no intervals: `recover` does.
    """

    start: int
    system: ReactionDiffusion
    grid: Grid
    observed: tuple[str, ...]
    free: tuple[str, ...]
    strategy: str
    loss_name: str
    optimiser: str
    status: Status
    message: str
    loss: float
    iterations: int
    history: Sequence[Mapping[str, Any]]
    states: Float[np.ndarray, "B C H W"]
    targets: Float[np.ndarray, "M K H W"]
    seconds: float

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The parameters' values, in the system's order."""
        return {name: np.asarray(value) for name, value in self.system.values().items()}

    @property
    def state(self) -> Float[np.ndarray, "C H W"]:
        """The first predicted state: what `simulate` sets in motion."""
        return self.states[0]

    @property
    def sample_steps(self) -> int:
        """Steps of one sample that were simulated in all: with derivatives and without."""
        return int(sum(row["steps"] + row["steps_differentiated"] for row in self.history))
