"""One motion watched from outside: what probes in its pattern show, and when there is nothing more to see."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Float

from ..analysis import growth_rates
from ..simulation import Grid, native
from ..simulation.motion import Motion
from ..systems import ReactionDiffusion

EVERY = 50  # steps between two looks at the probes
REST = (
    0.02  # of a field's scale: at its present pace a motion at rest would go no further in all the time it is watched
)
FLAT = 1e-3  # of a field's scale: less is no pattern
_BETWEEN = 1000  # steps between two looks at the drift
_PROBES = 8  # along each side
_FLOOR = 1e-6  # of the largest value of all fields: a scale is no less
_GROWS = 1e-3  # e-foldings in the time that is watched: a uniform state that waves leave faster is unstable
_ONLY = np.zeros(1, int)  # the one sample of a motion


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """What was seen of one motion: C fields at P probes, at times `ts`.

    `start` and `state` are the first state and the last finite one; `scale` the widest range over cells that each field
    had so far, the measure of what is small in it; `drift` how fast the last state moves (root mean square over cells
    of ∂c/∂t per unit time, the larger of the fields). `rested`: it came to rest before the time was over; `leaves`: it
    is near a uniform state on which waves grow. `finite` is false where it left the finite numbers. `flips`: two steps
    bring it nearly back, as in explicit Euler where dt·(8 D/dx² + the rate of the reaction) is above 2: what was seen
    is the scheme's.
    """

    ts: Float[np.ndarray, " N"]
    probes: Float[np.ndarray, "N C P"]
    start: Float[np.ndarray, "C H W"]
    state: Float[np.ndarray, "C H W"]
    scale: Float[np.ndarray, " C"]
    drift: float
    rested: bool
    leaves: bool
    finite: bool
    flips: bool

    @property
    def flat(self) -> bool:
        """Whether no field has a pattern."""
        return is_flat(self.state, self.scale)


def watch(
    system: ReactionDiffusion,
    grid: Grid,
    state: Float[np.ndarray, "C H W"],
    *,
    time: float,
    dt: float,
    begun: float = 0.0,
    scale: Float[np.ndarray, " C"] | None = None,
    patience: float | None = None,
    every: int = EVERY,
) -> Record:
    """Move one state for a time by explicit Euler steps and record a lattice of 8 × 8 probes every so many steps.

    The motion ends early at rest: where it is quiet in two looks, 1,000 steps apart, and not growing (once is not
    enough: a motion is as slow where it passes a saddle), or in one where it is uniform and no wave grows. Quiet is
    what would change by less than `REST` of any field's scale within `patience`, the whole time that is watched.
    """
    motion = Motion(
        system, grid, (1, *state.shape), dt=dt, dtype=np.float64, stepper="euler", engine="auto", clip=False
    )  # fmt: skip
    now, looks = motion.hold(np.asarray(state, np.float64)[None]), math.ceil(time / (every * dt))
    pace = _Pace(motion, system, time if patience is None else patience, state, scale)
    seen, finite = [], True
    for look in range(1, looks + 1):
        native.check_interrupt()
        moved = motion.advance(now, every, _ONLY)
        if not motion.finite(moved).all():
            finite = False
            break
        now = moved
        seen.append(_probes(now))
        if (look % (_BETWEEN // every) == 0 or look == looks) and pace.rests(now):
            break
    ts, last = begun + every * dt * np.arange(1, len(seen) + 1), np.array(now)[0]
    probes = np.stack(seen) if seen else np.empty((0, *_probes(now).shape))
    flips = finite and not pace.rested and _flips(motion, now)
    drift = float(motion.drift(now, _ONLY)[0])
    return Record(
        ts, probes, np.asarray(state), last, pace.scale, drift, pace.rested, pace.leaves, finite, flips
    )  # fmt: skip


class _Pace:
    """How fast a motion is from look to look, in units of what would be at rest."""

    def __init__(self, motion: Motion, system: ReactionDiffusion, patience: float, state: np.ndarray, scale):
        self.motion, self.system, self.patience = motion, system, patience
        self.scale = _wider(np.zeros(len(state)) if scale is None else scale, state)
        self.pace, self.quiet, self.leaves, self.rested = math.inf, False, False, False

    def rests(self, now) -> bool:
        """Look once more: whether it is at rest."""
        pattern = np.asarray(now)[0]
        self.scale = _wider(self.scale, pattern)
        before, self.pace = self.pace, float((self.motion.rates(now, _ONLY)[0] * self.patience / self.scale).max())
        twice, self.quiet = self.quiet and self.pace <= before, self.pace <= REST
        self.leaves = _is_faint(pattern, self.scale) and not self._attracts(pattern)
        self.rested = self.quiet and (twice or is_flat(pattern, self.scale)) and not self.leaves
        return self.rested

    def _attracts(self, pattern: np.ndarray) -> bool:
        """Whether no wave on the lattice grows on the mean state."""
        assert self.motion.grid is not None
        rates = growth_rates(self.system, pattern.mean((-2, -1)), np.unique(self.motion.grid.symbol.round(12)))
        return bool(np.real(rates).max() * self.patience <= _GROWS)


def is_flat(state: Float[np.ndarray, "C H W"], scale: Float[np.ndarray, " C"]) -> bool:
    """Whether no field varies over cells by more than `FLAT` of its scale."""
    return bool((np.ptp(state, axis=(-2, -1)) <= FLAT * scale).all())


def _is_faint(state: np.ndarray, scale: np.ndarray) -> bool:
    """Whether it is a uniform state and little else, on which a pattern may only begin to grow."""
    return is_flat(state, np.maximum(scale, np.abs(state).max((-2, -1))))


def _wider(scale: np.ndarray, state: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(scale, np.ptp(state, axis=(-2, -1))), max(_FLOOR * np.abs(state).max(), 1e-300))


def _flips(motion: Motion, now) -> bool:
    once, twice = (np.linalg.norm(motion.advance(now, steps, _ONLY) - now) for steps in (1, 2))
    return bool(twice < once / 2)  # a smooth motion goes twice as far


def _probes(now) -> np.ndarray:
    rows, columns = (max(1, n // _PROBES) for n in now.shape[-2:])
    some = np.asarray(now)[0, :, ::rows, ::columns]
    return some.reshape(len(some), -1)
