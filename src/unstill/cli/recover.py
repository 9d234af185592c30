"""Find the parameters, and the fields that are not seen, behind pictures of a pattern; then set it in motion.

unstill recover picture.png --out runs/r
unstill recover photo.png --fix Du/Dv=2 --out runs/p
unstill recover crop.npz --observe v --window --gain unknown --offset unknown --gamma unknown --out runs/q
unstill recover photo.png --mask seen.png --out runs/p
unstill recover screenshot.png --colormap viridis --out runs/r
unstill recover runs/maze --observe v --out runs/r
unstill recover film.npz --observe v --frames-dt 10 --out runs/f
unstill recover a.npz b.npz --observe v --out runs/j
unstill recover snapshots.npz --observe u,v --system gray-scott --out runs/r
unstill recover v.npz --system my_system.py:MySystem --out runs/r
"""

import sys

from .._errors import BadInput
from .._types import Status
from .arguments import Given, option, positional
from .dynamics import CELLS, SYSTEM
from .progress import progress_bar
from .runs import ARRAYS, Run, known_arguments
from .signatures import meanings, options_of
from .sources import READING, each_source, one_picture, one_set, pictures_and_window, tell_palette
from .tokens import share_or_levels, values_of

_FUNCTION = "recovery.recover:recover"
_RECOVER = options_of(_FUNCTION, leave_out=("system", "pictures", "grid", "mask"))
ARGUMENTS = known_arguments(
    (
        positional(
            "source",
            ...,
            "pictures, films, arrays (.npz, .npy, .h5, .zarr, .nc, .mat, .csv), folders of pictures, or run folders, "
            "all of one parameter set",
            several=True,
        ),
        SYSTEM,
    ),
    _RECOVER,
    (option("mask", "", f"A picture or an array in a file. {meanings(_FUNCTION)['mask']}"),),
    READING,
    CELLS,
    (
        option(
            "later",
            None,
            "Time units of the film after the picture (default: 10,000 of the system's own steps).",
            kind="Positive",
        ),
        option("no_film", False, "Make no film and no picture of later times."),
    ),
    ARRAYS,
)


def run(given: Given) -> int:
    """Recover, write the run folder, print a table; returns the exit code."""
    from ..recovery import recover
    from ..systems import find_system

    cls = given.system if given.system == "all" else find_system(given.system)
    pictures, grid, window = pictures_and_window(given, gaps=bool(given.mask))
    mask = one_picture("mask", given.mask) if given.mask not in ("", "nan") else given.mask or None
    for source in each_source(given):
        one_set(source)
    if given.frames_dt is not None and len(each_source(given)) > 1:
        raise BadInput("frames_dt", "must be of one film", f"{len(each_source(given))} sources")
    tell_palette("recover", given, pictures)
    command = Run("recover", given)
    command.claim()
    with progress_bar(given, "iterations") as progress:
        found = recover(
            cls, pictures, observe=given.observe or None, grid=grid, window=window, progress=progress, resume=command,
            mask=mask, noise=share_or_levels(given), **values_of(given, "start", "fix"),
            **given.only(("dt", "frames_dt", "laplacian", "gain", "offset", "gamma", "blur")),
        )  # fmt: skip
    code = command.conclude(found)
    if given.no_film or found.status not in (Status.CONVERGED, Status.UNIDENTIFIABLE):
        return code
    try:
        if not command.stopped and _set_in_motion(given, command.folder, found):
            return code
    except KeyboardInterrupt:
        pass
    print("unstill recover: interrupted: what was found is written, its film is not", file=sys.stderr)
    return 130


def _set_in_motion(given: Given, folder, found) -> bool:
    """`motion.mp4`, and the pattern that is reached in the figure; whether there was time for it."""
    from ..plotting import animate, plot_recovery, save_figure
    from ..recovery.in_motion import motion, own_time

    time = own_time(found) if given.later is None else given.later
    with progress_bar(given, "steps of the film") as progress:
        film = motion(found, time=time, seed=given.seed, progress=progress)
    if Status.INTERRUPTED in film.status:
        return False
    labels = ("from the picture on", "grown from a square")
    animate(film, folder / "motion.mp4", field=found.observed[-1], labels=labels)
    if Status.BLOW_UP not in film.status:
        save_figure(plot_recovery(found, film.state[0], time), folder / "recovery.png")
    return True
