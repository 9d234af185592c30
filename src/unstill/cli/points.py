"""Draw a point set: an unordered heap of points, with its true dynamics where there is one.

unstill points lorenz --out runs/lorenz
unstill points lorenz --count 5000 --independent --raw --out runs/lorenz-independent
unstill points                                                  # list the sets
"""

import dataclasses
from typing import Any

from .._errors import BadInput
from .common import RunOptions, begin, claim_folder, finish, plain, say
from .configs import count, option, positional


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill points`."""

    name: str = positional("", "a point set: two_peaks, ring, two_moons, lorenz, …")
    count: int | None = option(None, "how many points (default: the set's own)", type=count, metavar="N")
    independent: bool = option(False, "independent points rather than all of a few runs")
    raw: bool = option(False, "the system's own units, where the set is z-scored")


def run(config: Config) -> int:
    """Draw, write points.npz, points.png and result.json; or list the sets. Returns the exit code."""
    from ..discovery.point_sets import POINT_SETS, find_point_set

    if not config.name:
        if config.out or config.count is not None:
            raise BadInput("name", f"must be a point set: {', '.join(POINT_SETS)}", None)
        say(config, *(f"{s.name:18s} {s.count:6d}  {s.about}" for s in POINT_SETS.values()))
        return 0
    from ..data.points import POINTS_FILE, point_arrays
    from ..plotting import save_figure
    from ..plotting.discoveries import plot_points

    chosen = find_point_set(config.name)
    if config.independent and not chosen.moves:
        raise BadInput("independent", f"must be left out: the points of {chosen.name} always are")
    if config.raw and not chosen.z_scored:
        raise BadInput("raw", f"must be left out: {chosen.name} is not z-scored")
    folder = claim_folder(config)
    points = chosen(config.count, seed=config.seed, independent=config.independent, raw=config.raw)
    begin(folder, "points", config)
    folder.write_arrays(POINTS_FILE, **point_arrays(points))
    save_figure(plot_points(points), folder / "points.png")
    result = describe(chosen, points, config)
    folder.write_result(result)
    say(config, f"{folder.path}: {points.count} points of {', '.join(points.names)}: {told(chosen, config)}")
    finish(config, result)
    return 0


def told(chosen, config: Config) -> str:
    """What the set is about, as it was drawn."""
    about = chosen.about.replace(", z-scored", "") if config.raw else chosen.about
    return about.replace("10 runs", "independent points") if config.independent else about


def describe(chosen, points, config: Config) -> dict[str, Any]:
    """`result.json`: what was drawn, and the truth behind it."""
    equations = getattr(chosen.dynamics, "equations", None)
    return {
        "set": chosen.name,
        "about": told(chosen, config),
        "citation": chosen.citation,
        "variables": list(points.names),
        "count": points.count,
        "independent": config.independent or not chosen.moves,
        "z_scored": chosen.z_scored and not config.raw,
        "equations": None if equations is None else list(equations),
        "parameters": None if equations is None else plain({n: float(v) for n, v in chosen.dynamics.values().items()}),
        "covariance": plain(points.covariance),
        # Of a z-scored set: what was subtracted, and what it was divided by.
        "mean": plain(getattr(points.drift, "mean", points.x.mean(0))),
        "std": plain(getattr(points.drift, "scale", points.x.std(0))),
    }
