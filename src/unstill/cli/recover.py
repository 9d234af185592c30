"""Find the parameters, and the fields that are not seen, behind pictures of a pattern; then set it in motion.

unstill recover picture.png --out runs/r
unstill recover runs/maze --observe v --out runs/r
unstill recover snapshots.npz --observe u,v --system gray-scott --out runs/r
unstill recover v.npz --system my_system.py:MySystem --out runs/r
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from .._errors import BadInput
from .._types import Status
from .arguments import assignments, names, number, option, parameter_set, positional
from .common import RunOptions, begin, claim_folder, finish, plain, say

DONE = (Status.CONVERGED, Status.UNIDENTIFIABLE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill recover`."""

    source: str = positional(..., "a picture, a folder of pictures, .npz, .npy, or a run folder")
    system: str = option("gray-scott", "a system's name, or file.py:NAME", metavar="SYSTEM")
    observe: tuple[str, ...] = option(
        (), "fields that are seen, such as v or u,v (default: all in the file)", type=names
    )
    start: tuple[tuple[str, ...], ...] = assignments("where the search starts, besides its own starts")
    fix: tuple[tuple[str, ...], ...] = assignments("parameters that are known")
    noise: tuple[tuple[str, ...], ...] = assignments("known noise: absolute standard deviation by field, as v=0.002")
    dx: float | None = option(None, "side of a cell (default: the source's, or 1)", type=number)
    boundary: str | None = option(None, "periodic or no-flux (default: the source's)", choices=("periodic", "no-flux"))
    time_step: float | None = option(
        None, "known Euler step of moving pictures, 0 for a true flow (default: estimated)", type=number, metavar="H"
    )
    later: float = option(10_000.0, "time units of the film, after the picture", type=number, metavar="T")
    no_film: bool = option(False, "make no film and no picture of later times")


def run(config: Config) -> int:
    """Recover, write the run folder, print a table; returns the exit code."""
    from ..data import load, read_result
    from ..recovery.recover import check, recover
    from ..systems import find_system

    if config.time_step is not None and config.time_step < 0:
        raise BadInput("time-step", "must be 0 or positive", config.time_step)
    if config.later <= 0:
        raise BadInput("later", "must be positive", config.later)
    cls = find_system(config.system)
    pictures = load(config.source, observe=config.observe or None)
    given = {name: parameter_set(name, [w for words in getattr(config, name) for w in words]) for name in _TOKENS}
    call = {
        "observe": config.observe or None,
        "grid": _grid(config, pictures),
        "start": given["start"],
        "fixed": given["fix"],
        "noise": given["noise"],
    }
    check(cls, pictures, **call)
    if (Path(config.source) / "result.json").exists():
        sets = read_result(config.source).get("parameters")
        if isinstance(sets, list) and len(sets) > 1:
            rule = "must hold pictures of one parameter set"
            raise BadInput("source", rule, f"{len(sets)} sets in {config.source}", "Simulate each set by itself.")
    if Path(config.source).resolve() == Path(config.out or ".").resolve():
        raise BadInput("out", "must not be the source", config.out)
    folder = claim_folder(config)
    if config.resume:
        infos = cls.parameters()
        reached = {n: float(v) for n, v in _reached(folder).items() if n in infos and n not in given["fix"]}
        call["start"] = {n: min(max(v, infos[n].low), infos[n].high) for n, v in reached.items()} | given["start"]
    last: dict[str, Any] = {}

    def log(entry) -> None:
        if not last:
            begin(folder, "recover", config)
        last.update(plain(dict(entry)))
        folder.append_log(last)

    try:
        recovery = recover(cls, pictures, **call, time_step=config.time_step, progress=log)
    except KeyboardInterrupt:
        return _interrupted(config, folder, last)
    if not last:
        begin(folder, "recover", config)
    return _write(config, folder, recovery)


_TOKENS = ("start", "fix", "noise")


def _reached(folder) -> dict[str, float]:
    """The parameters that an interrupted run logged last."""
    import json

    log = folder / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    try:
        return dict(json.loads(lines[-1])["values"]) if lines else {}
    except (ValueError, KeyError, TypeError):  # a line cut short
        return {}


def _grid(config: Config, pictures):
    from ..simulation import Grid

    known = pictures.grid or Grid(pictures.shape)
    return Grid(known.shape, known.dx if config.dx is None else config.dx, config.boundary or known.boundary)


