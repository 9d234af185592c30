"""Map a loss over parameters: along one, over a section of two, or over a list of sets.

unstill landscape gray-scott --along F=0.03:0.06:31 --target runs/t --out runs/l
unstill landscape gray-scott --along F=.02:.06:21 --along k=.05:.07:21 --target runs/t --path runs/f --out runs/l
unstill landscape gray-scott --set F=.03 k=.06 --set F=.035 k=.065 --target runs/t --out runs/l
"""

import dataclasses
import sys
import time as clock
from typing import Any

from .._errors import BadInput
from .common import RunOptions, begin, claim_folder, finish, plain, progress_bar, say
from .configs import assignments, count, names, number, option, positional
from .tokens import parameter_sets

ARRAYS = "landscape.npz"
_SAVE_EVERY = 5.0  # seconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill landscape`."""

    system: str = positional("gray-scott", "a system's name, or file.py:NAME")
    target: str = option(
        "", "the targets: a picture, a folder of pictures, .npz, .npy, or a run folder", metavar="SOURCE"
    )
    along: tuple[tuple[str, ...], ...] = assignments("NAME=LOW:HIGH:COUNT; given again, a section of two parameters")
    set: tuple[tuple[str, ...], ...] = assignments(
        "the other parameters; given again, a list of sets instead of a slice"
    )
    path: str = option("", "a fit's run folder, whose way is drawn", metavar="DIR")
    observe: tuple[str, ...] = option((), "fields that are seen, such as v (default: all in the file)", type=names)
    strategy: str = option("bptt", "where rollouts start: bptt (fresh states), observed-start, …", metavar="NAME")
    window: int | None = option(None, "steps of the strategy's window", type=count, metavar="N")
    loss: str | None = option(None, "a loss's name, or module:function (default: the strategy's)", metavar="NAME")
    pair: str | None = option(None, "compare each with its own target, or means", choices=("each", "mean"))
    batch: int = option(8, "targets and fresh states", type=count, metavar="N")
    init: str = option("square", "fresh initial states: square, discs, noise", metavar="NAME")
    horizon: int = option(40_000, "steps from a fresh state at most", type=count, metavar="N")
    until_change: float = option(1e-4, "change a step at which fresh states count as steady", type=number)
    dt: float | None = option(None, "time step (default: the system's)", type=number)


_PLAN = ("strategy", "window", "loss", "pair", "batch", "init", "horizon", "until_change", "dt", "seed")


def run(config: Config) -> int:
    """Map, write the run folder; returns the exit code."""
    from ..files import load
    from ..fitting import Plan
    from ..fitting.landscape import landscape, plan_landscape
    from ..recovery.recover import check
    from ..systems import find_system

    if not config.target:
        raise BadInput("target", "must name the pictures that predictions are compared with", None)
    cls = find_system(config.system)
    pictures = load(config.target, observe=config.observe or None)
    task = check(cls, pictures, observe=config.observe or None, grid=pictures.grid)
    plan = Plan(**{name: getattr(config, name) for name in _PLAN})
    truth = _truth(config.target, cls)
    axes, sets = _points(config, cls, truth)
    plan_landscape(task, sets, axes, plan)
    path, path_names = _path(config, axes)
    folder = claim_folder(config)
    known = _known(folder, axes) if folder.resumed else None
    begin(folder, "landscape", config)
    started, saved = clock.perf_counter(), [clock.perf_counter()]

    def save(found) -> None:
        named = {f"axis_{name}": values for name, values in found.axes.items()}
        folder.write_arrays(ARRAYS, **named, losses=found.losses, status=found.status)

    reached: list[Any] = []
    options: dict[str, Any] = {"truth": truth, "path": path, "path_names": path_names, "known": known}
    with progress_bar(config, "points") as progress:

        def tell(found, done: int) -> None:
            reached[:] = [found, done]
            progress(done, len(sets))
            if clock.perf_counter() - saved[0] > _SAVE_EVERY:
                save(found)
                saved[0] = clock.perf_counter()

        try:
            found = landscape(task, sets, axes, plan, **options, progress=tell)
        except KeyboardInterrupt:
            if not reached:
                raise
            save(reached[0])
            told = f"interrupted after {reached[1]} of {len(sets)} points; the same command with --resume goes on"
            print(f"unstill landscape: {told}", file=sys.stderr)
            return 130
    save(found)
    return _write(config, folder, found, clock.perf_counter() - started)


