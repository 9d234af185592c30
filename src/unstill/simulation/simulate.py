"""`simulate`: the verb that moves states until a step count, a time or a drift is reached."""

import contextlib
import dataclasses
import math
import time as clock
from typing import Any, Literal

import numpy as np

from .._arguments import Count, Positive, Whole, checked
from .._errors import BadInput
from .._numbers import real_numbers
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._stopping import shielded
from .._types import Status
from ..observations.steadiness import STEADY_DRIFT, is_dying
from ..systems import Dynamics, OrdinarySystem, ReactionDiffusion, find_system
from ..systems.grid import Grid, OnGrid
from .initial import initial_state
from .motion import Motion, sample
from .rollout import check_euler_dt, check_parameter_shapes, place, stability_limit, stable_dt
from .steady import polish as polish_state
from .steppers import find_stepper
from .trajectory import Trajectory

_CHECK_EVERY = 100  # steps between two looks at drift and finiteness
# At most about a second of work between two looks, on a processor and on a GPU.
_CELL_STEPS = {"native": 1e9, "xla": 1e9, "gpu": 1e12}
_KEPT = "motion"  # what a checkpoint holds of an interrupted call
KEEP_EVERY = 30.0  # seconds between two checkpoints of a motion


@checked
def simulate(
    dynamics: Dynamics | ReactionDiffusion | str,
    state: np.ndarray | None = None,
    *,
    steps: Count | None = None,
    time: Positive | None = None,
    until_drift: Positive | None = None,
    until_change: Positive | None = None,
    max_steps: Count = 400_000,
    polish: bool = False,
    grid: Grid | None = None,
    dt: Positive | None = None,
    save_every: Count | None = None,
    stepper: str = "euler",
    engine: Literal["auto", "native", "gpu", "xla"] = "auto",
    clip: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
    init: str = "square",
    samples: Count = 1,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | Trajectory | None = None,
) -> Trajectory:
    """Move a batch of states; exactly one of `steps`, `time`, `until_drift`, `until_change` says how far.

    Args:
        dynamics: A system (parameters may have a leading axis M, one value a sample), any `Dynamics`, or a system's
            name for its default parameters.
        state: States (M, C, H, W) on a grid or (M, D) without one, or a single one of them (default: fresh ones, see
            `init`).
        steps: Stop after so many steps.
        time: Stop after a time.
        until_drift: Stop each sample by itself at this drift per unit time; looked at every 100 steps.
        until_change: Stop each sample when no cell of any field moves by more in one step (founding system A's rule).
        max_steps: Cap on the steps of `until_drift` and `until_change`.
        polish: Go on to a true steady state by Newton's method.
        grid: Cells, cell size and boundary (default: the states' cells, else 128 × 128; dx = 1, periodic).
        dt: Time step (default: the system's, below the stability limit).
        save_every: Keep a frame every so many steps.
        stepper: Time stepping: euler, rk4 or etdrk4.
        engine: What computes: auto takes the fastest that serves the arrays' device.
        clip: Clamp every field to [0, 1] after each step.
        dtype: Precision of the states.
        init: Fresh initial states: square, discs or noise; without a grid, normal ones around the state of rest.
        samples: How many fresh initial states.
        seed: Seed of the fresh initial states.
        progress: Called with the steps done and in all.
        resume: Keeps an interrupted motion, from which the same call goes on; or the interrupted `Trajectory` itself.

    Ctrl-C returns what was reached with status `interrupted`. Returns a `Trajectory` with a status a sample: `steady`
    (drift below `until_drift`, or 1e-6 per unit time), `moving`, `not-converged` (cap reached), `dead` (uniform and
    still), `blow-up`. Raises `BadInput`.
    """
    started = clock.perf_counter()
    find_stepper(stepper)  # a word that is wrong is told before one that is missing
    moved: Any = find_system(dynamics)() if isinstance(dynamics, str) else dynamics
    if isinstance(resume, Trajectory):
        resume = _checkpoint_of(resume)
    if resume is None:
        resume = Memory()
    state = _starting_state(moved, state, grid, init, samples, seed)
    placed = place(moved, grid, state.shape)
    dt = stable_dt(placed) if dt is None else float(dt)
    total = _total_steps(steps, time, until_drift, until_change, max_steps, dt)
    _check(moved, grid, state, dt, stepper, dtype)
    if polish and not isinstance(moved, ReactionDiffusion):
        raise BadInput("polish", "needs a reaction–diffusion system on a grid", type(moved).__name__)
    if polish and grid is not None and grid.scheme == "spectral":  # before anything is moved
        raise BadInput("polish", "needs a Laplacian that is sparse", "a spectral one")
    motion = Motion(moved, grid, state.shape, dt=dt, dtype=dtype, stepper=stepper, engine=engine, clip=clip)
    looks = _Looks(motion, state, total, until_drift, until_change, save_every, progress, resume)
    trajectory = looks.run()
    if polish and Status.INTERRUPTED not in trajectory.status:
        trajectory, looks.polished = _polished(trajectory, looks.polished)
        looks.now = total
    with contextlib.suppress(KeyboardInterrupt), shielded():  # too late: all is done
        if Status.INTERRUPTED in trajectory.status:
            _keep(trajectory, resume, now=looks.now, polished=looks.polished)
        else:
            resume.drop(_KEPT)
    return dataclasses.replace(trajectory, seconds=clock.perf_counter() - started)


