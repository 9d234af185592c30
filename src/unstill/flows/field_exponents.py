"""Lyapunov exponents of patterns: the leading ones of a system in space, by the tangent kernels and QR."""

from __future__ import annotations

import time as clock
from typing import Any

import numpy as np

from .._errors import BadInput, NumericalFailure
from .._progress import AbstractCheckpoint, Progress
from .._result import plain
from .._types import Status
from ..analysis import lyapunov_spectrum
from ..analysis.lyapunov import intervals
from ..analysis.tangents import EVERY_ON_GRID
from ..simulation import Grid, Trajectory, initial_state, simulate
from ..simulation.rollout import place, stable_dt
from ..systems import ReactionDiffusion

EXPONENTS, SETTLING, COUNTED = 1, 20_000, 10_000  # how many; steps of the state alone, and those that are counted
_TURNING = 0.1  # of the counted time, before it: tangent vectors turn to the directions that grow most


def measure_fields(
    source: ReactionDiffusion | Trajectory,
    grid: Grid | None,
    *,
    exponents: int | None,
    orbits: int | None,
    time: float | None,
    transient: float | None,
    dt: float | None,
    seed: int,
    progress: Progress,
    kept: AbstractCheckpoint,
) -> dict[str, Any]:
    """What a `Lyapunov` holds of a pattern; arguments as `lyapunov` has them. Each orbit begins at another state.

    Raises `BadInput`; `NumericalFailure` where the state leaves the finite numbers before anything is counted.
    """
    began = clock.perf_counter()
    system, states, grid, dt = _starts(source, grid, orbits, dt, seed)
    time = COUNTED * dt if time is None else time
    transient = (0.0 if isinstance(source, Trajectory) else SETTLING * dt) if transient is None else transient
    count = EXPONENTS if exponents is None else exponents
    if count > states[0].size:
        raise BadInput("exponents", f"must be at most the number of variables, {states[0].size}", count)
    intervals(time, _TURNING * time, EVERY_ON_GRID * dt)
    kept.write_log([])
    if transient:
        settled = simulate(system, states, grid=grid, dt=dt, time=transient)
        if Status.INTERRUPTED in settled.status:
            raise KeyboardInterrupt
        if Status.BLOW_UP in settled.status:
            raise NumericalFailure("blow-up", f"{system.name} leaves the finite numbers: pass a smaller `dt`")
        states = settled.state
    spectrum = lyapunov_spectrum(
        system, states, grid=grid, time=time, transient=_TURNING * time, dt=dt, count=count, seed=seed
    )  # fmt: skip
    entry = {"model": 0, "exponents": plain(spectrum.exponents)}
    kept.append_log(entry)
    progress(1, 1, entry)
    where = f"{system.name} on {grid.shape[0]} × {grid.shape[1]} cells"
    return {
        "name": where, "spectra": [spectrum], "slopes": [None], "null": (None, None), "orbits": len(states),
        "time": float(time), "transient": float(transient), "dt": dt, "seconds": clock.perf_counter() - began,
    }  # fmt: skip


def _starts(
    source: ReactionDiffusion | Trajectory, grid: Grid | None, orbits: int | None, dt: float | None, seed: int
) -> tuple[ReactionDiffusion, np.ndarray, Grid, float]:
    """The system, states (M, C, H, W), their grid and the step."""
    if isinstance(source, Trajectory):
        if grid is not None:
            raise BadInput("grid", "must be left out: the trajectory has its own", grid.shape)
        if orbits is not None and orbits > len(source.state):
            raise BadInput("orbits", f"must be at most {len(source.state)}, the samples of the trajectory", orbits)
        system, states, grid = source.dynamics, source.state, source.grid
        if not isinstance(system, ReactionDiffusion) or grid is None:
            raise BadInput("dynamics", "must be a trajectory of a system in space", type(system).__name__)
        return system, states[: orbits or 1].astype(np.float64), grid, dt or source.dt
    grid = grid or Grid((128, 128))
    states = initial_state(source, grid, init="square", samples=orbits or 1, seed=seed)
    return source, states, grid, dt or float(stable_dt(place(source, grid, states.shape)))
