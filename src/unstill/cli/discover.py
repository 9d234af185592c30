"""Find the equations whose motion preserves a heap of points or pictures, and how far these determine them.

unstill discover runs/lorenz --library poly2 --out runs/eq
unstill discover points.csv --fix "x:y=10" --out runs/eq
unstill discover a.csv,b.csv --condition rho=24 --condition rho=32 --out runs/both
unstill discover pendulum.csv --periodic x=6.2832 --out runs/pendulum
unstill discover noisy.npz --noise x=0.4 y=0.4 z=0.4 --out runs/clean
unstill discover runs/hopf --library poly3 --stochastic --out runs/sde
unstill discover points.csv --ordered two_frames.csv --interval 0.01 --out runs/timed
unstill discover runs/maze --fix "u:u v^2=-1" --fix "v:u v^2=1" --out runs/gray-scott
"""

from .._errors import BadInput
from .arguments import Given, assignments, option, positional
from .dynamics import CELLS
from .runs import RUN, Run, known_arguments, refuse_of
from .signatures import meanings, options_of
from .sources import READING, reading, tell_measures
from .tokens import noise_of, parameter_sets, values_of

_DISCOVER = "discovery.discover:discover"
_TOLD = meanings(_DISCOVER)
ARGUMENTS = known_arguments(
    (
        positional("source", ..., "points: .csv, .npz, .npy or a folder of `unstill points`; or pictures of all "
                   "fields: .npz, .npy or a run folder; several, divided by commas", kind="Names"),
    ),
    options_of(_DISCOVER, leave_out=("points", "ordered", "noise", "conditions", "grid")),
    (
        option("ordered", "", "Points (.csv, .npz, .npy) or pictures in order of time, two or more.", metavar="FILE"),
        option("interval", None, "Time between ordered points.", kind="Positive"),
        assignments("noise", _TOLD["noise"], metavar="NOISE"),
        assignments("condition", "Known conditions, once for each source."),
    ),
    READING,
    CELLS,
    RUN,
)  # fmt: skip


def run(given: Given) -> int:
    """Discover, write the run folder, print the equations; returns the exit code."""
    from ..discovery import discover

    if given.interval is not None and not given.ordered:
        raise BadInput("interval", "needs `ordered`", given.interval)
    data, grid, ordered = _loaded(given)
    command = Run("discover", given)
    command.claim()
    known = values_of(given, "fix", "sign", "covariance", "periodic")
    found = discover(
        data,
        given.library or None,
        grid=grid,
        cross=given.cross,
        fix=known["fix"],
        sign=known["sign"],
        ordered=ordered,
        noise=noise_of(given),
        stochastic=given.stochastic,
        covariance=known["covariance"] or None,
        conditions=parameter_sets("condition", given.condition),
        tests=given.tests,
        functionals=given.functionals,
        periodic=known["periodic"] or None,
        seed=given.seed,
    )
    return command.conclude(found)


def _loaded(given: Given):
    """Heaps of points, or pictures with their grid, and what is in order of time; raises `BadInput`."""
    from ..files.heaps import is_pictures, load_pictures
    from ..files.points import load_points
    from ..observations import Ordered

    if all(map(is_pictures, given.source)):
        of_pictures = (given.ordered, given.interval, given.dx, given.boundary)
        fields, grid, frames, told = load_pictures(given.source, *of_pictures, **reading(given))
        tell_measures("discover", given, told)
        return fields, grid, frames
    if given.dx is not None or given.boundary is not None:
        raise BadInput("dx" if given.dx is not None else "boundary", "is for pictures only", given.dx or given.boundary)
    refuse_of(given, READING, "pictures")
    ordered = Ordered(load_points(given.ordered).x, given.interval) if given.ordered else None
    return [load_points(source) for source in given.source], None, ordered
