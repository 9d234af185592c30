"""What verbs read from their sources: pictures with their grid, and the facts that a run folder tells."""

from __future__ import annotations

import sys
from pathlib import Path

from .._errors import BadInput, nearest
from .arguments import Given, positional
from .signatures import options_of

POINTS = positional("source", ..., "points: .csv, .npz, .npy or a folder of `unstill points`")
READING = options_of("files.loading:load", leave_out=("path", "observe", "gaps"))


def reading(given: Given) -> dict:
    """How the pictures of a source are to be read: what its file does not tell itself."""
    return given.only([each.name for each in READING if hasattr(given, each.name)])


def pictures_and_grid(given: Given, source: str | None = None, *, gaps: bool = False):
    """The pictures of a source, and their grid with what `--dx` and `--boundary` say of it; raises `BadInput`."""
    from ..files import load

    where = given.source if source is None else source
    pictures = load(where, observe=given.observe or None, gaps=gaps, **reading(given))
    known = pictures.known_grid()
    return pictures, known.restated(given.dx, given.boundary)


def each_source(given: Given) -> tuple[str, ...]:
    """The sources, of which a command may name several."""
    return (given.source,) if isinstance(given.source, str) else tuple(given.source)


def one_picture(argument: str, source: str):
    """The one picture of a file, (H, W), colours by their luminance; raises `BadInput`."""
    from ..files import load

    try:
        fields = load(source, colormap="grey").fields
    except BadInput as error:  # the file is what is wrong, whatever part of it
        raise BadInput(argument, error.rule, error.value, error.remedy) from error
    (values, *others) = fields.values()
    if others or len(values) > 1:
        raise BadInput(argument, "must hold one picture", f"{len(values)} of {', '.join(fields)} in {source}")
    return values[0]


def pictures_and_window(given: Given, *, gaps: bool = False):
    """The pictures of a source, their grid as far as it is stated, and whether they are cut from larger ones."""
    from ..observations.borders import looks_cut

    first, *others = (pictures_and_grid(given, source, gaps=gaps) for source in each_source(given))
    pictures, grid = first[0].joined([each for each, _ in others]), first[1]
    if pictures.grid is not None or given.boundary or given.window:
        return pictures, grid, given.window
    if given.dx is None:
        return pictures, None, False
    return pictures, grid, len(pictures.fields) == 1 and all(map(looks_cut, pictures.fields.values()))


def tell_palette(verb: str, given: Given, pictures) -> None:
    """A line on stderr on how colours were read, where there are any."""
    if pictures.palette is not None and not given.quiet:
        print(f"unstill {verb}: {', '.join(each_source(given))}: {pictures.palette}", file=sys.stderr)


def tell_measures(verb: str, given: Given, told: str) -> None:
    """A line on stderr on lengths and times that the files state and that are used."""
    if told and not given.quiet:
        source = given.source if isinstance(given.source, str) else ", ".join(given.source)
        print(f"unstill {verb}: {source}: {told}, as stated there", file=sys.stderr)


def known_system(source: str, runs: str):
    """The system of a name where `runs` could stand too; raises `BadInput` that says what the word is not."""
    from ..systems import SYSTEMS, find_system

    if source in SYSTEMS or ".py:" in source:
        return find_system(source)
    path = Path(source).expanduser()
    seen = "a folder of something else" if path.is_dir() else "a file" if path.exists() else ""
    told = f"It is {seen}." if seen else f"There is no such folder. {nearest(source, SYSTEMS)}"
    raise BadInput("source", f"must be {runs}, or a system", repr(source), told)


def one_set(source: str) -> None:
    """Raise `BadInput` for a run folder of several parameter sets: their pictures are of different dynamics."""
    from ..files import read_result

    if not (Path(source) / "result.json").exists():
        return
    sets = read_result(source).get("parameters")
    if isinstance(sets, list) and len(sets) > 1:
        rule = "must hold pictures of one parameter set"
        raise BadInput("source", rule, f"{len(sets)} sets in {source}", "Simulate each set by itself.")


def true_parameters(source: str, system) -> dict[str, float] | None:
    """The parameters that made the pictures, where they are a run of one set of this system."""
    from ..files import read_result

    if not (Path(source) / "result.json").exists():
        return None
    sets = read_result(source).get("parameters")
    if isinstance(sets, list) and len(sets) == 1 and set(sets[0]) == set(system.parameters()):
        return {name: float(value) for name, value in sets[0].items()}
    return None
