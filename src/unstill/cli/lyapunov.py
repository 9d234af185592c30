"""Lyapunov exponents of learnt flows, or of a system: full spectra, their sum, a null that is not chaotic.

unstill lyapunov runs/flow --out runs/lya
unstill lyapunov runs/flow --models 10 --time 500 --out runs/lya
unstill lyapunov lorenz --set rho=28 --out runs/lorenz-lya
unstill lyapunov rossler --preset two-turns --out runs/rossler-lya
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from .._errors import BadInput, NumericalFailure
from .common import RunOptions, begin, claim_folder, finish, plain, progress_bar, say
from .configs import assignments, count, number, option, positional
from .tokens import parameter_set

_MARGIN = 1.5  # standard deviations beyond the data at which an orbit is lost


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill lyapunov`."""

    source: str = positional(..., "a run of `unstill flow`, or a system without space: its name or file.py:NAME")
    preset: str = option("", "start from a preset of the system", metavar="NAME")
    set: tuple[tuple[str, ...], ...] = assignments("the system's parameters")
    points: str = option("", "points to start from (default: those that the flows were learnt from)", metavar="PTS")
    models: int | None = option(None, "how many of the flows (default: all)", type=count, metavar="N")
    orbits: int = option(10, "orbits of each", type=count, metavar="N")
    time: float = option(200.0, "time that is counted", type=number)
    transient: float = option(20.0, "time before that", type=number)
    dt: float | None = option(None, "time step (default: 0.02 for flows, the system's own)", type=number)


def run(config: Config) -> int:
    """Measure, write lyapunov.png and result.json; returns the exit code."""
    from ..analysis.lyapunov import intervals
    from ..analysis.tangents import EVERY
    from ..plotting import save_figure
    from ..plotting.lyapunov import plot_spectra

    _check_numbers(config)
    name, movers, starts, bounds, dt = _movers(config)
    intervals(config.time, config.transient, EVERY * dt)
    folder = claim_folder(config)
    begin(folder, "lyapunov", config)
    found, slopes = [], []
    with progress_bar(config, "models") as progress:
        for i, mover in enumerate(movers):
            spectrum = _spectrum(config, mover, starts, bounds, dt)
            found.append(spectrum)
            slopes.append(_slope(config, mover, starts, dt))
            folder.append_log(plain({"model": i, "exponents": None if spectrum is None else spectrum.exponents}))
            progress(i + 1, len(movers))
    null = _null(config, dt)
    result = describe(name, found, slopes, null, config, dt)
    folder.write_result(result)
    save_figure(plot_spectra(found, slopes, null), folder / "lyapunov.png")
    say(config, *_lines(result), str(folder.path))
    finish(config, result)
    if result["status"] == "blow-up":
        print("unstill lyapunov: blow-up: every orbit of every model left the data's range", file=sys.stderr)
        return 3
    return 0


def _check_numbers(config: Config) -> None:
    for name in ("time", "dt"):
        value = getattr(config, name)
        if value is not None and value <= 0:
            raise BadInput(name, "must be positive", value)


def _movers(config: Config):
    """What is measured: name, dynamics, starting states, bounds and time step; raises `BadInput`."""
    from ..files.models import FLOWS_FILE

    folder = Path(config.source).expanduser()
    if (folder / FLOWS_FILE).is_file():
        for name in ("set", "preset"):
            if getattr(config, name):
                raise BadInput(name, "must be left out: the source is a run of flows", config.source)
        return _flows(config, folder)
    return _system(config)


def _flows(config: Config, folder: Path):
    import numpy as np

    from ..files.models import load_flow
    from ..files.points import load_points
    from ..files.runs import asked_path, read_run

    flows = load_flow(folder)
    if config.models is not None and config.models > len(flows):
        raise BadInput("models", f"must be at most {len(flows)}, the flows of the run", config.models)
    asked = read_run(folder).get("config")
    kept = str(asked.get("source", "")) if isinstance(asked, dict) else ""
    source = config.points or (kept and asked_path(folder, kept))
    if not source:
        raise BadInput("points", f"must be given: run.json of {folder} does not tell them", None)
    if not Path(source).expanduser().exists() and not config.points:
        raise BadInput("points", f"must be given: those of {folder} are not where they were", source)
    points = load_points(source)
    if points.dimension != len(flows.mean):
        raise BadInput("points", f"must have {len(flows.mean)} variables", points.dimension)
    rng = np.random.default_rng(config.seed)
    z = (points.x - flows.mean) / flows.scale
    some = z[rng.integers(0, len(z), config.orbits)]
    starts = np.sqrt(1 - flows.tau**2) * some + flows.tau * rng.standard_normal(some.shape)
    bounds = z.min(0) - _MARGIN, z.max(0) + _MARGIN
    movers = [flows[i].standardised() for i in range(min(len(flows), config.models or len(flows)))]
    return f"flows {flows.field.name}", movers, starts, bounds, config.dt or 0.02


