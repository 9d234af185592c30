"""Compare learnt dynamics with the true ones, on pictures of a run that they were not learnt from.

unstill agree runs/held --flows runs/rule runs/kinetics --out runs/agree
"""

from pathlib import Path

from .._errors import BadInput, naming
from .arguments import Given, assignments, positional
from .runs import RUN, Run, known_arguments
from .signatures import options_of

ARGUMENTS = known_arguments(
    (
        positional("source", ..., "a run of `unstill simulate` of one parameter set, whose pictures are held out"),
        assignments("flows", "Runs of `unstill flow` on pictures.", metavar="RUN"),
    ),
    options_of("analysis.agreement:agree", leave_out=("pictures", "flows", "truth", "grid")),
    RUN,
)


def run(given: Given) -> int:
    """Compare, write agree.png and result.json; returns the exit code."""
    from ..analysis import agree
    from ..files import load, load_trajectory
    from ..files.models import is_picture_flow, load_picture_flow
    from ..simulation import sample
    from ..systems import ReactionDiffusion
    from .sources import one_set

    names = [name for words in given.flows for word in words for name in word.split(",") if name]
    if not names:
        raise BadInput("flows", "must name runs of `unstill flow` on pictures", "none")
    for path in names:
        if not is_picture_flow(path):
            told = "" if Path(path).expanduser().exists() else "There is no such folder."
            raise BadInput("flows", "must be runs of `unstill flow` on pictures", path, told)
    with naming("flows"):
        flows = {Path(path).name: load_picture_flow(path) for path in names}
    if len(flows) < len(names):
        raise BadInput("flows", "must have different names", ", ".join(names))
    one_set(given.source)
    kept = load_trajectory(given.source)
    if not isinstance(kept.dynamics, ReactionDiffusion):
        raise BadInput("source", "must be a run of `unstill simulate`: its system is the truth", given.source)
    command = Run("agree", given)
    command.claim()
    truth = sample(kept.dynamics, 0)
    found = agree(load(given.source), flows, truth, grid=kept.grid, **given.only(("time", "most", "seed")))
    return command.conclude(found)
