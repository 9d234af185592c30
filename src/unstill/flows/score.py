"""Scores by denoising: a small network that knows ∇log p_τ at every noise level τ.

With z_τ = √a z + τ ε what is predicted is w = √a ε − τ z, so that E|w_θ − w|² weighs all levels alike. For a normal
density w is linear in z: the network is added to that of the points' own covariance, and starts at 0. Sources:
P. Vincent, Neural Comput. 23, 1661 (2011), eq. 9; T. Salimans & J. Ho, ICLR 2022, arXiv:2202.00512, appendix D.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .._jax import enable_x64
from ..observations.points import Points
from ..training.epochs import Epochs, draw, train_epochs
from .networks import MLP
from .schedule import find_schedule

# Most of the loss is noise that no score can predict: any fall of it counts.
PLAN = Epochs(epochs=120, steps=100, rate=5e-3, patience=30, gain=0)
_HELD_OUT = 8192  # noised points on which the loss is watched


def standardise(points: Points) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
    """Mean and standard deviation of each variable."""
    return points.x.mean(0), points.x.std(0)


class Normal(eqx.Module):
    """The normal density with covariance C = U diag(λ) Uᵀ of standardised points: `variances` λ, `axes` U."""

    variances: Array | np.ndarray
    axes: Array | np.ndarray

    @classmethod
    def of(cls, z: Float[np.ndarray, "M D"]) -> Normal:
        """With the covariance of points z."""
        return cls(*np.linalg.eigh(z.T @ z / len(z)))

    def predicted(self, z: Float[Array, "*B D"], tau: Any) -> Float[Array, "*B D"]:
        """E[√a ε − τ z | z_τ] = τ√a (aC + τ²)⁻¹ (1 − C) z_τ; 0 for C = 1."""
        axes = jnp.asarray(self.axes, z.dtype)
        variances = jnp.broadcast_to(jnp.asarray(self.variances, z.dtype), z.shape)
        tau = levels(z, tau)[..., None]
        share = tau * jnp.sqrt(1 - tau**2) * (1 - variances) / ((1 - tau**2) * variances + tau**2)
        return (share * (z @ axes)) @ axes.T


class Score(eqx.Module):
    """∇log p_τ of points; `score(x, tau)` in the points' own units, `at(z, tau)` of standardised points.

    p_τ is the density of mean + scale · z_τ. Errors of the network are multiplied by √a/τ: they grow as τ falls.
    w_θ is that of the `normal` density plus a network. One with one output is a potential, of which the gradient is
    taken: then s is exactly the gradient of some log q near log p_τ, and flows that are built from s preserve q for
    ever. One with D outputs is taken as it is.
    """

    network: MLP
    normal: Normal
    mean: Array | np.ndarray
    scale: Array | np.ndarray

    @property
    def conservative(self) -> bool:
        """Whether the score is a gradient by construction."""
        return self.network.biases[-1].shape[-1] == 1 < len(self.mean)

    def at(self, z: Float[Array, "*B D"], tau: Any) -> Float[Array, "*B D"]:
        """s = −z − (√a/τ) w_θ(z, τ) of standardised points."""
        w, tau = self.normal.predicted(z, tau) + predicted(self.network, z, tau), levels(z, tau)[..., None]
        return -z - jnp.sqrt(1 - tau**2) / tau * w

    def __call__(self, x: Float[Array | np.ndarray, "M D"], tau: float) -> Float[Array | np.ndarray, "M D"]:
        """The score (M, D) per unit of each variable: of NumPy points in float64, of JAX arrays in their precision."""
        if isinstance(x, np.ndarray):
            with enable_x64():
                return np.asarray(self(jnp.asarray(x, jnp.float64), tau))
        mean, scale = (jnp.broadcast_to(jnp.asarray(n, x.dtype), x.shape) for n in (self.mean, self.scale))
        return self.at((x - mean) / scale, tau) / scale


def levels(z: Float[Array, "*B D"], tau: Any) -> Float[Array, "*B"]:
    """τ point by point: from one number, or one a point."""
    return jnp.broadcast_to(jnp.asarray(tau, z.dtype), z.shape[:-1])


def predicted(network: MLP, z: Float[Array, "*B D"], tau: Any) -> Float[Array, "*B D"]:
    """The network's part of w_θ(z, τ)."""
    if network.biases[-1].shape[-1] == z.shape[-1]:
        return network(_features(z, tau), jax.nn.silu)
    return jax.grad(lambda z: jnp.sum(network(_features(z, tau), jax.nn.silu)))(z)


