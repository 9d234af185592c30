"""How often the intervals of `recover` hold the truth, on simulated pictures of one system.

unstill calibrate gray-scott --preset spots --noise 0.1 --repeats 50 --out runs/cal
unstill calibrate gray-scott --preset maze --noise 0.05 --window --gain unknown --fix Du/Dv=2 --out runs/cal
"""

from .arguments import Given
from .dynamics import FIRST_SYSTEM
from .progress import progress_bar
from .runs import RUN, Run, known_arguments
from .signatures import options_of
from .tokens import values_of

_CALIBRATE = options_of("recovery.calibrate:calibrate", leave_out=("system",))
ARGUMENTS = known_arguments((FIRST_SYSTEM,), _CALIBRATE, RUN)
_PLAIN = tuple(each.name for each in _CALIBRATE if each.name not in ("set", "fix"))


def run(given: Given) -> int:
    """Measure, write calibration.png and result.json, print a table; returns the exit code."""
    from ..recovery import calibrate

    command = Run("calibrate", given)
    command.claim()
    named = values_of(given, "set", "fix")
    with progress_bar(given, "pictures") as progress:
        found = calibrate(
            given.system, **given.only(_PLAIN), set=named["set"], fix=named["fix"], seed=given.seed, progress=progress,
            resume=command,
        )  # fmt: skip
    return command.conclude(found)
