"""Draw an artificial life heap: pictures of one icon at random places and angles on a torus, without overlap.

unstill alife bug.png --count 10 --size 128 --samples 2048 --out runs/bugs
unstill alife arrow --count 10 --size 128 --samples 256 --seed 1 --out runs/arrows
unstill alife drawing.png --background white --colour grey --out runs/drawings
unstill alife                                                  # list the drawings
"""

from .._errors import BadInput
from .arguments import Given, positional
from .progress import progress_bar
from .runs import ARRAYS, Run, known_arguments, say
from .signatures import meanings, options_of

_DRAW = "icons.draw:draw_icons"
ARGUMENTS = known_arguments(
    (positional("icon", "", meanings(_DRAW)["icon"]),), options_of(_DRAW, leave_out=("icon",)), ARRAYS
)  # fmt: skip
_OPTIONS = tuple(each.name for each in options_of(_DRAW, leave_out=("icon",)))


def run(given: Given) -> int:
    """Draw, write states.npz, places.npz, icons.png and result.json; or list the drawings. Returns the exit code."""
    from ..icons import ICONS, draw_icons

    if not given.icon:
        if given.out:
            raise BadInput("icon", f"must be a path to a PNG, or {', '.join(ICONS)}", None)
        say(given, *(f"{each.name:12s} {each.about}" for each in ICONS.values()))
        return 0
    command = Run("alife", given)
    command.claim()
    with progress_bar(given, "pictures") as progress:
        found = draw_icons(given.icon, **given.only(_OPTIONS), seed=given.seed, progress=progress)
    return command.conclude(found)
