"""`classify`: the verb that says in which regime motions are, and why."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import math
import time as clock
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .._arguments import Count, Positive, Whole, checked
from .._errors import BadInput
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Result, plain
from .._stopping import shielded
from .._types import Status
from ..simulation import Grid, Trajectory, initial_state
from ..simulation.motion import sample
from ..simulation.rollout import check_euler_dt, check_parameter_shapes, place, stability_limit, stable_dt
from ..systems import ReactionDiffusion, find_system, system_name
from ..systems.same_call import fingerprint, same_call
from .evidence import evidence, packed, unpacked
from .record import EVERY
from .regimes import Finding, Regime, find_regime
from .threads import in_threads

STEPS = 20_000  # that are seen where no time is given
FEWEST = 40 * EVERY  # steps: 40 looks at the probes; a shorter record tells nothing


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Classification(Result):
    """The regime of each sample with its evidence, in the box `grid`, by steps of `dt`, seen for at most `time`.

    `findings[m]` is of sample m; one that was not looked at any more after Ctrl-C is `None`. Status: `converged`;
    `not-converged` where a sample is undecided; `interrupted`.
    """

    verb: ClassVar = "classify"
    formats: ClassVar = True
    failures: ClassVar = (Status.NOT_CONVERGED,)

    dynamics: ReactionDiffusion
    grid: Grid
    dt: float
    time: float
    findings: tuple[Finding | None, ...]
    status: Status
    message: str
    seconds: float

    @property
    def regimes(self) -> tuple[Regime | None, ...]:
        """The regime of each sample."""
        return tuple(each.regime if each else None for each in self.findings)

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """`states.npz`: the last states, by field; NaN where a sample was not looked at."""
        nothing = np.full((len(self.dynamics.fields), *self.grid.shape), np.nan)
        states = np.stack([each.state if each else nothing for each in self.findings])
        return {"states.npz": {name: states[:, c] for c, name in enumerate(self.dynamics.fields)}}

    def letters(self) -> dict[str, str]:
        """Axes of the states."""
        return dict.fromkeys(self.dynamics.fields, "MYX")

    def to_dict(self) -> dict[str, Any]:
        """`result.json`."""
        values = self.dynamics.values()
        return {
            "status": str(self.status),
            "message": self.message,
            "system": system_name(type(self.dynamics)),
            "parameters": plain({name: np.asarray(value) for name, value in values.items()}),
            "size": list(self.grid.shape),
            "dx": self.grid.dx,
            "boundary": self.grid.boundary,
            "dt": self.dt,
            "time": self.time,
            "samples": [None if each is None else evidence(each, self.dynamics.fields) for each in self.findings],
            "seconds": self.seconds,
        }

    def table(self) -> list[tuple[str, ...]]:
        """A row a sample: its regime and why."""
        rows = enumerate(self.findings)
        return [(f"{m}", str(each.regime) if each else "–", each.why if each else "not looked at") for m, each in rows]


@checked
def classify(
    dynamics: ReactionDiffusion | Trajectory | str,
    state: np.ndarray | None = None,
    *,
    time: Positive | None = None,
    grid: Grid | None = None,
    dt: Positive | None = None,
    init: str = "square",
    samples: Count = 1,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Classification:
    """Say in which regime motions are: at rest with or without a pattern, slow, oscillating, chaotic, blown up.

    Each sample is moved on for a time and watched in two halves; `unstill.atlas.regimes` has the rules and what they
    rest on. A regime holds for the box, the initial state and the time that were seen.

    Args:
        dynamics: A system (parameters may have a leading axis M, one value a sample), its name, or a `Trajectory`,
            whose motion goes on.
        state: States (M, C, H, W), or a single one (default: fresh ones, see `init`).
        time: How long to watch at most, in the system's unit (default: 20,000 steps).
        grid: Cells, cell size and boundary (default: the states' cells, else 128 × 128; dx = 1, periodic).
        dt: Time step of the explicit Euler steps (default: the system's, below the stability limit).
        init: Fresh initial states: square, discs or noise.
        samples: How many fresh initial states.
        seed: Seed of the fresh initial states and of the tangent vectors.
        progress: Called with the samples done and in all.
        resume: Keeps what is found sample by sample; the same call goes on from there.

    Costs one rollout for a motion that rests or creeps, about ten for one that is chaotic. Raises `BadInput`.
    """
    started = clock.perf_counter()
    system, grid, states, dt = _placed(dynamics, state, grid, dt, init, samples, seed)
    time = STEPS * dt if time is None else float(time)
    if time < FEWEST * dt:
        raise BadInput("time", f"must be at least {FEWEST} steps of dt, {FEWEST * dt:g}", time)
    kept = Memory() if resume is None else resume
    same_call(
        kept,
        fingerprint(
            type(system),
            values=system.values(),
            grid=grid,
            time=time,
            dt=dt,
            seed=seed,
            states=hashlib.sha256(np.ascontiguousarray(states)).hexdigest(),
        ),
    )
    findings = _Findings(system.fields, len(states), kept)
    waiting = findings.waiting()
    stopped = False
    try:
        for place, found in in_threads(
            lambda m: find_regime(sample(system, m), grid, states[m], time=time, dt=dt, seed=seed), waiting
        ):
            findings.take(waiting[place], found)
            progress(findings.done, len(states), {"sample": waiting[place], "regime": str(found.regime)})
    except KeyboardInterrupt:
        stopped = True
    else:
        findings.drop()
    status, message = _verdict(findings.found, stopped)
    seconds = clock.perf_counter() - started
    return Classification(system, grid, dt, time, tuple(findings.found), status, message, seconds)


def _placed(dynamics, state, grid, dt, init, samples, seed) -> tuple[ReactionDiffusion, Grid, np.ndarray, float]:
    """The system, the grid, the states (M, C, H, W) and the time step of a call; raises `BadInput`."""
    own = math.inf  # the step of a trajectory, which may be made by a stepper that bears a longer one than Euler does
    if isinstance(dynamics, Trajectory):
        for name, value in (("state", state), ("grid", grid)):
            if value is not None:
                raise BadInput(
                    name, "must be left out: the trajectory has its own", np.shape(getattr(value, "shape", value))
                )
        dynamics, state, grid, own = dynamics.dynamics, dynamics.state, dynamics.grid, dynamics.dt
    system: Any = find_system(dynamics)() if isinstance(dynamics, str) else dynamics
    if not isinstance(system, ReactionDiffusion):
        rule = "must be a reaction–diffusion system, or a trajectory of one"
        raise BadInput("dynamics", rule, type(system).__name__, "`us.lyapunov` judges systems without space.")
    if state is not None and (samples != 1 or init != "square"):
        name, value = ("samples", samples) if samples != 1 else ("init", init)
        raise BadInput(name, "is for fresh initial states: leave it out, or the state", value)
    if state is None:
        grid = grid or Grid((128, 128))
        state = initial_state(system, grid, init=init, samples=samples, seed=seed)
    states = np.asarray(state, np.float64)
    states = states[None] if states.ndim == 3 else states
    if states.ndim != 4 or states.shape[1] != len(system.fields) or not np.isfinite(states).all():
        rule = f"must be finite, of shape (M, {len(system.fields)}, H, W), fields {', '.join(system.fields)}"
        raise BadInput("state", rule, states.shape)
    grid = grid or Grid((states.shape[2], states.shape[3]))
    if tuple(grid.shape) != states.shape[2:]:
        raise BadInput("state", f"must be of the grid's shape {grid.shape}", states.shape[2:])
    placed = place(system, grid, states.shape)
    check_parameter_shapes(system, len(states), grid.shape)
    if dt is not None:
        check_euler_dt(dt, stability_limit(system, grid))
    return system, grid, states, float(min(own, stable_dt(placed)) if dt is None else dt)


def _verdict(found: Sequence[Finding | None], stopped: bool) -> tuple[Status, str]:
    """Status and message."""
    seen = collections.Counter(str(each.regime) for each in found if each)
    told = ", ".join(f"{name} × {count}" if len(found) > 1 else name for name, count in seen.most_common())
    if stopped:
        return Status.INTERRUPTED, f"{sum(seen.values())} of {len(found)} samples looked at: {told or 'none'}"
    if seen[Regime.UNDECIDED]:
        return Status.NOT_CONVERGED, f"{told}; a longer time may decide"
    return Status.CONVERGED, told


class _Findings:
    """What is found so far, sample by sample, in memory and in the checkpoint."""

    def __init__(self, fields: Sequence[str], count: int, kept: AbstractCheckpoint):
        self.fields, self.kept = fields, kept
        earlier = [kept.kept(f"sample-{m}") for m in range(count)]
        self.found = [None if each is None else unpacked(each) for each in earlier]

    @property
    def done(self) -> int:
        return sum(each is not None for each in self.found)

    def waiting(self) -> list[int]:
        """Samples that are not known yet."""
        return [m for m, each in enumerate(self.found) if each is None]

    def take(self, m: int, found: Finding) -> None:
        """Know and keep a sample, whole or not at all."""
        with shielded():
            self.found[m] = found
            self.kept.keep(f"sample-{m}", **packed(found, self.fields))

    def drop(self) -> None:
        """Forget the checkpoint: all is done."""
        for m in range(len(self.found)):
            self.kept.drop(f"sample-{m}")
        self.kept.drop("call")
