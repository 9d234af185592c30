"""Fit parameters by rolling out and differentiating, against pictures and a loss.

unstill fit runs/targets --start Du=.127,Dv=.127,F=.05,k=.05 --out runs/f
unstill fit runs/targets --start Du=.127,Dv=.127,F=.05,k=.05 --strategy tbptt --window 1000 --out runs/f
unstill fit picture.npz --strategy observed-start --loss pixel --warm-start recover --out runs/g
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from .._errors import BadInput
from .._types import Status
from .common import RunOptions, begin, claim_folder, finish, plain, say
from .configs import assignments, count, names, number, option, positional, whole
from .tokens import parameter_set

STATES = "state-{}.npz"  # one a start
_FAILED = (Status.BLOW_UP, Status.DEAD, Status.NO_FIT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill fit`."""

    source: str = positional(..., "the targets: a picture, a folder of pictures, .npz, .npy, or a run folder")
    system: str = option("gray-scott", "a system's name, or file.py:NAME", metavar="SYSTEM")
    observe: tuple[str, ...] = option((), "fields that are seen, such as v (default: v, or all others)", type=names)
    start: tuple[tuple[str, ...], ...] = assignments("where to begin: a value for every free parameter")
    fix: tuple[tuple[str, ...], ...] = assignments("parameters that are known")
    warm_start: str | None = option(None, "begin where `recover` ends", choices=("recover",))
    starts: int | None = option(
        None, "starts within a factor of 2.5 to try till one converges (default: 1; 8 without --strategy)", type=count,
        metavar="N",
    )  # fmt: skip
    strategy: str | None = option(None, "bptt, tbptt, forward, implicit, observed-start, …", metavar="NAME")
    window: int | None = option(None, "steps that are differentiated", type=count, metavar="N")
    loss: str | None = option(None, "a loss's name, or module:function (default: the strategy's)", metavar="NAME")
    pair: str | None = option(None, "compare each with its own target, or means", choices=("each", "mean"))
    optimiser: str | None = option(None, "adaptive, adam, levenberg-marquardt, cma-es, …", metavar="NAME")
    rate: float | None = option(None, "rate of the optimiser", type=number)
    iterations: int | None = option(None, "iterations at most", type=count, metavar="N")
    constraint: str = option("log", "how parameters are kept in bounds", choices=("log", "founding", "range"))
    cellwise: tuple[str, ...] = option((), "kinetic parameters fitted cell by cell, such as F,k", type=names)
    smoothness: float = option(1e-2, "weight of the roughness of such fields", type=number)
    free_state: bool = option(False, "fit the initial states too")
    batch: int = option(8, "targets an iteration", type=count, metavar="N")
    init: str = option("square", "fresh initial states: square, discs, noise", metavar="NAME")
    horizon: int = option(40_000, "steps from a fresh state at most", type=count, metavar="N")
    until_change: float = option(1e-4, "change a step at which fresh states count as steady", type=number)
    dt: float | None = option(None, "time step (default: the system's)", type=number)
    dx: float | None = option(None, "side of a cell (default: the source's, or 1)", type=number)
    boundary: str | None = option(None, "periodic or no-flux (default: the source's)", choices=("periodic", "no-flux"))
    from_iteration: int | None = option(
        None, "go on from this line of an existing run's log, dropping what came after", type=whole, metavar="N"
    )


_PLAN = (
    "warm_start", "starts", "strategy", "loss", "optimiser", "window", "rate", "iterations", "constraint", "cellwise",
    "smoothness", "free_state", "pair", "batch", "init", "horizon", "until_change", "dt", "seed",
)  # fmt: skip


