"""Learn the score of a heap of points: the gradient of log density at every noise level.

unstill score runs/ring --out runs/ring-score
unstill score points.csv --schedule ddpm --hidden 128,128 --epochs 500 --out runs/score
"""

import dataclasses
from typing import Any

from .common import RunOptions, begin, claim_folder, finish, plain, say
from .configs import count, names, option, positional, positive
from .epochs import ended, training


def widths(text: str) -> tuple[int, ...]:
    """`64,64`, for argparse."""
    return tuple(count(word) for word in names(text) or (text,))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill score`."""

    source: str = positional(..., "points: .csv, .npz, .npy or a folder of `unstill points`")
    schedule: str = option("even", "noise levels: even (in log signal-to-noise) or ddpm", metavar="NAME")
    hidden: tuple[int, ...] = option((64, 64), "widths of the hidden layers, two of them", type=widths, metavar="N,N")
    free: bool = option(False, "do not make the score a gradient by construction: cheaper, less exact")
    epochs: int = option(120, "epochs at most", type=count, metavar="N")
    steps: int = option(100, "steps an epoch", type=count, metavar="N")
    batch: int = option(2048, "points a step", type=count, metavar="N")
    rate: float = option(5e-3, "learning rate at the start", type=positive, metavar="X")
    samples: int = option(1000, "points drawn from the model to be looked at", type=count, metavar="N")


def run(config: Config) -> int:
    """Learn, write score.npz, score.png and result.json; returns the exit code."""
    from ..files.models import SCORE_FILE, score_arrays
    from ..files.points import load_points
    from ..flows.sampling import sample
    from ..flows.schedule import find_schedule
    from ..flows.score import learn_score
    from ..plotting import save_figure
    from ..plotting.flows import plot_score
    from ..training.epochs import Epochs

    points = load_points(config.source)
    find_schedule(config.schedule)
    plan = Epochs(config.epochs, config.steps, config.rate, max(10, config.epochs // 4), gain=0)
    folder = claim_folder(config)
    begin(folder, "score", config)
    with training(config, folder, config.epochs) as hooks:
        found = learn_score(
            points, schedule=config.schedule, hidden=config.hidden, conservative=not config.free, plan=plan,
            batch=config.batch, seed=config.seed, **hooks,
        )  # fmt: skip
    folder.write_arrays(SCORE_FILE, **score_arrays(found.score, points.names, config.schedule))
    drawn = sample(found.score, max(2, config.samples), schedule=config.schedule, seed=config.seed)
    result = describe(found, points, drawn, config)
    folder.write_result(result)
    save_figure(plot_score(points, found, drawn), folder / "score.png")
    say(
        config,
        f"{result['status']}: {result['epochs']} epochs, held-out loss {found.held_out:.4f}",
        f"  MMD² of {len(drawn)} drawn points {result['mmd']:.2e}; noise floor {result['floor']:.2e}",
        str(folder.path),
    )
    finish(config, result)
    return ended("score", found.interrupted)


def describe(found, points, drawn, config: Config) -> dict[str, Any]:
    """`result.json`: the numbers for programs."""
    import numpy as np

    from ..analysis.distances import mmd_floor, mmd_squared, sliced_wasserstein

    mean, scale = np.asarray(found.score.mean), np.asarray(found.score.scale)
    data, new = (points.x - mean) / scale, (drawn - mean) / scale
    some = np.random.default_rng(config.seed).permutation(data)[: len(new)]
    new = new[: len(some)]
    half = min(len(some), len(data) // 2)
    return {
        "variables": list(points.names),
        "status": "interrupted" if found.interrupted else "converged",
        "epochs": len(found.losses),
        "loss": plain(float(found.losses[-1, 0])) if len(found.losses) else None,
        "held_out": plain(float(found.held_out)),
        "schedule": config.schedule,
        "conservative": found.score.conservative,
        "hidden": [int(width) for width in config.hidden],
        "mean": plain(mean),
        "scale": plain(scale),
        "points": points.count,
        "samples": len(drawn),
        "mmd": plain(mmd_squared(new, some)),
        "floor": plain(mmd_floor(data, half)),
        "wasserstein": plain(sliced_wasserstein(new, some)),
    }
