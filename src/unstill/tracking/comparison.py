"""Numbers of a flow's films against those of nulls: exact permutations of the seeds, corrected over the claims."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._types import Status

NULLS = ("langevin", "random-kernel")
LEVEL = 0.05
LACKING = "too few particles"


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a larger and a smaller number would say, where all of `nulls` differ; else `otherwise`."""

    larger: str
    smaller: str
    otherwise: str = "not told apart from both nulls"
    nulls: tuple[str, ...] = NULLS


# In equilibrium a flow that preserves the density has the g(r) of the score alone: nearness judges equilibrium only.
_UNEQUAL = "not equilibrated or not preserved"
CLAIMS = {
    "nearness": Claim(_UNEQUAL, _UNEQUAL, "not told apart from the score alone", NULLS[:1]),
    "alignment": Claim("alignment", "counter-alignment"),
    "exponent": Claim("persistent motion", "hindered motion"),
}


def judged(films: Mapping[str, Sequence[Mapping[str, Any]]], rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """The verdict of each claim, with its p and its differences from both nulls."""
    found: dict[str, dict[str, Any]] = {}
    for name, claim in CLAIMS.items():
        known = {kind: finite(rows, name) for kind, rows in films.items()}
        enough = {null for null in NULLS if min(len(known["flow"]), len(known[null])) >= 2}
        against = {null: compared(known["flow"], known[null], rng) for null in NULLS if null in enough}
        p = max(against[null]["p"] for null in claim.nulls) if enough >= set(claim.nulls) else 1.0
        found[name] = {"against": against, "p": p}
    for (name, claim), p in zip(CLAIMS.items(), holm([each["p"] for each in found.values()]), strict=True):
        found[name] |= {"p_holm": p, "verdict": _verdict(claim, found[name]["against"], p)}
    return found


def _verdict(claim: Claim, against: Mapping[str, Mapping[str, Any]], p: float) -> str:
    if not against.keys() >= set(claim.nulls):
        return LACKING
    signs = {np.sign(against[null]["difference"]) for null in claim.nulls}
    if p > LEVEL or len(signs) > 1:
        return claim.otherwise
    return claim.larger if 1 in signs else claim.smaller


def finite(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """A number of the films that have it; films that blew up have none that can be trusted."""
    found = [row[name] for row in rows if row["status"] != Status.BLOW_UP and row.get(name) is not None]
    return np.array([each for each in found if np.isfinite(each)], np.float64)


def compared(ours: np.ndarray, null: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Difference of means, its bootstrap interval over seeds, and p by all (or 20,000 random) permutations."""
    means = [rng.choice(each, (4000, len(each))).mean(1) for each in (ours, null)]
    low, high = np.quantile(means[0] - means[1], (0.025, 0.975))
    together, n = np.concatenate([ours, null]), len(ours)
    difference = ours.mean() - null.mean()
    if len(together) <= 14:
        chosen = np.array(list(itertools.combinations(range(len(together)), n)))
    else:  # the split that was seen is one of them, so that p is never 0
        chosen = np.array([np.arange(n), *(rng.permutation(len(together))[:n] for _ in range(20_000))])
    first = together[chosen].sum(1)
    split = first / n - (together.sum() - first) / len(null)
    p = float((np.abs(split) >= abs(difference) - 1e-12).mean())
    return {"difference": float(difference), "interval95": [float(low), float(high)], "p": p}


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, in the order given."""
    order, corrected, largest = np.argsort(ps), [0.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = largest
    return corrected
