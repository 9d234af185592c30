"""Which regime a motion is in, with the evidence: the one decision that `classify` and `survey` share.

In this order, each with what it is read from:

1. `blow-up`: the numbers left the finite ones (or 10⁸), also at an eighth of the time step.
2. `uniform-trivial`, `uniform-nontrivial`: at rest without a pattern, at the system's state of rest or elsewhere.
3. `steady`: at rest with a pattern, its drift below 1e-6 per unit time in two looks.
4. `slow`: not at rest, but going somewhere: the net way is more than a fifth of the way; or settling: half as fast in
   the last quarter as in the first, and λ₁ not positive.
5. `chaotic`: λ₁ > 0 beyond its error and beyond what neutral directions leave in so short a time, ln(t₁/t₀)/(t₁ − t₀),
   at the time step and at half of it, in float64 and in float32; and the motion does not come back. (One that does is
   regular and unstable, as a cell is that stands exactly at an unstable state.)
6. `oscillatory`: it comes back after a few turns; `quasi-periodic`: after many, as almost periodic motions do.
7. `undecided`: none of these, such as a λ₁ that is positive at one time step only.

Where explicit Euler is unstable, which its bound for diffusion alone does not tell, states flip at each step: what was
seen so, or blew up, is looked at again at half the time step, down to an eighth.

`transient-chaos` stands for a motion that ended in 2, 3, 4 or 6 after a first half with λ₁ > 0 by which neighbours
parted more than 10⁴-fold; growth into an empty box parts them too, by less (worms e⁵). All of it holds for the box,
the initial state and the time that were seen: chaos in small boxes dies in the end, and a slow pattern may rest.
"""

from __future__ import annotations

import dataclasses
import enum
import math

import numpy as np
from jaxtyping import Float

from .._errors import NumericalFailure
from ..analysis import Exponent, leading_exponent
from ..observations.steadiness import is_dying, is_uniform
from ..simulation import Grid
from ..systems import ReactionDiffusion
from .record import EVERY, Record, watch
from .recurrence import RECURRING, Recurrence, recurrence

_SETTLING = 0.25  # of the time of an exponent: tangent vectors turn to the direction that grows most
_SEGMENTS = 20
_HALVINGS = 3
_LONGER = 4  # times the time, where λ₁ seems positive and is not beyond its error yet
_PARTED = 1e4
_AT_REST = 1e-3  # of the largest value of the state of rest: is this uniform state that one?


class Regime(str, enum.Enum):
    """What a motion does in the long run. The value is the word in `result.json` and in an atlas."""

    UNIFORM_TRIVIAL = "uniform-trivial"
    UNIFORM_NONTRIVIAL = "uniform-nontrivial"
    STEADY = "steady"
    SLOW = "slow"
    OSCILLATORY = "oscillatory"
    QUASI_PERIODIC = "quasi-periodic"
    CHAOTIC = "chaotic"
    TRANSIENT_CHAOS = "transient-chaos"
    BLOW_UP = "blow-up"
    UNDECIDED = "undecided"

    def __str__(self) -> str:
        return self.value


@dataclasses.dataclass(frozen=True, eq=False)
class Finding:
    """A regime and what it rests on.

    `why` says it in words. `time` is how long the motion was seen, by steps of `dt`, `drift` how fast it still moved,
    `state` the last one, and `trace` what the place of it where the last field moved most showed at the times `ts`.
    `recurrence` is of the second half; `exponent` is λ₁ over the second half, `checks` those at half the time step and
    in single precision, `before` that of the first half. What was not needed for the decision is `None`.
    """

    regime: Regime
    why: str
    time: float
    dt: float
    drift: float
    state: Float[np.ndarray, "C H W"]
    ts: Float[np.ndarray, " N"]
    trace: Float[np.ndarray, "N C"]
    recurrence: Recurrence | None = None
    exponent: Exponent | None = None
    checks: tuple[Exponent, ...] = ()
    before: Exponent | None = None

    @property
    def means(self) -> Float[np.ndarray, " C"]:
        """Of each field over the cells of the last state."""
        return self.state.mean((-2, -1))

    @property
    def contrasts(self) -> Float[np.ndarray, " C"]:
        """Standard deviation of each field over the cells of the last state."""
        return self.state.std((-2, -1))

    @property
    def period(self) -> float | None:
        """Of an oscillation; in the system's unit of time."""
        return self.recurrence.period if self.recurrence and self.regime is Regime.OSCILLATORY else None


