"""Options that choose a system, a grid and an engine, and what they build. Imports JAX only when it builds."""

import dataclasses

from .._errors import BadInput
from .arguments import assignments, count, number, option, parameter_sets, size


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotionOptions:
    """How a system moves: the options of every verb that simulates."""

    preset: str = option("", "start from a preset's parameters", metavar="NAME")
    set: tuple[tuple[str, ...], ...] = assignments(
        "parameters; given again, another set; LOW:HIGH:COUNT makes COUNT sets"
    )
    size: tuple[int, int] | None = option(None, "cells: N or ROWSxCOLUMNS (default: 128)", type=size, metavar="N")
    dx: float | None = option(None, "side of a cell (default: 1, or that of --init)", type=number)
    boundary: str | None = option(
        None, "periodic or no-flux (default: periodic, or that of --init)", choices=("periodic", "no-flux")
    )
    dt: float | None = option(None, "time step (default: the system's, below the stability limit)", type=number)
    stepper: str = option("euler", "euler, rk4 or etdrk4", metavar="NAME")
    engine: str = option("auto", "auto, native, gpu or xla", choices=("auto", "native", "gpu", "xla"))
    dtype: str = option("float64", "float64 or float32", choices=("float64", "float32"))
    clip: bool = option(False, "clamp every field to [0, 1] after each step")
    init: str = option("square", "initial state: square, discs, noise, or a file or run folder", metavar="NAME")
    samples: int = option(1, "initial states for each parameter set", type=count, metavar="N")


def build_systems(name: str, options: MotionOptions):
    """The system's class and one instance for each parameter set; raises `BadInput`."""
    from ..systems import find_system

    cls = find_system(name)
    sets = parameter_sets("set", options.set) or [{}]
    return cls, [cls.make(options.preset or None, **values) for values in sets]


def stack_systems(systems, samples: int):
    """One system with parameters (M,): each set repeated for its samples. Also the set of each sample."""
    import numpy as np

    index = np.repeat(np.arange(len(systems)), samples)
    if len(systems) == 1:
        return systems[0], index
    values = {name: np.array([s.values()[name] for s in systems])[index] for name in systems[0].parameters()}
    return systems[0].with_values(**values), index


def build_grid(options: MotionOptions):
    from ..simulation import Grid

    dx = 1.0 if options.dx is None else options.dx
    return Grid(options.size or (128, 128), dx, options.boundary or "periodic")


def build_state(cls, systems, options: MotionOptions, seed: int):
    """Initial states (sets × samples, C, H, W) and their grid, from a rule or a file; each set sees the same ones."""
    import numpy as np

    from ..simulation import INITIAL_STATES, Grid, initial_state
    from ..systems import ReactionDiffusion

    if not issubclass(cls, ReactionDiffusion):
        for name in ("size", "dx", "boundary"):
            if getattr(options, name) is not None:
                raise BadInput(name, f"must be left out: {cls.name} has no grid", getattr(options, name))
        if options.init != "square":
            raise BadInput("init", f"must be left out: {cls.name} starts near its state of rest", options.init)
        return None, None
    if options.init in INITIAL_STATES or not _is_path(options.init):
        grid = build_grid(options)
        state = [initial_state(s, grid, init=options.init, samples=options.samples, seed=seed) for s in systems]
        return np.concatenate(state), grid
    from ..data import load

    snapshots = load(options.init, observe=cls.fields)
    state = snapshots.states(cls.fields)
    if options.samples not in (1, len(state)):
        rule = f"must be left out: {options.init} holds {len(state)} states"
        raise BadInput("samples", rule, options.samples)
    if options.size not in (None, snapshots.shape):
        raise BadInput("size", f"must be left out: {options.init} has {snapshots.shape}", options.size)
    known = snapshots.grid or Grid(snapshots.shape)
    dx = known.dx if options.dx is None else options.dx
    return np.concatenate([state] * len(systems)), Grid(known.shape, dx, options.boundary or known.boundary)


def _is_path(text: str) -> bool:
    from pathlib import Path

    return "/" in text or "." in text or Path(text).exists()
