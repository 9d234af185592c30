"""Say in which regime motions are, and why: at rest with or without a pattern, slow, oscillating, chaotic, blown up.

unstill classify runs/maze --out runs/c
unstill classify gray-scott --preset chaos --size 128 --samples 4 --out runs/c
unstill classify brusselator --set B=2.5 --time 2000 --out runs/c
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._errors import BadInput
from .arguments import Given, option, positional
from .dynamics import CELLS, SETS, build_state, build_systems
from .progress import progress_bar
from .runs import ARRAYS, Run, known_arguments
from .signatures import options_of
from .sources import known_system

ARGUMENTS = known_arguments(
    (positional("source", ..., "a run folder of `simulate` or `recover`, whose motion goes on, or a system"),),
    SETS,
    (option("size", None, "Cells: N or ROWSxCOLUMNS (default: 128).", kind="Size"),),
    CELLS,
    options_of("atlas.classify:classify", leave_out=("dynamics", "state", "grid")),
    ARRAYS,
)
_OF_SYSTEMS = ("preset", "set", "size", "dx", "boundary", "init", "samples")


def run(given: Given) -> int:
    """Watch, write regimes.png, states.npz and result.json; returns the exit code."""
    from ..atlas import classify

    call = _going_on(given) if _is_run(given.source) else _fresh(given)
    command = Run("classify", given)
    command.claim()
    with progress_bar(given, "samples") as progress:
        found = classify(**call, time=given.time, seed=given.seed, progress=progress, resume=command)
    return command.conclude(found)


def _is_run(source: str) -> bool:
    return (Path(source).expanduser() / "result.json").is_file()


def _going_on(given: Given) -> dict[str, Any]:
    """The motion of a run folder; raises `BadInput`."""
    from ..files import load_trajectory

    defaults = {each.name: each.default for each in ARGUMENTS}
    for name in _OF_SYSTEMS:
        if getattr(given, name) != defaults[name]:
            rule = f"must be left out: {given.source} is a run folder"
            raise BadInput(name, rule, given.told(name))
    return {"dynamics": load_trajectory(given.source), "dt": given.dt}


def _fresh(given: Given) -> dict[str, Any]:
    """Fresh states of a system, of each parameter set in turn; raises `BadInput`."""
    from ..simulation import stacked
    from ..systems import ReactionDiffusion

    cls = known_system(given.source, "a run folder of `simulate` or `recover`")
    if not issubclass(cls, ReactionDiffusion):
        rule = "must be a run folder, or a system in space"
        raise BadInput("source", rule, given.source, "`unstill lyapunov` judges systems without space.")
    cls, systems = build_systems(given.source, given)
    state, grid = build_state(cls, systems, given)
    assert state is not None  # the system is in space
    system, _ = stacked(systems, len(state) // len(systems))
    return {"dynamics": system, "state": state, "grid": grid, "dt": given.dt}  # `init` and `samples` made the state
