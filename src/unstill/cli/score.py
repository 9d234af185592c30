"""Learn the score of a heap of points: the gradient of log density at every noise level.

unstill score runs/ring --out runs/ring-score
unstill score points.csv --schedule ddpm --hidden 128,128 --epochs 500 --out runs/score
"""

from .arguments import Given, option
from .runs import RUN, Run, known_arguments, progress_bar
from .signatures import meanings, options_of
from .sources import POINTS

_SCORE = "flows.learn_score:learn_score"
ARGUMENTS = known_arguments(
    (POINTS,),
    options_of(_SCORE, leave_out=("points", "hidden", "conservative", "optimiser")),
    (
        option("hidden", (64, 64), meanings(_SCORE)["hidden"], kind="Widths"),
        option("free", False, "Do not make the score a gradient by construction: cheaper, less exact."),
    ),
    RUN,
)


def run(given: Given) -> int:
    """Learn, write score.npz, score.png and result.json; returns the exit code."""
    from ..files.points import load_points
    from ..flows import learn_score

    points = load_points(given.source)
    command = Run("score", given)
    command.claim()
    plain = given.only(("schedule", "hidden", "epochs", "steps", "batch", "rate", "samples", "seed"))
    with progress_bar(given, "epochs") as progress:
        found = learn_score(points, **plain, conservative=not given.free, progress=progress, resume=command)
    return command.conclude(found)
