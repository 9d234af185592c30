"""Move patterns from an initial state, for --steps, for a --time, or --until-drift.

unstill simulate gray-scott --preset maze --size 128 --steps 20000 --samples 8 --init discs --out runs/maze
unstill simulate --set F=0.035 k=0.065 --until-drift 1e-6 --max-steps 400000 --polish --out runs/x
unstill simulate --preset spots --samples 512 --until-change 1e-4 --max-steps 40000 --reuse --out runs/targets
"""

import dataclasses
import time as clock
from typing import Any

from .._types import Status
from .arguments import count, number, option, positional
from .common import RunOptions, begin, claim_folder, finish, finished, plain, progress_bar, say
from .dynamics import MotionOptions, build_state, build_systems, stack_systems


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(MotionOptions, RunOptions):
    """The configuration of `unstill simulate`."""

    system: str = positional("gray-scott", "a system's name, or file.py:NAME")
    steps: int | None = option(None, "stop after N steps", type=count, metavar="N")
    time: float | None = option(None, "stop after a time", type=number, metavar="T")
    until_drift: float | None = option(None, "stop each sample at this drift per unit time", type=number, metavar="X")
    until_change: float | None = option(
        None, "stop each sample when no cell moves by more in a step", type=number, metavar="X"
    )
    max_steps: int = option(400_000, "cap on the steps of --until-drift and --until-change", type=count, metavar="N")
    polish: bool = option(False, "go on to a true steady state by Newton–Krylov")
    save_every: int | None = option(None, "keep a frame every N steps", type=count, metavar="N")
    reuse: bool = option(False, "where the run folder holds the finished run of this very command, leave it")


def run(config: Config) -> int:
    """Simulate, write the run folder, print a summary; returns the exit code."""
    from ..data import load_trajectory
    from ..simulation import Simulation

    cls, systems = build_systems(config.system, config)
    state, grid = build_state(cls, systems, config, config.seed)
    per_set = config.samples if state is None else len(state) // len(systems)
    system, index = stack_systems(systems, per_set)
    arguments: dict[str, Any] = {
        name: getattr(config, name)
        for name in ("steps", "time", "until_drift", "until_change", "max_steps", "polish", "dt", "save_every")
    } | {name: getattr(config, name) for name in ("stepper", "engine", "clip", "dtype", "seed")}
    arguments |= {"state": state, "grid": grid, "samples": len(index)}
    Simulation(system, **arguments)  # checks the call before an older run is replaced
    more = {"parameters": [plain(s.values()) for s in systems]}
    if config.reuse:
        config = dataclasses.replace(config, reuse=False)
        if (known := finished(config, "simulate", **more)) is not None:
            say(config, f"{config.out}: there already, by the same command")
            finish(config, known)
            return 0
    folder = claim_folder(config)
    begin(folder, "simulate", config, **more)
    started = clock.perf_counter()
    earlier = load_trajectory(folder.path) if (folder / "result.json").exists() else None
    with progress_bar(config, "steps") as progress:
        trajectory = Simulation(system, **arguments, progress=progress, resume=earlier).run()
    return _write(config, folder, systems, index, trajectory, clock.perf_counter() - started)


def _write(config: Config, folder, systems, index, trajectory, seconds: float) -> int:
    fields = trajectory.fields
    folder.write_arrays("states.npz", **{name: trajectory.state[:, i] for i, name in enumerate(fields)})
    if trajectory.frames is not None:
        frames = {name: trajectory.frames[:, :, i] for i, name in enumerate(fields)}
        folder.write_arrays("frames.npz", ts=trajectory.ts, **frames)
    result = {
        "system": config.system,
        "fields": list(fields),
        "parameters": [plain(s.values()) for s in systems],
        "parameter_set": index.tolist(),
        "status": [str(s) for s in trajectory.status],
        "steps": trajectory.steps.tolist(),
        "drift_per_time": [plain(float(d)) for d in trajectory.drift],
        "dt": trajectory.dt,
        "dx": trajectory.grid.dx if trajectory.grid else None,
        "boundary": trajectory.grid.boundary if trajectory.grid else None,
        "seconds": seconds,
    }
    folder.write_result(result)
    if trajectory.grid is not None:
        from ..plotting import plot_states, save_figure

        save_figure(plot_states(trajectory), folder.path / "states.png")
    for m, (status, steps, drift) in enumerate(zip(trajectory.status, trajectory.steps, trajectory.drift, strict=True)):
        say(config, f"sample {m}: {status} after {steps} steps, drift {drift:.2g} per unit time")
    say(config, f"{folder.path}: {len(index)} samples in {seconds:.1f} s")
    finish(config, result)
    return _exit_code(trajectory.status)


def _exit_code(status: tuple[Status, ...]) -> int:
    import sys

    if Status.INTERRUPTED in status:
        print("unstill simulate: interrupted; the same command with --resume goes on", file=sys.stderr)
        return 130
    failed = {s: status.count(s) for s in (Status.BLOW_UP, Status.NOT_CONVERGED) if s in status}
    remedy = {
        Status.BLOW_UP: "left the finite numbers: take a smaller --dt",
        Status.NOT_CONVERGED: "still moved at the last step: raise --max-steps or --until-drift",
    }
    for s, n in failed.items():
        print(
            f"unstill simulate: {s}: {n} of {len(status)} samples {remedy[s]}; what was reached is kept",
            file=sys.stderr,
        )
    return 3 if failed else 0
