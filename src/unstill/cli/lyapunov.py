"""Lyapunov exponents of learnt flows, of a system, or of a pattern: spectra, their sum, a null that is not chaotic.

unstill lyapunov runs/flow --out runs/lya
unstill lyapunov runs/flow --models 10 --time 500 --out runs/lya
unstill lyapunov lorenz --set rho=28 --out runs/lorenz-lya
unstill lyapunov rossler --preset two-turns --out runs/rossler-lya
unstill lyapunov gray-scott --preset chaos --exponents 8 --out runs/chaos-lya
unstill lyapunov runs/waves --exponents 4 --out runs/waves-lya
"""

from pathlib import Path

from .._errors import BadInput
from .arguments import Given, assignments, option, positional
from .dynamics import CELLS
from .progress import progress_bar
from .runs import RUN, Run, known_arguments
from .signatures import options_of
from .sources import known_system
from .tokens import values_of

ARGUMENTS = known_arguments(
    (
        positional(
            "source", ..., "a run of `unstill flow` or `unstill simulate`, or a system: its name or file.py:NAME"
        ),
        option("preset", "", "Start from a preset of the system."),
        assignments("set", "The system's parameters."),
        option("points", "", "Points to start from (default: those that the flows were learnt from).", metavar="PTS"),
    ),
    (option("size", None, "Cells of a system in space: N or ROWSxCOLUMNS (default: 128).", kind="Size"),),
    CELLS,
    options_of("flows.exponents:lyapunov", leave_out=("dynamics", "points", "grid")),
    RUN,
)


def run(given: Given) -> int:
    """Measure, write lyapunov.png and result.json; returns the exit code."""
    from ..flows import lyapunov
    from ..flows.arrays import FLOWS_FILE

    flows = (Path(given.source).expanduser() / FLOWS_FILE).is_file()
    dynamics, points, grid = _flows(given) if flows else _system(given)
    command = Run("lyapunov", given)
    command.claim()
    plain = given.only(("models", "exponents", "orbits", "time", "transient", "dt", "seed"))
    with progress_bar(given, "models") as progress:
        found = lyapunov(dynamics, points=points, grid=grid, **plain, progress=progress, resume=command)
    return command.conclude(found)


def _flows(given: Given):
    """The flows of a run, and their points; raises `BadInput`."""
    from ..files.models import learnt_from, load_flows
    from ..files.points import load_points

    for name in ("set", "preset", "size", "dx", "boundary"):
        if getattr(given, name):
            raise BadInput(name, f"must be left out: {given.source} is a run of flows", given.told(name))
    return load_flows(given.source), load_points(given.points or learnt_from(given.source)), None


def _system(given: Given):
    """A system, or the trajectory of a run folder, and its grid; raises `BadInput`."""
    from ..systems import Grid, ReactionDiffusion

    if (Path(given.source).expanduser() / "result.json").is_file():
        return _trajectory(given), None, None
    cls = known_system(given.source, "a run of `unstill flow` or `unstill simulate`")
    in_space = issubclass(cls, ReactionDiffusion)
    for name in ("points", "models", *(() if in_space else ("size", "dx", "boundary"))):
        if getattr(given, name):
            raise BadInput(name, f"must be left out: the source is the system {cls.name}", given.told(name))
    values: dict = values_of(given, "set")["set"]
    system = cls.make(given.preset or None, **values)
    if not in_space:
        return system, None, None
    dx, boundary = 1.0 if given.dx is None else given.dx, given.boundary or "periodic"
    return system, None, Grid(given.size or (128, 128), dx, boundary)


def _trajectory(given: Given):
    """The trajectory of a run folder; raises `BadInput`."""
    from ..files import load_trajectory

    for name in ("set", "preset", "size", "dx", "boundary", "points", "models"):
        if getattr(given, name):
            raise BadInput(name, f"must be left out: {given.source} is a run of a pattern", given.told(name))
    return load_trajectory(given.source)
