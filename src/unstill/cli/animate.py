"""Film a run folder, or parameter sets side by side.

    unstill animate runs/x --out x.mp4
    unstill animate --set F=.03 k=.057 --set F=.035 k=.065 --time 5000 --out two.mp4
    unstill animate runs/fit --iterations 0,10,100 --out fit.mp4

A folder with saved frames is filmed as it stands; one without, or with --time or --steps, is moved on first. A fit's
rollouts are computed anew, bit for bit as training did (a checksum holds it), one panel an iteration.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from .._errors import BadInput, NumericalFailure
from .._types import Status
from .arguments import count, names, number, option, positional, whole
from .common import Options, progress_bar, say
from .dynamics import MotionOptions, build_state, build_systems, stack_systems


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(MotionOptions, Options):
    """The configuration of `unstill animate`."""

    out: str = option("", "the film to make, .mp4 or .gif", metavar="FILE")
    force: bool = option(False, "replace an existing film")
    source: str = positional("", "a run folder, or a system's name (default: gray-scott)")
    steps: int | None = option(None, "film N steps", type=count, metavar="N")
    time: float | None = option(None, "film a time", type=number, metavar="T")
    frames: int = option(150, "pictures in a new film", type=count, metavar="N")
    iterations: tuple[str, ...] = option(
        (), "lines of a fit's log, such as 0,10,100 or 0:100:5 (default: five over the whole fit)", type=names
    )  # fmt: skip
    sample: int = option(0, "which sample of an iteration's batch", type=whole, metavar="N")
    field: str = option("", "the field to show (default: v, or the last)", metavar="NAME")
    fps: int = option(30, "pictures a second", type=count, metavar="N")


def run(config: Config) -> int:
    """Make the film; returns the exit code."""
    from ..plotting import animate

    path = _film_path(config)
    if config.source and _is_fit(config.source):
        return _film_fit(config, path)
    if config.iterations:
        raise BadInput("iterations", "must be left out: the source is no fit", config.source)
    film = _of_folder(config) if Path(config.source or " ").is_dir() else _of_parameters(config)
    if Status.INTERRUPTED in film.status:
        raise KeyboardInterrupt
    if film.frames is None or film.ts is None:  # blew up before the first picture
        raise NumericalFailure(
            "blow-up", "the motion left the finite numbers before the first picture: take a smaller --dt"
        )
    animate(film, path, field=config.field or None, fps=config.fps)
    if Status.BLOW_UP in film.status:
        print("unstill animate: blow-up: the film holds what was finite: take a smaller --dt", file=sys.stderr)
        return 3
    say(config, f"{path}: {len(film.frames)} pictures of {film.frames.shape[1]} samples to time {film.ts[-1]:g}")
    return 0


def _is_fit(source: str) -> bool:
    from ..data.runs import read_run

    return (Path(source) / "run.json").exists() and read_run(source).get("verb") == "fit"


def _film_fit(config: Config, path: Path) -> int:
    """Iterations of a fit side by side."""
    from ..data.runs import read_log
    from ..fitting.replay import replay
    from ..plotting import animate
    from .fit import read_task

    task, plan = read_task(_fit_of(config.source))
    rows = _chosen(config, read_log(config.source))
    films, labels = [], []
    for row in rows:
        film = replay(task, plan, row, frames=config.frames)
        if config.sample >= film.state.shape[0]:
            raise BadInput("sample", f"must be below {film.state.shape[0]}, the batch", config.sample)
        films.append(_one_sample(film, config.sample))
        values = ", ".join(f"{name} {value:.4g}" for name, value in row["parameters"].items())
        labels.append(f"iteration {row['iteration']}: {values}")
    animate(films, path, field=config.field or None, fps=config.fps, labels=labels)
    say(config, f"{path}: {len(films)} iterations, each as training computed it")
    return 0


def _fit_of(source: str):
    """The configuration of a fit's run folder; raises `BadInput` where it is not one of this version."""
    from ..data.runs import asked_path, read_run
    from .fit import Config as FitConfig

    kept, known = read_run(source), {field.name: field for field in dataclasses.fields(FitConfig)}
    asked = kept.get("config")
    if not isinstance(asked, dict) or not isinstance(kept.get("seed"), int) or "source" not in asked:
        raise BadInput("source", "must be a whole run folder of fit", source, "Its run.json lacks parts.")
    options: dict[str, Any] = {name: _tuples(value) for name, value in asked.items()}
    for name, value in options.items():
        if name not in known or not _suits(value, "" if name == "source" else known[name].default):
            raise BadInput("source", "must be a fit that this version can read", f"{name} = {value!r} in {source}")
    options["source"] = asked_path(source, options["source"])
    if not Path(options["source"]).expanduser().exists():
        raise BadInput("source", f"must be a fit whose targets are still there: {source}'s are not", options["source"])
    return FitConfig(**options, seed=kept["seed"])