def _system(config: Config):
    import numpy as np

    from ..flows.diagnosis import Rescaled
    from ..flows.integrate import move
    from ..systems import OrdinarySystem, find_system

    cls = find_system(config.source)
    if not issubclass(cls, OrdinarySystem):
        raise BadInput("source", "must be a run of `unstill flow` or a system without space", repr(config.source))
    for name in ("points", "models"):
        if getattr(config, name):
            raise BadInput(name, f"must be left out: the source is the system {cls.name}", getattr(config, name))
    values: dict[str, Any] = {**parameter_set("set", [word for words in config.set for word in words])}
    system = cls.make(config.preset or None, **values)
    rest = np.array([float(x) for x in system.rest()])
    starts = rest + np.random.default_rng(config.seed).standard_normal((config.orbits, len(rest)))
    dt = config.dt or cls.dt
    # Path length is counted in standard deviations, as it is for flows.
    steps = max(100, round(config.transient / dt))
    settled = move(system, starts, dt=dt, steps=steps)[steps // 2 :].reshape(-1, len(rest))
    if not np.isfinite(settled).all():
        raise NumericalFailure("blow-up", f"{cls.name} leaves the finite numbers: pass a smaller --dt")
    mean, scale = settled.mean(0), settled.std(0)
    scale = np.where(scale > 1e-9 * np.abs(mean), scale, 1.0)
    return cls.name, [Rescaled(system, mean, scale)], (starts - mean) / scale, None, dt


def _spectrum(config: Config, mover, starts, bounds, dt: float):
    from ..analysis import lyapunov_spectrum

    try:
        return lyapunov_spectrum(
            mover, starts, time=config.time, transient=config.transient, dt=dt, bounds=bounds, seed=config.seed
        )
    except NumericalFailure:
        return None


def _slope(config: Config, mover, starts, dt: float) -> float | None:
    """Founding system B's estimate from two trajectories, as the mean over orbits; `None` where orbits blow up."""
    import numpy as np

    from ..analysis import two_trajectory_exponent

    try:
        return float(np.mean(two_trajectory_exponent(mover, starts, time=config.time, dt=dt, seed=config.seed)))
    except BadInput:
        return None


def _null(config: Config, dt: float):
    """The integrable shear rotation over the same time with the same step, as fast as a flow: exponents and slope."""
    import numpy as np

    from ..analysis import ShearRotation
    from ..flows.diagnosis import paced

    z = np.random.default_rng(config.seed).standard_normal((1000, 2))
    shear = paced(ShearRotation(), z)
    return _spectrum(config, shear, z[: config.orbits], None, dt), _slope(config, shear, z[: config.orbits], dt)


def describe(name: str, found, slopes, null, config: Config, dt: float) -> dict[str, Any]:
    """`result.json`: one entry a model, `None` where every orbit was lost."""
    kept = [spectrum for spectrum in found if spectrum is not None]
    return {
        "source": name,
        "status": "converged" if kept else "blow-up",
        "models": [_entry(*pair) for pair in zip(found, slopes, strict=True)],
        "null": _entry(*null),
        "orbits": config.orbits,
        "time": config.time,
        "transient": config.transient,
        "dt": dt,
    }


def _entry(spectrum, slope: float | None) -> dict[str, Any]:
    import numpy as np

    if spectrum is None:
        return {
            "exponents": None, "std": None, "interval95": None, "per_arc_length": None, "sum": None, "sum_std": None,
            "mean_divergence": None, "kaplan_yorke": None, "lost": 1.0, "two_trajectory": plain(slope),
        }  # fmt: skip
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


def _lines(result: dict[str, Any]) -> list[str]:
    import numpy as np

    kept = [model for model in result["models"] if model["exponents"] is not None]
    lost = np.mean([model["lost"] for model in result["models"]])
    lines = [
        f"{result['status']}: {result['source']}, {len(result['models'])} models, {100 * lost:.1f} % of orbits lost"
    ]
    if kept:
        spectra = np.array([model["exponents"] for model in kept])
        std = spectra.std(0) if len(kept) > 1 else np.array(kept[0]["std"])
        exponents = ", ".join(f"{m:.4f} ± {s:.4f}" for m, s in zip(spectra.mean(0), std, strict=True))
        lines.append(f"  exponents {exponents}; sum {spectra.sum(1).mean():.4f}")
        if all(model["per_arc_length"] for model in kept):
            arc = np.mean([model["per_arc_length"][0] for model in kept])
            lines.append(f"  λ₁ per path length {arc:.4f}; integrable null {result['null']['per_arc_length'][0]:.4f}")
    slopes = [model["two_trajectory"] for model in result["models"] if model["two_trajectory"] is not None]
    if slopes and result["null"]["two_trajectory"] is not None:
        shear = result["null"]["two_trajectory"]
        lines.append(f"  two-trajectory slopes {np.mean(slopes):.4f}; the null, which is not chaotic, has {shear:.4f}")
    return lines
