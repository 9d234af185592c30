"""Learn vector fields that preserve the density of a heap of points: an equilibrium flow, or an ensemble of them.

unstill flow runs/ring --score runs/ring-score --out runs/ring-flow
unstill flow runs/lorenz --score kernel --tau 0.2 --experiments 100 --out runs/flow
unstill flow runs/lorenz --score kernel --tau 0.2 --field polynomial --out runs/quadratic
unstill flow runs/lorenz --score kernel --tau 0.2 --prior known=0.01 --known runs/quadratic --out runs/near
unstill flow runs/lorenz --score runs/score --training-free --experiments 20 --out runs/free
"""

import dataclasses
from typing import Any

from .._errors import BadInput
from .common import RunOptions, begin, claim_folder, finish, plain, say
from .configs import count, names, number, option, positional, positive
from .epochs import ended, training
from .tokens import parameter_set
from .truth import known_part, with_truth

KERNEL = "kernel"
_MOVED = 20  # flows whose points are moved for the distances


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill flow`."""

    source: str = positional(..., "points: .csv, .npz, .npy or a folder of `unstill points`")
    score: str = option("", "a run of `unstill score`, or kernel for the closed form", metavar="RUN")
    tau: float = option(0.1, "noise level of the density that is preserved", type=number, metavar="X")
    experiments: int = option(1, "how many flows, from as many random starts", type=count, metavar="N")
    field: str = option("plain", "family: plain, encoded, polynomial, antisymmetric, constant", metavar="NAME")
    training_free: bool = option(False, "constant antisymmetric matrices times the score: the family constant")
    prior: tuple[tuple[str, ...], ...] = option(
        (), "what to prefer: kinetic-energy, sparsity, locality, symmetry, known; NAME or NAME=WEIGHT",
        action="append", nargs="+", metavar="NAME",
    )  # fmt: skip
    flip: tuple[str, ...] = option((), "variables whose signs the symmetry changes, as x,y", type=names)
    known: str = option("", "the known part: a run of `unstill flow`, a system, or file.py:NAME", metavar="WHAT")
    hidden: int = option(64, "width of the two hidden layers", type=count, metavar="N")
    epochs: int = option(60, "epochs at most", type=count, metavar="N")
    steps: int = option(100, "steps an epoch", type=count, metavar="N")
    batch: int = option(1024, "points a step", type=count, metavar="N")
    rate: float = option(1e-2, "learning rate at the start", type=positive, metavar="X")
    time: float = option(10.0, "time over which the flows move points, to see whether the density stays", type=positive)
    integrator: str = option("rk4", "how they are moved", choices=("rk4", "adaptive"))


def run(config: Config) -> int:
    """Learn, write flows.npz, flow.png and result.json; returns the exit code."""
    from ..files.models import FLOWS_FILE, flow_arrays, load_score
    from ..files.points import load_points
    from ..flows.training import check_flow, learn_flow
    from ..plotting import save_figure
    from ..plotting.flows import plot_flows, plot_motions
    from ..training.epochs import Epochs

    if not config.score:
        raise BadInput("score", "must be a run of `unstill score`, or kernel", None)
    if config.training_free and (config.field != "plain" or config.prior):
        raise BadInput("training-free", "takes neither --field nor --prior")
    points = with_truth(load_points(config.source), config.source)
    score = None if config.score == KERNEL else load_score(config.score, points.names)
    family = "constant" if config.training_free else config.field
    check_flow(points, score, config.tau, family)
    chosen = priors(config, points)
    folder = claim_folder(config)
    begin(folder, "flow", config)
    with training(config, folder, config.epochs) as hooks:
        found = learn_flow(
            points, score, tau=config.tau, experiments=config.experiments,
            field=family, hidden=config.hidden, priors=chosen,
            plan=Epochs(config.epochs, config.steps, config.rate, max(10, config.epochs // 4)), batch=config.batch,
            seed=config.seed, **hooks,
        )  # fmt: skip
    folder.write_arrays(FLOWS_FILE, **flow_arrays(found.flows))
    result, kept = describe(found, points, config)
    folder.write_result(result)
    save_figure(plot_flows(points, found, kept), folder / "flow.png")
    if score is not None:
        save_figure(plot_motions(points, found.flows[result["best"]], score), folder / "motions.png")
    say(config, *_lines(result), str(folder.path))
    finish(config, result)
    return ended("flow", found.interrupted)


def priors(config: Config, points) -> list[Any]:
    """The priors that the words ask for; raises `BadInput`."""
    from ..flows.priors import Known, Symmetry, find_prior

    chosen = []
    if config.flip and not any(word.startswith("symmetry") for words in config.prior for word in words):
        raise BadInput("flip", "needs --prior symmetry", ", ".join(config.flip))
    for word in (word for words in config.prior for text in words for word in text.split(",") if word):
        name = word.partition("=")[0]
        options: dict[str, Any] = {"weight": parameter_set("prior", [word])[name]} if "=" in word else {}
        if options and options["weight"] <= 0:
            raise BadInput("prior", "must have a positive weight", repr(word))
        cls = find_prior(name)
        if cls is Symmetry:
            for variable in config.flip:
                if variable not in points.names:
                    raise BadInput("flip", f"must name variables among {', '.join(points.names)}", repr(variable))
            if not config.flip:
                raise BadInput("flip", "must name the variables whose signs the symmetry changes", None)
            options["signs"] = tuple(-1.0 if name in config.flip else 1.0 for name in points.names)
        if cls is Known:
            if not config.known:
                raise BadInput("known", "must say which part is known", None)
            options["part"] = _standardised(known_part(config.known, points.dimension), points)
        chosen.append(cls(**options))
    if config.known and not any(isinstance(prior, Known) for prior in chosen):
        raise BadInput("known", "needs --prior known or known=WEIGHT")
    return chosen


def _standardised(part, points):
    import jax.numpy as jnp

    from ..flows.score import standardise

    mean, scale = standardise(points)

    def rate(z):
        m, s = jnp.asarray(mean, z.dtype), jnp.asarray(scale, z.dtype)
        return (part(s * z + m) / s).astype(z.dtype)

    return rate


def describe(found, points, config: Config):
    """`result.json`, and the distances over time."""
    import numpy as np

    from ..flows.diagnosis import preservation

    flows, rng = found.flows, np.random.default_rng(config.seed)
    clean = (points.x - flows.mean) / flows.scale
    noised = np.sqrt(1 - flows.tau**2) * clean + flows.tau * rng.standard_normal(clean.shape)
    movers = [flows[i].standardised() for i in range(min(_MOVED, len(flows)))]
    kept = preservation(movers, noised, time=config.time, integrator=config.integrator, seed=config.seed)
    best = int(np.argmin(found.residuals))
    result = {
        "variables": list(points.names),
        "status": "interrupted" if found.interrupted else "converged",
        "field": flows.field.name,
        "experiments": len(flows),
        "tau": flows.tau,
        "epochs": len(found.losses),
        "residuals": plain(found.residuals),
        "best": best,
        "scale": "fixed by the known part" if config.known else "free",
        "sign": "fixed by the known part" if config.known else "free",
        "factors": plain(flows.factors),
        "ts": plain(kept.ts),
        "mmd": plain(kept.mmd.T),
        "mmd_median": plain(kept.mmd_median.T),
        "wasserstein": plain(kept.wasserstein.T),
        "floor": plain(kept.floor),
        "floor_median": plain(kept.floor_median),
        "lost": plain(kept.lost),
        "cosine_truth": None,
        "cosine_oracle": None,
        "stsp": None,
        "stsp_floor": None,
        "hellinger": None,
        "hellinger_floor": None,
        "points": points.count,
    }
    if points.drift is not None:
        result |= _against_truth(flows, points, clean, noised, rng) | _attractors(movers, points, flows, clean, noised)
    return result, kept


def _attractors(movers, points, flows, clean, noised) -> dict[str, Any]:
    """Where long orbits are and how they sound, beside true ones."""
    from ..flows.attractors import likeness
    from ..flows.diagnosis import Rescaled

    truth = Rescaled(points.drift, flows.mean, flows.scale)
    return plain(dataclasses.asdict(likeness(movers, truth, clean, noised)))


def _against_truth(flows, points, clean, noised, rng) -> dict[str, Any]:
    """Cosines with the true field at clean points, and with the mean velocity of noised ones."""
    import jax.numpy as jnp
    import numpy as np

    from .._jax import enable_x64
    from ..flows.diagnosis import cosines
    from ..flows.kernel_score import oracle_velocity

    with enable_x64():
        rates = np.asarray(points.drift.drift(jnp.asarray(points.x))) / flows.scale
    some = rng.permutation(len(clean))[:1024]
    oracle = oracle_velocity(noised[some], clean, rates, flows.tau)
    return {
        "cosine_truth": plain(cosines(flows.velocities(clean[some]), rates[some][None])[:, 0]),
        "cosine_oracle": plain(cosines(flows.velocities(noised[some]), oracle[None])[:, 0]),
    }


def _lines(result: dict[str, Any]) -> list[str]:
    residuals = sorted(result["residuals"])
    lines = [
        f"{result['status']}: {result['experiments']} flows of the family {result['field']} at τ = {result['tau']:g}",
        f"  held-out residual E r²/(E|v|² E|s|²): least {residuals[0]:.2e}, "
        f"median {residuals[len(residuals) // 2]:.2e}",
    ]
    ends = [curve[-1] for curve in result["mmd"] if curve[-1] is not None]
    if ends:
        end = sum(ends) / len(ends)
        lines.append(f"  MMD² after a time of {result['ts'][-1]:g}: {end:.2e}; noise floor {result['floor']:.2e}")
    for name in ("truth", "oracle"):
        values = result[f"cosine_{name}"]
        if values is not None:
            mean = sum(map(abs, values)) / len(values)
            lines.append(f"  |cosine| with the {name}: mean {mean:.3f}, greatest {max(map(abs, values)):.3f}")
    if result["stsp"] is not None:
        for name, label in (("stsp", "D_stsp"), ("hellinger", "D_H")):
            known = [value for value in result[name] if value is not None]
            told = f"{sum(known) / len(known):.3f}" if known else "–"
            lines.append(f"  {label} of long orbits: mean {told}; of the truth itself {result[f'{name}_floor']:.3f}")
    return [*lines, f"  pace of time: {result['scale']}; arrow of time: {result['sign']}"]
