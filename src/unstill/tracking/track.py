"""Collective behaviour of particles in a flow of pictures, against two nulls, with several seeds each."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._arguments import Count, NonNegative, Positive, Whole, checked
from .._errors import BadInput, NumericalFailure
from .._progress import Progress, silent
from .._result import plain
from .._types import Status
from ..field_flows import ConvolutionFlow, langevin
from .finding import find_particles
from .linking import Tracks, link
from .numbers import alignment, displacement_exponent, median_lifetime, pair_correlation

CLAIMS = {"nearness": ("attraction", "repulsion"), "alignment": ("alignment", "counter-alignment"),
          "exponent": ("persistent motion", "hindered motion")}  # fmt: skip
NULLS = ("langevin", "random-kernel")
LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class Collective:
    """`films` has the numbers of each seed by kind; `claims` the verdicts; `tracks` those of the flow's first seed."""

    status: Status
    message: str
    films: dict[str, list[dict[str, float | str | None]]]
    claims: dict[str, dict[str, Any]]
    tracks: Tracks

    def to_dict(self) -> dict[str, Any]:
        """Numbers for programs; what is not determined is `None`."""
        return plain({"status": self.status, "message": self.message, "claims": self.claims, "films": self.films})


@checked
def collective(
    flow: ConvolutionFlow,
    *,
    size: Count = 128,
    steps: Count = 1000,
    dt: Positive | None = None,
    eta: NonNegative = 0.1,
    frames: Count = 150,
    seeds: Count = 5,
    reach: Positive = 8.0,
    seed: Whole = 0,
    progress: Progress = silent,
) -> Collective:
    """Move a flow and two nulls from pure noise, track their particles, and compare the numbers.

    The nulls are the same score and η without a flow, and a kernel of independent normal numbers on the flow's support
    with its rms drift at the flow's last state. A claim stands where both nulls differ in one direction: its p is the
    larger of two exact permutation tests over seeds (intersection–union, R. L. Berger, Technometrics 24, 295 (1982)),
    corrected over the claims (S. Holm, Scand. J. Stat. 6, 65 (1979)). Fewer than 5 seeds cannot reach 5 %.

    Args:
        flow: A flow of pictures built from their score.
        size: Cells a side of the torus.
        steps: Heun steps.
        dt: Time step, the same for the nulls (default: the flow's stable one).
        eta: Strength η of the noise.
        frames: Pictures tracked at most, at equal distances; the first fifth is left out of the numbers.
        seeds: Independent films of each kind.
        reach: The longest step of a particle between frames, in cells; pairs nearer than twice this are neighbours.
        seed: Seed of all random numbers.
        progress: Called with the films done and in all.

    Raises `BadInput`. Status `unidentifiable` where a number lacks particles in too many films.
    """
    if not reach < size / 4:
        raise BadInput("reach", f"must be below {size / 4:g}, a quarter of the torus", reach)
    step = dt or flow.dt / (1 + eta)
    films: dict[str, list] = {"flow": [], **{name: [] for name in NULLS}}
    kinds, first, done = {"flow": flow, NULLS[0]: _with(flow, 0 * np.asarray(flow.kernel))}, None, 0
    reached = np.zeros(0)  # the flow's last state, by which the random kernels are scaled
    for kind in films:
        for i in range(seeds):
            own = seed + 1000 * i + 100_000 * list(films).index(kind)
            if kind == NULLS[1]:
                kinds[kind] = _random(flow, reached, np.random.default_rng(own))
            try:
                film = langevin(kinds[kind], size=size, steps=steps, dt=step, eta=eta, frames=frames, seed=own)
            except NumericalFailure as error:
                if kind == "flow":
                    raise
                films[kind].append({"status": str(error.status)})
                continue
            if Status.INTERRUPTED in film.status:
                raise KeyboardInterrupt
            numbers, tracks = _numbers(film, reach)
            films[kind].append(numbers)
            if first is None:
                first, reached = tracks, film.state
            done = sum(map(len, films.values()))
            progress(done, seeds * len(films), {})
    assert first is not None
    claims = _claims(films, np.random.default_rng(seed))
    lacking = [name for name, claim in claims.items() if claim["verdict"] == "too few particles"]
    status = Status.UNIDENTIFIABLE if lacking else Status.CONVERGED
    words = f"too few particles, or films that blew up, for {', '.join(lacking)}" if lacking else ""
    return Collective(status, words, films, claims, first)


def _with(flow: ConvolutionFlow, kernel: np.ndarray) -> ConvolutionFlow:
    return eqx.tree_at(lambda each: each.kernel, flow, kernel.astype(np.asarray(flow.kernel).dtype))


def _random(flow: ConvolutionFlow, state: np.ndarray, rng: np.random.Generator) -> ConvolutionFlow:
    """A kernel that need not preserve the density, with the flow's rms drift at `state`."""
    kernel = np.asarray(flow.kernel)
    support = (kernel != 0).any((0, 1))
    other = _with(flow, np.where(support, rng.standard_normal(kernel.shape), 0.0))
    z = flow.score.standardised(jnp.asarray(state, jnp.float32))
    sizes = [float(jnp.sqrt((each.standardised_drift(z) ** 2).mean())) for each in (flow, other)]
    return _with(flow, np.asarray(other.kernel) * sizes[0] / sizes[1])


def _numbers(film: Any, reach: float) -> tuple[dict[str, float | str | None], Tracks]:
    """The numbers of one film, by the last field, after the first fifth."""
    pictures = np.asarray(film.frames)[:, 0, -1]
    pictures = pictures[len(pictures) // 5 :]
    bright = np.median(pictures) <= (pictures.min() + pictures.max()) / 2  # particles are the minority
    found = [find_particles(each, dark=not bright) for each in pictures]
    places, box = [each.places for each in found], pictures.shape[1:]
    tracks = link(places, box, reach=reach)
    near = pair_correlation(places, box, np.array([0.0, 2 * reach]))[0]
    return {
        "status": str(film.status[0]),
        "count": float(np.mean([each.counts.sum() for each in found])),
        "nearness": float(near),
        "alignment": alignment(tracks, 2 * reach),
        "exponent": displacement_exponent(tracks),
        "lifetime": median_lifetime(tracks),
    }, tracks


def _claims(films: dict[str, list], rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    claims: dict[str, dict[str, Any]] = {}
    for name in CLAIMS:
        known = {kind: _finite(rows, name) for kind, rows in films.items()}
        if min(map(len, known.values())) < 2:
            claims[name] = {"verdict": "too few particles", "p": 1.0}
            continue
        against = {null: compared(known["flow"], known[null], rng) for null in NULLS}
        claims[name] = {"against": against, "p": max(each["p"] for each in against.values())}
    for name, p in zip(claims, holm([each["p"] for each in claims.values()]), strict=True):
        claims[name]["p_holm"] = p
        if "against" in claims[name]:
            signs = {np.sign(each["difference"]) for each in claims[name]["against"].values()}
            stands = p <= LEVEL and len(signs) == 1
            words = CLAIMS[name][0 if 1 in signs else 1]
            claims[name]["verdict"] = words if stands else "not told apart from both nulls"
    return claims


def _finite(rows: list, name: str) -> np.ndarray:
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