def find_regime(
    system: ReactionDiffusion, grid: Grid, state: Float[np.ndarray, "C H W"], *, time: float, dt: float, seed: int = 0
) -> Finding:
    """Watch one state for a time, in two halves, and say what it does in the second."""
    for halving in range(_HALVINGS + 1):
        halves = _watched(system, grid, state, time, dt / 2**halving)
        if halves[-1].finite and not halves[-1].flips:
            break
    dt /= 2**halving
    first, last = halves[0], halves[-1]
    if last.flips:
        why = f"flips at each step of {dt:g}: explicit Euler is unstable"
        return _finding(Regime.UNDECIDED, why, last, dt)
    if last.rested or not last.finite:
        seen = _ended(system, last, dt)
    else:
        seen = _moving(system, grid, last, time=time / 2, dt=dt, seed=seed)
    certain = seen.regime not in (Regime.CHAOTIC, Regime.BLOW_UP, Regime.UNDECIDED)
    if len(halves) == 1 or not certain or not _was_irregular(first):
        return seen
    before = _exponent(system, grid, first.start, time / 2, dt, seed)
    if before is None or not _positive(before) or before.value * before.time < math.log(_PARTED):
        return dataclasses.replace(seen, before=before)
    why = f"λ₁ = {_told(before)} in the first half; then {seen.regime}: {seen.why}"
    return dataclasses.replace(seen, regime=Regime.TRANSIENT_CHAOS, why=why, before=before)


def _watched(system, grid: Grid, state, time: float, dt: float) -> tuple[Record, ...]:
    """The records of both halves of the time; one where all is over in the first."""
    first = watch(system, grid, state, time=time / 2, dt=dt)
    if not first.finite or first.rested or first.flips:
        return (first,)
    return first, watch(system, grid, first.state, time=time / 2, dt=dt, begun=float(first.ts[-1]))


def _ended(system: ReactionDiffusion, record: Record, dt: float) -> Finding:
    """The regime of a motion that is over."""
    if not record.finite:
        return _finding(Regime.BLOW_UP, f"not finite, or beyond 10⁸, after t = {_until(record):g}", record, dt)
    state, drift = record.state, record.drift
    if not (is_uniform(state) or is_dying(state, drift)):
        return _finding(Regime.STEADY, f"a pattern, drift {drift:.1e} per unit time", record, dt)
    rest = np.array([float(np.mean(c)) for c in system.rest()])
    trivial = np.abs(state.mean((-2, -1)) - rest).max() <= _AT_REST * max(np.abs(rest).max(), 1e-12)
    where = ", ".join(f"{name} = {mean:.4g}" for name, mean in zip(system.fields, state.mean((-2, -1)), strict=True))
    regime = Regime.UNIFORM_TRIVIAL if trivial else Regime.UNIFORM_NONTRIVIAL
    return _finding(regime, f"{where} everywhere, drift {drift:.1e} per unit time", record, dt)


