"""Film a run folder, or parameter sets side by side.

    unstill animate runs/x --out x.mp4
    unstill animate --set F=.03 k=.057 --set F=.035 k=.065 --time 5000 --out two.mp4

A folder with saved frames is filmed as it stands; one without, or with --time or --steps, is moved on first.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from .._errors import BadInput, NumericalFailure
from .._types import Status
from .arguments import count, number, option, positional
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
    field: str = option("", "the field to show (default: v, or the last)", metavar="NAME")
    fps: int = option(30, "pictures a second", type=count, metavar="N")


def run(config: Config) -> int:
    """Make the film; returns the exit code."""
    from ..plotting import animate

    path = _film_path(config)
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
