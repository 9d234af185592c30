"""Draw a point set: an unordered heap of points, with its true dynamics where there is one.

unstill points lorenz --out runs/lorenz
unstill points lorenz --count 5000 --independent --raw --out runs/lorenz-independent
unstill points                                                  # list the sets
"""

from .._errors import BadInput
from .arguments import Given, positional
from .runs import ARRAYS, Run, known_arguments, say
from .signatures import meanings, options_of

_DRAW = "discovery.point_sets:draw_points"
ARGUMENTS = known_arguments(
    (positional("name", "", meanings(_DRAW)["name"]),), options_of(_DRAW, leave_out=("name",)), ARRAYS
)  # fmt: skip


def run(given: Given) -> int:
    """Draw, write points.npz, points.png and result.json; or list the sets. Returns the exit code."""
    from ..discovery.point_sets import POINT_SETS, draw_points

    if not given.name:
        if given.out or given.count is not None:
            raise BadInput("name", f"must be a point set: {', '.join(POINT_SETS)}", None)
        say(given, *(f"{s.name:18s} {s.count:6d}  {s.about}" for s in POINT_SETS.values()))
        return 0
    command = Run("points", given)
    command.claim()
    return command.conclude(
        draw_points(given.name, seed=given.seed, **given.only(("count", "independent", "raw")))
    )  # fmt: skip