def _checkpoint_of(earlier: Trajectory) -> Memory:
    kept = Memory()
    _keep(earlier, kept)
    return kept


def _keep(moving: "Trajectory | _Looks", kept: AbstractCheckpoint, **progress: Any) -> None:
    """A motion that has not ended; `progress` is at which step it stands, and which samples were polished already."""
    shown = moving.ts is not None and len(moving.ts) > 0
    frames = {"frames": np.asarray(moving.frames), "ts": np.asarray(moving.ts)} if shown else {}
    status = np.array([str(s or Status.INTERRUPTED) for s in moving.status])
    done = {name: np.asarray(value) for name, value in progress.items()}
    kept.keep(_KEPT, state=np.asarray(moving.state), steps=moving.steps, status=status, **frames, **done)


def _starting_state(dynamics, state, grid, init, samples, seed) -> np.ndarray:
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
    state = real_numbers("state", state)
    if isinstance(dynamics, ReactionDiffusion):
        state = state[None] if state.ndim == 3 else state
        if state.ndim != 4 or state.shape[1] != len(dynamics.fields):
            names = ", ".join(dynamics.fields)
            raise BadInput(
                "state", f"must have shape (M, {len(dynamics.fields)}, H, W) with fields {names}", state.shape
            )
    elif state.ndim == 1:
        state = state[None]
    if not np.all(np.isfinite(state)):
        raise BadInput("state", "must be finite numbers", f"{int((~np.isfinite(state)).sum())} that are not")
    return state


def _total_steps(steps, time, until_drift, until_change, max_steps, dt) -> int:
    ends = {"steps": steps, "time": time, "until_drift": until_drift, "until_change": until_change}
    given = [name for name, value in ends.items() if value is not None]
    if len(given) != 1:
        rule = "or `time`, `until_drift` or `until_change` must say how far, exactly one of them"
        raise BadInput("steps", rule, ", ".join(given) or "none")
    if steps is not None:
        return int(steps)
    return max_steps if time is None else max(1, round(time / dt))


def _check(dynamics, grid, state, dt, stepper, dtype) -> None:
    if isinstance(dynamics, OrdinarySystem):
        check_parameter_shapes(dynamics, len(state), None)
    if isinstance(dynamics, ReactionDiffusion):
        check_parameter_shapes(dynamics, len(state), state.shape[-2:])
        grid = grid or Grid(state.shape[-2:])
        if tuple(grid.shape) != tuple(state.shape[-2:]):
            raise BadInput("state", f"must be of the grid's shape {grid.shape}", state.shape[-2:])
        if stepper == "euler":
            check_euler_dt(dt, stability_limit(dynamics, grid))


