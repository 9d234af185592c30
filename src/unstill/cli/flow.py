"""Learn dynamics that preserve an unordered heap: vector fields for points, a local rule for pictures.

unstill flow runs/waves --out runs/rule
unstill flow runs/waves --field kinetics --fix "u:lap u=0.16" --out runs/kinetics
unstill flow runs/waves --score runs/waves-score --field convolution --radius 1 --out runs/conv
unstill flow runs/waves --score runs/waves-score --field local --radius 2 --out runs/net
unstill flow runs/ring --score runs/ring-score --out runs/ring-flow
unstill flow runs/lorenz --score kernel --tau 0.2 --experiments 100 --out runs/flow
unstill flow runs/lorenz --score kernel --tau 0.2 --field polynomial --out runs/quadratic
unstill flow runs/lorenz --score kernel --tau 0.2 --prior known=0.01 --known runs/quadratic --out runs/near
unstill flow runs/lorenz --score runs/score --training-free --experiments 20 --out runs/free
"""

import re
from pathlib import Path

from .._errors import BadInput, naming, nearest
from .arguments import Argument, Given, assignments, option, positional
from .dynamics import CELLS
from .progress import progress_bar
from .runs import RUN, Run, known_arguments, refuse_of
from .signatures import meanings, options_of, signature
from .sources import READING, reading, tell_measures
from .tokens import values_of

KERNEL = "kernel"
_FLOW, _RULE = "flows.learn_flow:learn_flow", "rules.learn_rule:learn_rule"
_OF_SCORES = "field_flows.learn_field_flow:learn_field_flow"
_NAMES = ("epochs", "steps", "batch", "rate")
_OF_PICTURES = ("convolution", "local")  # with a score
_OF_HEAPS = ("rule", "kinetics", *_OF_PICTURES)
_SHARED = (option("score", "", "A run of `unstill score`, or kernel for the closed form of points.", metavar="RUN"),)


def _two_defaults(name: str, meaning: str) -> Argument:
    """An option of the same meaning for points and for pictures, whose functions have other defaults."""
    told = " of points, ".join(_default_of(function, name) for function in (_FLOW, _OF_SCORES))
    kind = next(kind for each, kind, _ in signature(_OF_SCORES) if each == name)
    return option(name, None, f"{meaning} (default: {told} of pictures).", kind=kind)


def _default_of(function: str, name: str) -> str:
    """As the signature has it, or the docstring where that says `None`, for one that the function chooses."""
    default = next(default for each, _, default in signature(function) if each == name)
    told = re.search(r"\(default: ([^)]+)\)", meanings(function)[name])
    return str(default) if default is not None or told is None else told[1]


_LEVEL = (_two_defaults("tau", "Noise level of the density that is preserved"),)
_TRAINED = (
    _two_defaults("epochs", "Epochs at most; training ends early when a quarter of them has gained too little"),
    _two_defaults("steps", "Steps an epoch"),
    _two_defaults("batch", "Points or pictures a step"),
    _two_defaults("rate", "Learning rate at the start, which falls to 1 % along a half cosine"),
)
_OF_POINTS = known_arguments(
    options_of(_FLOW, leave_out=("points", "score", "tau", "field", "prior", "known", "optimiser", *_NAMES)),
    (
        option("training_free", False, "Constant antisymmetric matrices times the score: the family constant."),
        assignments("prior", meanings(_FLOW)["prior"], metavar="NAME"),
        option("known", "", "The known part: a run of `unstill flow`, a system, or file.py:NAME.", metavar="WHAT"),
    ),
)
_OF_FIELDS = known_arguments(
    tuple(each for each in options_of(_OF_SCORES) if each.name in ("radius", "width")),
    (option("uneven", False, "One number a cell of the kernel or network instead of one a distance."),),
)
_OF_RULES = known_arguments(
    options_of(_RULE, leave_out=("pictures", "family", "grid", "ordered", "noise")),
    (
        option("observe", "", "Fields of the pictures (default: all)."),
        option("ordered", "", "Pictures in order of time, two or more: .npz, .npy or a run folder.", metavar="FILE"),
        option("interval", None, "Time between ordered pictures.", kind="Positive"),
        assignments("noise", meanings(_RULE)["noise"], metavar="NOISE"),
    ),
    CELLS,
)
ARGUMENTS = known_arguments(
    (
        positional(
            "source", ..., "points: .csv, .npz, .npy or a folder of `unstill points`; or pictures of all fields: "
            ".npz, .npy or a run folder",
        ),
        option("field", "", "Family: rule, kinetics, convolution or local of pictures (default: rule); plain, encoded, "
               "polynomial, antisymmetric or constant of points (default: plain)."),
    ),
    _SHARED, _LEVEL, _TRAINED, _OF_POINTS, _OF_RULES, _OF_FIELDS, READING, RUN,
)  # fmt: skip
_PLAIN = ("experiments", "flip", "hidden", "time", "integrator", "seed")


