"""Follow a pattern at rest along a parameter, through folds, and say what grows on it.

unstill continue runs/spots --over F 0.03:0.05 --out runs/branch
unstill continue runs/spots --over F=0.005:0.12 --step 0.05 --out runs/branch
unstill continue spot.npz --system gray-scott --set F=.035 k=.066 --over k 0.05:0.07 --out runs/branch
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._errors import BadInput
from .arguments import Given, assignments, option, positional
from .dynamics import CELLS, SYSTEM
from .progress import progress_bar
from .runs import RUN, Run, known_arguments
from .signatures import options_of
from .tokens import spans, values_of

_CONTINUE = options_of("analysis.continue_branch:continue_branch", leave_out=("dynamics", "state", "over", "grid"))
ARGUMENTS = known_arguments(
    (
        positional("source", ..., "a run folder of `simulate` or `recover` with a pattern near rest, or a file of one"),
        assignments("over", "The parameter to follow, and its range, which holds the present value.", "NAME LOW:HIGH"),
    ),
    _CONTINUE,
    (
        SYSTEM,
        option("preset", "", "Start from a preset's parameters; of a file."),
        assignments("set", "Parameters at which the pattern rests; of a file."),
    ),
    CELLS,
    RUN,
)
_OF_FILES = ("system", "preset", "set", "dx", "boundary")


def run(given: Given) -> int:
    """Follow, write branch.png, branch.npz and result.json; returns the exit code."""
    from ..analysis import continue_branch

    over = spans("over", given.over)
    is_run = (Path(given.source).expanduser() / "result.json").is_file()
    call = _of_run(given) if is_run else _of_file(given)
    command = Run("continue", given)
    command.claim()
    with progress_bar(given, "points") as progress:
        found = continue_branch(
            **call, over=over, **given.only([each.name for each in _CONTINUE]), seed=given.seed, progress=progress,
            resume=command,
        )  # fmt: skip
    return command.conclude(found)


def _of_run(given: Given) -> dict[str, Any]:
    """The last states of a run folder; raises `BadInput`."""
    from ..files import load_trajectory

    defaults = {each.name: each.default for each in ARGUMENTS}
    for name in _OF_FILES:
        if getattr(given, name) != defaults[name]:
            raise BadInput(name, f"must be left out: {given.source} is a run folder", given.told(name))
    return {"dynamics": load_trajectory(given.source)}


def _of_file(given: Given) -> dict[str, Any]:
    """The states of a file of all fields; raises `BadInput`."""
    from ..files import load
    from ..systems import ReactionDiffusion, find_system

    cls = find_system(given.system)
    if not issubclass(cls, ReactionDiffusion):
        raise BadInput("system", "must be a reaction–diffusion system", given.system)
    system = cls.make(given.preset or None, **values_of(given, "set")["set"])
    try:
        pictures = load(given.source, observe=cls.fields)
    except BadInput as error:
        if error.argument != "observe":
            raise
        rule = f"must hold all fields of {cls.name}, {', '.join(cls.fields)}"
        raise BadInput("source", rule, given.source, "`unstill recover` finds a hidden one.") from error
    known = pictures.known_grid()
    grid = known.restated(given.dx, given.boundary)
    return {"dynamics": system, "state": pictures.states(cls.fields), "grid": grid}
