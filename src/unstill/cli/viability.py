"""When do gradients through a simulation find its parameters? Strategies × losses × regimes × distance of the start.

unstill viability --quick --out runs/v      # within an hour on 2 cores
unstill viability --out runs/v              # a night; --resume goes on
"""

from .arguments import Given
from .progress import progress_bar
from .runs import RUN, Run, known_arguments
from .signatures import options_of

ARGUMENTS = known_arguments(options_of("fitting.viability.viability:viability"), RUN)


def run(given: Given) -> int:
    """Run the study, write the run folder; returns the exit code."""
    import dataclasses

    from ..fitting import viability
    from ..fitting.viability.study import study_of

    study = dataclasses.asdict(study_of(quick=given.quick, seed=given.seed))  # another study is no continuation
    command = Run("viability", given, study=study)
    command.claim()
    with progress_bar(given, "fits") as progress:
        found = viability(quick=given.quick, seed=given.seed, progress=progress, resume=command)
    return command.conclude(found)