def run(given: Given) -> int:
    """Learn, write the run folder; returns the exit code."""
    from ..files.heaps import is_pictures

    if not Path(given.source).expanduser().exists():
        raise BadInput("source", "must be an existing file or folder", given.source)
    if not is_pictures(given.source):
        refuse_of(given, (*_OF_RULES, *_OF_FIELDS, *READING), "pictures")
        return _of_points(given)
    refuse_of(given, _OF_POINTS, "points")
    if given.field and given.field not in _OF_HEAPS:
        raise BadInput(
            "field", "must be a known family of pictures", repr(given.field), nearest(given.field, _OF_HEAPS)
        )
    if given.field in _OF_PICTURES:
        refuse_of(given, tuple(each for each in _OF_RULES if each.name != "observe"), "rules")
        return _of_their_score(given)
    refuse_of(given, (*_SHARED, *_LEVEL, *_TRAINED, *_OF_FIELDS), "the families convolution and local")
    return _of_pictures(given)


def _chosen(given: Given) -> dict:
    """What points and pictures have other defaults for, where it was given."""
    return {name: value for name, value in given.only(("tau", *_NAMES)).items() if value is not None}


def _of_points(given: Given) -> int:
    from ..files.models import known_part, load_score
    from ..files.points import load_points
    from ..flows import learn_flow
    from ..flows.fields import find_field

    if given.field:
        find_field(given.field)  # a word that is wrong is told before one that is missing
    if not given.score:
        raise BadInput("score", "must be a run of `unstill score`, or kernel, where points are given", "none")
    if given.training_free and (given.field or given.prior):
        other = "field" if given.field else "prior"
        raise BadInput("training_free", "takes neither `field` nor `prior`", f"{other} {given.told(other)}")
    points = load_points(given.source)
    with naming("score"):
        score = None if given.score == KERNEL else load_score(given.score, points.names)
    with naming("known"):
        known = known_part(given.known, points.dimension) if given.known else None
    command = Run("flow", given)
    command.claim()
    with progress_bar(given, "epochs") as progress:
        found = learn_flow(
            points,
            score,
            field="constant" if given.training_free else given.field or "plain",
            prior=[word for words in given.prior for text in words for word in text.split(",") if word],
            known=known,
            **given.only(_PLAIN),
            **_chosen(given),
            progress=progress,
            resume=command,
        )
    return command.conclude(found)


def _of_their_score(given: Given) -> int:
    from ..field_flows import learn_field_flow
    from ..files import load
    from ..files.models import load_field_score

    if not given.score or not Path(given.score).expanduser().exists():
        raise BadInput("score", "must be a run of `unstill score` on pictures", given.score or "none")
    with naming("score"):
        score = load_field_score(given.score)
    pictures = load(given.source, observe=given.observe or None, **reading(given))
    if given.field == "convolution":
        needless = tuple(each for each in (*_TRAINED, *_OF_FIELDS) if each.name in ("width", *_NAMES))
        refuse_of(given, needless, "the family local")
    command = Run("flow", given)
    command.claim()
    with progress_bar(given, "epochs") as progress:
        found = learn_field_flow(
            pictures,
            score,
            field=given.field,
            isotropic=not given.uneven,
            **given.only(("radius", "width", "seed")),
            **_chosen(given),
            progress=progress,
            resume=command,
        )
    return command.conclude(found)


def _of_pictures(given: Given) -> int:
    from ..files.heaps import load_pictures
    from ..rules import learn_rule
    from .tokens import noise_of

    if given.interval is not None and not given.ordered:
        raise BadInput("interval", "needs `ordered`", given.interval)
    heap = (given.source, given.ordered, given.interval, given.dx, given.boundary)
    fields, grid, ordered, told = load_pictures([heap[0]], *heap[1:], observe=given.observe or None, **reading(given))
    tell_measures("flow", given, told)
    command = Run("flow", given)
    command.claim()
    with progress_bar(given, "pictures") as progress:
        found = learn_rule(
            fields,
            given.field or "rule",
            grid=grid,
            fix=values_of(given, "fix")["fix"],
            ordered=ordered,
            noise=noise_of(given),
            **given.only(("degree", "neighbourhood", "most", "seed")),
            progress=progress,
        )
    return command.conclude(found)
