"""Draw an atlas anew, or find what in it is nearest to a picture.

unstill atlas plot runs/atlas
unstill atlas nearest picture.npz
unstill atlas nearest picture.npz --atlas runs/atlas
unstill atlas nearest picture.png --atlas runs/atlas --observe v --count 10 --json
"""

from .._errors import BadInput, naming
from .arguments import Given, option, positional
from .runs import RUN, Run, known_arguments, say, show
from .sources import READING, reading

ARGUMENTS = known_arguments(
    (
        positional("what", ..., "plot or nearest", choices=("plot", "nearest")),
        positional("source", ..., "plot: a run folder of `survey`; nearest: a picture"),
        option(
            "atlas",
            "gray-scott",
            "The atlas to look in: a run folder of `survey`, or gray-scott, which is shipped.",
            metavar="DIR",
        ),
        option("observe", "", "The field that the picture shows (default: the system's last).", metavar="FIELD"),
        option("count", 5, "How many of the nearest cells.", kind="Count"),
    ),
    READING,
    RUN,
)


def run(given: Given) -> int:
    """Plot or search; returns the exit code."""
    from ..atlas import Atlas

    if given.what == "plot":
        _plot(given, Atlas.open(given.source))
        return 0
    with naming("atlas"):
        atlas = Atlas.open(given.atlas)
    return _search(given, atlas)


def _plot(given: Given, atlas) -> None:
    """The map and the page, into the run folder."""
    from pathlib import Path

    from ..plotting import save_figure

    folder = Path(given.source).expanduser()
    if not folder.is_dir():
        raise BadInput("source", "must be a run folder of survey, in which the picture is drawn", given.source)
    save_figure(atlas.plot(), folder / "atlas.png")
    for name, text in atlas.texts().items():
        (folder / name).write_text(text, encoding="utf-8")
    say(given, atlas.summary(), f"{folder / 'atlas.png'}, {folder / 'atlas.html'}")
    show(given, atlas.to_dict())


def _search(given: Given, atlas) -> int:
    from ..files import load

    field = given.observe or atlas.setting.cls.fields[-1]
    pictures = load(given.source, observe=field, **reading(given))
    if pictures.count > 1:
        rule = "must hold one picture"
        raise BadInput("source", rule, f"{pictures.count} in {given.source}", "Choose one with --frames.")
    command = Run("atlas", given)
    command.claim()
    return command.conclude(atlas.nearest(pictures[field][0], field=field, grid=pictures.grid, count=given.count))
