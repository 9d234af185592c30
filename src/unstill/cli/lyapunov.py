"""Lyapunov exponents of learnt flows, or of a system: full spectra, their sum, a null that is not chaotic.

unstill lyapunov runs/flow --out runs/lya
unstill lyapunov runs/flow --models 10 --time 500 --out runs/lya
unstill lyapunov lorenz --set rho=28 --out runs/lorenz-lya
unstill lyapunov rossler --preset two-turns --out runs/rossler-lya
"""

from pathlib import Path

from .._errors import BadInput
from .arguments import Given, assignments, option, positional
from .progress import progress_bar
from .runs import RUN, Run, known_arguments
from .signatures import options_of
from .sources import known_system
from .tokens import values_of

ARGUMENTS = known_arguments(
    (
        positional("source", ..., "a run of `unstill flow`, or a system without space: its name or file.py:NAME"),
        option("preset", "", "Start from a preset of the system."),
        assignments("set", "The system's parameters."),
        option("points", "", "Points to start from (default: those that the flows were learnt from).", metavar="PTS"),
    ),
    options_of("flows.exponents:lyapunov", leave_out=("dynamics", "points")),
    RUN,
)


def run(given: Given) -> int:
    """Measure, write lyapunov.png and result.json; returns the exit code."""
    from ..flows import lyapunov
    from ..flows.arrays import FLOWS_FILE

    flows = (Path(given.source).expanduser() / FLOWS_FILE).is_file()
    dynamics, points = _flows(given) if flows else _system(given)
    command = Run("lyapunov", given)
    command.claim()
    plain = given.only(("models", "orbits", "time", "transient", "dt", "seed"))
    with progress_bar(given, "models") as progress:
        found = lyapunov(dynamics, points=points, **plain, progress=progress, resume=command)
    return command.conclude(found)


def _flows(given: Given):
    """The flows of a run, and their points; raises `BadInput`."""
    from ..files.models import learnt_from, load_flows
    from ..files.points import load_points

    for name in ("set", "preset"):
        if getattr(given, name):
            raise BadInput(name, f"must be left out: {given.source} is a run of flows", given.told(name))
    return load_flows(given.source), load_points(given.points or learnt_from(given.source))


def _system(given: Given):
    """A system without space; raises `BadInput`."""
    from ..systems import OrdinarySystem

    cls = known_system(given.source, "a run of `unstill flow` on points")
    if not issubclass(cls, OrdinarySystem):
        raise BadInput("source", "must be a run of `unstill flow` or a system without space", repr(given.source))
    for name in ("points", "models"):
        if getattr(given, name):
            raise BadInput(name, f"must be left out: the source is the system {cls.name}", getattr(given, name))
    values: dict = values_of(given, "set")["set"]
    return cls.make(given.preset or None, **values), None
