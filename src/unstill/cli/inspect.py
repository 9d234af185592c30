"""Show what a file of pictures holds, and what is suspicious, before any method works on it.

unstill inspect film.tif --out runs/look
unstill inspect stack.ome.tif --channel 1 --frames 0:100
unstill inspect data.h5 --fields u=run/a,v=run/b
unstill inspect array.npy --axes TCYX --json
"""

from .arguments import Given, option, positional
from .runs import RUN, Run, known_arguments
from .sources import READING, reading, tell_palette

ARGUMENTS = known_arguments(
    (
        positional("source", ..., "pictures: a film, an array, a folder of pictures, or a run folder"),
        option("observe", (), "Only these fields (default: all that the pictures hold).", kind="Names"),
    ),
    READING,
    RUN,
)


def run(given: Given) -> int:
    """Look, write the run folder, print what was seen; returns the exit code."""
    from ..files.inspect import inspect

    found = inspect(given.source, observe=given.observe or None, **reading(given))
    tell_palette("inspect", given, found.pictures)
    command = Run("inspect", given)
    command.claim()
    return command.conclude(found)