def _moving(system, grid: Grid, record: Record, *, time: float, dt: float, seed: int) -> Finding:
    """The regime of a motion that goes on, seen over the time of the record."""
    way = recurrence(record.ts, record.probes)
    if way is None:
        return _finding(Regime.UNDECIDED, f"the probes rest, the drift is {record.drift:.1e} per unit time", record, dt)
    if way.creeps:
        why = f"creeps, net way {way.straightness:.2f} of the way, drift {record.drift:.1e} per unit time"
        return _finding(Regime.SLOW, why, record, dt, recurrence=way)
    exponent = _sure_exponent(system, grid, record.start, time, dt, seed)
    found = {"recurrence": way, "exponent": exponent}
    if exponent is not None and _positive(exponent):
        checks = _checks(system, grid, record.start, time, dt, seed)
        found["checks"] = checks
        if way.returns:
            why = f"λ₁ = {_told(exponent)}, yet it comes back to {way.depth:.1%} of its variance: unstable, not kicked"
            return _finding(Regime.UNDECIDED, why, record, dt, **found)
        if len(checks) == 2 and all(map(_positive, checks)):
            return _finding(Regime.CHAOTIC, f"λ₁ = {_told(exponent)}, also at dt/2 and in float32", record, dt, **found)
        why = f"λ₁ = {_told(exponent)}, but not beyond its error at dt/2 or in float32"
        return _finding(Regime.UNDECIDED, why, record, dt, **found)
    if way.fades and (exponent is None or exponent.value < _neutral(exponent)):
        why = f"settles, at {way.speeds:.2g} of its speed in the end, drift {record.drift:.1e} per unit time"
        return _finding(Regime.SLOW, why, record, dt, **found)
    if way.periodic:
        why = f"comes back after {way.period:.4g}, to {way.depth:.1%} of its variance"
        return _finding(Regime.OSCILLATORY, why, record, dt, **found)
    if way.returns:
        why = f"comes back after {way.turns:.1f} turns, {way.period:.4g}, to {way.depth:.1%} of its variance"
        return _finding(Regime.QUASI_PERIODIC, why, record, dt, **found)
    told = "unknown" if exponent is None else _told(exponent)
    near = "" if way.depth is None else f", and it comes back only to {way.depth:.0%} of its variance"
    return _finding(Regime.UNDECIDED, f"λ₁ = {told} is not beyond its error{near}", record, dt, **found)


def _finding(regime: Regime, why: str, record: Record, dt: float, **more) -> Finding:
    traces = record.probes.reshape(len(record.ts), len(record.state), -1)
    liveliest = int(traces[:, -1].std(0).argmax()) if len(traces) else 0
    trace = traces[:, :, liveliest].astype(np.float32)
    return Finding(regime, why, _until(record), dt, record.drift, record.state, record.ts, trace, **more)


def _until(record: Record) -> float:
    return float(record.ts[-1]) if len(record.ts) else 0.0


def _was_irregular(record: Record) -> bool:
    """Whether a record may be of chaos: it neither creeps nor comes back."""
    way = recurrence(record.ts, record.probes)
    return way is not None and not way.creeps and not (way.depth is not None and way.depth < RECURRING)


def _exponent(system, grid: Grid, state, time: float, dt: float, seed: int, dtype: str = "float64") -> Exponent | None:
    """λ₁ from a state on; `None` where the orbit is lost."""
    every = max(1, min(2 * EVERY, int(time * (1 - _SETTLING) / (dt * _SEGMENTS))))
    try:
        return leading_exponent(
            system, state, grid=grid, time=time * (1 - _SETTLING), transient=time * _SETTLING, dt=dt,
            renormalise_every=every, segments=_SEGMENTS, dtype=dtype, seed=seed,
        )  # fmt: skip
    except NumericalFailure:
        return None


def _sure_exponent(*args) -> Exponent | None:
    """λ₁, over a longer time where that may decide whether it is positive."""
    system, grid, state, time, *more = args
    found = _exponent(*args)
    if found is None or _positive(found) or found.value < _neutral(found):
        return found
    return _exponent(system, grid, state, _LONGER * time, *more)


def _checks(system, grid: Grid, state, time: float, dt: float, seed: int) -> tuple[Exponent, ...]:
    """λ₁ at half the time step, and in single precision."""
    halved = _sure_exponent(system, grid, state, time, dt / 2, seed)
    both = (halved, _sure_exponent(system, grid, state, time, dt, seed, "float32"))
    return tuple(each for each in both if each is not None)


def _positive(exponent: Exponent) -> bool:
    """Whether λ₁ > 0 beyond its error and beyond neutral growth."""
    return exponent.interval95[0] > 0 and exponent.value > _neutral(exponent)


def _neutral(exponent: Exponent) -> float:
    """ln(t₁/t₀)/(t₁ − t₀): what growth like t (shear, translations) leaves between the times t₀ and t₁."""
    return math.log(1 / _SETTLING) / exponent.time


def _told(exponent: Exponent) -> str:
    return f"{exponent.value:.2e} ± {exponent.std:.1e}"
