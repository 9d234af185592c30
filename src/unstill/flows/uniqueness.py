"""`uniqueness`: how far do points determine their dynamics? Learnt flows beside equations, free and random fields."""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._arguments import Count, Positive, Whole, checked
from .._errors import BadInput
from .._jax import enable_x64
from .._progress import AbstractCheckpoint, Memory
from .._result import Result, plain
from .._types import Status
from ..discovery.library import find_library
from ..observations.points import Points
from .diagnosis import Preservation, Rescaled, paced, preservation
from .families import Families, at_pace, compare_families, random_fields, scores_as_field, training_free
from .flow import Flows
from .identifiability import Admissible, admissible, report
from .learn_flow import LearntFlows
from .learn_score import LearntScore
from .score import Score

_POINTS, _MOVED = 1024, 5
_FREE_LEVELS = (0.1, 0.25)  # noise levels of the training-free families
_ALIKE = 0.95  # mean |cosine| above which flows of one family are said to agree


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Uniqueness(Result):
    """Families of fields compared at the same points (`found`), and what the points leave free.

    `kept` are distances over time of a few members of each; `identifiability` says in words what is determined and what
    is free; `learnt` is the family that the verdict, `message`, is about.
    """

    verb: ClassVar = "uniqueness"
    formats: ClassVar = True
    status: ClassVar = Status.CONVERGED  # pyright: ignore[reportIncompatibleVariableOverride]

    found: Families
    learnt: str
    kept: Mapping[str, Preservation]
    identifiability: Mapping[str, Any]
    tau: float
    points: Points
    at: Float[np.ndarray, "N D"]
    seconds: float

    @property
    def agreement(self) -> float:
        """Mean |cosine| between members of the learnt family; NaN where it holds one."""
        first = self.found.families.index(self.learnt)
        return float(self.found.table[first, first])

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The verdict."""
        free, agreement = "Points never tell the pace and the arrow of time.", self.agreement
        if np.isnan(agreement):
            return f"{self.learnt} holds one flow: train several to see whether they agree. {free}"
        if agreement > _ALIKE:
            return (
                f"The flows of {self.learnt} agree (mean |cosine| {agreement:.3f}): that is the choice of family and "
                f"prior, not of the points, as long as other families preserve them as well. {free}"
            )
        effective = float(self.found.effective[self.found.families.index(self.learnt)])
        return (
            f"The points do not determine a flow: {self.learnt} holds about {effective:.1f} independent ones "
            f"(mean |cosine| {agreement:.3f}). {free}"
        )

    def headline(self) -> str:
        return self.message

    def to_dict(self) -> dict[str, Any]:
        found, one = self.found, next(iter(self.kept.values()))
        return {
            "variables": list(self.points.names),
            "families": list(found.families),
            "counts": list(found.counts),
            "cosines": plain(found.table),
            "spread": plain(found.spread),
            "effective": plain(found.effective),
            "strains": plain(found.strains),
            "tau": self.tau,
            "sign": "free",
            "scale": "free",
            "verdict": self.message,
            "mmd": {name: plain(each.mean) for name, each in self.kept.items()},
            "ts": plain(one.ts),
            "floor": plain(one.floor),
            "lost": {name: plain(float(each.lost.mean())) for name, each in self.kept.items()},
            "points": self.points.count,
            "identifiability": dict(self.identifiability),
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        return {"uniqueness.npz": {"z": self.at, "places": self.found.places, "table": self.found.table}}

    def table(self) -> list[list[str]]:
        rows = [["mean |cosine|", *(name[:9] for name in self.found.families)]]
        for name, row in zip(self.found.families, self.found.table, strict=True):
            rows.append([name, *("–" if np.isnan(value) else f"{value:.3f}" for value in row)])
        return rows

    def notes(self) -> list[str]:
        one = next(iter(self.kept.values()))
        last = {name: each.mean[-1] for name, each in self.kept.items()}
        ends = ", ".join(f"{name} {f'{end:.1e}' if np.isfinite(end) else 'lost'}" for name, end in last.items())
        told = self.identifiability
        return [
            f"MMD² after {one.ts[-1]:g}: {ends}; noise floor {one.floor:.1e}",
            *(f"determined: {text}" for text in told["determined"]),
            *(f"free: {text}" for text in told["free"]),
        ]


@checked
def uniqueness(
    points: Points,
    score: Score | LearntScore,
    flows: Mapping[str, Flows | LearntFlows],
    *,
    random: Count = 100,
    time: Positive = 10.0,
    library: str = "poly2",
    seed: Whole = 0,
    resume: AbstractCheckpoint | None = None,
) -> Uniqueness:
    """Compare learnt flows with other fields that preserve the points as well, at the same points (`compare_families`).

    Args:
        points: `Points`; their true dynamics, where they know them, are one more family.
        score: A learnt score of the points.
        flows: Learnt flows, by a name for each; the first is what the verdict is about.
        random: How many training-free flows of a level, and random networks.
        time: Time over which five of each family move points, in the flows' own units.
        library: Terms of equations: poly1, poly2, poly3, trig, or file.py:NAME.
        seed: Seed of all random numbers.
        resume: Not needed: nothing is kept on the way.

    Returns a `Uniqueness`. Raises `BadInput`.
    """
    began, kept = clock.perf_counter(), Memory() if resume is None else resume
    if not flows:
        raise BadInput("flows", "must hold flows to compare")
    flows = {name: one.flows if isinstance(one, LearntFlows) else one for name, one in flows.items()}
    score = score.score if isinstance(score, LearntScore) else score
    find_library(library, points.names)
    for name, one in {"score": score, **flows}.items():
        if len(one.mean) != points.dimension:
            raise BadInput(name, f"must be of {points.dimension} variables", len(one.mean))
    kept.write_log([])
    equations = admissible(points, library, seed)
    tau = next(iter(flows.values())).tau
    rng = np.random.default_rng(seed)
    clean = rng.permutation((points.x - np.asarray(score.mean)) / np.asarray(score.scale))
    noised = np.sqrt(1 - tau**2) * clean + tau * rng.standard_normal(clean.shape)
    at = noised[:_POINTS]
    free = {f"training-free {level:g}": training_free(score, level, random, points.names) for level in _FREE_LEVELS}
    sets = {**flows, **free, "random": random_fields(score, random, points.names, seed + 1)}
    fields, movers = _velocities(points, score, sets, equations, at)
    fields["score"] = scores_as_field(score, at, tau)
    return Uniqueness(
        found=compare_families(fields),
        learnt=next(iter(flows)),
        kept=_kept(movers, noised, time, seed),
        identifiability=report(equations, library, points.dimension),
        tau=tau,
        points=points,
        at=at,
        seconds=clock.perf_counter() - began,
    )


def _velocities(
    points: Points, score: Score, sets: Mapping[str, Flows], equations: Admissible | str, at: np.ndarray
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Velocities at the points, family by family, and dynamics of a few members of each."""
    sets = {name: at_pace(flows, at) for name, flows in sets.items()}
    fields: dict[str, Any] = {name: flows.velocities(at) for name, flows in sets.items()}
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
    return fields, movers


def _kept(movers: Mapping[str, list[Any]], noised: np.ndarray, time: float, seed: int) -> dict[str, Preservation]:
    """Distances over time, family by family, from one set of points and one noise floor."""
    every = [one for several in movers.values() for one in several]
    found = preservation(every, noised, time=time, seed=seed)
    kept, start = {}, 0
    for name, several in movers.items():
        kept[name] = found.of(slice(start, start + len(several)))
        start += len(several)
    return kept