def _interrupted(config: Config, folder, last: dict[str, Any]) -> int:
    if not last:
        raise KeyboardInterrupt
    values = last.get("values", {})
    parameters = {name: {"value": value, "std": None, "interval95": None} for name, value in values.items()}
    folder.write_result({"system": config.system, "status": str(Status.INTERRUPTED), "parameters": parameters})
    print("unstill recover: interrupted; the same command with --resume goes on from here", file=sys.stderr)
    return 130


def _write(config: Config, folder, recovery) -> int:
    from ..plotting import plot_recovery, save_figure

    names = recovery.system.fields
    hidden = [i for i, name in enumerate(names) if name not in recovery.observed]
    folder.write_arrays(
        "fields.npz",
        **{name: recovery.fields[:, i] for i, name in enumerate(names)},
        fitted=recovery.fields,
        observed=_squeezed(list(recovery.pictures.values())),
        **({"hidden": _squeezed([recovery.fields[:, i] for i in hidden])} if hidden else {}),
    )
    result = describe(config, recovery)
    folder.write_result(result)
    film = None if config.no_film or recovery.status not in DONE else _film(config, folder, recovery)
    whole = film is not None and not {Status.BLOW_UP, Status.INTERRUPTED} & set(film.status)
    later = film.state[0] if film is not None and whole else None
    save_figure(plot_recovery(recovery, later, None if later is None else config.later), folder / "recovery.png")
    say(config, *_table(recovery), f"{folder.path}: {recovery.method}, {recovery.seconds:.1f} s")
    finish(config, result)
    if recovery.status not in DONE:
        print(f"unstill recover: {recovery.status}: {recovery.message}", file=sys.stderr)
        return 3
    return 0


def _squeezed(arrays):
    """(M, H, W) for one field, (M, C, H, W) for several."""
    import numpy as np

    return arrays[0] if len(arrays) == 1 else np.stack(arrays, 1)


def describe(config: Config, recovery) -> dict[str, Any]:
    """`result.json`: the numbers for programs."""

    def block(estimates):
        return {name: plain(dataclasses.asdict(estimate)) for name, estimate in estimates.items()}

    return {
        "system": config.system,
        "observed": list(recovery.observed),
        "method": recovery.method,
        "status": str(recovery.status),
        "message": recovery.message,
        "parameters": block(recovery.parameters),
        "combinations": block(recovery.combinations),
        "identifiable": list(recovery.identifiable),
        "fitted_parameters": plain(recovery.system.values()) if len(recovery.fields) else None,
        "noise": plain(dict(recovery.noise)),
        "drift_per_time": plain(recovery.drift_per_time),
        "dx": recovery.grid.dx,
        "boundary": recovery.grid.boundary,
        "samples": len(recovery.fields),
        "seconds": recovery.seconds,
    }


def _film(config: Config, folder, recovery):
    """`motion.mp4`: the recovered system from the picture on, and grown anew from a square; returns the motion."""
    import numpy as np

    from ..plotting import animate
    from ..simulation import OnGrid, initial_state, simulate, stable_dt

    system, grid = recovery.system, recovery.grid
    dt = stable_dt(OnGrid(system, grid))
    every = max(1, round(config.later / dt / 150))
    steps = max(every, round(config.later / dt / every) * every)
    states = np.stack([recovery.state, initial_state(system, grid, seed=config.seed)[0]])
    film = simulate(system, states, grid=grid, dt=dt, steps=steps, save_every=every)
    if film.frames is not None:
        shown = recovery.observed[-1]
        animate(film, folder / "motion.mp4", field=shown, labels=("from the picture on", "grown from a square"))
    return film


def _table(recovery) -> list[str]:
    lines = [f"{recovery.status}: {recovery.message}"]
    for name, e in {**recovery.parameters, **recovery.combinations}.items():
        if e.value is None:
            lines.append(f"  {name:8s} not determined by these pictures")
        elif e.interval95 is None:
            lines.append(f"  {name:8s} {e.value:.6g}")
        else:
            lines.append(
                f"  {name:8s} {e.value:.6g} ± {e.std:.2g}   95 % in [{e.interval95[0]:.6g}, {e.interval95[1]:.6g}]"
            )
    noise = ", ".join(f"{name} {level:.2g}" for name, level in recovery.noise.items())
    drift = "unknown" if recovery.drift_per_time is None else f"{recovery.drift_per_time:.2g}"
    return [*lines, f"  noise {noise}; drift {drift} per unit time"]
