"""`learn_score`: points → the gradient of their log density at every noise level, with points drawn from it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float

from .._arguments import Count, Positive, Whole, checked
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Result, plain
from .._types import Status
from ..analysis.distances import mmd_floor, mmd_squared, sliced_wasserstein
from ..observations.points import Points
from ..training.epochs import Epochs, logged
from .arrays import SCORE_FILE, score_arrays
from .sampling import sample
from .score import Score, check_score, train_score

if TYPE_CHECKING:
    import optax


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LearntScore(Result):
    """A score, how it was learnt, and how far points that are drawn from it are from the points.

    `losses` (training, held out) are epoch by epoch; `held_out` is the least held-out one; `drawn` are new points.
    `mmd` is the squared maximum mean discrepancy between them and the points, `floor` that between two halves of the
    points, `wasserstein` the sliced distance: all in standard deviations of the points.
    """

    verb: ClassVar = "score"

    score: Score
    points: Points
    schedule: str
    hidden: tuple[int, ...]
    status: Status
    losses: Float[np.ndarray, "E 2"]
    held_out: float
    drawn: Float[np.ndarray, "S D"]
    mmd: float
    floor: float
    wasserstein: float
    seconds: float

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The epochs, and what they reached."""
        still = "; the held-out loss still fell: take more `epochs`" if self.status is Status.NOT_CONVERGED else ""
        return f"{len(self.losses)} epoch{'s' * (len(self.losses) != 1)}, held-out loss {self.held_out:.4f}{still}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "variables": list(self.points.names),
            "status": str(self.status),
            "epochs": len(self.losses),
            "loss": plain(float(self.losses[-1, 0])) if len(self.losses) else None,
            "held_out": plain(float(self.held_out)),
            "schedule": self.schedule,
            "conservative": self.score.conservative,
            "hidden": [int(width) for width in self.hidden],
            "mean": plain(np.asarray(self.score.mean)),
            "scale": plain(np.asarray(self.score.scale)),
            "points": self.points.count,
            "samples": len(self.drawn),
            "mmd": plain(self.mmd),
            "floor": plain(self.floor),
            "wasserstein": plain(self.wasserstein),
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        return {SCORE_FILE: score_arrays(self.score, self.points.names, self.schedule)}

    def notes(self) -> list[str]:
        return [f"MMD² of {len(self.drawn)} drawn points {self.mmd:.2e}; noise floor {self.floor:.2e}"]


@checked
def learn_score(
    points: Points,
    *,
    schedule: Literal["even", "ddpm"] = "even",
    hidden: Sequence[int] = (64, 64),
    conservative: bool = True,
    epochs: Count = 120,
    steps: Count = 100,
    batch: Count = 2048,
    rate: Positive = 5e-3,
    samples: Count = 1000,
    optimiser: optax.GradientTransformation | None = None,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> LearntScore:
    """Learn s = ∇log p_τ of points at every noise level τ, by denoising (see `score.py` for equation and source).

    Args:
        points: `Points` (M, D), at least 20.
        schedule: Noise levels: even in the log of the signal-to-noise ratio, or ddpm.
        hidden: Widths of the two hidden layers.
        conservative: Make the score a gradient by construction: exact, at three times the price a step.
        epochs: Epochs at most; training ends early when a quarter of them has gained nothing.
        steps: Steps an epoch.
        batch: Points a step.
        rate: Learning rate at the start; it falls to 1 % along a half cosine.
        samples: Points drawn from the model to be looked at, two at least.
        optimiser: Any Optax optimiser, in place of Adam with that rate.
        seed: Seed of all random numbers.
        progress: Called with one entry an epoch.
        resume: Keeps the state of the training, from which the same call goes on, to the same numbers.

    Returns a `LearntScore` with status `converged` (the training had nothing to gain any more: see `Trained.settled`),
    `not-converged` (its epochs were done before) or `interrupted`. Raises `BadInput`.
    """
    began, kept = time.perf_counter(), Memory() if resume is None else resume
    check_score(points, schedule)
    plan = Epochs(epochs, steps, rate, max(10, epochs // 4), gain=0, optimiser=optimiser)
    trained = train_score(
        points, schedule=schedule, hidden=hidden, conservative=conservative, plan=plan, batch=batch, seed=seed,
        **logged(kept, epochs, progress),
    )  # fmt: skip
    drawn = sample(trained.score, max(2, samples), schedule=schedule, seed=seed)
    mmd, floor, wasserstein = _distances(trained.score, points, drawn, seed)
    ended = Status.CONVERGED if trained.settled else Status.NOT_CONVERGED
    return LearntScore(
        score=trained.score,
        points=points,
        schedule=schedule,
        hidden=tuple(hidden),
        status=Status.INTERRUPTED if trained.interrupted else ended,
        losses=trained.losses,
        held_out=trained.held_out,
        drawn=drawn,
        mmd=mmd,
        floor=floor,
        wasserstein=wasserstein,
        seconds=time.perf_counter() - began,
    )


def _distances(score: Score, points: Points, drawn: np.ndarray, seed: int) -> tuple[float, float, float]:
    """MMD² between drawn points and as many of the data, its noise floor, and the sliced Wasserstein distance."""
    mean, scale = np.asarray(score.mean), np.asarray(score.scale)
    data, new = (points.x - mean) / scale, (drawn - mean) / scale
    some = np.random.default_rng(seed).permutation(data)[: len(new)]
    new = new[: len(some)]
    half = min(len(some), len(data) // 2)
    return float(mmd_squared(new, some)), float(mmd_floor(data, half)), float(sliced_wasserstein(new, some))
