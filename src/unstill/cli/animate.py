"""Film a run folder, or parameter sets side by side.

    unstill animate runs/x --out x.mp4
    unstill animate --set F=.03 k=.057 --set F=.035 k=.065 --time 5000 --out two.mp4
    unstill animate runs/fit --iterations 0,10,100 --out fit.mp4
    unstill animate runs/conv --size 256 --steps 2000 --eta 0.1 --out conv.mp4

A folder with saved frames is filmed as it stands; one without, or with --time or --steps, is moved on first. A fit's
rollouts are computed anew, bit for bit as training did (a checksum holds it), one panel an iteration. A flow of
pictures moves from pure noise, on a torus of any size, and is shown denoised.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .._errors import BadInput
from .._types import Status
from .arguments import Given, option, positional
from .dynamics import MOTION, build_state, build_systems
from .progress import progress_bar
from .runs import PRINT, SEED, exit_code, known_arguments, say
from .signatures import options_of
from .sources import known_system

ARGUMENTS = known_arguments(
    (positional("source", "", "a run folder, or a system's name (default: gray-scott)"),),
    MOTION,
    tuple(each for each in options_of("simulation.filming:film") if each.name in ("steps", "time", "frames")),
    (
        option("iterations", (), "Lines of a fit's log, as 0,10,100 or 0:100:5 (default: five over the whole fit).",
               kind="Names"),
        option("eta", None, "Strength of the noise that a flow of pictures moves with (default: 0.1).",
               kind="NonNegative"),
        option("reverse", False, "Run a flow of pictures backwards."),
        option("sample", 0, "Which sample of an iteration's batch.", kind="Whole"),
        option("field", "", "The field to show (default: v, or the last)."),
        option("track", False, "Track the particles of a flow of pictures, and compare them with two nulls."),
        option("seeds", 5, "Films of the flow, and of each null, that --track compares; fewer than 5 decide nothing.",
               kind="Count"),
        option("fps", 30, "Pictures a second; fewer where the film would last less than two.", kind="Count"),
        option("out", "", "The film to make, .mp4 or .gif.", metavar="FILE"),
        option("force", False, "Replace an existing film."),
    ),
    (SEED, PRINT[0]),
)  # fmt: skip


def run(given: Given) -> int:
    """Make the film; returns the exit code."""
    path = _film_path(given)
    if given.source and _is_fit(given.source):
        return _film_fit(given, path)
    if given.iterations:
        raise BadInput("iterations", "must be left out: the source is no fit", ",".join(given.iterations))
    _check_tracking(given, path)
    if given.track:
        return _track(given, path)
    film = _film_of(given)
    if Status.INTERRUPTED in film.status:
        raise KeyboardInterrupt
    return _drawn(given, film, path)


def _drawn(given: Given, film, path: Path, **trails) -> int:
    """Make the film; returns the exit code."""
    from ..plotting import animate

    animate(film, path, field=given.field or None, fps=given.fps, **trails)
    if Status.BLOW_UP in film.status:
        print("unstill animate: blow-up: the film holds what was finite: take a smaller --dt", file=sys.stderr)
        return 3
    assert film.ts is not None
    samples = "1 sample" if len(film) == 1 else f"{len(film)} samples"
    say(given, f"{path}: {len(film.ts)} pictures of {samples}, time {film.ts[0]:g} to {film.ts[-1]:g}")
    return 0


def _tracking_paths(path: Path) -> list[Path]:
    return [path.with_name(f"{path.stem}-{end}") for end in ("tracks.csv", "tracking.json", "tracking.png")]


def _check_tracking(given: Given, path: Path) -> None:
    """Before anything moves; raises `BadInput`."""
    if not given.track:
        return
    if not (given.source and _is_field_flow(given.source)):
        raise BadInput("track", "is for flows of pictures that are built from their score", given.source or None)
    if given.reverse or given.samples != 1:
        name = "reverse" if given.reverse else "samples"
        raise BadInput(name, "must be left out with --track", getattr(given, name))
    _check_field_flow(given)
    if given.size and given.size[0] <= 32:
        raise BadInput("size", "must be above 32 with --track: particles step up to 8 cells", given.size[0])
    for each in _tracking_paths(path):
        if each.exists() and not given.force:
            raise BadInput("out", "must leave room for the tracks", each, "Pass --force to replace it.")
    if find_spec("laptrack") is None:
        raise BadInput("track", "needs laptrack", None, "pip install 'unstill[track]'")


def _track(given: Given, path: Path) -> int:
    """The film with trails, and numbers beside it; returns the exit code."""
    from ..files.atomic import replacing
    from ..files.models import load_field_flow
    from ..plotting import save_figure
    from ..tracking import track

    options = {name: getattr(given, name) for name in ("frames", "seed", "dt", "seeds")}
    size, eta = (given.size or (128, 128))[0], 0.1 if given.eta is None else given.eta
    with progress_bar(given, "films") as progress:
        found = track(
            load_field_flow(given.source), size=size, steps=given.steps or 1000, eta=eta, **options, progress=progress
        )
    table, numbers, figure = _tracking_paths(path)
    for file, text in ((table, found.tracks.csv()), (numbers, json.dumps(found.to_dict(), indent=1) + "\n")):
        with replacing(file, "out") as part:
            part.write_text(text, encoding="utf-8")
    save_figure(found.plot(), figure)
    code = _drawn(given, found.film, path, trails=found.tracks)
    for line in found.summary().splitlines()[1:]:
        say(given, line.strip())
    return exit_code("animate", found) or code


def _film_of(given: Given):
    """The motion to be filmed."""
    folder = Path(given.source or " ").is_dir()
    if folder and _is_field_flow(given.source):
        return _of_field_flow(given)
    for name in ("eta", "reverse"):
        if getattr(given, name) is not None and getattr(given, name) is not False:
            raise BadInput(name, "is for flows of pictures that are built from their score", getattr(given, name))
    return _of_folder(given) if folder else _of_parameters(given)


def _is_field_flow(source: str) -> bool:
    from ..files.models import is_field_flow

    return is_field_flow(source)


def _check_field_flow(given: Given) -> None:
    """Raises `BadInput` for options that a flow of pictures cannot take."""
    rule = f"must be left out: {given.source} is a flow of pictures"
    for name in ("set", "preset", "dx", "boundary", "time"):
        if getattr(given, name):
            raise BadInput(name, rule, given.told(name))
    for each in ARGUMENTS:
        if each.name in ("init", "stepper", "engine", "dtype", "clip") and getattr(given, each.name) != each.default:
            raise BadInput(each.name, rule, given.told(each.name))
    size = given.size or (128, 128)
    if size[0] != size[1]:
        raise BadInput("size", "must be one number for a flow of pictures", f"{size[0]}x{size[1]}")


def _of_field_flow(given: Given):
    from ..field_flows import langevin
    from ..files.models import load_field_flow

    _check_field_flow(given)
    options = {name: getattr(given, name) for name in ("samples", "frames", "seed", "dt", "reverse")}
    strength = {} if given.eta is None else {"eta": given.eta}
    with progress_bar(given, "steps") as progress:
        return langevin(
            load_field_flow(given.source), size=(given.size or (128,))[0], steps=given.steps or 1000, progress=progress,
            **options, **strength,
        )  # fmt: skip


def _is_fit(source: str) -> bool:
    from ..files.runs import read_run

    return (Path(source) / "run.json").exists() and read_run(source).get("verb") == "fit"


def _film_fit(given: Given, path: Path) -> int:
    """Iterations of a fit side by side."""
    from ..files.fits import load_fit
    from ..fitting.replay import replay
    from ..plotting import animate

    task, plan, log = load_fit(given.source)
    films, labels = [], []
    for row in _chosen(given, log):
        film = replay(task, plan, row, frames=given.frames)
        if given.sample >= film.state.shape[0]:
            raise BadInput("sample", f"must be below {film.state.shape[0]}, the batch", given.sample)
        films.append(film[given.sample])
        values = ", ".join(f"{name} {value:.4g}" for name, value in row["parameters"].items())
        labels.append(f"iteration {row['iteration']}: {values}")
    animate(films, path, field=given.field or None, fps=given.fps, labels=labels)
    say(given, f"{path}: {len(films)} iterations, each as training computed it")
    return 0


def _chosen(given: Given, rows):
    """The lines of the last start that --iterations names; raises `BadInput`."""
    if not all({"start", "iteration", "parameters"} <= row.keys() for row in rows):
        raise BadInput("source", "must hold the log of a fit", given.source)
    rows = [row for row in rows if row["start"] == rows[-1]["start"]]
    known = {row["iteration"]: row for row in rows}
    if not known:
        raise BadInput("source", "must hold a fit with at least one iteration", given.source)
    if not given.iterations:
        every = max(1, -(-len(rows) // 5))
        return [*rows[:-1:every], rows[-1]]
    chosen = []
    for word in given.iterations:
        parts = word.split(":")
        if not all(part.isdigit() for part in parts) or len(parts) not in (1, 3):
            raise BadInput("iterations", "must be numbers or FIRST:LAST:STEP", repr(word))
        first, last, step = (int(part) for part in (parts if len(parts) == 3 else (word, word, 1)))
        chosen += range(first, last + 1, max(step, 1))
    for wanted in chosen:
        if wanted not in known:
            raise BadInput("iterations", f"must be in the log, {min(known)} to {max(known)}", wanted)
    return [known[wanted] for wanted in chosen]


def _film_path(given: Given) -> Path:
    if not given.out:
        raise BadInput("out", "must name a film", None, "For example --out film.mp4")
    path = Path(given.out)
    if path.suffix not in (".mp4", ".gif"):
        raise BadInput("out", "must end in .mp4 or .gif", path)
    if path.exists() and not given.force:
        raise BadInput("out", "must not exist yet", path, "Pass --force to replace it.")
    if not path.parent.is_dir():
        raise BadInput("out", "must be in an existing folder", path)
    return path


def _of_folder(given: Given):
    from ..files import load_trajectory

    kept = load_trajectory(given.source)
    for name in ("set", "preset", "size", "dx", "boundary"):
        if getattr(given, name):
            raise BadInput(name, f"must be left out: {given.source} has its own", given.told(name))
    if given.samples != 1 or given.init != "square":
        name = "samples" if given.samples != 1 else "init"
        raise BadInput(name, f"must be left out: {given.source} has its own states", given.told(name))
    if kept.frames is not None and given.time is None and given.steps is None:
        return kept
    return _filmed(given, kept.dynamics, kept.state, kept.grid, dt=kept.dt if given.dt is None else given.dt)


def _of_parameters(given: Given):
    from ..simulation import stacked

    name = given.source or "gray-scott"
    known_system(name, "a run folder")
    cls, systems = build_systems(name, given)
    state, grid = build_state(cls, systems, given)
    if state is None:
        raise BadInput("source", "must be a reaction–diffusion system to be filmed", given.source)
    system, _ = stacked(systems, len(state) // len(systems))
    return _filmed(given, system, state, grid, dt=given.dt)


def _filmed(given: Given, system, state, grid, dt: float | None):
    from ..simulation import film

    options: dict[str, Any] = {
        name: getattr(given, name) for name in ("steps", "time", "frames", "stepper", "engine", "clip", "dtype")
    }
    with progress_bar(given, "steps") as progress:
        return film(system, state, grid=grid, dt=dt, progress=progress, **options)