def _suits(value, default) -> bool:
    """Whether a value could be that of an option with this default."""
    if value is None or default is None:
        return True
    return type(value) is type(default) or (isinstance(default, float) and type(value) is int)


def _tuples(value):
    """JSON's lists as the tuples that a configuration holds."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _one_sample(film, m: int):
    return dataclasses.replace(
        film, state=film.state[m : m + 1], frames=film.frames[:, m : m + 1], status=film.status[m : m + 1],
        steps=film.steps[m : m + 1], drift=film.drift[m : m + 1],
    )  # fmt: skip


def _chosen(config: Config, rows):
    """The lines of the last start that --iterations names; raises `BadInput`."""
    if not all({"start", "iteration", "parameters"} <= row.keys() for row in rows):
        raise BadInput("source", "must hold the log of a fit", config.source)
    rows = [row for row in rows if row["start"] == rows[-1]["start"]]
    known = {row["iteration"]: row for row in rows}
    if not known:
        raise BadInput("source", "must hold a fit with at least one iteration", config.source)
    if not config.iterations:
        every = max(1, -(-len(rows) // 5))
        return [*rows[:-1:every], rows[-1]]
    chosen = []
    for word in config.iterations:
        parts = word.split(":")
        if not all(part.isdigit() for part in parts) or len(parts) not in (1, 3):
            raise BadInput("iterations", "must be numbers or FIRST:LAST:STEP", repr(word))
        first, last, step = (int(part) for part in (parts if len(parts) == 3 else (word, word, 1)))
        chosen += range(first, last + 1, max(step, 1))
    for wanted in chosen:
        if wanted not in known:
            raise BadInput("iterations", f"must be in the log, {min(known)} to {max(known)}", wanted)
    return [known[wanted] for wanted in chosen]


def _film_path(config: Config) -> Path:
    if not config.out:
        raise BadInput("out", "must name a film", None, "For example --out film.mp4")
    path = Path(config.out)
    if path.suffix not in (".mp4", ".gif"):
        raise BadInput("out", "must end in .mp4 or .gif", path)
    if path.exists() and not config.force:
        raise BadInput("out", "must not exist yet", path, "Pass --force to replace it.")
    if not path.parent.is_dir():
        raise BadInput("out", "must be in an existing folder", path)
    return path


def _of_folder(config: Config):
    from ..data import load_trajectory

    kept = load_trajectory(config.source)
    for name in ("set", "preset", "size", "dx", "boundary"):
        if getattr(config, name):
            raise BadInput(name, f"must be left out: {config.source} has its own")
    if config.samples != 1 or config.init != "square":
        raise BadInput("init", f"must be left out, as --samples: {config.source} has its own states")
    if kept.frames is not None and config.time is None and config.steps is None:
        return kept
    return _filmed(config, kept.dynamics, kept.state, kept.grid, dt=kept.dt if config.dt is None else config.dt)


def _of_parameters(config: Config):
    if "/" in config.source and ".py:" not in config.source:
        raise BadInput("source", "must be a run folder or a system", config.source, "There is no such folder.")
    cls, systems = build_systems(config.source or "gray-scott", config)
    state, grid = build_state(cls, systems, config, config.seed)
    if state is None:
        raise BadInput("source", "must be a reaction–diffusion system to be filmed", config.source)
    system, _ = stack_systems(systems, len(state) // len(systems))
    return _filmed(config, system, state, grid, dt=config.dt)


def _filmed(config: Config, system, state, grid, dt: float | None):
    """The motion in `frames` nearly equal parts, at most one a step."""
    from ..simulation import OnGrid, sample, simulate, stable_dt

    dt = stable_dt(OnGrid(sample(system, 0), grid)) if dt is None else dt
    if dt <= 0:
        raise BadInput("dt", "must be positive", dt)
    if config.steps is not None and config.time is not None:
        raise BadInput("time", "must be left out where --steps is given", config.time)
    if config.time is not None and config.time <= 0:
        raise BadInput("time", "must be positive", config.time)
    steps = config.steps or max(1, round((10_000 if config.time is None else config.time) / dt))
    every = max(1, round(steps / config.frames))
    options: dict[str, Any] = {name: getattr(config, name) for name in ("stepper", "engine", "clip", "dtype")}
    with progress_bar(config, "steps") as progress:
        return simulate(
            system,
            state,
            grid=grid,
            dt=dt,
            steps=max(1, round(steps / every)) * every,
            save_every=every,
            progress=progress,
            **options,
        )
