"""`learn_field_flow`: flows of pictures from their score, drawn or trained, and how well they preserve the heap."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._arguments import Count, Positive, Share, Whole, checked
from .._errors import BadInput
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import Result, plain
from .._types import Status
from ..observations import Snapshots
from ..training.epochs import Epochs, logged
from .arrays import FIELD_FLOW_FILE, field_flow_arrays
from .convolution import ConvolutionFlow, antisymmetric_kernel
from .field_score import FieldScore, noised_pictures
from .flow import AbstractFieldFlow, residuals_of
from .learn_field_score import LEAST_PICTURES, LearntFieldScore
from .local_flow import LocalFlow, train_local_flow

_LOOKED_AT = 64  # noised pictures
_KEPT = 0.05  # of the residual: less is told as kept
_JUDGES = 8  # pictures at least that are kept from training
_NOT_KEPT = {
    ConvolutionFlow.name: ", which is too far from a gradient to keep the pictures: train it longer",
    LocalFlow.name: ", which does not keep the pictures: take more `epochs` or a larger `radius` or `width`",
}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LearntFieldFlow(Result):
    """A flow of pictures built from their score.

    `residual` is R = E r²/E|v|², r = ∇·v + v·s, over noised pictures: 0 where the score is exactly a gradient, 1 or
    more for a field that knows nothing; `residual_std` is its standard deviation over them. Pace and arrow are free:
    noised pictures move by one standard deviation a unit of time at first. `losses` (training, held out) of R are epoch
    by epoch, none where nothing is trained; then the residual is that of held-out pictures.
    """

    verb: ClassVar = "flow"
    drawn_as: ClassVar = "field_flow"

    flow: AbstractFieldFlow
    pictures: Snapshots
    status: Status
    message: str
    residual: float
    residual_std: float
    isotropic: bool
    losses: Float[np.ndarray, "E 2"]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "fields": list(self.flow.fields),
            "family": self.flow.name,
            "status": str(self.status),
            "message": self.message,
            "radius": self.flow.radius,
            "isotropic": self.isotropic,
            **_own_facts(self.flow),
            "epochs": len(self.losses),
            "tau": self.flow.tau,
            "residual": plain(self.residual),
            "residual_std": plain(self.residual_std),
            "scale": "free",
            "sign": "free",
            "pictures": self.pictures.count,
            "dt": plain(self.flow.dt),
            "seconds": plain(self.seconds),
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        return {FIELD_FLOW_FILE: field_flow_arrays(self.flow)}

    def notes(self) -> list[str]:
        told = "0: the distribution stands still, as it does where the score is exactly a gradient"
        return [f"residual {self.residual:.3g} ± {self.residual_std:.2g} ({told})"]


def _own_facts(flow: AbstractFieldFlow) -> dict[str, Any]:
    if isinstance(flow, ConvolutionFlow):
        return {"kernel": plain(np.asarray(flow.kernel))}
    return {"numbers": sum(int(np.size(leaf)) for leaf in flow.weights)} if isinstance(flow, LocalFlow) else {}


@checked
def learn_field_flow(
    pictures: Snapshots | Mapping[str, np.ndarray],
    score: FieldScore | LearntFieldScore,
    *,
    field: Literal["convolution", "local"] = "convolution",
    radius: Whole = 1,
    isotropic: bool = True,
    tau: Share = 0.214,
    width: Count = 32,
    epochs: Count = 40,
    steps: Count = 25,
    batch: Count = 16,
    rate: Positive = 2e-3,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> LearntFieldFlow:
    """Draw v = K ∗ s with an antisymmetric K, or train a local v until r = ∇·v + v·s is small.

    `convolution.py` and `local_flow.py` have equations and sources. The first needs no training.

    Args:
        pictures: Those that the score was learnt from, or others like them: arrays (M, H, W) by field name, or what
            `load` returns.
        score: A learnt score of these fields.
        field: The family: `convolution`, drawn; or `local`, a trained network of each cell and what surrounds it.
        radius: Cells to each side that the kernel or network reaches.
        isotropic: One number a distance instead of one a cell; a convolution needs two fields or more for it.
        tau: Noise level of the density that is preserved, between 0 and 1.
        width: Channels of the trained network.
        epochs: Epochs of its training at most; it ends early when a quarter of them has gained nothing.
        steps: Steps an epoch.
        batch: Pictures a step.
        rate: Adam's first step size; it falls to 1 % along a half cosine.
        seed: Seed of kernel, weights and all other random numbers.
        progress: Called after each epoch.
        resume: Where the training is kept, to go on after an interruption.

    Returns a `LearntFieldFlow` with status `converged`, or `not-converged` where the pictures are not kept (residual
    above .05 by more than two standard deviations), or `interrupted`. Raises `BadInput`, also where the pictures have
    another normalisation than the score's, or are too few to train and judge by.
    """
    began = time.perf_counter()
    heap = pictures if isinstance(pictures, Snapshots) else Snapshots(dict(pictures))
    learnt = score.score if isinstance(score, LearntFieldScore) else score
    states, losses, interrupted = _checked(heap, learnt, radius), np.zeros((0, 2)), False
    if field == LocalFlow.name:
        plan = Epochs(epochs, steps, rate, max(10, epochs // 4), gain=0, stepwise=True)
        key = jax.random.fold_in(jax.random.key(seed), 3)
        first = LocalFlow.make(learnt, key, width=width, radius=radius, isotropic=isotropic, tau=tau)
        kept, states = _parted(states, seed)
        logging = logged(Memory() if resume is None else resume, epochs, progress)
        flow, trained = train_local_flow(first, kept, states, plan, batch=batch, seed=seed, **logging)
        losses, interrupted = np.concatenate([trained.training, trained.validation], 1), trained.interrupted
    else:
        kernel = antisymmetric_kernel(len(learnt.fields), radius, isotropic=isotropic, rng=np.random.default_rng(seed))
        flow = ConvolutionFlow(learnt, tau, kernel)
    some = states[np.linspace(0, len(states) - 1, _LOOKED_AT).round().astype(int)]  # again, with other noise, if few
    flow, residual, std = _at_unit_speed(flow, some, seed)
    kept_well = residual < _KEPT + 2 * std
    status = Status.CONVERGED if kept_well else Status.NOT_CONVERGED
    return LearntFieldFlow(
        flow=flow,
        pictures=heap,
        status=Status.INTERRUPTED if interrupted else status,
        message=_told(flow) + ("" if kept_well else _NOT_KEPT[flow.name]),
        residual=residual,
        residual_std=std,
        isotropic=isotropic,
        losses=losses,
        seconds=time.perf_counter() - began,
    )


def _told(flow: AbstractFieldFlow) -> str:
    kind = "a trained local network" if isinstance(flow, LocalFlow) else "an antisymmetric convolution"
    return f"{kind} of radius {flow.radius} of the score at τ = {flow.tau:g}"


def _parted(states: Float[np.ndarray, "M C H W"], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Those to train with, and a tenth, eight at least, to judge by; raises `BadInput` for too few."""
    if len(states) < LEAST_PICTURES:
        raise BadInput("pictures", f"must hold at least {LEAST_PICTURES} pictures to train a flow", len(states))
    states, part = np.random.default_rng(seed).permutation(states), max(_JUDGES, len(states) // 10)
    return states[part:], states[:part]


def _checked(heap: Snapshots, score: FieldScore, radius: int) -> Float[np.ndarray, "M C H W"]:
    """The pictures (M, C, H, W) in the score's order; raises `BadInput` where they are none of its pictures."""
    if set(heap.fields) != set(score.fields):
        raise BadInput("score", f"must be one of {', '.join(heap.fields)}", ", ".join(score.fields))
    sees = max(score.network.radius, radius)
    if min(heap.shape) < 2 * sees + 1:
        told = f"{heap.shape[0]} × {heap.shape[1]} cells"
        raise BadInput("pictures", f"must have {2 * sees + 1} cells a side, which score or flow see", told)
    states = heap.states(score.fields)
    mean, scale = np.asarray(score.mean), np.asarray(score.scale)
    off = np.abs(states.mean((0, 2, 3)) - mean) / scale
    ratio = states.std((0, 2, 3)) / scale
    worst = int(np.argmax(np.maximum(off, np.abs(np.log(np.maximum(ratio, 1e-300))))))
    if off[worst] > 0.5 or not 0.5 < ratio[worst] < 2:
        name, told = score.fields[worst], f"{mean[worst]:.3g} ± {scale[worst]:.3g}"
        found = f"{states[:, worst].mean():.3g} ± {states[:, worst].std():.3g}"
        raise BadInput("score", f"must have the pictures' normalisation: its {name} is {told}", found)
    return states


def _at_unit_speed(flow: AbstractFieldFlow, states: np.ndarray, seed: int) -> tuple[AbstractFieldFlow, float, float]:
    """The flow at which standardised pictures move by 1 a unit of time, its residual and the residual's deviation."""
    squares, speeds = [], []
    look = eqx.filter_jit(_looked_at)
    for i, state in enumerate(states):
        square, speed = look(flow, jnp.asarray(state[None], jnp.float32), jax.random.fold_in(jax.random.key(seed), i))
        squares.append(float(square))
        speeds.append(float(speed))
    speed, cells = float(np.mean(speeds)), states[0].size
    ratio = np.array(squares) / speed
    return flow.at_pace(1 / np.sqrt(speed / cells)), float(ratio.mean()), float(ratio.std() / np.sqrt(len(ratio)))


def _looked_at(flow: AbstractFieldFlow, c: Array, key: Array) -> tuple[Array, Array]:
    """r² and |v|² of one picture, noised."""
    noise, probe = jax.random.split(key)
    z, _ = noised_pictures(flow.score.standardised(c), jnp.full(1, flow.tau, c.dtype), noise)
    r, speed = residuals_of(flow, z, probe)
    return r[0, 0] * r[1, 0], speed[0]
