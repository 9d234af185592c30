"""Uniform states of a system, what grows on them, and where that changes along one parameter or over two.

unstill stability brusselator --preset hexagons --out runs/s
unstill stability gray-scott --preset spots --over k=0.04:0.07 --out runs/s
unstill stability gray-scott --over k=0:0.08 F=0.001:0.1 --out runs/s
"""

from .arguments import Given, assignments
from .dynamics import FIRST_SYSTEM
from .progress import progress_bar
from .runs import ARRAYS, Run, known_arguments
from .signatures import options_of
from .tokens import spans, values_of

_RANGE = "NAME=LOW:HIGH"
ARGUMENTS = known_arguments(
    (FIRST_SYSTEM,),
    options_of("analysis.stability:stability", leave_out=("system", "over", "box")),
    (
        assignments("over", "The range of one parameter, or of two, in which bifurcations are looked for.", _RANGE),
        assignments("box", "The range of a field in which uniform states are looked for.", _RANGE),
    ),
    ARRAYS,
)


def run(given: Given) -> int:
    """Find, write stability.png, stability.npz and result.json; returns the exit code."""
    from ..analysis import stability

    command = Run("stability", given)
    command.claim()
    with progress_bar(given, "lines") as progress:
        found = stability(
            given.system, preset=given.preset, set=values_of(given, "set")["set"], over=spans("over", given.over),
            box=spans("box", given.box), starts=given.starts, seed=given.seed, progress=progress, resume=command,
        )  # fmt: skip
    return command.conclude(found)
