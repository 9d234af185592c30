"""Map the regimes of a system over its parameters: an atlas, which xarray opens and a browser shows.

unstill survey gray-scott --over F 0.005:0.105:64 --over k 0.03:0.07:64 --size 128 --time 20000 --out runs/atlas
unstill survey gray-scott --preset pearson --over F 0.01:0.06:12 --over k 0.045:0.066:12 --size 64 --out runs/small
unstill survey brusselator --over a 0.5:3:20 --over b 1:6:20 --init noise --samples 3 --out runs/brusselator
unstill survey gray-scott --over F .01:.1:2 --over k .03:.07:2 --over Dv .04:.1:2 --design sobol --points 256
"""

from .arguments import Given, assignments, option
from .dynamics import CELLS, FIRST_SYSTEM
from .progress import progress_bar
from .runs import RUN, Run, known_arguments
from .signatures import options_of
from .tokens import ranges, values_of

_SURVEY = options_of("atlas.survey:survey", leave_out=("system", "over", "set", "grid"))
ARGUMENTS = known_arguments(
    (
        FIRST_SYSTEM,
        assignments("over", "A parameter that varies and its range; given again, another axis.", "NAME LOW:HIGH:COUNT"),
        assignments("set", "The other parameters."),
        option("size", None, "Cells: N or ROWSxCOLUMNS (default: 128).", kind="Size"),
    ),
    CELLS,
    _SURVEY,
    RUN,
)


def run(given: Given) -> int:
    """Look at every cell, write atlas.zarr, atlas.png, atlas.html and result.json; returns the exit code."""
    from ..atlas import survey
    from ..systems import Grid

    over = ranges("over", given.over)
    grid = Grid(given.size or (128, 128), 1.0 if given.dx is None else given.dx, given.boundary or "periodic")
    command = Run("survey", given)
    command.claim()
    with progress_bar(given, "cells") as progress:
        found = survey(
            given.system, over=over, **values_of(given, "set"), grid=grid, seed=given.seed,
            **given.only([each.name for each in _SURVEY]), progress=progress, resume=command,
        )  # fmt: skip
    return command.conclude(found)
