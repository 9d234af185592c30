"""Scores of pictures by denoising: a local network beside the Gaussian field of the pictures' spectrum.

With z_τ = √a z + τ ε, a + τ² = 1, what is predicted is w = √a ε − τ z, so that E|w_θ − w|² weighs all levels alike, and
s = ∇log p_τ = −z − (√a/τ) w_θ. Sources: P. Vincent, Neural Comput. 23, 1661 (2011), eq. 9; T. Salimans & J. Ho,
ICLR 2022, arXiv:2202.00512, appendix D. A network with as many outputs as fields is taken as it is: what is built from
it preserves p_τ as well as it was learnt. One with one output is a potential, of which the gradient is taken: then s is
exactly the gradient of some log q near log p_τ, and flows that are built from it preserve q for ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .._jax import enable_x64
from ..flows.schedule import find_schedule
from ..training.epochs import Epochs, draw, train_epochs
from .local_network import LocalNetwork
from .spectral_normal import SpectralNormal

_WATCHED = 4  # levels at which each held-out picture is looked at
LOOKED_AT = (0.05, 0.1, 0.214, 0.5)  # levels in results; .214 is founding system B's: 10 of 100 DDPM levels


class FieldScore(eqx.Module):
    """∇log p_τ of pictures on grids of any size; `score(c, tau)` in their units, `at(z, tau)` of standardised ones."""

    network: LocalNetwork
    normal: SpectralNormal
    mean: Array | np.ndarray  # of each field
    scale: Array | np.ndarray
    fields: tuple[str, ...] = eqx.field(static=True)
    conservative: bool = eqx.field(static=True, default=False)

    def predicted(self, z: Float[Array, "B C H W"], tau: Any) -> Float[Array, "B C H W"]:
        """w_θ."""
        tau = jnp.broadcast_to(jnp.asarray(tau, z.dtype), z.shape[:1])
        return self.normal.predicted(z, tau) + of_network(self.network, z, tau, self.conservative)

    def at(self, z: Float[Array, "B C H W"], tau: Any) -> Float[Array, "B C H W"]:
        """s = −z − (√a/τ) w_θ of standardised pictures."""
        level = jnp.broadcast_to(jnp.asarray(tau, z.dtype), z.shape[:1])[:, None, None, None]
        return -z - jnp.sqrt(1 - level**2) / level * self.predicted(z, tau)

    def clean(self, z: Float[Array, "B C H W"], tau: Any) -> Float[Array, "B C H W"]:
        """E[z₀ | z_τ] = √a z − τ w_θ: what is shown of noised pictures."""
        level = jnp.broadcast_to(jnp.asarray(tau, z.dtype), z.shape[:1])[:, None, None, None]
        return jnp.sqrt(1 - level**2) * z - level * self.predicted(z, tau)

    def __call__(self, c: Any, tau: float) -> Any:
        """The score (M, C, H, W) per unit of each field: NumPy pictures in float64, JAX arrays in their precision."""
        check_pictures(self.fields, c)
        if isinstance(c, np.ndarray):
            with enable_x64():
                return np.asarray(self(jnp.asarray(c, jnp.float64), tau))
        return self.at(self.standardised(c), tau) / _column(self.scale, c)

    def standardised(self, c: Float[Array, "B C H W"]) -> Float[Array, "B C H W"]:
        """z of pictures in their own units."""
        return (c - _column(self.mean, c)) / _column(self.scale, c)

    def natural(self, z: Float[Array, "B C H W"]) -> Float[Array, "B C H W"]:
        """The pictures of z."""
        return z * _column(self.scale, z) + _column(self.mean, z)


def of_network(
    network: LocalNetwork, z: Float[Array, "B C H W"], tau: Float[Array, " B"], conservative: bool
) -> Float[Array, "B C H W"]:
    """The network's part of w_θ: its outputs, or the gradient of the sum of its one output."""
    return jax.grad(lambda z: jnp.sum(network(z, tau)))(z) if conservative else network(z, tau)


def check_pictures(fields: tuple[str, ...], c: Any) -> None:
    """Raise `BadInput` for anything but pictures (M, C, H, W) of these fields."""
    if np.ndim(c) != 4 or c.shape[1] != len(fields):
        raise BadInput(
            "state", f"must have shape (M, {len(fields)}, H, W) with fields {', '.join(fields)}", np.shape(c)
        )


def _column(values: Any, like: Array) -> Array:
    return jnp.asarray(values, like.dtype)[None, :, None, None]


