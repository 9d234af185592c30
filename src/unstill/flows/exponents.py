"""`lyapunov`: exponents of learnt flows, or of a system, with their sum rule and a null that is not chaotic."""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .._arguments import Count, NonNegative, Positive, Whole, checked
from .._errors import BadInput, NumericalFailure
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Result, plain
from .._types import Status
from ..analysis import ShearRotation, lyapunov_spectrum, two_trajectory_exponent
from ..analysis.lyapunov import Spectrum, intervals
from ..analysis.tangents import EVERY
from ..observations.points import Points
from ..simulation import Grid, Trajectory
from ..systems import OrdinarySystem, ReactionDiffusion, find_system
from .diagnosis import Rescaled, paced
from .field_exponents import measure_fields
from .flow import Flows
from .integrate import move
from .learn_flow import LearntFlows

_MARGIN = 1.5  # standard deviations beyond the data at which an orbit is lost
_FLOW_DT = 0.02


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Lyapunov(Result):
    """Exponents of models, one spectrum each (None where every orbit was lost).

    `slopes` are founding system B's two-trajectory estimates (None where orbits blew up). `null` is the pair of an
    integrable shear rotation, over the same time with the same step: its exponents are 0, its slope is not.
    """

    verb: ClassVar = "lyapunov"
    failures: ClassVar = (Status.BLOW_UP,)

    name: str
    spectra: Sequence[Spectrum | None]
    slopes: Sequence[float | None]
    null: tuple[Spectrum | None, float | None]
    orbits: int
    time: float
    transient: float
    dt: float
    seconds: float

    @property
    def status(self) -> Status:  # pyright: ignore[reportIncompatibleVariableOverride]
        return Status.BLOW_UP if all(one is None for one in self.spectra) else Status.CONVERGED

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What was measured, and how many orbits were lost."""
        if self.status is Status.BLOW_UP:
            return "every orbit of every model left the data's range"
        lost = np.mean([1.0 if one is None else one.lost for one in self.spectra])
        many = f"{len(self.spectra)} model{'s' if len(self.spectra) > 1 else ''}"
        return f"{self.name}, {many}, {100 * lost:.1f} % of orbits lost"

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.name,
            "status": str(self.status),
            "models": [_entry(*pair) for pair in zip(self.spectra, self.slopes, strict=True)],
            "null": _entry(*self.null),
            "orbits": self.orbits,
            "time": self.time,
            "transient": self.transient,
            "dt": self.dt,
        }

    def notes(self) -> list[str]:
        kept, lines = [one for one in self.spectra if one is not None], []
        if kept:
            spectra = np.array([one.exponents for one in kept])
            std = spectra.std(0) if len(kept) > 1 else kept[0].std
            exponents = ", ".join(f"{m:.4f} ± {s:.4f}" for m, s in zip(spectra.mean(0), std, strict=True))
            lines.append(f"exponents {exponents}; sum {spectra.sum(1).mean():.4f}")
        dimension = kept[0].kaplan_yorke if len(kept) == 1 else None
        if dimension is not None and self.null[0] is None:
            lines.append(f"Kaplan–Yorke dimension {dimension:.2f}")
        arcs = [one.per_arc_length[0] for one in kept if one.per_arc_length is not None]
        null = self.null[0]
        if kept and len(arcs) == len(kept) and null is not None and null.per_arc_length is not None:
            lines.append(f"λ₁ per path length {np.mean(arcs):.4f}; integrable null {null.per_arc_length[0]:.4f}")
        slopes = [slope for slope in self.slopes if slope is not None]
        if slopes and self.null[1] is not None:
            lines.append(
                f"two-trajectory slopes {np.mean(slopes):.4f}; the null, which is not chaotic, has {self.null[1]:.4f}"
            )
        return lines


def _entry(spectrum: Spectrum | None, slope: float | None) -> dict[str, Any]:
    """A model in `result.json`."""
    if spectrum is None:
        names = (
            "exponents",
            "std",
            "interval95",
            "per_arc_length",
            "sum",
            "sum_std",
            "mean_divergence",
            "kaplan_yorke",
        )
        return dict.fromkeys(names) | {"lost": 1.0, "two_trajectory": plain(slope)}
    sums = spectrum.segments.sum(1)
    return plain({
        "exponents": spectrum.exponents,
        "std": spectrum.std,
        "interval95": spectrum.interval95,
        "per_arc_length": spectrum.per_arc_length,
        "sum": spectrum.sum,
        "sum_std": float(np.std(sums, ddof=1) / np.sqrt(len(sums))),
        "mean_divergence": spectrum.mean_divergence,
        "kaplan_yorke": spectrum.kaplan_yorke,
        "lost": spectrum.lost,
        "two_trajectory": slope,
    })  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Case:
    """What is measured: a name, dynamics of standardised states, where orbits start, where they are lost, the step."""

    name: str
    movers: Sequence[Any]
    starts: np.ndarray
    bounds: tuple[Any, Any] | None
    dt: float


@checked
def lyapunov(
    dynamics: OrdinarySystem | ReactionDiffusion | Trajectory | Flows | LearntFlows | str,
    *,
    points: Points | None = None,
    models: Count | None = None,
    exponents: Count | None = None,
    grid: Grid | None = None,
    orbits: Count | None = None,
    time: Positive | None = None,
    transient: NonNegative | None = None,
    dt: Positive | None = None,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Lyapunov:
    """Lyapunov spectra by tangent vectors and QR (`lyapunov_spectrum`), of flows, of a system, or of a pattern.

    Without space all exponents are measured, of standardised states, so path lengths are in standard deviations; and
    beside them the two-trajectory slope, which calls any shear chaotic, and both for an integrable null. In space the
    leading exponents of the pattern that a square grows into, or that a trajectory has reached, and nothing else.

    Args:
        dynamics: Flows as `learn_flow` or `load_flow` return them, a system or its name, or a `Trajectory` in space.
        points: Points to start from: those that the flows were learnt from.
        models: How many of the flows (default: all).
        exponents: How many of the leading exponents of a system in space (default: 1).
        grid: Cells, cell size and boundary of a system in space (default: 128 × 128; dx = 1, periodic).
        orbits: Orbits of each (default: 10; in space 1).
        time: Time that is counted, in the dynamics' own units (default: 200; in space 10,000 steps).
        transient: Time before that (default: 20; in space 20,000 steps, of a trajectory none).
        dt: Time step (default: 0.02 for flows, the system's own).
        seed: Seed of the starts and of the tangent vectors.
        progress: Called with one entry a model.
        resume: Keeps the log.

    Returns a `Lyapunov` with status `converged`, or `blow-up` where every orbit of every model was lost. Raises
    `BadInput`; `NumericalFailure` where a system leaves the finite numbers.
    """
    began, kept = clock.perf_counter(), Memory() if resume is None else resume
    system = find_system(dynamics)() if isinstance(dynamics, str) else dynamics
    if isinstance(system, LearntFlows):
        system = system.flows
    if isinstance(system, (ReactionDiffusion, Trajectory)):
        _left_out(system, points=points, models=models)
        found = measure_fields(
            system, grid, exponents=exponents, orbits=orbits, time=time, transient=transient, dt=dt, seed=seed,
            progress=progress, kept=kept,
        )  # fmt: skip
        return Lyapunov(**found)
    _left_out(system, exponents=exponents, grid=grid)
    orbits, time = 10 if orbits is None else orbits, 200.0 if time is None else time
    transient = 20.0 if transient is None else transient
    case = _flows(system, points, models, orbits, dt, seed) if isinstance(system, Flows) else None
    if case is None:
        case = _system(system, points, models, orbits, transient, dt, seed)
    intervals(time, transient, EVERY * case.dt)
    how: dict[str, Any] = {"time": time, "transient": transient, "dt": case.dt, "seed": seed}
    kept.write_log([])
    spectra, slopes = [], []
    for i, mover in enumerate(case.movers):
        spectra.append(_spectrum(mover, case.starts, case.bounds, how))
        slopes.append(_slope(mover, case.starts, how))
        entry = {"model": i, "exponents": None if spectra[-1] is None else plain(spectra[-1].exponents)}
        kept.append_log(entry)
        progress(i + 1, len(case.movers), entry)
    null = _null(orbits, how)
    seconds = clock.perf_counter() - began
    return Lyapunov(case.name, spectra, slopes, null, orbits, float(time), float(transient), case.dt, seconds)


def _flows(flows: Flows, points: Points | None, models: int | None, orbits: int, dt: float | None, seed: int) -> _Case:
    if models is not None and models > len(flows):
        raise BadInput("models", f"must be at most {len(flows)}, the flows of the run", models)
    if points is None:
        raise BadInput("points", "must be given: those that the flows were learnt from")
    if points.dimension != len(flows.mean):
        raise BadInput("points", f"must have {len(flows.mean)} variables", points.dimension)
    rng = np.random.default_rng(seed)
    z = (points.x - flows.mean) / flows.scale
    some = z[rng.integers(0, len(z), orbits)]
    starts = np.sqrt(1 - flows.tau**2) * some + flows.tau * rng.standard_normal(some.shape)
    movers = [flows[i].standardised() for i in range(len(flows) if models is None else models)]
    bounds = z.min(0) - _MARGIN, z.max(0) + _MARGIN
    return _Case(f"flows of the family {flows.field.name}", movers, starts, bounds, dt or _FLOW_DT)


def _system(
    system: Any, points: Points | None, models: int | None, orbits: int, transient: float, dt: float | None, seed: int
) -> _Case:
    if not isinstance(system, OrdinarySystem):
        what = getattr(system, "name", type(system).__name__)
        raise BadInput("dynamics", "must be flows or a system", repr(what))
    _left_out(system, points=points, models=models)
    rest = np.array([float(x) for x in system.rest()])
    starts = rest + np.random.default_rng(seed).standard_normal((orbits, len(rest)))
    dt = dt or system.dt
    # Path length is counted in standard deviations, as it is for flows.
    steps = max(100, round(transient / dt))
    settled = move(system, starts, dt=dt, steps=steps)[steps // 2 :].reshape(-1, len(rest))
    if not np.isfinite(settled).all():
        raise NumericalFailure("blow-up", f"{system.name} leaves the finite numbers: pass a smaller `dt`")
    mean, scale = settled.mean(0), settled.std(0)
    scale = np.where(scale > 1e-9 * np.abs(mean), scale, 1.0)
    return _Case(system.name, [Rescaled(system, mean, scale)], (starts - mean) / scale, None, dt)


def _left_out(system: Any, **given: Any) -> None:
    """Raise `BadInput` for an argument that is for another kind of source."""
    what = getattr(system, "name", None) or getattr(getattr(system, "dynamics", None), "name", type(system).__name__)
    for name, value in given.items():
        if value is not None:
            kind = "flows" if isinstance(system, Flows) else f"the system {what}"
            raise BadInput(name, f"must be left out: the source is {kind}", value)


def _spectrum(mover: Any, starts: np.ndarray, bounds: Any, how: dict[str, Any]) -> Spectrum | None:
    try:
        return lyapunov_spectrum(mover, starts, bounds=bounds, **how)
    except NumericalFailure:
        return None


def _slope(mover: Any, starts: np.ndarray, how: dict[str, Any]) -> float | None:
    """Founding system B's estimate from two trajectories, as the mean over orbits; `None` where orbits blow up."""
    try:
        slopes = two_trajectory_exponent(mover, starts, time=how["time"], dt=how["dt"], seed=how["seed"])
    except BadInput:
        return None
    return float(np.mean(slopes))


def _null(orbits: int, how: dict[str, Any]) -> tuple[Spectrum | None, float | None]:
    """The integrable shear rotation at the pace of a flow: exponents and slope."""
    z = np.random.default_rng(how["seed"]).standard_normal((1000, 2))
    shear = paced(ShearRotation(), z)
    return _spectrum(shear, z[:orbits], None, how), _slope(shear, z[:orbits], how)
