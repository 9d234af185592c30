"""Learn vector fields that preserve the density of a heap of points: an equilibrium flow, or an ensemble of them.

unstill flow runs/ring --score runs/ring-score --out runs/ring-flow
unstill flow runs/lorenz --score kernel --tau 0.2 --experiments 100 --out runs/flow
unstill flow runs/lorenz --score kernel --tau 0.2 --field polynomial --out runs/quadratic
unstill flow runs/lorenz --score kernel --tau 0.2 --prior known=0.01 --known runs/quadratic --out runs/near
unstill flow runs/lorenz --score runs/score --training-free --experiments 20 --out runs/free
"""

from .._errors import BadInput
from .arguments import Given, assignments, option
from .runs import RUN, Run, known_arguments, progress_bar
from .signatures import meanings, options_of
from .sources import POINTS

KERNEL = "kernel"
_FLOW = "flows.learn_flow:learn_flow"
ARGUMENTS = known_arguments(
    (POINTS, option("score", "", "A run of `unstill score`, or kernel for the closed form.", metavar="RUN")),
    options_of(_FLOW, leave_out=("points", "score", "prior", "known", "optimiser")),
    (
        option("training_free", False, "Constant antisymmetric matrices times the score: the family constant."),
        assignments("prior", meanings(_FLOW)["prior"], metavar="NAME"),
        option("known", "", "The known part: a run of `unstill flow`, a system, or file.py:NAME.", metavar="WHAT"),
    ),
    RUN,
)
_PLAIN = ("tau", "experiments", "flip", "hidden", "epochs", "steps", "batch", "rate", "time", "integrator", "seed")


def run(given: Given) -> int:
    """Learn, write flows.npz, flow.png and result.json; returns the exit code."""
    from ..files.models import known_part, load_score
    from ..files.points import load_points
    from ..flows import learn_flow

    if not given.score:
        raise BadInput("score", "must be a run of `unstill score`, or kernel", None)
    if given.training_free and (given.field != "plain" or given.prior):
        raise BadInput("training_free", "takes neither `field` nor `prior`")
    points = load_points(given.source)
    score = None if given.score == KERNEL else load_score(given.score, points.names)
    command = Run("flow", given)
    command.claim()
    with progress_bar(given, "epochs") as progress:
        found = learn_flow(
            points,
            score,
            field="constant" if given.training_free else given.field,
            prior=[word for words in given.prior for text in words for word in text.split(",") if word],
            known=known_part(given.known, points.dimension) if given.known else None,
            **given.only(_PLAIN),
            progress=progress,
            resume=command,
        )
    return command.conclude(found)
