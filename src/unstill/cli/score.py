"""Learn the score of a heap of points or pictures: the gradient of log density at every noise level.

unstill score runs/ring --out runs/ring-score
unstill score runs/waves --minutes 10 --out runs/waves-score
unstill score points.csv --schedule ddpm --hidden 128,128 --epochs 500 --out runs/score
"""

from pathlib import Path

from .._errors import BadInput
from .arguments import Given, option, positional
from .progress import progress_bar
from .runs import RUN, Run, known_arguments, refuse_of
from .signatures import meanings, options_of
from .sources import READING, reading

_SCORE, _OF_FIELDS = "flows.learn_score:learn_score", "field_flows.learn_field_score:learn_field_score"
_BOTH = ("epochs", "steps", "batch", "rate")
_OF_POINTS = known_arguments(
    tuple(each for each in options_of(_SCORE) if each.name in ("schedule", "samples")),
    (
        option("hidden", (64, 64), meanings(_SCORE)["hidden"], kind="Widths"),
        option("free", False, "Do not make the score a gradient by construction: cheaper, less exact."),
    ),
)
_OF_PICTURES = known_arguments(
    tuple(each for each in options_of(_OF_FIELDS) if each.name in ("width", "depth", "conservative", "minutes")),
    (option("observe", "", "Fields of the pictures (default: all)."),),
)
ARGUMENTS = known_arguments(
    (
        positional(
            "source", ..., "points: .csv, .npz, .npy or a folder of `unstill points`; or pictures on a torus: .npz, "
            ".npy or a run folder",
        ),
    ),
    _OF_POINTS, _OF_PICTURES,
    (
        option("epochs", None, "Epochs at most (default: 120 of points, 60 of pictures).", kind="Count"),
        option("steps", None, "Steps an epoch (default: 100 of points, 25 of pictures).", kind="Count"),
        option("batch", None, "Points or pictures a step (default: 2048 and 16).", kind="Count"),
        option("rate", None, "Learning rate at the start (default: 0.005 and 0.002).", kind="Positive"),
    ),
    READING,
    RUN,
)  # fmt: skip


def run(given: Given) -> int:
    """Learn, write the score, its figure and result.json; returns the exit code."""
    from ..files.heaps import is_pictures

    if not Path(given.source).expanduser().exists():
        raise BadInput("source", "must be an existing file or folder", given.source)
    training = {name: getattr(given, name) for name in _BOTH if getattr(given, name) is not None}
    if is_pictures(given.source):
        refuse_of(given, _OF_POINTS, "points")
        return _of_pictures(given, training)
    refuse_of(given, (*_OF_PICTURES, *READING), "pictures")
    return _of_points(given, training)


def _of_points(given: Given, training: dict) -> int:
    from ..files.points import load_points
    from ..flows import learn_score

    points = load_points(given.source)
    command = Run("score", given)
    command.claim()
    plain = given.only(("schedule", "hidden", "samples", "seed")) | training
    with progress_bar(given, "epochs") as progress:
        found = learn_score(points, **plain, conservative=not given.free, progress=progress, resume=command)
    return command.conclude(found)


def _of_pictures(given: Given, training: dict) -> int:
    from ..field_flows import learn_field_score
    from ..files import load

    if given.minutes is not None and "epochs" in training:
        raise BadInput("minutes", "must be left out where `epochs` is given", given.minutes)
    pictures = load(given.source, observe=given.observe or None, **reading(given))
    command = Run("score", given)
    command.claim()
    plain = given.only(("width", "depth", "conservative", "minutes", "seed")) | training
    with progress_bar(given, "epochs") as progress:
        found = learn_field_score(pictures, **plain, progress=progress, resume=command)
    return command.conclude(found)
