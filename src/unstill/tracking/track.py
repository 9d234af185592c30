"""`track`: collective behaviour of particles in a flow of pictures, against two nulls, with several seeds each."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from .._arguments import Count, NonNegative, Positive, Whole, checked
from .._errors import BadInput, NumericalFailure
from .._progress import Progress, silent
from .._result import Result, plain
from .._types import Status
from ..field_flows import ConvolutionFlow, LearntFieldFlow, langevin
from ..field_flows.flow import AbstractFieldFlow
from ..simulation import Trajectory
from .comparison import LACKING, NULLS, judged
from .finding import find_particles
from .linking import Tracks, link
from .numbers import FITTED, alignment, displacement_exponent, median_lifetime, pair_correlation, squared_displacements

KINDS = ("flow", *NULLS)
_LAGS = 3 * FITTED  # frames of the curve that is shown
_RINGS = 24


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Tracking(Result):
    """Particles of a flow's films against two nulls.

    `films` has the numbers of each seed by kind (`flow`, `langevin`, `random-kernel`); `claims` the verdicts; `film`
    and `tracks` are those of the flow's first seed, frames counted as the film does. By kind, a row a seed: `g`, the
    pair correlation at `distance` cells, and `msd`, the mean-square displacement in cells² after `lag` frames.
    """

    verb: ClassVar = "animate"
    drawn_as: ClassVar = "tracking"
    failures: ClassVar = (Status.UNIDENTIFIABLE,)

    status: Status
    message: str
    films: dict[str, list[dict[str, float | str | None]]]
    claims: dict[str, dict[str, Any]]
    film: Trajectory
    tracks: Tracks
    distance: np.ndarray
    g: dict[str, np.ndarray]
    lag: np.ndarray
    msd: dict[str, np.ndarray]
    reach: float
    eta: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        assert self.film.ts is not None
        return plain({
            "status": self.status, "message": self.message, "claims": self.claims, "films": self.films,
            "size": self.tracks.box[0], "reach": self.reach, "eta": self.eta,
            "frame_time": self.film.ts[1] - self.film.ts[0], "tracks": len(self.tracks), "seconds": self.seconds,
        })  # fmt: skip

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        curves = {f"{name}_{kind.replace('-', '_')}": rows
                  for name, each in (("g", self.g), ("msd", self.msd)) for kind, rows in each.items()}  # fmt: skip
        return {"tracking.npz": {"distance": self.distance, "lag": self.lag, **curves}}

    def texts(self) -> dict[str, str]:
        return {"tracks.csv": self.tracks.csv()}

    def table(self) -> list[list[str]]:
        return [[name, claim["verdict"], f"p {claim['p_holm']:.3g}, corrected"] for name, claim in self.claims.items()]

    def notes(self) -> list[str]:
        return ["in equilibrium a flow that preserves the pictures has the g(r) of the score alone: only alignment and "
                "displacement can differ"]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What one film gives."""

    numbers: dict[str, float | str | None]
    g: np.ndarray
    msd: np.ndarray
    tracks: Tracks | None = None


