"""How far do points determine their dynamics? Learnt flows beside equations, free and random fields, the truth.

unstill uniqueness runs/lorenz --score runs/score --flows runs/flow --out runs/uni
unstill uniqueness runs/lorenz --score runs/score --flows runs/plain,runs/near --random 20 --out runs/uni
"""

from pathlib import Path

from .._errors import BadInput, naming
from .arguments import Given, option
from .runs import ARRAYS, Run, known_arguments
from .signatures import options_of
from .sources import POINTS

ARGUMENTS = known_arguments(
    (
        POINTS,
        option("score", "", "A run of `unstill score`.", metavar="RUN"),
        option("flows", (), "Runs of `unstill flow`, divided by commas.", kind="Names"),
    ),
    options_of("flows.uniqueness:uniqueness", leave_out=("points", "score", "flows")),
    ARRAYS,
)


def run(given: Given) -> int:
    """Compare, write uniqueness.npz, uniqueness.png and result.json; returns the exit code."""
    from ..files.models import load_flows, load_score
    from ..files.points import load_points
    from ..flows import uniqueness

    if not given.score or not given.flows:
        raise BadInput("flows" if given.score else "score", "must name runs to compare", "none")
    points = load_points(given.source)
    with naming("score"):
        score = load_score(given.score, points.names)
    with naming("flows"):
        learnt = {Path(path).name: load_flows(path) for path in given.flows}
    if len(learnt) < len(given.flows):
        raise BadInput("flows", "must have different names", ", ".join(given.flows))
    command = Run("uniqueness", given)
    command.claim()
    plain = given.only(("random", "time", "library", "seed"))
    return command.conclude(uniqueness(points, score, learnt, **plain, resume=command))
