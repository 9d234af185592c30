"""Move patterns from an initial state, for --steps, for a --time, or --until-drift.

unstill simulate gray-scott --preset maze --size 128 --steps 20000 --samples 8 --init discs --out runs/maze
unstill simulate --preset waves --samples 512 --size 64 --steps 10000 --normalize --out runs/waves
unstill simulate --set F=0.035 k=0.065 --until-drift 1e-6 --max-steps 400000 --polish --out runs/x
unstill simulate --preset waves --steps 10000 --save-every 100 --samples 4 --init discs --well --out runs/well
unstill simulate --preset spots --samples 512 --until-change 1e-4 --max-steps 40000 --reuse --out runs/targets
"""

import dataclasses

from .._errors import BadInput
from .arguments import Given, option
from .dynamics import FIRST_SYSTEM, LAPLACIAN, MOTION, STOPS, build_state, build_systems
from .progress import progress_bar
from .runs import ARRAYS, Run, known_arguments, say, show

ARGUMENTS = known_arguments(
    (FIRST_SYSTEM,),
    MOTION,
    STOPS,
    (
        LAPLACIAN,
        option("normalize", False, "Write normalised.npz too: final states from the fields' range to [-1, 1]."),
        option("well", False, "Write well.hdf5 too: the frames in the layout of The Well; needs `save_every`."),
        option("reuse", False, "Where the run folder holds the finished run of this very command, leave it."),
    ),
    ARRAYS,
)
_CALL = (
    "steps", "time", "until_drift", "until_change", "max_steps", "polish", "dt", "save_every", "stepper", "engine",
    "clip", "dtype", "seed",
)  # fmt: skip


def run(given: Given) -> int:
    """Simulate, write the run folder, print a summary; returns the exit code."""
    from ..files import save
    from ..simulation import simulate, stacked

    cls, systems = build_systems(given.system, given)
    state, grid = build_state(cls, systems, given)
    system, samples = stacked(systems, given.samples if state is None else len(state) // len(systems))
    _check_well(given, grid)
    reuse, given = given.reuse, given.replaced(reuse=False)
    command = Run("simulate", given, parameters=[each.values() for each in systems])
    if reuse and (known := command.finished()) is not None:
        say(given, f"{given.out}: there already, by the same command")
        show(given, known)
        return 0
    command.claim()
    with progress_bar(given, "steps") as progress:
        found = simulate(
            system, state, grid=grid, samples=samples, **given.only(_CALL), progress=progress, resume=command
        )  # fmt: skip
    code = command.conclude(dataclasses.replace(found, normalize=given.normalize))
    if given.well and found.frames is not None:
        save(command.folder / "well.hdf5", found)
    elif given.well:
        say(given, "no well.hdf5: the motion ended before a frame was saved")
    return code


def _check_well(given: Given, grid) -> None:
    """Raise `BadInput` where there will be nothing that has a place in The Well's layout."""
    from ..files.well_writing import check_h5py

    if given.well and grid is None:
        raise BadInput("well", "needs a system on a grid", given.system)
    if given.well and given.save_every is None:
        raise BadInput("well", "needs `save_every`", None, "Pass for example --save-every 100.")
    if given.well:
        check_h5py("well")
