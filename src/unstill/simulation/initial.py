"""Initial states: the two founding ones, and noise around the uniform state. NumPy, with an explicit seed."""

from collections.abc import Callable

import numpy as np

from .._errors import BadInput, nearest
from ..systems import ReactionDiffusion
from ..systems.grid import Grid


def _uniform(system: ReactionDiffusion, grid: Grid, samples: int) -> np.ndarray:
    rest = np.array([float(np.mean(c)) for c in system.rest()])
    return np.broadcast_to(rest[None, :, None, None], (samples, len(rest), *grid.shape)).copy()


def _patch(system: ReactionDiffusion) -> np.ndarray:
    return np.array([float(np.mean(c)) for c in system.patch()])[:, None]


def _add_noise(state: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    scale = np.ptp(state, axis=(-2, -1), keepdims=True)
    scale = np.where(scale > 0, scale, np.maximum(np.abs(state).max((-2, -1), keepdims=True), 1.0))
    return state + noise * scale * rng.standard_normal(state.shape)


def square(system: ReactionDiffusion, grid: Grid, samples: int, rng: np.random.Generator, noise: float = 0.02):
    """A centred square of half-width 10 (at most a quarter of the grid) set to `patch()`, with Gaussian noise.

    Noise is relative to each field's range; founding system A uses 0.02 and keeps values in [0, 1], as here for
    systems whose rest and patch lie there.
    """
    state = _uniform(system, grid, samples)
    half = [min(10, n // 4) for n in grid.shape]
    rows, columns = (slice(n // 2 - h, n // 2 + h) for n, h in zip(grid.shape, half, strict=True))
    inside = _patch(system)
    state[:, :, rows, columns] = inside[:, :, None]
    noisy = _add_noise(state, noise, rng)
    unit = bool(np.all((state >= 0) & (state <= 1)))
    return np.clip(noisy, 0, 1) if unit else noisy


def discs(system: ReactionDiffusion, grid: Grid, samples: int, rng: np.random.Generator, noise: float = 0.0):
    """Five discs of radius 3 to 7 cells at random places (they wrap on a periodic grid), set to `patch()`."""
    state = _uniform(system, grid, samples)
    y, x = np.mgrid[: grid.shape[0], : grid.shape[1]]
    inside = _patch(system)
    for sample in state:
        for _ in range(5):
            radius = rng.integers(3, 8)
            dy, dx = (np.abs(a - rng.integers(n)) for a, n in zip((y, x), grid.shape, strict=True))
            if grid.boundary == "periodic":
                dy, dx = (np.minimum(d, n - d) for d, n in zip((dy, dx), grid.shape, strict=True))
            sample[:, dy**2 + dx**2 < radius**2] = inside
    return _add_noise(state, noise, rng) if noise else state


def noisy_uniform(system: ReactionDiffusion, grid: Grid, samples: int, rng: np.random.Generator, noise: float = 0.02):
    """The uniform state `rest()` plus Gaussian noise: what a Turing instability grows from."""
    return _add_noise(_uniform(system, grid, samples), noise, rng)


INITIAL_STATES: dict[str, Callable] = {"square": square, "discs": discs, "noise": noisy_uniform}


def initial_state(
    system: ReactionDiffusion, grid: Grid, *, init: str = "square", samples: int = 1, seed: int = 0, **options
) -> np.ndarray:
    """States of shape (M, C, H, W), float64.

    Args:
        system: Whose states of rest, and of the patches in it, are taken.
        grid: Cells and boundary.
        init: `square` (one in the middle, with noise), `discs` (five of radius 3 to 7 cells at random places) or
            `noise` (around the state of rest).
        samples: How many states, M.
        seed: Seed of all random numbers; it decides all.
        options: `noise`: standard deviation of the noise, as a share of each field's range (default: 0.02; discs: 0).

    Raises `BadInput`.
    """
    if init not in INITIAL_STATES:
        raise BadInput("init", "must be a known initial state", repr(init), nearest(init, INITIAL_STATES))
    if samples < 1:
        raise BadInput("samples", "must be at least 1", samples)
    return INITIAL_STATES[init](system, grid, samples, np.random.default_rng(seed), **options)
