"""What the fits of the study see, and where they start."""

import numpy as np

from ...observations.steadiness import contrast
from ...simulation import Grid, initial_state, simulate
from ...systems import GrayScott
from ..starts import clip
from .study import Regime, Study

ALIVE = 0.01  # contrast of v: where it is less, the motion is on its way out long before the state is dead


def pictures(regime: Regime, study: Study) -> dict[str, np.ndarray]:
    """The targets of a regime: v of patterns grown as the rows that roll out grow theirs (fresh squares, until no cell
    moves by 1e-4 a step, within the horizon), or u and v of an ensemble of 64 moving states."""
    grid = Grid((study.size, study.size))
    system = GrayScott(**regime.parameters)
    if regime.steady:
        state = initial_state(system, grid, init="square", samples=study.pictures, seed=study.seed + 1)
        return {"v": settle(state, system, grid, study.horizon)[:, 1]}
    state = initial_state(system, grid, init="discs", samples=32, seed=study.seed + 1)
    film = simulate(system, state, grid=grid, steps=20_000, save_every=1_250)
    assert film.frames is not None
    alive = np.flatnonzero(contrast(film.state[:, 1]) > ALIVE)[:8]  # in small boxes motion dies now and then
    states = film.frames[-8:, alive].reshape(-1, 2, *grid.shape)
    return {"u": states[:, 0], "v": states[:, 1]}


def settle(state: np.ndarray, system: GrayScott, grid: Grid, horizon: int) -> np.ndarray:
    """Founding system A's stop rule."""
    return simulate(system, state, grid=grid, until_change=1e-4, max_steps=horizon).state


def draw_start(regime: Regime, study: Study, distance: float, start: int) -> dict[str, float]:
    """A random start around the truth, clipped to the ranges and to the stability limit."""
    rng = np.random.default_rng([study.seed, start, round(1000 * distance)])
    factors = rng.uniform(1 - distance, 1 + distance, len(regime.parameters))
    values = {n: v * f for (n, v), f in zip(regime.parameters.items(), factors, strict=True)}
    return clip(GrayScott, Grid((study.size, study.size)), 1.0, values)
