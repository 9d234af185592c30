"""Compare the pictures of a set with each other: how far are two patterns of one kind apart in the eyes of a loss?

unstill compare runs/maze --observe v --out runs/c
unstill compare pictures.npz --loss power-spectrum,pixel,gram --samples 32 --out runs/c
unstill compare runs/maze --loss my_loss.py:distance --out runs/c
"""

from .arguments import Given, positional
from .progress import progress_bar
from .runs import ARRAYS, Run, known_arguments
from .signatures import options_of
from .sources import READING, reading

ARGUMENTS = known_arguments(
    (positional("source", ..., "a folder of pictures, .npz, .npy, or a run folder"),),
    options_of("fitting.compare:compare", leave_out=("pictures",)),
    READING,
    ARRAYS,
)


def run(given: Given) -> int:
    """Compare, write the run folder, print a table; returns the exit code."""
    from ..files import load
    from ..fitting import compare

    pictures = load(given.source, observe=given.observe or None, **reading(given))
    command = Run("compare", given)
    command.claim()
    with progress_bar(given, "losses") as progress:
        found = compare(pictures, **given.only(("loss", "observe", "samples")), progress=progress, resume=command)
    return command.conclude(found)
