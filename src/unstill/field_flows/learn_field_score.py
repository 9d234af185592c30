"""`learn_field_score`: a heap of pictures → the gradient of their log density at every noise level."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Float

from .._arguments import Count, Positive, Whole, checked
from .._errors import BadInput
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Result, plain
from .._types import Status
from ..observations import Snapshots
from ..training.epochs import Epochs, logged
from .arrays import FIELD_SCORE_FILE, field_score_arrays
from .field_score import FieldScore, TrainedFieldScore, denoising_losses, train_field_score
from .sampling import density_distance, sample_pictures, spectral_distance

if TYPE_CHECKING:
    import optax

LEAST_PICTURES = 20
_DRAWN = 8
_ALIKE = 2.0  # floors


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LearntFieldScore(Result):
    """A score of pictures, how it was learnt, and how far pictures that are drawn from it are from them.

    `losses` (training, held out) are epoch by epoch. By level τ: `denoising` is the held-out loss of the score and
    `gaussian` that of the Gaussian field of the same spectrum. `spectra` is the mean |log ratio| of the power of
    `drawn` pictures and the heap, `spectra_floor` that of as many of the heap's own; `densities` the same for the
    values at a cell, in standard deviations.
    """

    verb: ClassVar = "score"
    drawn_as: ClassVar = "field_score"

    score: FieldScore
    pictures: Snapshots
    status: Status
    losses: Float[np.ndarray, "E 2"]
    denoising: dict[float, float]
    gaussian: dict[float, float]
    drawn: Float[np.ndarray, "S C H W"]
    spectra: float
    spectra_floor: float
    densities: float
    densities_floor: float
    seconds: float

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The epochs, and what they reached."""
        if not len(self.losses):
            return "no epoch was finished"
        told = f"{len(self.losses)} epoch{'s' * (len(self.losses) != 1)}, held-out loss {self.losses[:, 1].min():.4f}"
        if self.status is not Status.NOT_CONVERGED:
            return told
        if self.like_the_heap:
            return f"{told}; the held-out loss still fell: take more `epochs`"
        return f"{told}; pictures drawn from it are not like the heap's: take more `epochs` or `steps`"

    @property
    def like_the_heap(self) -> bool:
        """Whether drawn pictures' spectra and values at a cell are within twice the sampling floor."""
        return self.spectra <= _ALIKE * self.spectra_floor and self.densities <= _ALIKE * self.densities_floor

    def to_dict(self) -> dict[str, Any]:
        network = self.score.network
        return {
            "fields": list(self.score.fields),
            "status": str(self.status),
            "epochs": len(self.losses),
            "loss": plain(float(self.losses[-1, 0])) if len(self.losses) else None,
            "held_out": plain(float(self.losses[:, 1].min())) if len(self.losses) else None,
            "conservative": self.score.conservative,
            "radius": network.radius,
            "numbers": network.size,
            "mean": plain(np.asarray(self.score.mean)),
            "scale": plain(np.asarray(self.score.scale)),
            "pictures": self.pictures.count,
            "denoising": {f"{level:g}": plain(value) for level, value in self.denoising.items()},
            "gaussian": {f"{level:g}": plain(value) for level, value in self.gaussian.items()},
            "samples": len(self.drawn),
            "spectra": plain(self.spectra),
            "spectra_floor": plain(self.spectra_floor),
            "densities": plain(self.densities),
            "densities_floor": plain(self.densities_floor),
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        return {FIELD_SCORE_FILE: field_score_arrays(self.score)}

    def table(self) -> list[list[str]]:
        rows = [["level", "held-out loss", "of the Gaussian field"]]
        return rows + [[f"{t:g}", f"{self.denoising[t]:.4f}", f"{self.gaussian[t]:.4f}"] for t in self.denoising]

    def notes(self) -> list[str]:
        return [
            f"{len(self.drawn)} drawn pictures: spectra off by {self.spectra:.2f} (floor {self.spectra_floor:.2f}), "
            f"values at a cell by {self.densities:.3f} (floor {self.densities_floor:.3f}) standard deviations"
        ]


@checked
def learn_field_score(
    pictures: Snapshots | Mapping[str, np.ndarray],
    *,
    width: Count = 32,
    depth: Count = 3,
    conservative: bool = False,
    epochs: Count = 60,
    steps: Count = 25,
    minutes: Positive | None = None,
    batch: Count = 16,
    rate: Positive = 2e-3,
    optimiser: optax.GradientTransformation | None = None,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> LearntFieldScore:
    """Learn s = ∇log p_τ of pictures at every noise level τ, by denoising (`field_score.py` has equation and source).

    The network sees 2^`depth` cells to each side, and is added to the closed form for the pictures' spectrum.

    Args:
        pictures: All fields of at least 20 pictures on a torus: arrays (M, H, W) by field name, or what `load` returns.
        width: Channels of the network.
        depth: Its blocks; each sees twice as far as the one before.
        conservative: Make the score a gradient by construction: flows that are built from it are exact, at three times
            the price a step.
        epochs: Epochs at most; training ends early when a quarter of them has gained nothing.
        steps: Steps an epoch.
        minutes: Time for the training, in place of `epochs`: as many as fit, told from the first ones. Then the result
            depends on the machine, and `resume` counts the time anew.
        batch: Pictures a step.
        rate: Learning rate at the start; it falls to 1 % along a half cosine.
        optimiser: Any Optax optimiser, in place of Adam with that rate.
        seed: Seed of all random numbers.
        progress: Called with one entry an epoch.
        resume: Keeps the state of the training, from which the same call goes on, to the same numbers.

    Returns a `LearntFieldScore` with status `converged`, `not-converged` (its epochs were done while the loss still
    fell, or what is drawn from it is not like the heap) or `interrupted`. Raises `BadInput`.
    """
    began, kept = time.perf_counter(), Memory() if resume is None else resume
    heap = _checked(pictures, 2**depth)
    states, fields = heap.states(tuple(heap.fields)), tuple(heap.fields)
    mean, scale = states.mean((0, 2, 3)), states.std((0, 2, 3))
    z = (states - mean[:, None, None]) / scale[:, None, None]

    def train(count: int, **logging: Any) -> TrainedFieldScore:
        plan = Epochs(count, steps, rate, max(10, count // 4), gain=0, optimiser=optimiser, stepwise=True)
        return train_field_score(
            z, mean, scale, fields, width=width, depth=depth, conservative=conservative, plan=plan, batch=batch,
            seed=seed, **logging,
        )  # fmt: skip

    epochs = epochs if minutes is None else _epochs_in(60 * minutes, train)
    trained = train(epochs, **logged(kept, epochs, progress))
    drawn = sample_pictures(trained.score, _DRAWN, heap.shape, seed=seed)
    own = states[: len(drawn)]
    found = LearntFieldScore(
        score=trained.score,
        pictures=heap,
        status=Status.INTERRUPTED if trained.interrupted else Status.NOT_CONVERGED,
        losses=trained.losses,
        denoising=denoising_losses(eqx.filter_jit(trained.score.predicted), trained.watched, seed),
        gaussian=denoising_losses(eqx.filter_jit(trained.score.normal.predicted), trained.watched, seed),
        drawn=drawn,
        spectra=spectral_distance(drawn, states),
        spectra_floor=spectral_distance(own, states[len(own) :]),
        densities=density_distance(drawn, states),
        densities_floor=density_distance(own, states[len(own) :]),
        seconds=time.perf_counter() - began,
    )
    good = trained.settled and found.like_the_heap and not trained.interrupted
    return dataclasses.replace(found, status=Status.CONVERGED) if good else found


def _checked(pictures: Snapshots | Mapping[str, np.ndarray], radius: int) -> Snapshots:
    heap = pictures if isinstance(pictures, Snapshots) else Snapshots(dict(pictures))
    if heap.count < LEAST_PICTURES:
        raise BadInput("pictures", f"must hold at least {LEAST_PICTURES} pictures to learn a score", heap.count)
    if heap.grid is not None and heap.grid.boundary != "periodic":
        raise BadInput("pictures", "must be on a torus", heap.grid.boundary, "A score of local networks wraps around.")
    if min(heap.shape) < 2 * radius + 1:
        told = f"{heap.shape[0]} × {heap.shape[1]}"
        raise BadInput("pictures", f"must have at least {2 * radius + 1} cells a side", told, "Take a smaller `depth`.")
    for name, values in heap.fields.items():
        if values.std() <= 1e-9 * max(1e-300, float(np.abs(values).max())):
            raise BadInput("pictures", "must vary from cell to cell", f"{name} is uniform", "Leave it out.")
    return heap


def _epochs_in(seconds: float, train: Callable[[int], Any]) -> int:
    """How many epochs fit: one is done to compile, and two more are timed."""
    train(1)
    begun = time.perf_counter()
    train(1)
    one = time.perf_counter()
    train(3)
    apart = (time.perf_counter() - one) - (one - begun)
    return max(1, math.floor(seconds / max(apart / 2, 1e-3)))
