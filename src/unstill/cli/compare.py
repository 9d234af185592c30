"""Compare the pictures of a set with each other: how far are two patterns of one kind apart in the eyes of a loss?

unstill compare runs/maze --observe v --out runs/c
unstill compare pictures.npz --loss power-spectrum,pixel,gram --samples 32 --out runs/c
unstill compare runs/maze --loss my_loss.py:distance --out runs/c
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

from .._errors import BadInput
from .common import RunOptions, begin, claim_folder, finish, progress_bar, say
from .configs import count, names, option, positional


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill compare`."""

    source: str = positional(..., "a folder of pictures, .npz, .npy, or a run folder")
    observe: tuple[str, ...] = option(
        (), "fields that are compared, such as v or u,v (default: all in the file)", type=names
    )
    loss: tuple[str, ...] = option(
        ("power-spectrum",), "losses by name, or module:function, or file.py:function", type=names, metavar="LOSS,LOSS"
    )
    samples: int | None = option(None, "take the first N pictures (default: all)", type=count, metavar="N")


def run(config: Config) -> int:
    """Compare, write the run folder, print a table; returns the exit code."""
    from ..fitting.compare import compare

    started = time.perf_counter()
    observed, states = _pictures(config)
    losses = _losses(config, states)
    folder = claim_folder(config)
    begin(folder, "compare", config)
    matrices = {}
    with progress_bar(config, "comparing") as progress:
        for name, loss in losses.items():
            matrices[name] = compare(states, loss)
            progress(len(matrices), len(losses))
    return _write(config, folder, observed, states, matrices, time.perf_counter() - started)


def _pictures(config: Config):
    """The names of the fields, and the states (M, C, H, W) that are compared."""
    from ..data import load

    if config.out and Path(config.source).resolve() == Path(config.out).resolve():
        raise BadInput("out", "must not be the source", config.out)
    pictures = load(config.source, observe=config.observe or None)
    if pictures.count < 2:
        raise BadInput("source", "must hold at least two pictures", pictures.count)
    if config.samples is not None and not 2 <= config.samples <= pictures.count:
        raise BadInput("samples", f"must be from 2 to the {pictures.count} pictures of the source", config.samples)
    observed = tuple(config.observe or pictures.fields)
    return observed, pictures.states(observed)[: config.samples]


def _losses(config: Config, states):
    """The losses by name, tried out on two pictures."""
    import jax.numpy as jnp

    from .._jax import enable_x64
    from ..fitting.compare import check_pairwise
    from ..fitting.losses import check_loss, find_loss

    if not config.loss:
        raise BadInput("loss", "must name at least one loss")
    if len(set(map(_key, config.loss))) < len(config.loss):
        raise BadInput("loss", "must name each loss once", ",".join(config.loss))
    losses = {name: find_loss(name) for name in config.loss}
    for loss in losses.values():
        check_pairwise(loss)
        with enable_x64():
            check_loss(loss, jnp.asarray(states[:2], jnp.float64))
    return losses


def _write(config: Config, folder, observed, states, matrices, seconds: float) -> int:
    from ..fitting.compare import summary
    from ..plotting import save_figure
    from ..plotting.comparisons import plot_comparison

    result = {
        "losses": {name: summary(matrix) for name, matrix in matrices.items()},
        "observed": list(observed),
        "samples": len(states),
        "seconds": seconds,
    }
    folder.write_arrays("losses.npz", **{_key(name): matrix for name, matrix in matrices.items()})
    pictures = {name: states[:, i] for i, name in enumerate(observed)}
    save_figure(plot_comparison(matrices, pictures), folder.path / "compare.png")
    folder.write_result(result)
    say(config, *_table(result), f"{folder.path}: {len(states)} pictures, {seconds:.1f} s")
    finish(config, result)
    return 0


def _key(name: str) -> str:
    """The name of a loss as the name of an array: a file's path has no place inside an archive."""
    return name.rpartition("/")[2]


def _table(result: dict[str, Any]) -> list[str]:
    lines = [f"  {'loss':24s} {'mean':>10s} {'median':>10s}   5 % to 95 %"]
    for name, s in result["losses"].items():
        span = f"{s['percentile5']:.4g} to {s['percentile95']:.4g}"
        lines.append(f"  {name:24s} {s['mean']:10.4g} {s['median']:10.4g}   {span}")
    return lines
