"""Arguments that choose a system, a grid and states, and what they build. Imports JAX only when it builds."""

from __future__ import annotations

from typing import Any

from .._errors import BadInput, naming
from .arguments import Given, assignments, option, positional
from .signatures import options_of
from .tokens import parameter_sets

BOUNDARIES = ("periodic", "no-flux")
SCHEMES = ("five-point", "nine-point", "spectral")
SYSTEM = option("system", "gray-scott", "A system's name, or file.py:NAME.", metavar="SYSTEM")
FIRST_SYSTEM = positional("system", "gray-scott", SYSTEM.meaning)
CELLS = (
    option("dx", None, "Side of a cell (default: the source's, or 1).", kind="Positive"),
    option("boundary", None, "Boundary (default: the source's, or periodic).", choices=BOUNDARIES),
)
LAPLACIAN = option("laplacian", None, "Laplacian (default: the source's, or five-point).", choices=SCHEMES)
SETS = (
    option("preset", "", "Start from a preset's parameters."),
    assignments("set", "Parameters; given again, another set; LOW:HIGH:COUNT makes COUNT sets."),
)
# How a system moves: what every verb that simulates takes.
_SIMULATE = options_of("simulation.simulate:simulate", leave_out=("dynamics", "state", "grid"))
_INIT = option("init", "square", "Initial state: square, discs, noise, or a file or run folder.")
MOTION = (
    *SETS,
    option("size", None, "Cells: N or ROWSxCOLUMNS (default: 128).", kind="Size"),
    *CELLS,
    *(each for each in _SIMULATE if each.name in ("dt", "stepper", "engine", "dtype", "clip")),
    _INIT,
    option("samples", 1, "Initial states for each parameter set.", kind="Count"),
)
STOPS = tuple(each for each in _SIMULATE if each.name not in {argument.name for argument in MOTION})


def build_systems(name: str, given: Given):
    """The system's class and one instance for each parameter set; raises `BadInput`."""
    from ..systems import find_system

    cls = find_system(name)
    sets = parameter_sets("set", given.set) or [{}]
    return cls, [cls.make(given.preset or None, **values) for values in sets]


def build_state(cls, systems, given: Given):
    """Initial states (sets × samples, C, H, W) and their grid, from a rule or a file; each set sees the same ones."""
    from ..simulation import INITIAL_STATES, Grid, initial_states
    from ..systems import ReactionDiffusion

    if not issubclass(cls, ReactionDiffusion):
        _refuse_grid(cls, given)
        return None, None
    if given.init in INITIAL_STATES or not _is_path(given.init):
        grid = Grid(given.size or (128, 128)).restated(given.dx, given.boundary, getattr(given, "laplacian", None))
        return initial_states(systems, grid, init=given.init, samples=given.samples, seed=given.seed), grid
    state, grid = _loaded(cls, given)
    return initial_states(systems, grid, state=state), grid


def _refuse_grid(cls, given: Given) -> None:
    for name in ("size", "dx", "boundary", "laplacian"):
        if getattr(given, name, None) is not None:
            raise BadInput(name, f"must be left out: {cls.name} has no grid", given.told(name))
    if given.init != "square":
        raise BadInput("init", f"must be left out: {cls.name} starts near its state of rest", given.init)


def _loaded(cls, given: Given) -> tuple[Any, Any]:
    """States and grid from a file or a run folder."""
    from ..files import load

    with naming("init"):
        snapshots = load(given.init, observe=cls.fields)
    if given.samples not in (1, snapshots.count):
        rule = f"must be left out: {given.init} holds {snapshots.count} states"
        raise BadInput("samples", rule, given.samples)
    if given.size not in (None, snapshots.shape):
        raise BadInput("size", f"must be left out: {given.init} has {snapshots.shape}", given.size)
    known = snapshots.known_grid()
    grid = known.restated(given.dx, given.boundary, getattr(given, "laplacian", None))
    return snapshots.states(cls.fields), grid


def _is_path(text: str) -> bool:
    from pathlib import Path

    return "/" in text or "." in text or Path(text).exists()
