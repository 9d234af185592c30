"""`learn_flow`: vector fields that preserve the density of points, and how well they do."""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._arguments import Count, Names, Positive, Share, Whole, checked, listed
from .._errors import BadInput
from .._jax import enable_x64
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Result, plain
from .._types import Status
from ..observations.points import Points
from ..systems import Dynamics
from ..training.epochs import Epochs, logged
from .arrays import FLOWS_FILE, flow_arrays
from .attractors import Likeness, likeness
from .diagnosis import Preservation, Rescaled, cosines, preservation
from .flow import Flows
from .kernel_score import oracle_velocity
from .learn_score import LearntScore
from .priors import AbstractPrior, Known, Symmetry, find_prior
from .score import Score, standardise
from .training import check_flow, is_trained, train_flows

if TYPE_CHECKING:
    import optax

_MOVED = 20  # flows whose points are moved for the distances
_TRAINING = {"epochs": 60, "steps": 100, "batch": 1024, "rate": 1e-2}  # what stands for `None`


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LearntFlows(Result):
    """K flows (`flows[i]` is a `Flow`), their held-out `residuals` R, and what they do to the points.

    `kept` are distances between moved and fresh points over time. Where the points' true dynamics are known,
    `cosine_truth` are the flows' cosines with them at clean points, `cosine_oracle` with the mean velocity of noised
    ones, and `likeness` compares long orbits. `losses` (training, held out) are epoch by epoch; none where nothing is
    trained.
    """

    verb: ClassVar = "flow"

    flows: Flows
    points: Points
    score: Score | None
    status: Status
    residuals: Float[np.ndarray, " K"]
    losses: Float[np.ndarray, "E 2"]
    kept: Preservation
    paced: bool  # by a known part
    cosine_truth: Float[np.ndarray, " K"] | None
    cosine_oracle: Float[np.ndarray, " K"] | None
    likeness: Likeness | None
    seconds: float

    @property
    def best(self) -> int:
        """The number of the flow with the least residual."""
        return int(np.argmin(self.residuals))

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What was learnt."""
        still = "; the held-out loss still fell: take more `epochs`" if self.status is Status.NOT_CONVERGED else ""
        return f"{len(self.flows)} flows of the family {self.flows.field.name} at τ = {self.flows.tau:g}{still}"

    def to_dict(self) -> dict[str, Any]:
        known = "fixed by the known part" if self.paced else "free"
        none = {"stsp": None, "stsp_floor": None, "hellinger": None, "hellinger_floor": None}
        return {
            "variables": list(self.points.names),
            "status": str(self.status),
            "field": self.flows.field.name,
            "experiments": len(self.flows),
            "tau": self.flows.tau,
            "epochs": len(self.losses),
            "residuals": plain(self.residuals),
            "best": self.best,
            "scale": known,
            "sign": known,
            "factors": plain(self.flows.factors),
            "ts": plain(self.kept.ts),
            "mmd": plain(self.kept.mmd.T),
            "mmd_median": plain(self.kept.mmd_median.T),
            "wasserstein": plain(self.kept.wasserstein.T),
            "floor": plain(self.kept.floor),
            "floor_median": plain(self.kept.floor_median),
            "lost": plain(self.kept.lost),
            "cosine_truth": plain(self.cosine_truth),
            "cosine_oracle": plain(self.cosine_oracle),
            **(none if self.likeness is None else plain(dataclasses.asdict(self.likeness))),
            "points": self.points.count,
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        return {FLOWS_FILE: flow_arrays(self.flows)}

    def notes(self) -> list[str]:
        residuals = np.sort(self.residuals)
        least, median = residuals[0], residuals[len(residuals) // 2]
        lines = [f"held-out residual E r²/(E|v|² E|s|²): least {least:.2e}, median {median:.2e}"]
        ends = self.kept.mmd[-1][np.isfinite(self.kept.mmd[-1])]
        if len(ends):
            end, floor = ends.mean(), self.kept.floor
            lines.append(f"MMD² after a time of {self.kept.ts[-1]:g}: {end:.2e}; noise floor {floor:.2e}")
        for name, values in (("truth", self.cosine_truth), ("oracle", self.cosine_oracle)):
            if values is not None:
                size = np.abs(values)
                lines.append(f"|cosine| with the {name}: mean {size.mean():.3f}, greatest {size.max():.3f}")
        if self.likeness is not None:
            lines += _orbits(self.likeness)
        told = self.to_dict()
        return [*lines, f"pace of time: {told['scale']}; arrow of time: {told['sign']}"]


def _orbits(found: Likeness) -> list[str]:
    lines = []
    for label, values, floor in (
        ("D_stsp", found.stsp, found.stsp_floor),
        ("D_H", found.hellinger, found.hellinger_floor),
    ):
        known = values[np.isfinite(values)]
        told = f"{known.mean():.3f}" if len(known) else "–"
        lines.append(f"{label} of long orbits: mean {told}; of the truth itself {floor:.3f}")
    return lines


@checked
def learn_flow(
    points: Points,
    score: Score | LearntScore | None = None,
    *,
    tau: Share = 0.1,
    experiments: Count = 1,
    field: str = "plain",
    prior: Sequence[str | AbstractPrior] = (),
    flip: Names = (),
    known: Dynamics | None = None,
    hidden: Count = 64,
    epochs: Count | None = None,
    steps: Count | None = None,
    batch: Count | None = None,
    rate: Positive | None = None,
    time: Positive = 10.0,
    integrator: Literal["rk4", "adaptive"] = "rk4",
    optimiser: optax.GradientTransformation | None = None,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> LearntFlows:
    """Learn fields v with ∇·(p_τ v) = 0, an ensemble at once (see `training.py` for loss and source).

    Args:
        points: `Points` (M, D), at least 20 of two variables or more.
        score: A learnt score of the points (default: the closed form of the noised points themselves, which suits the
            families plain, encoded and polynomial).
        tau: Noise level of the density that is preserved, between 0 and 1.
        experiments: How many flows, from as many random starts.
        field: Family: plain, encoded, polynomial, antisymmetric, constant.
        prior: What to prefer: kinetic-energy, sparsity, locality, symmetry, known; each may have a weight, as
            sparsity=0.5.
        flip: Variables whose signs the symmetry changes, as x,y.
        known: The known part, in the points' own units: any `Dynamics`.
        hidden: Width of the two hidden layers.
        epochs: Epochs at most (default: 60); training ends early when a quarter of them has gained less than 1 %.
        steps: Steps an epoch (default: 100).
        batch: Points a step (default: 1024).
        rate: Learning rate at the start (default: 0.01); it falls to 1 % along a half cosine.
        time: Time over which the flows move points, to see whether the density stays, in the flows' own units.
        integrator: How they are moved: rk4, or adaptive steps.
        optimiser: Any Optax optimiser, in place of Adam with that rate.
        seed: Seed of all random numbers.
        progress: Called with one entry an epoch.
        resume: Keeps the state of the training, from which the same call goes on, to the same numbers.

    Families that are built from the score preserve p_τ as they are; without a prior they are not trained, nor is
    polynomial, which has a closed form: then `epochs`, `steps`, `batch` and `rate` must be left out. Returns
    `LearntFlows` with status `converged`, `not-converged` (the epochs were done before nothing was gained any more) or
    `interrupted`. Raises `BadInput`.
    """
    began, kept = clock.perf_counter(), Memory() if resume is None else resume
    score = score.score if isinstance(score, LearntScore) else score
    family = check_flow(points, score, tau, field)
    priors = chosen_priors(points, prior, listed(flip), known)
    asked = {"epochs": epochs, "steps": steps, "batch": batch, "rate": rate}
    if not is_trained(family, priors):
        for name, value in asked.items():
            if value is not None:
                raise BadInput(name, f"must be left out: the family {field} is not trained without a prior", value)
    how: dict[str, Any] = {name: _TRAINING[name] if value is None else value for name, value in asked.items()}
    plan = Epochs(how["epochs"], how["steps"], how["rate"], max(10, how["epochs"] // 4), optimiser=optimiser)
    trained = train_flows(
        points, score, tau=tau, experiments=experiments, field=field, hidden=hidden, priors=priors, plan=plan,
        batch=how["batch"], seed=seed, **logged(kept, how["epochs"], progress),
    )  # fmt: skip
    ended = Status.CONVERGED if trained.settled else Status.NOT_CONVERGED
    return LearntFlows(
        flows=trained.flows,
        points=points,
        score=score,
        status=Status.INTERRUPTED if trained.interrupted else ended,
        residuals=trained.residuals,
        losses=trained.losses,
        paced=known is not None,
        **_diagnosed(trained.flows, points, time, integrator, seed),
        seconds=clock.perf_counter() - began,
    )


def _diagnosed(flows: Flows, points: Points, time: float, integrator: Any, seed: int) -> dict[str, Any]:
    """What the flows do to the points, and how near they are to the truth where it is known."""
    rng = np.random.default_rng(seed)
    clean = (points.x - flows.mean) / flows.scale
    noised = np.sqrt(1 - flows.tau**2) * clean + flows.tau * rng.standard_normal(clean.shape)
    movers = [flows[i].standardised() for i in range(min(_MOVED, len(flows)))]
    kept = preservation(movers, noised, time=time, integrator=integrator, seed=seed)
    found: dict[str, Any] = {"kept": kept, "cosine_truth": None, "cosine_oracle": None, "likeness": None}
    if points.drift is None:
        return found
    with enable_x64():
        rates = np.asarray(points.drift.drift(jnp.asarray(points.x))) / flows.scale
    some = rng.permutation(len(clean))[:1024]
    oracle = oracle_velocity(noised[some], clean, rates, flows.tau)
    truth = Rescaled(points.drift, flows.mean, flows.scale)
    return found | {
        "cosine_truth": cosines(flows.velocities(clean[some]), rates[some][None])[:, 0],
        "cosine_oracle": cosines(flows.velocities(noised[some]), oracle[None])[:, 0],
        "likeness": likeness(movers, truth, clean, noised),
    }


def chosen_priors(
    points: Points, prior: Sequence[str | AbstractPrior], flip: Sequence[str], known: Dynamics | None
) -> list[AbstractPrior]:
    """The priors behind words and objects; raises `BadInput`."""
    chosen = [one if isinstance(one, AbstractPrior) else _prior(points, one, flip, known) for one in prior]
    if flip and not any(isinstance(one, Symmetry) for one in chosen):
        raise BadInput("flip", "needs `prior=symmetry`", ", ".join(flip))
    if known is not None and not any(isinstance(one, Known) for one in chosen):
        raise BadInput("known", "needs `prior=known`, or known=WEIGHT", type(known).__name__)
    return chosen


def _prior(points: Points, word: str, flip: Sequence[str], known: Dynamics | None) -> AbstractPrior:
    name, equals, text = word.partition("=")
    cls, options = find_prior(name), {}
    if equals:
        options["weight"] = _weight(word, text)
    if cls is Symmetry:
        for variable in flip:
            if variable not in points.names:
                raise BadInput("flip", f"must name variables among {', '.join(points.names)}", repr(variable))
        if not flip:
            raise BadInput("flip", "must name the variables whose signs the symmetry changes", None)
        options["signs"] = tuple(-1.0 if name in flip else 1.0 for name in points.names)
    if cls is Known:
        if known is None:
            raise BadInput("known", "must say which part is known", None)
        options["part"] = _standardised(known, points)
    return cls(**options)


def _weight(word: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        raise BadInput("prior", "must be NAME or NAME=WEIGHT", repr(word)) from None
    if not (np.isfinite(weight) and weight > 0):
        raise BadInput("prior", "must have a positive weight", repr(word))
    return weight


def _standardised(part: Dynamics, points: Points):
    """The rate of standardised points under dynamics of the points' own units."""
    mean, scale = standardise(points)

    def rate(z):
        m, s = jnp.asarray(mean, z.dtype), jnp.asarray(scale, z.dtype)
        return (part.drift(s * z + m) / s).astype(z.dtype)

    return rate
