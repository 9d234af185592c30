"""Fit parameters by rolling out and differentiating, against pictures and a loss.

unstill fit runs/targets --start Du=.127,Dv=.127,F=.05,k=.05 --out runs/f
unstill fit runs/targets --start Du=.127,Dv=.127,F=.05,k=.05 --strategy tbptt --window 1000 --out runs/f
unstill fit picture.npz --strategy observed-start --loss pixel --warm-start recover --out runs/g
"""

from collections.abc import Callable, Mapping
from typing import Any

from .._errors import BadInput
from .arguments import Given, positional
from .dynamics import CELLS, SYSTEM
from .runs import ARRAYS, Run, known_arguments, say
from .signatures import options_of
from .sources import READING, pictures_and_grid, tell_measures
from .tokens import values_of

_TOKENS = ("start", "fix")
_FIT = options_of("fitting.fit:fit", leave_out=("system", "pictures", "grid"))
ARGUMENTS = known_arguments(
    (positional("source", ..., "the targets: a picture, a folder of pictures, .npz, .npy, or a run folder"), SYSTEM),
    _FIT,
    READING,
    CELLS,
    ARRAYS,
)


def run(given: Given) -> int:
    """Fit, write the run folder, print the log and a table; returns the exit code."""
    from ..fitting import fit

    again = given.from_iteration is not None
    pictures, grid = pictures_and_grid(given)
    if given.dx is None and pictures.grid is None:
        tell_measures("fit", given, pictures.measures.cells())
    known = values_of(given, *_TOKENS)
    # Going back is no other command: the run folder stays that of the first call.
    command = Run("fit", given.replaced(from_iteration=None, resume=given.resume or again), **known)
    command.claim()
    if again and not command.folder.resumed:
        raise BadInput("from_iteration", "must go on from an existing run", given.out)
    options = given.only([each.name for each in _FIT if each.name not in _TOKENS])
    found = fit(
        given.system, pictures, grid=grid, seed=given.seed, **known, **options, progress=_log_lines(given),
        resume=command,
    )  # fmt: skip
    return command.conclude(found)


def _log_lines(given: Given) -> Callable[[int, int | None, Mapping[str, Any]], None]:
    """Progress that prints the log as a table."""
    headed = False

    def tell(done: int, total: int | None, row: Mapping[str, Any]) -> None:
        nonlocal headed
        if not headed:
            free = "  ".join(f"{name:>9s}" for name in row["parameters"])
            say(given, f"start  iteration        loss  {free}       rate     steps  seconds")
            headed = True
        say(given, _line(row))

    return tell


def _line(row: Mapping[str, Any]) -> str:
    values = "  ".join(_cell(value, "9.5f") for value in row["parameters"].values())
    steps = row["steps"] + row["steps_differentiated"]
    return (
        f"{row['start']:5d}  {row['iteration']:9d}  {_cell(row['loss'], '10.4g')}  {values}  "
        f"{_cell(row['rate'], '9.2g')}  {steps:8,d}  {row['seconds']:7.2f}"
    )


def _cell(value: float | None, form: str) -> str:
    """A number, or a dash of its width where there is none."""
    return "—".rjust(int(form.partition(".")[0])) if value is None else f"{value:{form}}"