def _features(z: Array, tau: Any) -> Array:
    """The points, and the level as smooth functions of its log signal-to-noise ratio."""
    tau = levels(z, tau)
    ratio = (jnp.log1p(-(tau**2)) - 2 * jnp.log(tau)) / 4
    level = [tau, jnp.sqrt(1 - tau**2), jnp.sin(ratio), jnp.cos(ratio), jnp.sin(2 * ratio), jnp.cos(2 * ratio)]
    return jnp.concatenate([z, jnp.stack(level, -1)], -1)


@dataclasses.dataclass(frozen=True)
class TrainedScore:
    """A score, its losses epoch by epoch (training, held out), the least held-out loss, and how the training ended."""

    score: Score
    losses: Float[np.ndarray, "E 2"]
    held_out: float
    interrupted: bool
    settled: bool


def check_score(points: Points, schedule: str) -> None:
    """Raise `BadInput` for what no score can be learnt from, before anything is computed."""
    if points.count < 20:
        raise BadInput("points", "must hold at least 20 points to learn a score", points.count)
    find_schedule(schedule)


def train_score(
    points: Points,
    *,
    schedule: str = "even",
    hidden: Sequence[int] = (64, 64),
    conservative: bool = True,
    plan: Epochs = PLAN,
    batch: int = 2048,
    seed: int = 0,
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
    keep: Callable[[dict[str, np.ndarray]], None] = lambda arrays: None,
    resume: Mapping[str, np.ndarray] | None = None,
) -> TrainedScore:
    """Denoising score matching: min E|w_θ(√a z + τ ε, τ) − (√a ε − τ z)|² over points, noise and levels.

    A tenth of the points is held out; `conservative` makes the score a gradient, at three times the price
    a step. `record`, `keep` and `resume` as for `train_epochs`. Raises `BadInput` as `check_score` does.
    """
    check_score(points, schedule)
    mean, scale = standardise(points)
    z = np.random.default_rng(seed).permutation((points.sorted() - mean) / scale).astype(np.float32)
    ladder = jnp.asarray(find_schedule(schedule), jnp.float32)
    part = max(1, len(z) // 10)
    normal = Normal.of(z[part:].astype(np.float64))
    watched, kept = jnp.asarray(z[:part]), jnp.asarray(z[part:])
    key = jax.random.key(seed)

    def loss(network: MLP, clean: Array, key: Array, count: int) -> Array:
        pick, noise, level = jax.random.split(key, 3)
        z = clean[draw(pick, count, len(clean))]
        tau = ladder[draw(level, count, len(ladder))]
        eps, t, root = jax.random.normal(noise, z.shape, z.dtype), tau[:, None], jnp.sqrt(1 - tau**2)[:, None]
        noised, wanted = root * z + t * eps, root * eps - t * z
        return jnp.mean((normal.predicted(noised, tau) + predicted(network, noised, tau) - wanted) ** 2)

    sizes = (points.dimension + 6, *hidden, 1 if conservative else points.dimension)
    network = MLP.make(jax.random.fold_in(key, 1), sizes, silent=True)
    trained = train_epochs(
        lambda params, key: jax.vmap(lambda one: loss(one, kept, key, batch))(params),
        lambda params: jax.vmap(lambda one: loss(one, watched, jax.random.key(1), _HELD_OUT))(params),
        jax.tree.map(lambda leaf: leaf[None], network),
        plan, key=jax.random.fold_in(key, 2), record=record, keep=keep, resume=resume,
    )  # fmt: skip
    best = jax.tree.map(lambda leaf: np.asarray(leaf[0], np.float64), trained.params)
    losses = np.concatenate([trained.training, trained.validation], 1)
    score = Score(best, normal, mean, scale)
    return TrainedScore(score, losses, float(trained.held_out[0]), trained.interrupted, trained.settled)