@checked
def track(
    flow: AbstractFieldFlow | LearntFieldFlow,
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
) -> Tracking:
    """Move a flow and two nulls from pure noise, track their particles, and compare the numbers.

    The nulls are the same score and η without a flow, and a kernel of independent normal numbers on the flow's support
    with its rms drift at the flow's last state. Alignment of neighbours, and the exponent of the mean-square
    displacement, stand where both nulls differ in one direction: p is the larger of two exact permutation tests over
    seeds (intersection–union, R. L. Berger, Technometrics 24, 295 (1982)), corrected over the claims (S. Holm, Scand.
    J. Stat. 6, 65 (1979)). Fewer than 5 seeds cannot reach 5 %. In equilibrium the score alone has the same g(r): one
    that differs says that the flow is not equilibrated, or does not preserve the pictures.

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

    Returns a `Tracking` with status `converged`, or `unidentifiable` where particles are too few in too many films. A
    null that blows up is an outcome that is kept. Raises `BadInput`, and `NumericalFailure` where the flow blows up at
    once. Needs laptrack: `pip install 'unstill[track]'`.
    """
    began = time.perf_counter()
    own = flow.flow if isinstance(flow, LearntFieldFlow) else flow
    if not reach < size / 4:
        raise BadInput("reach", f"must be below {size / 4:g}, a quarter of the torus", reach)
    if find_spec("laptrack") is None:
        raise BadInput("flow", "needs laptrack to be tracked", None, "pip install 'unstill[track]'")
    move = functools.partial(langevin, size=size, steps=steps, dt=dt or own.dt / (1 + eta), eta=eta, frames=frames)
    first = _finished(move(own, seed=seed))
    seen: dict[str, list[_Seen]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        for i in range(seeds):
            number = seed + 1000 * i + 100_000 * KINDS.index(kind)
            if (kind, i) == ("flow", 0):
                seen[kind].append(_seen(first, reach))
            else:
                seen[kind].append(_moved(move, _kind(own, kind, first.state, number), number, reach))
            progress(sum(map(len, seen.values())), seeds * len(KINDS), {})
    return _told(seen, first, reach, eta, seed, began)


def _told(
    seen: dict[str, list[_Seen]], film: Trajectory, reach: float, eta: float, seed: int, began: float
) -> Tracking:
    films = {kind: [each.numbers for each in rows] for kind, rows in seen.items()}
    claims = judged(films, np.random.default_rng(seed))
    lacking = [name for name, claim in claims.items() if claim["verdict"] == LACKING]
    message = f"{len(films['flow'])} films of the flow and of each null"
    if lacking:
        message = f"too few particles, or films that blew up, for {', '.join(lacking)}; {message}"
    tracks = seen["flow"][0].tracks
    assert tracks is not None
    edges = _edges(tracks.box)
    return Tracking(
        status=Status.UNIDENTIFIABLE if lacking else Status.CONVERGED,
        message=message,
        films=films,
        claims=claims,
        film=film,
        tracks=dataclasses.replace(tracks, frame=tracks.frame + _skipped(film)),
        distance=(edges[1:] + edges[:-1]) / 2,
        g={kind: np.stack([each.g for each in rows]) for kind, rows in seen.items()},
        lag=np.arange(1, _LAGS + 1),
        msd={kind: np.stack([each.msd for each in rows]) for kind, rows in seen.items()},
        reach=reach,
        eta=eta,
        seconds=time.perf_counter() - began,
    )


def _kind(flow: AbstractFieldFlow, kind: str, state: np.ndarray, seed: int) -> AbstractFieldFlow:
    """The flow, or a null of it."""
    if kind == "flow":
        return flow
    return _still(flow) if kind == NULLS[0] else _random(flow, state, np.random.default_rng(seed))


def _still(flow: AbstractFieldFlow) -> AbstractFieldFlow:
    """The score alone."""
    fields = len(flow.fields)
    return ConvolutionFlow(flow.score, flow.tau, np.zeros((fields, fields, 1, 1)))


def _random(flow: AbstractFieldFlow, state: np.ndarray, rng: np.random.Generator) -> AbstractFieldFlow:
    """A kernel that need not preserve the density, on the flow's support, with the flow's rms drift at `state`."""
    fields, side = len(flow.fields), np.arange(-flow.radius, flow.radius + 1)
    support = side[:, None] ** 2 + side**2 <= (flow.radius + 0.5) ** 2
    if isinstance(flow, ConvolutionFlow):
        support = (np.asarray(flow.kernel) != 0).any((0, 1))
    numbers = rng.standard_normal((fields, fields, *support.shape))
    other = ConvolutionFlow(flow.score, flow.tau, np.where(support, numbers, 0.0))
    z = flow.score.standardised(jnp.asarray(state, jnp.float32))
    sizes = [float(jnp.sqrt((each.standardised_drift(z) ** 2).mean())) for each in (flow, other)]
    return other.at_pace(sizes[0] / sizes[1])


def _moved(move: Callable[..., Trajectory], flow: AbstractFieldFlow, seed: int, reach: float) -> _Seen:
    """What a film gives; one that blew up at once is an outcome, too."""
    try:
        return _seen(_finished(move(flow, seed=seed)), reach)
    except NumericalFailure as error:
        return _Seen({"status": str(error.status)}, np.full(_RINGS, np.nan), np.full(_LAGS, np.nan))


def _finished(film: Trajectory) -> Trajectory:
    """The film; raises `KeyboardInterrupt` where Ctrl-C ended it, since numbers of a part would mislead."""
    if Status.INTERRUPTED in film.status:
        raise KeyboardInterrupt
    return film


def _skipped(film: Trajectory) -> int:
    """Pictures at the beginning that are left out: the motion begins with noise."""
    return len(np.asarray(film.frames)) // 5


def _edges(box: tuple[int, ...]) -> np.ndarray:
    return np.linspace(0, min(box) / 2, _RINGS + 1)


def _seen(film: Trajectory, reach: float) -> _Seen:
    """The numbers of one film, by the last field."""
    pictures = np.asarray(film.frames)[_skipped(film) :, 0, -1]
    bright = np.median(pictures) <= (pictures.min() + pictures.max()) / 2  # particles are the minority
    found = [find_particles(each, dark=not bright) for each in pictures]
    places, box = [each.places for each in found], pictures.shape[1:]
    tracks = link(places, box, reach=reach)
    numbers = {
        "status": str(film.status[0]),
        "count": float(np.mean([each.counts.sum() for each in found])),
        "nearness": float(pair_correlation(places, box, np.array([0.0, 2 * reach]))[0]),
        "alignment": alignment(tracks, 2 * reach),
        "exponent": displacement_exponent(tracks),
        "lifetime": median_lifetime(tracks),
    }
    return _Seen(numbers, pair_correlation(places, box, _edges(box)), squared_displacements(tracks, _LAGS), tracks)
