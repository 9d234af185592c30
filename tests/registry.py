"""What the registry tests run over: every system, with space and without; states in which all its terms matter."""

import numpy as np

from unstill.simulation import Grid
from unstill.systems import SYSTEMS, OrdinarySystem, ReactionDiffusion

REACTION_DIFFUSION = {n: cls for n, cls in SYSTEMS.items() if issubclass(cls, ReactionDiffusion)}
ORDINARY = {n: cls for n, cls in SYSTEMS.items() if issubclass(cls, OrdinarySystem)}
GRIDS = {boundary: Grid((12, 10), 1.0, boundary) for boundary in ("periodic", "no-flux")}


def rough_state(system: ReactionDiffusion, grid: Grid, seed: int = 0) -> np.ndarray:
    """A state (C, H, W) around rest and patch, without symmetry."""
    rng = np.random.default_rng(seed)
    rest, patch = (np.array([float(c) for c in x])[:, None, None] for x in (system.rest(), system.patch()))
    return rest + (patch - rest) * rng.uniform(0.1, 0.9, (len(rest), *grid.shape))
