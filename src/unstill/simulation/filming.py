"""A motion as a film: the first state, pictures at equal distances, and the last one at the end that was asked for."""

import dataclasses
import math
from typing import Literal

import numpy as np

from .._arguments import Count, Positive, checked
from .._errors import BadInput, NumericalFailure
from .._progress import Progress, silent
from .._types import Status
from ..systems import Dynamics, ReactionDiffusion
from ..systems.grid import Grid
from .rollout import place, stable_dt
from .simulate import simulate
from .trajectory import Trajectory

_WHOLE = 1e-9  # how far from a whole number of steps rounding alone may carry a time


@checked
def film(
    dynamics: Dynamics | ReactionDiffusion,
    state: np.ndarray,
    *,
    grid: Grid | None = None,
    steps: Count | None = None,
    time: Positive | None = None,
    frames: Count = 150,
    dt: Positive | None = None,
    stepper: str = "euler",
    engine: Literal["auto", "native", "gpu", "xla"] = "auto",
    clip: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
    progress: Progress = silent,
) -> Trajectory:
    """Move a batch of states and keep a film of it: `frames[0]` is the given state, the last one lies at the end.

    `simulate(save_every=…)` keeps the states after every so many steps and no others; a film wants both ends too.

    Args:
        dynamics: A system (parameters may have a leading axis M, one value a sample), or any `Dynamics`.
        state: States (M, C, H, W) on a grid or (M, D) without one, or a single one of them.
        grid: Cells, cell size and boundary (default: the states' cells; dx = 1, periodic).
        steps: Stop after so many steps.
        time: Stop at exactly this time; dt is shortened until whole steps reach it (default: 10,000).
        frames: Pictures after the first one, at most; whole steps apart, so that the last interval may be shorter.
        dt: Time step (default: the system's, below the stability limit).
        stepper: Time stepping: euler, rk4 or etdrk4.
        engine: What computes: auto takes the fastest that serves the arrays' device.
        clip: Clamp every field to [0, 1] after each step.
        dtype: Precision of the states.
        progress: Called with the steps done and in all.

    Where all samples leave the finite numbers, or at Ctrl-C, the film ends there. Raises `BadInput`, and
    `NumericalFailure` where nothing finite follows the first state.
    """
    if steps is not None and time is not None:
        raise BadInput("time", "must be left out where `steps` is given", time)
    state = np.asarray(state)
    first = state[None] if state.ndim in (1, 3) else state
    if dt is None:
        dt = stable_dt(place(dynamics, grid, first.shape))
    if steps is None:
        steps, dt = _whole_steps(10_000.0 if time is None else time, dt)
    every = math.ceil(steps / frames)
    moved = simulate(
        dynamics, first, grid=grid, steps=steps, dt=dt, save_every=every, stepper=stepper, engine=engine, clip=clip,
        dtype=dtype, progress=progress,
    )  # fmt: skip
    if Status.BLOW_UP in moved.status and not moved.steps.any():
        told = "the motion left the finite numbers before the second picture: take a smaller `dt`"
        raise NumericalFailure(Status.BLOW_UP, told)
    return to_its_end(_from(first, moved))


def _whole_steps(time: float, dt: float) -> tuple[int, float]:
    """The fewest steps, none longer than dt, that end at `time`; and their length."""
    steps = max(1, math.ceil(time / dt - _WHOLE))
    return steps, dt if abs(steps * dt - time) <= _WHOLE * time else time / steps


def to_its_end(moved: Trajectory) -> Trajectory:
    """The final state after the last frame, where a motion with frames went on beyond it."""
    end = float(moved.steps.max()) * moved.dt
    if moved.frames is None or moved.ts is None or moved.ts[-1] > end - 0.5 * moved.dt:
        return moved
    frames = np.concatenate([moved.frames, moved.state[None]])
    return dataclasses.replace(moved, frames=frames, ts=np.append(moved.ts, end))


def _from(first: np.ndarray, moved: Trajectory) -> Trajectory:
    """The first state before the frames of a motion, which end where the motion does."""
    frames, ts = first[None].astype(moved.state.dtype), np.zeros(1)
    if moved.frames is not None and moved.ts is not None:
        kept = moved.ts < (moved.steps.max() + 0.5) * moved.dt  # a last frame may repeat states from before a blow-up
        frames, ts = np.concatenate([frames, moved.frames[kept]]), np.append(ts, moved.ts[kept])
    return dataclasses.replace(moved, frames=frames, ts=ts)