def _truth(source: str, cls) -> dict[str, float] | None:
    """The parameters that made the targets, where they are a run of one set of this system."""
    from pathlib import Path

    from ..files import read_result

    if not (Path(source) / "result.json").exists():
        return None
    sets = read_result(source).get("parameters")
    if isinstance(sets, list) and len(sets) == 1 and set(sets[0]) == set(cls.parameters()):
        return {name: float(value) for name, value in sets[0].items()}
    return None


def _points(config: Config, cls, truth):
    """The axes and the parameter sets: a slice, a section, or a list; raises `BadInput`."""
    import numpy as np

    from ..fitting.landscape import LIST, sections

    given = parameter_sets("set", config.set)
    if config.along and len(given) > 1:
        raise BadInput("set", "must be given once beside --along", f"{len(given)} sets")
    base = {**(truth or {}), **(given[0] if given else {})}
    if not config.along:
        if len(given) < 2:
            raise BadInput("along", "must say where to go, or --set must list parameter sets", None)
        sets = [{**base, **values} for values in given]
        return {LIST: np.arange(1.0, len(sets) + 1)}, _whole(cls, sets)
    axes: dict[str, Any] = {}
    for tokens in config.along:
        for token in (word for text in tokens for word in text.split(",") if word):
            name = token.partition("=")[0]
            values = [values[name] for values in parameter_sets("along", [[token]])]
            if name not in cls.parameters() or len(values) < 2 or name in axes:
                rule = f"must be NAME=LOW:HIGH:COUNT, each parameter of {cls.name} once"
                raise BadInput(
                    "along", rule, repr(token), f"For example --along {next(iter(cls.parameters()))}=.03:.06:31"
                )
            axes[name] = np.array(values)
    for name in axes.keys() & (given[0] if given else {}):
        raise BadInput("set", f"must leave out what --along varies, {name}", given[0][name])
    return axes, _whole(cls, sections(base, axes))


def _whole(cls, sets):
    missing = set(cls.parameters()) - set(sets[0])
    if missing:
        rule = "must give the parameters that --along does not"
        raise BadInput("set", rule, f"no {', '.join(sorted(missing))}", "Or take a run of `simulate` as --target.")
    return sets


def _path(config: Config, axes):
    """An optimiser's way, (T, P), and the names of its parameters."""
    if not config.path:
        return None, ()
    import numpy as np

    from ..files.runs import read_log

    rows = read_log(config.path)
    rows = [row for row in rows if row.get("start") == rows[-1].get("start")]
    if not rows or not isinstance(rows[0].get("parameters"), dict):
        raise BadInput("path", "must be the run folder of a fit", config.path)
    names_ = tuple(rows[0]["parameters"])
    missing = [name for name in axes if name not in names_]
    if missing:
        raise BadInput("path", "must be of a fit that moved the parameters of --along", f"no {', '.join(missing)}")
    return np.array([[row["parameters"][name] for name in names_] for row in rows], float), names_


def _known(folder, axes):
    """Losses and status of an unfinished run, or `None`."""
    import numpy as np

    if not (folder / ARRAYS).exists():
        return None
    kept = folder.read_arrays(ARRAYS)
    shape = tuple(len(values) for values in axes.values())
    if kept.get("losses", np.zeros(0)).shape != shape or kept.get("status", np.zeros(0)).shape != shape:
        raise BadInput("resume", "must find the landscape of the same command", folder.path, "Pass --force.")
    return kept["losses"].copy(), kept["status"].astype("<U10")


def _write(config: Config, folder, found, seconds: float) -> int:
    import numpy as np

    from ..plotting import save_figure
    from ..plotting.landscapes import plot_landscape

    save_figure(plot_landscape(found), folder / "landscape.png")
    counts = {word: int(np.sum(found.status == word)) for word in sorted(set(found.status.ravel().tolist()))}
    finite = bool(np.isfinite(found.losses).any())
    result = plain(
        {
            "system": config.system,
            "strategy": found.strategy,
            "loss": found.loss_name,
            "axes": {name: values.tolist() for name, values in found.axes.items()},
            "status": counts,
            "best": {"parameters": dict(found.best), "loss": float(found.losses.flat[found.least])} if finite else None,
            "truth": found.truth,
            "seconds": seconds,
        }
    )
    folder.write_result(result)
    told = ", ".join(f"{n} {word}" for word, n in counts.items())
    say(config, f"{folder.path}: {found.losses.size} points in {seconds:.1f} s ({told})")
    if finite:
        values = ", ".join(f"{name} {value:.6g}" for name, value in found.best.items())
        say(config, f"least loss {found.losses.flat[found.least]:.4g} at {values} ({found.status.flat[found.least]})")
    finish(config, result)
    if not finite:
        print(f"unstill landscape: no point has a finite loss ({told})", file=sys.stderr)
    return 0 if finite else 3
