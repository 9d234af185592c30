"""Map a loss over parameters: along one, over a section of two, or over a list of sets.

unstill landscape gray-scott --along F=0.03:0.06:31 --target runs/t --out runs/l
unstill landscape gray-scott --along F=.02:.06:21 --along k=.05:.07:21 --target runs/t --path runs/f --out runs/l
unstill landscape gray-scott --set F=.03 k=.06 --set F=.035 k=.065 --target runs/t --out runs/l
"""

from .._errors import BadInput, naming
from .arguments import Given, assignments, option
from .dynamics import FIRST_SYSTEM
from .progress import progress_bar
from .runs import ARRAYS, Run, known_arguments
from .signatures import options_of
from .sources import true_parameters
from .tokens import parameter_sets, ranges

_LANDSCAPE = options_of(
    "fitting.landscape:landscape", leave_out=("system", "pictures", "along", "set", "truth", "path", "grid")
)
ARGUMENTS = known_arguments(
    (FIRST_SYSTEM,),
    (
        option("target", "", "The targets: a picture, a folder, .npz, .npy, or a run folder.", metavar="SOURCE"),
        assignments("along", "The values of a parameter; given again, a section of two.", "NAME=LOW:HIGH:COUNT"),
        assignments("set", "The other parameters; given again, a list of sets in place of --along."),
        option("path", "", "A fit's run folder, whose way is drawn.", metavar="DIR"),
    ),
    _LANDSCAPE,
    ARRAYS,
)


def run(given: Given) -> int:
    """Map, write the run folder; returns the exit code."""
    from ..files import load
    from ..files.fits import load_fit_log
    from ..fitting import landscape
    from ..systems import find_system

    cls = find_system(given.system)
    if not given.target:
        raise BadInput("target", "must name the pictures that predictions are compared with", "none")
    with naming("target"):
        pictures = load(given.target, observe=given.observe or None)
    sets = parameter_sets("set", given.set)
    command = Run("landscape", given)
    command.claim()
    with progress_bar(given, "points") as progress:
        found = landscape(
            cls, pictures, along=ranges("along", given.along), set=sets if len(sets) > 1 else sets[0] if sets else None,
            truth=true_parameters(given.target, cls), path=load_fit_log(given.path) if given.path else None,
            seed=given.seed, **given.only([each.name for each in _LANDSCAPE]), progress=progress, resume=command,
        )  # fmt: skip
    return command.conclude(found)
