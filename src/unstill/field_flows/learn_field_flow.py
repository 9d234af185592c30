"""`learn_field_flow`: training-free flows of pictures, and how well they preserve the heap's distribution."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._arguments import Share, Whole, checked
from .._errors import BadInput
from .._result import Result, plain
from .._types import Status
from ..observations import Snapshots
from .arrays import FIELD_FLOW_FILE, field_flow_arrays
from .convolution import ConvolutionFlow, antisymmetric_kernel
from .field_score import FieldScore, noised_pictures
from .learn_field_score import LearntFieldScore

_LOOKED_AT = 64  # pictures
_PROBES = 8  # in each half
_KEPT = 0.05  # of the residual: less is told as kept


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LearntFieldFlow(Result):
    """A flow of pictures built from their score.

    `residual` is R = E r²/E|v|², r = ∇·v + v·s, over noised pictures: 0 where the score is exactly a gradient, 1 or
    more for a field that knows nothing; `residual_std` is its standard deviation over pictures. Pace and arrow are
    free: noised pictures move by one standard deviation a unit of time at first.
    """

    verb: ClassVar = "flow"
    drawn_as: ClassVar = "field_flow"

    flow: ConvolutionFlow
    pictures: Snapshots
    status: Status
    message: str
    residual: float
    residual_std: float
    isotropic: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "fields": list(self.flow.fields),
            "family": self.flow.name,
            "status": str(self.status),
            "message": self.message,
            "radius": self.flow.kernel.shape[-1] // 2,
            "isotropic": self.isotropic,
            "kernel": plain(np.asarray(self.flow.kernel)),
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


@checked
def learn_field_flow(
    pictures: Snapshots | Mapping[str, np.ndarray],
    score: FieldScore | LearntFieldScore,
    *,
    radius: Whole = 1,
    isotropic: bool = True,
    tau: Share = 0.214,
    seed: Whole = 0,
) -> LearntFieldFlow:
    """Draw v = K ∗ s with an antisymmetric K (`convolution.py` has equation and source): it needs no training.

    Args:
        pictures: Those that the score was learnt from, or others like them: arrays (M, H, W) by field name, or what
            `load` returns.
        score: A learnt score of these fields.
        radius: Cells to each side that the kernel reaches.
        isotropic: One number a distance instead of one a cell; needs two fields or more.
        tau: Noise level of the density that is preserved, between 0 and 1.
        seed: Seed of the kernel and of all other random numbers.

    Returns a `LearntFieldFlow` with status `converged`, or `not-converged` where the score is too far from a gradient
    (residual above .05 by more than two standard deviations). Raises `BadInput`, also where the pictures have another
    normalisation than the score's.
    """
    began = time.perf_counter()
    heap = pictures if isinstance(pictures, Snapshots) else Snapshots(dict(pictures))
    learnt = score.score if isinstance(score, LearntFieldScore) else score
    states = _checked(heap, learnt)
    kernel = antisymmetric_kernel(len(learnt.fields), radius, isotropic=isotropic, rng=np.random.default_rng(seed))
    some = states[np.unique(np.linspace(0, len(states) - 1, min(_LOOKED_AT, len(states))).round().astype(int))]
    flow, residual, std = _at_unit_speed(ConvolutionFlow(learnt, kernel, tau), some, seed)
    message = f"an antisymmetric convolution of radius {radius} of the score at τ = {tau:g}"
    kept = residual < _KEPT + 2 * std
    if not kept:
        message += ", which is too far from a gradient to keep the pictures: train it longer"
    return LearntFieldFlow(
        flow=flow,
        pictures=heap,
        status=Status.CONVERGED if kept else Status.NOT_CONVERGED,
        message=message,
        residual=residual,
        residual_std=std,
        isotropic=isotropic,
        seconds=time.perf_counter() - began,
    )


def _checked(heap: Snapshots, score: FieldScore) -> Float[np.ndarray, "M C H W"]:
    """The pictures (M, C, H, W) in the score's order; raises `BadInput` where they are none of its pictures."""
    if set(heap.fields) != set(score.fields):
        raise BadInput("score", f"must be one of {', '.join(heap.fields)}", ", ".join(score.fields))
    if min(heap.shape) < 2 * score.network.radius + 1:
        told = f"{heap.shape[0]} × {heap.shape[1]} cells"
        raise BadInput("pictures", f"must have {2 * score.network.radius + 1} cells a side, which the score sees", told)
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


def _at_unit_speed(flow: ConvolutionFlow, states: np.ndarray, seed: int) -> tuple[ConvolutionFlow, float, float]:
    """The flow at which standardised pictures move by 1 a unit of time, its residual and the residual's deviation."""
    products, speeds = [], []
    look = eqx.filter_jit(_looked_at)
    for i, state in enumerate(states):
        both, speed = look(flow, jnp.asarray(state[None], jnp.float32), jax.random.fold_in(jax.random.key(seed), i))
        products.append(float(both))
        speeds.append(float(speed))
    speed, cells = float(np.mean(speeds)), states[0].size
    ratio = np.array(products) / speed
    at_one = eqx.tree_at(lambda f: f.kernel, flow, np.asarray(flow.kernel) / np.sqrt(speed / cells))
    return at_one, float(ratio.mean()), float(ratio.std() / np.sqrt(len(ratio)))


def _looked_at(flow: ConvolutionFlow, c: Array, key: Array) -> tuple[Array, Array]:
    """r₁ r₂ of two independent estimates of r = ∇·v + v·s (Hutchinson's, unbiased together), and |v|²."""
    noise, probe = jax.random.split(key)
    z, _ = noised_pictures(flow.score.standardised(c), jnp.full(1, flow.tau, c.dtype), noise)
    v, along = jax.linearize(flow.standardised_drift, z)
    xi = jax.random.rademacher(probe, (2 * _PROBES, *z.shape), z.dtype)
    traces = jnp.sum(xi * jax.lax.map(along, xi), axis=(1, 2, 3, 4)).reshape(2, _PROBES).mean(1)
    r = traces + jnp.sum(v * flow.score.at(z, flow.tau))
    return r[0] * r[1], jnp.sum(v**2)
