"""Which regime a motion is in, with the evidence: the one decision that `classify` and `survey` share.

In this order, each with what it is read from; small means small against the motion's own scales, not in their units:

1. `blow-up`: the numbers left the finite ones (or 10⁸), also at an eighth of the time step.
2. `uniform-trivial`, `uniform-nontrivial`: at rest without a pattern, at the system's state of rest or elsewhere, where
   no wave on the lattice grows.
3. `steady`: at rest with a pattern: at its pace it would change by less than 2 % of its range in the whole time, in two
   looks, the second not faster.
4. `slow`: not at rest, but going somewhere, not far: the net way is more than a fifth of the way, less than 1.5 of the
   contrast, and it does not go ever faster; or settling: half as fast in the last quarter as in the first, and λ₁ not
   positive.
5. `chaotic`: λ₁ > 0 beyond its error and beyond what neutral directions leave in so short a time, ln(t₁/t₀)/(t₁ − t₀),
   at the time step and at half of it, in float64 and in float32; and the motion does not come back. (One that does is
   regular and unstable, as a cell is that stands exactly at an unstable state.)
6. `oscillatory`: it comes back after a few turns; `quasi-periodic`: after many, as almost periodic motions do.
7. `undecided`: none of these, such as a λ₁ that is positive at one time step only, or a pattern that still grows.

Where explicit Euler is unstable, which its bound for diffusion alone does not tell, states flip at each step: what was
seen so, or blew up, is looked at again at half the time step, down to an eighth. A rhythm of fewer than some nine looks
a turn is looked at five times, then 25 times as often.

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
from ..simulation import Grid
from ..systems import ReactionDiffusion
from .record import EVERY, Record, watch
from .recurrence import RECURRING, Recurrence, recurrence

_SETTLING = 0.25  # of the time of an exponent: tangent vectors turn to the direction that grows most
_SEGMENTS = 20
_LEAVES = "near a uniform state on which waves grow; "
_HALVINGS = 3
_FINER, _FINEST = 5, 2  # times as often; steps
_LONGER = 4  # times the time, where λ₁ seems positive and is not beyond its error yet
_PARTED = 1e4
_THERE = 0.01  # of the state of rest, or of a field's scale: is this uniform state that one?


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
        seen = _moving(system, grid, first, last, time=time, dt=dt, seed=seed)
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
    first = watch(system, grid, state, time=time / 2, dt=dt, patience=time)
    return (
        (first,) if not first.finite or first.rested or first.flips else (first, _second(system, grid, first, time, dt))
    )


def _second(system, grid: Grid, first: Record, time: float, dt: float, every: int = EVERY) -> Record:
    begun = float(first.ts[-1])
    return watch(
        system, grid, first.state, time=time / 2, dt=dt, begun=begun, scale=first.scale, patience=time, every=every
    )  # fmt: skip


def _ended(system: ReactionDiffusion, record: Record, dt: float) -> Finding:
    """The regime of a motion that is over."""
    if not record.finite:
        return _finding(Regime.BLOW_UP, f"not finite, or beyond 10⁸, after t = {_until(record):g}", record, dt)
    means, told = record.state.mean((-2, -1)), f"drift {record.drift:.1e} per unit time"
    if not record.flat:
        return _finding(Regime.STEADY, f"a pattern, {told}", record, dt)
    rest = np.array([float(np.mean(c)) for c in system.rest()])
    trivial = (np.abs(means - rest) <= _THERE * np.maximum(np.abs(rest), record.scale)).all()
    where = ", ".join(f"{name} = {mean:.4g}" for name, mean in zip(system.fields, means, strict=True))
    regime = Regime.UNIFORM_TRIVIAL if trivial else Regime.UNIFORM_NONTRIVIAL
    return _finding(regime, f"{where} everywhere, {told}", record, dt)


def _moving(system, grid: Grid, first: Record, record: Record, *, time: float, dt: float, seed: int) -> Finding:
    """The regime of a motion that goes on, from the record of the second half of the time."""
    told = f"drift {record.drift:.1e} per unit time"
    way, every = recurrence(record.ts, record.probes), EVERY
    while way is not None and not way.goes and way.coarse and every > _FINEST:
        every //= _FINER
        record = _second(system, grid, first, time, dt, every)
        way = recurrence(record.ts, record.probes)
    if way is None:
        return _finding(Regime.UNDECIDED, f"the probes rest; {told}", record, dt)
    if way.goes and record.leaves:
        return _finding(Regime.UNDECIDED, _LEAVES + told, record, dt, recurrence=way)
    if way.creeps:
        why = f"creeps, net way {way.straightness:.2f} of the way and {way.reach:.2g} of the contrast, {told}"
        return _finding(Regime.SLOW, why, record, dt, recurrence=way)
    if way.goes:
        why = f"under way: net way {way.straightness:.2f} of the way, {way.speeds:.2g} times as fast in the end; {told}"
        return _finding(Regime.UNDECIDED, why, record, dt, recurrence=way)
    exponent = _sure_exponent(system, grid, record.start, time / 2, dt, seed)
    checks = ()
    if exponent is not None and _positive(exponent) and not way.returns:
        checks = _checks(system, grid, record.start, time / 2, dt, seed)
    regime, why = _of_rhythm(way, exponent, checks, told)
    if regime is Regime.SLOW and record.leaves:
        regime, why = Regime.UNDECIDED, _LEAVES + told
    return _finding(regime, why, record, dt, recurrence=way, exponent=exponent, checks=checks)


def _of_rhythm(
    way: Recurrence, exponent: Exponent | None, checks: tuple[Exponent, ...], told: str
) -> tuple[Regime, str]:
    """The regime of a motion to and fro, and why."""
    rate = "unknown" if exponent is None else _told(exponent)
    if exponent is not None and _positive(exponent):
        if way.returns:
            return Regime.UNDECIDED, f"λ₁ = {rate}, yet it comes back to {way.depth:.1%} of its variance: unstable"
        if len(checks) == 2 and all(map(_positive, checks)):
            return Regime.CHAOTIC, f"λ₁ = {rate}, also at dt/2 and in float32"
        return Regime.UNDECIDED, f"λ₁ = {rate}, but not beyond its error at dt/2 or in float32"
    if way.fades and (exponent is None or exponent.value < _neutral(exponent)):
        return Regime.SLOW, f"settles, at {way.speeds:.2g} of its speed in the end, {told}"
    if way.coarse:
        return Regime.UNDECIDED, f"faster than its record: {way.step:.2g} standard deviations from look to look"
    if way.periodic:
        return Regime.OSCILLATORY, f"comes back after {way.period:.4g}, to {way.depth:.1%} of its variance"
    if way.returns:
        back = f"comes back after {way.turns:.1f} turns, {way.period:.4g}"
        return Regime.QUASI_PERIODIC, f"{back}, to {way.depth:.1%} of its variance"
    near = "" if way.depth is None else f", and it comes back only to {way.depth:.0%} of its variance"
    return Regime.UNDECIDED, f"λ₁ = {rate} is not beyond its error{near}"


def _finding(regime: Regime, why: str, record: Record, dt: float, **more) -> Finding:
    liveliest = int(record.probes[:, -1].std(0).argmax()) if len(record.ts) else 0
    trace = record.probes[:, :, liveliest]
    return Finding(regime, why, _until(record), dt, record.drift, record.state, record.ts, trace, **more)


def _until(record: Record) -> float:
    return float(record.ts[-1]) if len(record.ts) else 0.0


def _was_irregular(record: Record) -> bool:
    """Whether a record may be of chaos: it neither creeps nor comes back."""
    way = recurrence(record.ts, record.probes)
    return way is not None and not way.goes and not (way.depth is not None and way.depth < RECURRING)


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
