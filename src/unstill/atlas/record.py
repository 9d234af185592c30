"""One motion watched from outside: what probes in its pattern show, and when there is nothing more to see."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Float

from ..observations.steadiness import STEADY_DRIFT, is_dying
from ..simulation import Grid
from ..simulation.motion import Motion
from ..systems import ReactionDiffusion

EVERY = 50  # steps between two looks at the probes
_LOOKS = 20  # between two looks at the drift
_PROBES = 8  # along each side
_ONLY = np.zeros(1, int)  # the one sample of a motion


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """What was seen of one motion: C fields at P probes, at times `ts`.

    `start` and `state` are the first state and the last finite one, `drift` how fast that moves (root mean square over
    cells of ∂c/∂t per unit time, the larger of the fields); `rested`: it came to rest before the time was over;
    `finite` is false where it left the finite numbers; `flips`: two steps bring the state nearly back, as in explicit
    Euler where dt·(8 D/dx² + the rate of the reaction) is above 2: what was seen is the scheme's.
    """

    ts: Float[np.ndarray, " N"]
    probes: Float[np.ndarray, "N P"]
    start: Float[np.ndarray, "C H W"]
    state: Float[np.ndarray, "C H W"]
    drift: float
    rested: bool
    finite: bool
    flips: bool


def watch(
    system: ReactionDiffusion,
    grid: Grid,
    state: Float[np.ndarray, "C H W"],
    *,
    time: float,
    dt: float,
    begun: float = 0.0,
) -> Record:
    """Move one state for a time by explicit Euler steps and record a lattice of 8 × 8 probes every 50 steps.

    The motion ends early at rest: where its drift is below `STEADY_DRIFT` in two looks, 1,000 steps apart, and not
    growing (once is not enough: a motion is as slow where it passes a saddle), or in one where the state is uniform.
    """
    shape = (1, *state.shape)
    motion = Motion(system, grid, shape, dt=dt, dtype=np.float64, stepper="euler", engine="auto", clip=False)
    now, looks = motion.hold(np.asarray(state, np.float64)[None]), math.ceil(time / (EVERY * dt))
    seen, drift = [], _drift(motion, now)
    rested, finite = False, True
    for look in range(1, looks + 1):
        moved = motion.advance(now, EVERY, _ONLY)
        if not motion.finite(moved).all():
            finite = False
            break
        now = moved
        seen.append(_probes(now))
        if look % _LOOKS == 0 or look == looks:
            before, drift = drift, _drift(motion, now)
            rested = drift < STEADY_DRIFT and (is_dying(np.asarray(now)[0], drift) or drift <= before < STEADY_DRIFT)
            if rested:
                break
    ts = begun + EVERY * dt * np.arange(1, len(seen) + 1)
    probes = np.stack(seen) if seen else np.empty((0, _probes(now).size))
    flips = finite and not rested and _flips(motion, now)
    return Record(ts, probes, np.asarray(state), np.array(now)[0], drift, rested, finite, flips)


def _flips(motion: Motion, now) -> bool:
    once, twice = (np.linalg.norm(motion.advance(now, steps, _ONLY) - now) for steps in (1, 2))
    return bool(twice < once / 2)  # a smooth motion goes twice as far


def _drift(motion: Motion, now) -> float:
    return float(motion.drift(now, _ONLY)[0])


def _probes(now) -> np.ndarray:
    rows, columns = (max(1, n // _PROBES) for n in now.shape[-2:])
    return np.asarray(now)[0, :, ::rows, ::columns].ravel()