@dataclasses.dataclass(frozen=True)
class TrainedFieldScore:
    """A score, its losses epoch by epoch (training, held out), the held-out pictures, and how the training ended."""

    score: FieldScore
    losses: Float[np.ndarray, "E 2"]
    watched: Float[np.ndarray, "M C H W"]
    interrupted: bool
    settled: bool


def train_field_score(
    z: Float[np.ndarray, "M C H W"],
    mean: np.ndarray,
    scale: np.ndarray,
    fields: tuple[str, ...],
    *,
    width: int,
    depth: int,
    conservative: bool,
    plan: Epochs,
    batch: int,
    seed: int,
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
    keep: Callable[[dict[str, np.ndarray]], None] = lambda arrays: None,
    resume: Mapping[str, np.ndarray] | None = None,
) -> TrainedFieldScore:
    """min E|w_θ(z_τ, τ) − w|² over pictures and their turns, noise and levels. A tenth is held out."""
    z = np.random.default_rng(seed).permutation(z).astype(np.float32)
    part = max(1, len(z) // 10)
    watched, kept = jnp.asarray(z[:part]), jnp.asarray(z[part:])
    ladder = jnp.asarray(find_schedule("even"), jnp.float32)
    normal, key = SpectralNormal.of(z[part:]), jax.random.key(seed)

    def loss(network: LocalNetwork, clean: Array, key: Array) -> Array:
        noise, level = jax.random.split(key)
        tau = ladder[draw(level, len(clean), len(ladder))]
        noised, wanted = noised_pictures(clean, tau, noise)
        return jnp.mean((normal.predicted(noised, tau) + of_network(network, noised, tau, conservative) - wanted) ** 2)

    def training(network: LocalNetwork, key: Array) -> Array:
        pick, turn, rest = jax.random.split(key, 3)
        return loss(network, turned(kept[draw(pick, batch, len(kept))], turn), rest)

    def held_out(network: LocalNetwork) -> Array:
        return loss(network, jnp.concatenate([watched] * _WATCHED), jax.random.key(1))

    outputs = 1 if conservative else len(fields)
    first = LocalNetwork.make(jax.random.fold_in(key, 1), len(fields), width, depth, outputs)
    only = jax.tree.map(lambda leaf: leaf[None], first)
    trained = train_epochs(
        lambda params, key: training(_first(params), key)[None], lambda params: held_out(_first(params))[None],
        only, plan, key=jax.random.fold_in(key, 2), record=record, keep=keep, resume=resume,
    )  # fmt: skip
    best = jax.tree.map(lambda leaf: np.asarray(leaf[0], np.float32), trained.params)
    losses = np.concatenate([trained.training, trained.validation], 1)
    score = FieldScore(best, normal, mean, scale, fields, conservative)
    return TrainedFieldScore(score, losses, z[:part], trained.interrupted, trained.settled)


def _first(params: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[0], params)


def noised_pictures(z: Float[Array, "B C H W"], tau: Float[Array, " B"], key: Array) -> tuple[Array, Array]:
    """z_τ, and the w that belongs to it."""
    eps, t = jax.random.normal(key, z.shape, z.dtype), tau[:, None, None, None]
    root = jnp.sqrt(1 - t**2)
    return root * z + t * eps, root * eps - t * z


def turned(z: Float[Array, "B C H W"], key: Array) -> Float[Array, "B C H W"]:
    """Each picture turned by chance, on a square grid by quarters, else by a half: the law is isotropic. Not mirrored:
    it may be chiral."""
    half, quarter = jax.random.bernoulli(key, 0.5, (2, len(z), 1, 1, 1))
    z = jnp.where(half, z[:, :, ::-1, ::-1], z)
    return jnp.where(quarter, jnp.swapaxes(z, 2, 3)[..., ::-1], z) if z.shape[2] == z.shape[3] else z


def denoising_losses(
    predicted: Callable[[Array, Array], Array], z: Float[np.ndarray, "M C H W"], seed: int
) -> dict[float, float]:
    """Mean squared error of w by level, over held-out pictures, the same noise for whatever is compared."""
    found = {}
    for i, level in enumerate(LOOKED_AT):
        total, key = 0.0, jax.random.fold_in(jax.random.key(seed), i)
        for m, picture in enumerate(z):
            tau = jnp.full(1, level, jnp.float32)
            noised, wanted = noised_pictures(jnp.asarray(picture[None], jnp.float32), tau, jax.random.fold_in(key, m))
            total += float(jnp.mean((predicted(noised, tau) - wanted) ** 2))
        found[level] = total / len(z)
    return found
