"""Several parameter sets as one batch: each set with the same initial states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ..systems import AbstractSystem, ReactionDiffusion
from ..systems.grid import Grid
from .initial import initial_state


def stacked(systems: Sequence[AbstractSystem], samples: int) -> tuple[Any, int]:
    """One system with parameters (M,), each set repeated for its `samples`; and M."""
    count = len(systems) * samples
    if len(systems) == 1:
        return systems[0], count
    values = {name: np.array([s.values()[name] for s in systems]) for name in systems[0].parameters()}
    return systems[0].with_values(**{name: np.repeat(each, samples) for name, each in values.items()}), count


def initial_states(
    systems: Sequence[ReactionDiffusion],
    grid: Grid,
    *,
    init: str = "square",
    samples: int = 1,
    seed: int = 0,
    state: Float[np.ndarray, "N C H W"] | None = None,
) -> Float[np.ndarray, "M C H W"]:
    """Initial states of each set in turn: fresh ones from the same seed, or the same given ones."""
    if state is not None:
        return np.concatenate([state] * len(systems))
    return np.concatenate([initial_state(s, grid, init=init, samples=samples, seed=seed) for s in systems])
