"""`simulate`: the verb that moves states until a step count, a time or a drift is reached."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._errors import BadInput
from .._types import Status
from ..systems import Dynamics, OrdinarySystem, ReactionDiffusion, find_system
from .grid import Grid, OnGrid
from .initial import initial_state
from .motion import Motion, sample
from .rollout import check_parameter_shapes, place, stability_limit, stable_dt
from .steady import polish as polish_state
from .trajectory import Trajectory

STEADY_DRIFT = 1e-6  # per unit time: what `steady` means where the user names no tolerance
_CHECK_EVERY = 100  # steps between two looks at drift and finiteness
# At most about a second of work between two looks, on a processor and on a GPU.
_CELL_STEPS = {"native": 1e9, "xla": 1e9, "gpu": 1e12}

Progress = Callable[[int, int], None]


def simulate(
    dynamics: Dynamics | ReactionDiffusion | str,
    state: np.ndarray | None = None,
    *,
    steps: int | None = None,
    time: float | None = None,
    until_drift: float | None = None,
    until_change: float | None = None,
    max_steps: int = 400_000,
    polish: bool = False,
    grid: Grid | None = None,
    dt: float | None = None,
    save_every: int | None = None,
    stepper: str = "euler",
    engine: str = "auto",
    clip: bool = False,
    dtype: str = "float64",
    init: str = "square",
    samples: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
    resume: Trajectory | None = None,
) -> Trajectory:
    """Move a batch of states; exactly one of `steps`, `time`, `until_drift`, `until_change` says how far.

    Arguments: the dynamics (parameters may have a leading axis M, one value a sample), or a system's name for its
    defaults; states (M, C, H, W) or (M, D), or none to start from `initial_state(init, samples, seed)` on `grid`;
    `until_drift` stops each sample by itself (looked at every 100 steps, at most `max_steps`), `until_change` likewise
    when no cell of any field moves by more in one step (founding system A's rule); `polish` goes on to a true steady
    state by Newton–Krylov; `save_every` keeps every n-th frame; `clip` clamps to [0, 1] after each step; `resume`
    continues an interrupted trajectory of the same call. Ctrl-C returns what was reached with status `interrupted`.

    Returns a `Trajectory` with a status a sample: `steady` (drift below `until_drift`, or 1e-6 per unit time),
    `moving`, `not-converged` (cap reached), `dead` (uniform and still), `blow-up`. Raises `BadInput`.
    """
    moved: Any = find_system(dynamics)() if isinstance(dynamics, str) else dynamics
    return Simulation(
        moved, state, steps=steps, time=time, until_drift=until_drift, until_change=until_change,
        max_steps=max_steps, polish=polish, grid=grid, dt=dt, save_every=save_every, stepper=stepper, engine=engine,
        clip=clip, dtype=dtype, init=init, samples=samples, seed=seed, progress=progress, resume=resume,
    ).run()  # fmt: skip


def _starting_state(dynamics, state, grid, init, samples, seed, resume) -> np.ndarray:
    if resume is not None:
        return resume.state
    if state is None:
        if not isinstance(dynamics, ReactionDiffusion):
            rest = getattr(dynamics, "rest", None)
            if rest is None:
                raise BadInput("state", "must be given for dynamics without a state of rest")
            rng = np.random.default_rng(seed)
            rest = np.array([float(x) for x in rest()])
            return rest + rng.standard_normal((samples, len(rest)))
        grid = grid or Grid((128, 128))
        return initial_state(dynamics, grid, init=init, samples=samples, seed=seed)
    state = np.asarray(state)
    if isinstance(dynamics, ReactionDiffusion):
        state = state[None] if state.ndim == 3 else state
        if state.ndim != 4 or state.shape[1] != len(dynamics.fields):
            names = ", ".join(dynamics.fields)
            raise BadInput(
                "state", f"must have shape (M, {len(dynamics.fields)}, H, W) with fields {names}", state.shape
            )
    elif state.ndim == 1:
        state = state[None]
    if not np.issubdtype(state.dtype, np.number) or not np.all(np.isfinite(state)):
        raise BadInput("state", "must be finite numbers")
    return state


def _total_steps(steps, time, until_drift, until_change, max_steps, dt) -> int:
    ends = {"steps": steps, "time": time, "until_drift": until_drift, "until_change": until_change}
    given = [name for name, value in ends.items() if value is not None]
    if len(given) != 1:
        rule = "or time, until_drift or until_change must say how far, exactly one of them"
        raise BadInput("steps", rule, ", ".join(given) or "none")
    for name, value in {**ends, "max_steps": max_steps}.items():
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise BadInput(name, "must be positive", value)
    if steps is not None:
        return int(steps)
    return max_steps if time is None else max(1, round(time / dt))


def _check(dynamics, grid, state, dt, stepper, save_every, dtype) -> None:
    if not (dt > 0 and math.isfinite(dt)):
        raise BadInput("dt", "must be positive", dt)
    if save_every is not None and save_every < 1:
        raise BadInput("save_every", "must be at least 1", save_every)
    if dtype not in ("float32", "float64"):
        raise BadInput("dtype", "must be float32 or float64", dtype)
    if isinstance(dynamics, OrdinarySystem):
        check_parameter_shapes(dynamics, len(state), None)
    if isinstance(dynamics, ReactionDiffusion):
        check_parameter_shapes(dynamics, len(state), state.shape[-2:])
        grid = grid or Grid(state.shape[-2:])
        if tuple(grid.shape) != tuple(state.shape[-2:]):
            raise BadInput("state", f"must be of the grid's shape {grid.shape}", state.shape[-2:])
        limit = stability_limit(dynamics, grid)
        if stepper == "euler" and dt >= limit:
            raise BadInput("dt", f"must be below the stability limit dx²/(4 max D) = {limit:.4g}", dt)


def is_dead(state: np.ndarray, drift: float) -> bool:
    """Uniform in every field to 1/1000 of the largest mean, and still: nothing more will come."""
    scale = max(float(np.abs(state.mean((-2, -1))).max()), 1e-12)
    return bool(np.ptp(state, axis=(-2, -1)).max() <= 1e-3 * scale and drift <= 1e-4 * scale)


class Simulation:
    """A checked call of `simulate`, ready to `run`: the loop over looks, between which all moving samples advance.

    Construction raises `BadInput`; so a caller can check a call before it replaces older results.
    """

    def __init__(
        self, dynamics, state=None, *, steps=None, time=None, until_drift=None, until_change=None, max_steps=400_000,
        polish=False, grid=None, dt=None, save_every=None, stepper="euler", engine="auto", clip=False, dtype="float64",
        init="square", samples=1, seed=0, progress=None, resume=None,
    ):  # fmt: skip
        state = _starting_state(dynamics, state, grid, init, samples, seed, resume)
        placed = place(dynamics, grid, state.shape)
        dt = stable_dt(placed) if dt is None else float(dt)
        self.total = _total_steps(steps, time, until_drift, until_change, max_steps, dt)
        _check(dynamics, grid, state, dt, stepper, save_every, dtype)
        if polish and not isinstance(dynamics, ReactionDiffusion):
            raise BadInput("polish", "needs a reaction–diffusion system on a grid")
        self.motion = Motion(dynamics, grid, state.shape, dt=dt, dtype=dtype, stepper=stepper, engine=engine, clip=clip)
        self.tolerance, self.largest_change, self.save_every, self.polish = (
            until_drift,
            until_change,
            save_every,
            polish,
        )
        self.progress = progress or (lambda done, total: None)
        self.state = self.motion.hold(state)
        self.status: list[Status | None] = [None] * len(state)
        self.steps = np.zeros(len(state), int)
        self.now, self.frames, self.ts = 0, [], []
        if resume is not None:
            self._continue(resume)

    def _continue(self, earlier: Trajectory) -> None:
        self.status = [None if s is Status.INTERRUPTED else s for s in earlier.status]
        self.steps = earlier.steps.copy()
        waiting = [n for n, s in zip(self.steps, self.status, strict=True) if s is None]
        # Waiting samples stand at one step, unless they were interrupted while being polished: then all motion is over.
        self.now = int(waiting[0]) if len(set(waiting)) == 1 else self.total
        if earlier.frames is not None and earlier.ts is not None:
            self.frames, self.ts = list(earlier.frames), list(earlier.ts)

    @property
    def active(self) -> np.ndarray:
        return np.array([m for m, status in enumerate(self.status) if status is None], int)

    @property
    def stops(self) -> bool:
        """Whether samples stop by themselves."""
        return self.tolerance is not None or self.largest_change is not None

    def run(self) -> Trajectory:
        """Move until the end, or until Ctrl-C."""
        try:
            while self.now < self.total and len(self.active):
                self._advance(self._next_look())
        except KeyboardInterrupt:
            for m in self.active:
                self.status[m] = Status.INTERRUPTED
        trajectory = self._finish()
        return _polished(trajectory) if self.polish and Status.INTERRUPTED not in trajectory.status else trajectory

    def _next_look(self) -> int:
        cells = math.prod(self.state.shape[2:]) * len(self.active)
        stride = max(1, int(_CELL_STEPS[self.motion.engine] / cells))
        if self.stops:  # looks stay on multiples, whatever the frames do in between
            stride = _CHECK_EVERY - self.now % _CHECK_EVERY
        elif stride > _CHECK_EVERY:
            stride -= stride % _CHECK_EVERY
        look = min(self.now + stride, self.total)
        if self.save_every:
            look = min(look, (self.now // self.save_every + 1) * self.save_every)
        return look

    def _advance(self, look: int) -> None:
        active = self.active
        moved = self.motion.advance(self.motion.take(self.state, active), look - self.now, active)
        alive = self.motion.finite(moved)
        if alive.all() and len(active) == len(self.state):
            self.state = moved
        else:
            self.state = self.motion.merged(self.state, active[alive], self.motion.take(moved, np.flatnonzero(alive)))
        self.steps[active[alive]] = look
        for m in active[~alive]:
            self.status[m] = Status.BLOW_UP
        self.now = look
        if self.stops and (look % _CHECK_EVERY == 0 or look == self.total):
            self._stop_the_steady()
        if self.save_every and look % self.save_every == 0:
            self.frames.append(np.array(self.state))
            self.ts.append(look * self.motion.dt)
        self.progress(self.now, self.total)

    def _stop_the_steady(self) -> None:
        active = self.active
        if len(active) == 0:
            return
        drift = self.motion.drift(self.motion.take(self.state, active), active)
        if self.tolerance is not None:
            still = drift < self.tolerance
        else:
            still = self.motion.largest_change(self.motion.take(self.state, active), active) <= self.largest_change
        for m, d in zip(active[still], drift[still], strict=True):
            self.status[m] = self._still(int(m), float(d))

    def _still(self, m: int, drift: float) -> Status:
        state = np.asarray(self.motion.take(self.state, np.array([m])))[0]
        return Status.DEAD if state.ndim == 3 and is_dead(state, drift) else Status.STEADY

    def _finish(self) -> Trajectory:
        drift = self.motion.drift(self.state, np.arange(len(self.state)))
        state = np.array(self.state)  # a device's array would be read-only
        for m in self.active:
            dead = state.ndim == 4 and is_dead(state[m], float(drift[m]))
            steady = drift[m] <= (STEADY_DRIFT if self.tolerance is None else self.tolerance)
            late = Status.NOT_CONVERGED if self.stops else Status.MOVING
            self.status[m] = Status.DEAD if dead else Status.STEADY if steady else late
        kept, moved = bool(self.save_every) and len(self.frames) > 0, self.motion.dynamics
        return Trajectory(
            dynamics=moved.system if isinstance(moved, OnGrid) else moved,
            grid=self.motion.grid,
            dt=self.motion.dt,
            state=state,
            frames=np.stack(self.frames) if kept else None,
            ts=np.array(self.ts) if kept else None,
            status=tuple(s for s in self.status if s is not None),
            steps=self.steps,
            drift=drift,
        )


def _polished(trajectory: Trajectory) -> Trajectory:
    """Each sample carried on to a true steady state; dead, blown-up and interrupted ones stay as they are."""
    system, grid = trajectory.dynamics, trajectory.grid
    assert isinstance(system, ReactionDiffusion)
    assert grid is not None
    state, drift, status = trajectory.state.copy(), trajectory.drift.copy(), list(trajectory.status)
    try:
        for m, ended in enumerate(trajectory.status):
            if ended not in (Status.DEAD, Status.BLOW_UP):
                status[m] = Status.INTERRUPTED  # until it is polished
                state[m], drift[m], status[m] = polish_state(sample(system, m), grid, state[m].astype(np.float64))
    except KeyboardInterrupt:
        status[m + 1 :] = [Status.INTERRUPTED] * len(status[m + 1 :])
    return dataclasses.replace(trajectory, state=state, drift=drift, status=tuple(status))
