"""Scores by denoising: a small network that knows ∇log p_τ at every noise level τ.

With z_τ = √a z + τ ε the network predicts w = √a ε − τ z, so that E|w_θ − w|² weighs all levels alike and a network
that answers 0 is the score of a normal density. Sources: P. Vincent, Neural Comput. 23, 1661 (2011), eq. 9;
T. Salimans & J. Ho, ICLR 2022, arXiv:2202.00512, appendix D.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from ..stationarity.points import Points
from ..training.epochs import Epochs, train_epochs
from .networks import MLP
from .schedule import find_schedule

PLAN = Epochs(epochs=120, steps=100, rate=5e-3, patience=120)
_HELD_OUT = 8192  # noised points on which the loss is watched


def standardise(points: Points) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
    """Mean and standard deviation of each variable."""
    return points.x.mean(0), points.x.std(0)


class Score(eqx.Module):
    """∇log p_τ of points; `score(x, tau)` in the points' own units, `at(z, tau)` of one standardised point.

    p_τ is the density of mean + scale · z_τ. Errors of the network are multiplied by √a/τ: they grow as τ falls.
    A network with one output is a potential, w_θ its gradient: then s is exactly the gradient of some log q near
    log p_τ, and flows that are built from s preserve q for ever. With D outputs w_θ is the network itself.
    """

    network: MLP
    mean: Array | np.ndarray
    scale: Array | np.ndarray

    @property
    def conservative(self) -> bool:
        """Whether the score is a gradient by construction."""
        return self.network.biases[-1].shape[-1] == 1 < len(self.mean)

    def at(self, z: Float[Array, " D"], tau: float | Float[Array, ""]) -> Float[Array, " D"]:
        """s = −z − (√a/τ) w_θ(z, τ)."""
        return -z - jnp.sqrt(1 - tau**2) / tau * predicted(self.network, z, tau)

    def __call__(self, x: Float[Array | np.ndarray, "M D"], tau: float) -> Float[Array, "M D"]:
        """The score (M, D) per unit of each variable."""
        mean, scale = (jnp.broadcast_to(jnp.asarray(n), x.shape) for n in (self.mean, self.scale))
        return jax.vmap(lambda z: self.at(z, tau))((x - mean) / scale) / scale


def predicted(network: MLP, z: Float[Array, " D"], tau: Any) -> Float[Array, " D"]:
    """w_θ(z, τ)."""
    if len(network.biases[-1]) == len(z):
        return network(_features(z, tau), jax.nn.silu)
    return jax.grad(lambda z: network(_features(z, tau), jax.nn.silu)[0])(z)


def _features(z: Array, tau: Any) -> Array:
    """The point, and the level as smooth functions of its log signal-to-noise ratio."""
    tau = jnp.asarray(tau, z.dtype)
    ratio = (jnp.log1p(-(tau**2)) - 2 * jnp.log(tau)) / 4
    level = [tau, jnp.sqrt(1 - tau**2), jnp.sin(ratio), jnp.cos(ratio), jnp.sin(2 * ratio), jnp.cos(2 * ratio)]
    return jnp.concatenate([z, jnp.stack(level)])


@dataclasses.dataclass(frozen=True)
class LearntScore:
    """A score, its losses epoch by epoch (training, held out), and the least held-out loss."""

    score: Score
    losses: Float[np.ndarray, "E 2"]
    held_out: float
    interrupted: bool


def learn_score(
    points: Points,
    *,
    schedule: str = "even",
    hidden: Sequence[int] = (64, 64),
    conservative: bool = True,
    plan: Epochs = PLAN,
    batch: int = 2048,
    seed: int = 0,
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
) -> LearntScore:
    """Denoising score matching: min E|w_θ(√a z + τ ε, τ) − (√a ε − τ z)|² over points, noise and levels.

    A tenth of the points is held out; `conservative` makes the score a gradient, at three times the price
    a step. Raises `BadInput` for fewer than 20 points or an unknown schedule.
    """
    if points.count < 20:
        raise BadInput("points", "must be at least 20 to learn a score", points.count)
    mean, scale = standardise(points)
    z = np.random.default_rng(seed).permutation((points.sorted() - mean) / scale).astype(np.float32)
    levels = jnp.asarray(find_schedule(schedule), jnp.float32)
    part = max(1, len(z) // 10)
    watched, kept = jnp.asarray(z[:part]), jnp.asarray(z[part:])
    key = jax.random.key(seed)

    def loss(network: MLP, clean: Array, key: Array, count: int) -> Array:
        pick, noise, level = jax.random.split(key, 3)
        z = clean[jax.random.randint(pick, (count,), 0, len(clean))]
        tau = levels[jax.random.randint(level, (count,), 0, len(levels))][:, None] * jnp.ones_like(z)
        eps, root = jax.random.normal(noise, z.shape, z.dtype), jnp.sqrt(1 - tau**2)
        noised, wanted = root * z + tau * eps, root * eps - tau * z
        found = jax.vmap(lambda z, tau: predicted(network, z, tau))(noised, tau[:, 0])
        return jnp.mean((found - wanted) ** 2)

    network = MLP.make(
        jax.random.fold_in(key, 1), (points.dimension + 6, *hidden, 1 if conservative else points.dimension)
    )
    trained = train_epochs(
        lambda params, key: jax.vmap(lambda one: loss(one, kept, key, batch))(params),
        lambda params: jax.vmap(lambda one: loss(one, watched, jax.random.key(1), _HELD_OUT))(params),
        jax.tree.map(lambda leaf: leaf[None], network),
        plan, key=jax.random.fold_in(key, 2), record=record,
    )  # fmt: skip
    best = jax.tree.map(lambda leaf: np.asarray(leaf[0], np.float64), trained.params)
    losses = np.concatenate([trained.training, trained.validation], 1)
    return LearntScore(Score(best, mean, scale), losses, float(trained.held_out[0]), trained.interrupted)