class _Looks:
    """The loop over looks, between which all samples that still move advance together."""

    def __init__(
        self,
        motion: Motion,
        state: np.ndarray,
        total: int,
        until_drift: float | None,
        until_change: float | None,
        save_every: int | None,
        progress: Progress,
        kept: AbstractCheckpoint,
    ):
        self.motion, self.total, self.progress = motion, total, progress
        self.tolerance, self.largest_change, self.save_every = until_drift, until_change, save_every
        self.status: list[Status | None] = [None] * len(state)
        self.steps = np.zeros(len(state), int)
        self.now, self.frames, self.ts = 0, [], []
        self.polished = np.zeros(len(state), bool)
        self.kept, self.keep_at = kept, clock.monotonic() + KEEP_EVERY
        earlier = kept.kept(_KEPT)
        self.state = motion.hold(state if earlier is None else self._continued(earlier, state.shape))

    def _continued(self, earlier: dict[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """Take up an interrupted motion; returns its state."""
        if earlier["state"].shape != shape:
            raise BadInput("resume", f"must hold states of this call, {shape}", earlier["state"].shape)
        ended = [Status(str(word)) for word in earlier["status"]]
        self.status = [None if status is Status.INTERRUPTED else status for status in ended]
        self.steps = earlier["steps"].copy()
        if "now" in earlier:
            self.now, self.polished = int(earlier["now"]), earlier["polished"].copy()
        else:  # of a `Trajectory`: waiting samples stand at one step, or all motion is over and they are being polished
            waiting = {int(n) for n, s in zip(self.steps, self.status, strict=True) if s is None}
            self.now = waiting.pop() if len(waiting) == 1 else self.total
        self.frames, self.ts = list(earlier.get("frames", ())), list(earlier.get("ts", ()))
        return earlier["state"]

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
                self._keep_from_time_to_time()
        except KeyboardInterrupt:
            for m in self.active:
                self.status[m] = Status.INTERRUPTED
        with contextlib.suppress(KeyboardInterrupt), shielded():
            ended = self._finish()
        return ended

    def _keep_from_time_to_time(self) -> None:
        """A process that is killed loses little; writing takes at most a twentieth of the time."""
        begun = clock.monotonic()
        if begun >= self.keep_at and not isinstance(self.kept, Memory):
            with shielded():
                _keep(self, self.kept, now=self.now, polished=self.polished)
            written = clock.monotonic()
            self.keep_at = written + max(KEEP_EVERY, 20 * (written - begun))

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
        with shielded():  # a look is taken whole or not at all
            self._take(look, active, moved)

    def _take(self, look: int, active: np.ndarray, moved) -> None:
        """States that have moved on to a look, and what is seen there."""
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
        self.progress(self.now, self.total, {"steps": self.now, "moving": len(self.active)})

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
        return Status.DEAD if state.ndim == 3 and is_dying(state, drift) else Status.STEADY

    def _finish(self) -> Trajectory:
        drift = self.motion.drift(self.state, np.arange(len(self.state)))
        state = np.array(self.state)  # a device's array would be read-only
        for m in self.active:
            dead = state.ndim == 4 and is_dying(state[m], float(drift[m]))
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


def _polished(trajectory: Trajectory, already: np.ndarray) -> tuple[Trajectory, np.ndarray]:
    """Each sample carried on to a true steady state, and which were; dead and blown-up ones, and those that were
    polished `already`, stay as they are."""
    system, grid = trajectory.dynamics, trajectory.grid
    assert isinstance(system, ReactionDiffusion)
    assert grid is not None
    state, drift, done = trajectory.state.copy(), trajectory.drift.copy(), already.copy()
    status = list(trajectory.status)
    over = (Status.DEAD, Status.BLOW_UP)
    waiting = [m for m, ended in enumerate(status) if ended not in over and not done[m]]
    for m in waiting:
        status[m] = Status.INTERRUPTED  # until it is polished
    with contextlib.suppress(KeyboardInterrupt):
        for m in waiting:
            rested = polish_state(sample(system, m), grid, state[m].astype(np.float64))
            with shielded():
                (state[m], drift[m], status[m]), done[m] = rested, True
    return dataclasses.replace(trajectory, state=state, drift=drift, status=tuple(status)), done