def run(config: Config) -> int:
    """Fit, write the run folder, print a table; returns the exit code."""
    from ..fitting.fit import fit, prepare

    if config.from_iteration is not None:
        config = dataclasses.replace(config, resume=True)
    task, plan = read_task(config)
    roads = prepare(task, plan)
    if Path(config.source).resolve() == Path(config.out or ".").resolve():
        raise BadInput("out", "must not be the source", config.out)
    folder = claim_folder(config)
    if config.from_iteration is not None and not folder.resumed:
        raise BadInput("from-iteration", "must go on from an existing run", config.out)
    begin(folder, "fit", dataclasses.replace(config, from_iteration=None))  # another command's run is refused here
    resume = _resume(config, folder, roads, plan) if folder.resumed else None
    say(config, _header(task))

    def record(row: dict[str, Any]) -> None:
        folder.append_log(plain(row))
        say(config, _line(row))

    def keep(start: int, reached) -> None:
        from ..training import as_arrays

        road = roads[start // plan.count]
        folder.write_arrays(STATES.format(start), **as_arrays(road.optimiser, reached))

    found = fit(task.system, task.pictures, plan, grid=task.grid, record=record, keep=keep, resume=resume)
    return _write(config, folder, found)


def read_task(config: Config):
    """The checked pictures and the plan behind a configuration; raises `BadInput`."""
    from ..files import load
    from ..fitting import Plan
    from ..recovery.recover import check
    from ..simulation import Grid
    from ..systems import find_system

    given = {name: parameter_set(name, [w for words in getattr(config, name) for w in words]) for name in _TOKENS}
    plan = Plan(**given, **{name: getattr(config, name) for name in _PLAN})
    pictures = load(config.source, observe=config.observe or None)
    known = pictures.grid or Grid(pictures.shape)
    grid = Grid(known.shape, known.dx if config.dx is None else config.dx, config.boundary or known.boundary)
    cls = find_system(config.system)
    return check(cls, pictures, observe=config.observe or None, grid=grid, fix=plan.fix), plan


_TOKENS = ("start", "fix")


def _resume(config: Config, folder, roads, plan):
    """Where every start in the folder stood, the log cut to there; `None` where none had begun."""
    from ..files.runs import read_log
    from ..fitting import Resume

    rows, outcomes = read_log(folder.path), _kept(folder, roads, plan)
    if config.from_iteration is not None:
        row = _logged(config, rows, roads, plan)
        for start in [start for start in outcomes if start >= row["start"]]:
            (folder / STATES.format(start)).unlink()
            del outcomes[start]
        outcomes[row["start"]] = _outcome(row, roads)
    done = {start: outcome.iterations for start, outcome in outcomes.items()}
    rows = [row for row in rows if row["iteration"] < done.get(row["start"], 0)]
    folder.write_log(rows)
    return Resume(outcomes, rows)


def _kept(folder, roads, plan):
    """The outcome of every start that has a file of states."""
    from ..fitting.fit import variables
    from ..training import from_arrays

    outcomes = {}
    for start in range(len(roads) * plan.count):
        if (folder / STATES.format(start)).exists():
            road = roads[start // plan.count]
            like = variables(road, plan, {n: road.problem.system_class.defaults()[n] for n in road.coordinates.free})
            outcomes[start] = from_arrays(road.optimiser, like, folder.read_arrays(STATES.format(start)))
    return outcomes


def _logged(config: Config, rows, roads, plan):
    """The line of the log that `--from-iteration` names; raises `BadInput`."""
    chosen = [row for row in rows if row["iteration"] == config.from_iteration]
    if not chosen:
        rule = "must be an iteration of the log"
        raise BadInput("from-iteration", rule, config.from_iteration, f"It has {len(rows)} lines.")
    if plan.cellwise or roads[chosen[-1]["road"]].coordinates.states:
        raise BadInput("from-iteration", "must be left out: the log holds no fields or states")
    return chosen[-1]


def _outcome(row, roads):
    """The parameters of a line of the log, with an optimiser that has no memory yet."""
    from ..training import Outcome

    x = roads[row["road"]].coordinates.numbers(row["parameters"])
    return Outcome(x, None, row["iteration"], row["loss"], Status.INTERRUPTED, "")


def _header(task) -> str:
    free = "  ".join(f"{name:>9s}" for name in task.system.parameters() if name not in task.fix)
    return f"start  iteration        loss  {free}       rate     steps  seconds"


def _line(row) -> str:
    values = "  ".join(f"{value:9.5f}" for value in row["parameters"].values())
    rate = "        —" if row["rate"] is None else f"{row['rate']:9.2g}"
    steps = row["steps"] + row["steps_differentiated"]
    return (
        f"{row['start']:5d}  {row['iteration']:9d}  {row['loss']:10.4g}  {values}  {rate}  {steps:8,d}  "
        f"{row['seconds']:7.2f}"
    )


def describe(config: Config, found) -> dict[str, Any]:
    """`result.json`: the numbers for programs."""
    import numpy as np

    fixed = set(found.parameters) - set(found.free)
    blocks = {
        name: {
            "value": float(np.mean(value)),
            "std": 0.0 if name in fixed else None,
            "interval95": [float(value)] * 2 if name in fixed else None,
            "cellwise": bool(np.ndim(value)),
        }
        for name, value in found.parameters.items()
    }
    return plain(
        {
            "system": config.system,
            "observed": list(found.observed),
            "method": f"{found.strategy}, {found.loss_name}, {found.optimiser}",
            "strategy": found.strategy,
            "loss": found.loss_name,
            "optimiser": found.optimiser,
            "status": str(found.status),
            "message": found.message,
            "parameters": blocks,
            "final_loss": found.loss,
            "iterations": found.iterations,
            "starts": len({row["start"] for row in found.history}),
            "sample_steps": found.sample_steps,
            "history": "log.jsonl",
            "dx": found.grid.dx,
            "boundary": found.grid.boundary,
            "seconds": found.seconds,
        }
    )


def _write(config: Config, folder, found) -> int:
    from ..files.runs import read_log
    from ..plotting import save_figure
    from ..plotting.fits import fit_figure

    names = found.system.fields
    arrays = {name: found.states[:, i] for i, name in enumerate(names)}
    arrays |= {f"target_{name}": found.targets[:, j] for j, name in enumerate(found.observed)}
    arrays |= {f"parameter_{n}": value for n, value in found.parameters.items() if value.ndim}
    folder.write_arrays("fields.npz", **arrays)
    result = describe(config, found)
    folder.write_result(result)
    rows = [row for row in read_log(folder.path) if row["start"] == found.start]
    if rows:
        save_figure(fit_figure(found, rows), folder / "fit.png")
    for name, block in result["parameters"].items():
        say(config, f"  {name:8s} {block['value']:.6g}" + (" (mean of a field)" if block["cellwise"] else ""))
    say(config, f"{found.status}: {found.message}", f"{folder.path}: {result['method']}, {found.seconds:.1f} s")
    finish(config, result)
    return _exit_code(found)


def _exit_code(found) -> int:
    if found.status is Status.INTERRUPTED:
        print("unstill fit: interrupted; the same command with --resume goes on from here", file=sys.stderr)
        return 130
    if found.status in _FAILED:
        values = ", ".join(f"{n}={float(v.mean()):.4g}" for n, v in found.parameters.items())
        last = found.history[-1] if found.history else {}
        extremes = last.get("prediction_range")
        seen = f"; its prediction spans {extremes[0]:.3g} to {extremes[1]:.3g}" if extremes else ""
        print(f"unstill fit: {found.status}: {found.message}, at {values}{seen}; the log is kept", file=sys.stderr)
        return 3
    return 0
