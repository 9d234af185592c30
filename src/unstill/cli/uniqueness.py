"""How far do points determine their dynamics? Learnt flows beside equations, free and random fields, the truth.

unstill uniqueness runs/lorenz --score runs/score --flows runs/flow --out runs/uni
unstill uniqueness runs/lorenz --score runs/score --flows runs/plain,runs/near --random 20 --out runs/uni
"""

import dataclasses
from pathlib import Path
from typing import Any

from .._errors import BadInput
from .common import RunOptions, begin, claim_folder, finish, plain, say
from .configs import count, names, option, positional, positive
from .truth import with_truth

_POINTS, _MOVED = 1024, 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill uniqueness`."""

    source: str = positional(..., "points: .csv, .npz, .npy or a folder of `unstill points`")
    score: str = option("", "a run of `unstill score`", metavar="RUN")
    flows: tuple[str, ...] = option((), "runs of `unstill flow`, divided by commas", type=names)
    random: int = option(100, "how many training-free flows of a level, and random networks", type=count, metavar="N")
    time: float = option(10.0, "time over which five of each family move points", type=positive)
    library: str = option("poly2", "terms of equations: poly1, poly2, poly3, trig, or file.py:NAME", metavar="LIBRARY")


def run(config: Config) -> int:
    """Compare, write uniqueness.npz, uniqueness.png and result.json; returns the exit code."""
    import numpy as np

    from ..discovery.library import find_library
    from ..files.models import load_flow, load_score
    from ..files.points import load_points
    from ..flows.uniqueness import compare_families
    from ..plotting import save_figure
    from ..plotting.uniqueness import plot_uniqueness
    from .identifiability import admissible, report

    if not config.score or not config.flows:
        raise BadInput("flows" if config.score else "score", "must name runs to compare", None)
    points = with_truth(load_points(config.source), config.source)
    score = load_score(config.score, points.names)
    find_library(config.library, points.names)
    learnt = {Path(path).name: load_flow(path) for path in config.flows}
    if len(learnt) < len(config.flows):
        raise BadInput("flows", "must have different names", ", ".join(config.flows))
    for name, one in {"score": score, **learnt}.items():
        if len(one.mean) != points.dimension:
            raise BadInput(name, f"must be of {points.dimension} variables", len(one.mean))
    folder = claim_folder(config)
    begin(folder, "uniqueness", config)
    equations = admissible(points, config.library, config.seed)
    tau = next(iter(learnt.values())).tau
    rng = np.random.default_rng(config.seed)
    clean = rng.permutation((points.x - np.asarray(score.mean)) / np.asarray(score.scale))
    noised = np.sqrt(1 - tau**2) * clean + tau * rng.standard_normal(clean.shape)
    at = noised[:_POINTS]
    fields, movers = _families(config, points, score, learnt, equations, at, tau)
    found = compare_families(fields)
    kept = _kept(config, movers, noised)
    told = report(equations, config.library, points.dimension)
    result = describe(found, list(learnt), kept, tau, points) | {"identifiability": told}
    folder.write_arrays("uniqueness.npz", z=at, places=found.places, table=found.table)
    folder.write_result(result)
    save_figure(plot_uniqueness(found, kept), folder / "uniqueness.png")
    say(config, *_lines(result), str(folder.path))
    finish(config, result)
    return 0


def _families(config: Config, points, score, learnt, equations, at, tau: float):
    """Velocities at the points, family by family, and dynamics of a few members of each."""
    import jax.numpy as jnp
    import numpy as np

    from .._jax import enable_x64
    from ..flows.diagnosis import Rescaled, paced
    from ..flows.uniqueness import at_pace, random_fields, scores_as_field, training_free

    free = {
        f"training-free {level:g}": training_free(score, level, config.random, points.names) for level in (0.1, 0.25)
    }
    sets = {**learnt, **free, "random": random_fields(score, config.random, points.names, config.seed + 1)}
    sets = {name: at_pace(flows, at) for name, flows in sets.items()}
    fields = {name: flows.velocities(at) for name, flows in sets.items()}
    movers: dict[str, list[Any]] = {
        name: [flows[i].standardised() for i in range(min(_MOVED, len(flows)))] for name, flows in sets.items()
    }
    known = {"equations": [] if isinstance(equations, str) else equations.members()}
    known["truth"] = [] if points.drift is None else [points.drift]
    for name, members in known.items():
        if members:
            paces = [paced(Rescaled(one, np.asarray(score.mean), np.asarray(score.scale)), at) for one in members]
            with enable_x64():
                fields[name] = np.stack([np.asarray(one.drift(jnp.asarray(at))) for one in paces])
            movers[name] = paces[:_MOVED]
    fields["score"] = scores_as_field(score, at, tau)
    return fields, movers


def _kept(config: Config, movers, noised) -> dict[str, Any]:
    """Distances over time, family by family, from one set of points and one noise floor."""
    from ..flows.diagnosis import preservation

    every = [one for several in movers.values() for one in several]
    found = preservation(every, noised, time=config.time, seed=config.seed)
    kept, start = {}, 0
    for name, several in movers.items():
        kept[name] = found.of(slice(start, start + len(several)))
        start += len(several)
    return kept


def describe(found, learnt: list[str], kept, tau: float, points) -> dict[str, Any]:
    """`result.json`: the table, and what the points leave free."""
    first = found.families.index(learnt[0])
    agreement = found.table[first, first]
    return {
        "variables": list(points.names),
        "families": list(found.families),
        "counts": list(found.counts),
        "cosines": plain(found.table),
        "spread": plain(found.spread),
        "effective": plain(found.effective),
        "strains": plain(found.strains),
        "tau": tau,
        "sign": "free",
        "scale": "free",
        "verdict": _verdict(learnt[0], float(agreement), float(found.effective[first])),
        "mmd": {name: plain(one.mean) for name, one in kept.items()},
        "ts": plain(next(iter(kept.values())).ts),
        "floor": plain(next(iter(kept.values())).floor),
        "lost": {name: plain(float(one.lost.mean())) for name, one in kept.items()},
        "points": points.count,
    }


def _verdict(name: str, agreement: float, effective: float) -> str:
    free = "Points never tell the pace and the arrow of time."
    if agreement != agreement:
        return f"{name} holds one flow: train several to see whether they agree. {free}"
    if agreement > 0.95:
        return (
            f"The flows of {name} agree (mean |cosine| {agreement:.3f}): that is the choice of family and prior, "
            f"not of the points, as long as other families preserve them as well. {free}"
        )
    return (
        f"The points do not determine a flow: {name} holds about {effective:.1f} independent ones "
        f"(mean |cosine| {agreement:.3f}). {free}"
    )


def _lines(result: dict[str, Any]) -> list[str]:
    width = max(map(len, result["families"]))
    lines = [f"{'mean |cosine|':{width}s}  " + "  ".join(f"{name[:9]:>9s}" for name in result["families"])]
    for name, row in zip(result["families"], result["cosines"], strict=True):
        lines.append(f"{name:{width}s}  " + "  ".join(f"{'–' if v is None else f'{v:.3f}':>9s}" for v in row))
    ends = ", ".join(f"{name} {'lost' if v[-1] is None else f'{v[-1]:.1e}'}" for name, v in result["mmd"].items())
    lines.append(f"MMD² after {result['ts'][-1]:g}: {ends}; noise floor {result['floor']:.1e}")
    told = result["identifiability"]
    lines += [f"determined: {text}" for text in told["determined"]] + [f"free: {text}" for text in told["free"]]
    return [*lines, result["verdict"]]
