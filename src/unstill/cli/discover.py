"""Find the equations whose motion preserves a heap of points or pictures, and how far these determine them.

unstill discover runs/lorenz --library poly2 --out runs/eq
unstill discover points.csv --fix "x:y=10" --out runs/eq
unstill discover a.csv,b.csv --condition rho=24 --condition rho=32 --out runs/both
unstill discover noisy.npz --noise x=0.4 y=0.4 z=0.4 --out runs/clean
unstill discover runs/hopf --library poly3 --stochastic --out runs/sde
unstill discover points.csv --ordered two_frames.csv --interval 0.01 --out runs/timed
unstill discover runs/maze --fix "u:u v^2=-1" --fix "v:u v^2=1" --out runs/gray-scott
"""

import dataclasses
import sys
from typing import Any

from .._errors import BadInput
from .._types import Status
from .common import RunOptions, begin, claim_folder, finish, plain, say
from .configs import assignments, count, names, number, option, positional
from .snapshots import is_pictures, load_pictures
from .tokens import parameter_set, parameter_sets


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill discover`."""

    source: tuple[str, ...] = positional(
        ..., "points: .csv, .npz, .npy or a folder of `unstill points`; or pictures of all fields: .npz, .npy or a run "
        "folder; several, divided by commas", type=names,
    )  # fmt: skip
    library: str = option(
        "", "poly1, poly2, poly3, trig, or file.py:NAME (default: poly2, of pictures poly3)", metavar="LIBRARY"
    )
    fix: tuple[tuple[str, ...], ...] = assignments('known coefficients, as "x:y=10" for the term y in dx/dt')
    sign: tuple[tuple[str, ...], ...] = assignments('known signs, as "x:y=1" or "x:y=-1"')
    ordered: str = option("", "points (.csv, .npz, .npy) or pictures in order of time, two or more", metavar="FILE")
    interval: float | None = option(None, "time between ordered points", type=number, metavar="T")
    noise: tuple[tuple[str, ...], ...] = option(
        (), "measurement noise: auto, none, estimate, or absolute standard deviations as x=0.1 (default: auto)",
        action="append", nargs="+", metavar="NOISE",
    )  # fmt: skip
    stochastic: bool = option(False, "the dynamics have a constant noise term, to be found")
    covariance: tuple[tuple[str, ...], ...] = assignments(
        'known covariance of the dynamics\' noise per unit time, as "x:x=0.1"'
    )
    condition: tuple[tuple[str, ...], ...] = assignments("known conditions, once for each source")
    tests: str = option("fourier", "test functions: fourier, monomials or gaussians", metavar="TESTS")
    functionals: int | None = option(None, "how many test functions", type=count, metavar="N")
    cross: bool = option(False, "pictures: the Laplacian of every field may stand in every equation")
    dx: float | None = option(None, "pictures: side of a cell (default: the source's, or 1)", type=number)
    boundary: str | None = option(
        None, "pictures: periodic or no-flux (default: the source's)", choices=("periodic", "no-flux")
    )


def run(config: Config) -> int:
    """Discover, write the run folder, print the equations; returns the exit code."""
    from ..discovery import discover
    from ..plotting import save_figure
    from ..plotting.discoveries import plot_discovery, plot_picture_discovery

    if config.interval is not None and not config.ordered:
        raise BadInput("interval", "needs --ordered")
    data, grid, ordered = _loaded(config)
    folder = claim_folder(config)
    found = discover(
        data,
        config.library or None,
        grid=grid,
        cross=config.cross,
        fix=_numbers("fix", config.fix),
        sign=_numbers("sign", config.sign),
        ordered=ordered,
        noise=_noise(config),
        stochastic=config.stochastic,
        covariance=_numbers("covariance", config.covariance) or None,
        conditions=parameter_sets("condition", config.condition),
        tests=config.tests,
        functionals=config.functionals,
        seed=config.seed,
    )
    begin(folder, "discover", config)
    result = describe(found)
    folder.write_result(result)
    (folder / "equations.tex").write_text(found.equations.latex() + "\n", encoding="utf-8")
    figure = plot_discovery(data[0], found) if isinstance(data, list) else plot_picture_discovery(data, found)
    save_figure(figure, folder / "discovery.png")
    say(config, *_lines(found), f"{folder.path}: {found.count} {'cells' if grid else 'points'}, {found.seconds:.1f} s")
    finish(config, result)
    if found.status is Status.NO_FIT:
        print(f"unstill discover: {found.status}: {found.message}", file=sys.stderr)
        return 3
    return 0


def _loaded(config: Config):
    """Heaps of points, or pictures with their grid, and what is in order of time; raises `BadInput`."""
    from ..data.points import load_points
    from ..discovery import Ordered

    if all(map(is_pictures, config.source)):
        return load_pictures(config.source, config.ordered, config.interval, config.dx, config.boundary)
    if config.dx is not None or config.boundary is not None:
        raise BadInput("dx" if config.dx is not None else "boundary", "is for pictures only")
    ordered = Ordered(load_points(config.ordered).x, config.interval) if config.ordered else None
    return [load_points(source) for source in config.source], None, ordered


def _numbers(argument: str, lists: tuple[tuple[str, ...], ...]) -> dict[str, float]:
    # A term such as "x y" may reach us as two words of one token: only commas and --fix given again divide.
    return parameter_set(argument, [word for words in lists for word in words])


def _noise(config: Config):
    words = [word for words in config.noise for word in words]
    if not words:
        return "auto"
    return _numbers("noise", config.noise) if any("=" in word for word in words) else ",".join(words)


def describe(found) -> dict[str, Any]:
    """`result.json`: the numbers for programs."""
    representatives = [plain(member) for member in found.representatives]
    return {
        "variables": list(found.variables),
        "conditions": list(found.equations.library.variables[len(found.variables) :]),
        "status": str(found.status),
        "message": found.message,
        "equations": found.equations.text(),
        "latex": found.equations.latex(),
        "terms": list(found.equations.library.names),
        "coefficients": plain(found.coefficients),
        "std": plain(found.std),
        "covariance": plain(found.equations.covariance),
        "nullity": found.nullity,
        "spectrum": plain(found.spectrum),
        "tests": [{"statistic": float(s), "limit": float(limit)} for s, limit in found.tests],
        "scale": found.scale,
        "sign": found.sign,
        "representatives": representatives,
        "representative_covariances": plain(found.representative_covariances),
        "noise": plain(found.noise),
        "dispersion": float(found.dispersion),
        "telescopes": bool(found.telescopes),
        "misfit": float(found.misfit),
        "points": found.count,
        "functionals": found.functionals,
        "sparsity": None if found.sparsity is None else {n: _reason(s) for n, s in found.sparsity.items()},
        "seconds": float(found.seconds),
    }


def _reason(sparsity) -> dict[str, Any]:
    tried = [{"terms": n, "open": float(value)} for n, value in sparsity.open.items()]
    return {"terms": sparsity.terms, "open": tried, "second": plain(sparsity.second)}


def _lines(found) -> list[str]:
    lines = [f"{found.status}: {found.message}"]
    lines += [f"  d{name}/dt = {text}" for name, text in found.equations.text().items()]
    if found.sign == "free" and found.status is not Status.NO_FIT:
        lines.append("  or the same with every sign turned: points alone do not tell which way time runs")
    if found.equations.covariance is not None:
        lines.append(f"  covariance of the noise per unit time: {plain(found.equations.covariance)}")
    if found.noise:
        levels = ", ".join(f"{name} {level:.3g}" for name, level in found.noise.items())
        lines.append(f"  measurement noise taken out: {levels}")
    lines.append(f"  nullity {found.nullity}; pace of time: {found.scale}; arrow of time: {found.sign}")
    return lines
