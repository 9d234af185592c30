"""Trained flows: v at a cell is a network of the cell and of what surrounds it, with an exact divergence.

v(x) = N(z(x), n(x)), n(x) the means of each field over rings around the cell (isotropic), or the cells themselves. The
cell is not in n, so that ∇·v = Σ_x Σ_i ∂N_i/∂z_i(x) costs one derivative a field at every cell, with no probes: the
residual's square has no bias (Hutchinson's has twice the symmetric Jacobian's, J. Comput. Graph. Stat. 18, 1 (1989)).
What is minimised is R = E r²/E|v|², r = ∇·v + v·s, the Rayleigh quotient whose zeros preserve p_τ, ∇·(p_τ v) = 0
(founding system B, arXiv:2509.17990). It fails to mean much where s is no gradient, and among networks that are not
isotropic a drift of whole pictures is an exact solution of it that tells nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..training.epochs import Epochs, Trained, draw, train_epochs
from .field_score import FieldScore, noised_pictures, turned
from .flow import AbstractFieldFlow, residuals_of

_COURANT = 0.25  # of the time in which the stiffest mode of v turns by one radian
LAYERS = 2  # hidden ones
_POWER = 12  # iterations for the largest stretch of v's Jacobian


class LocalFlow(AbstractFieldFlow):
    """dc/dt = scale · pace · N(z(x), n(x)) of pictures c: a `Dynamics` of the density noised by τ, on any torus."""

    name: ClassVar = "local"

    weights: tuple[Array | np.ndarray, ...]  # (inputs, width), (width, width), …, (width, C)
    pace: Float[Array | np.ndarray, ""]
    stiffness: Float[Array | np.ndarray, ""]  # of the network: the largest stretch of its Jacobian on noised pictures
    reach: int = eqx.field(static=True)
    isotropic: bool = eqx.field(static=True)

    @classmethod
    def make(cls, score: FieldScore, key: Array, *, width: int, radius: int, isotropic: bool, tau: float) -> LocalFlow:
        """Normal weights of variance 1/inputs; the first layer has a constant input too."""
        C = len(score.fields)
        sides = [C * (1 + len(rings(radius, isotropic))) + 1, *[width] * LAYERS, C]
        weights = tuple(
            jax.random.normal(jax.random.fold_in(key, i), (into, out), jnp.float32) / into**0.5
            for i, (into, out) in enumerate(itertools.pairwise(sides))
        )
        one = np.ones((), np.float32)
        return cls(score, tau, weights, one, one, radius, isotropic)

    @property
    def dt(self) -> float:
        """A stable step."""
        return _COURANT / float(self.stiffness * abs(self.pace))

    @property
    def radius(self) -> int:
        """Cells to each side that the network sees."""
        return self.reach

    def drift_with(self, z: Float[Array, "B C H W"], s: Float[Array, "B C H W"]) -> Float[Array, "B C H W"]:
        """What the network says of z: the score is in its weights."""
        return self.standardised_drift(z)

    def standardised_drift(self, z: Float[Array, "B C H W"]) -> Float[Array, "B C H W"]:
        """dz/dt of standardised pictures."""
        return self._at(z, self._around(z))

    def drift_and_divergences(
        self, z: Float[Array, "B C H W"], key: Array
    ) -> tuple[Float[Array, "B C H W"], Float[Array, "2 B"]]:
        """dz/dt and, twice, its exact divergence."""
        around = self._around(z)
        v, along = jax.linearize(lambda centre: self._at(centre, around), z)
        each = jnp.eye(z.shape[1], dtype=z.dtype)[:, None, :, None, None]
        own = sum(along(jnp.broadcast_to(unit, z.shape))[:, i] for i, unit in enumerate(each))
        divergence = jnp.sum(own, axis=(1, 2))
        return v, jnp.stack([divergence, divergence])

    def at_pace(self, pace: float) -> LocalFlow:
        """The same with dz/dt times `pace`."""
        return eqx.tree_at(lambda flow: flow.pace, self, np.asarray(self.pace * pace, np.float32))

    def _around(self, z: Float[Array, "B C H W"]) -> Float[Array, "B N H W"]:
        """Each field's mean over each ring around a cell."""
        means = [
            sum(jnp.roll(z, (-y, -x), (2, 3)) for y, x in ring) / len(ring)
            for ring in rings(self.reach, self.isotropic)
        ]
        return jnp.concatenate([*means, jnp.ones_like(z[:, :1])], 1)

    def _at(self, z: Float[Array, "B C H W"], around: Float[Array, "B N H W"]) -> Float[Array, "B C H W"]:
        h = jnp.moveaxis(jnp.concatenate([z, around], 1), 1, -1)
        for weight in self.weights[:-1]:
            h = jax.nn.silu(h @ jnp.asarray(weight, z.dtype))
        v = h @ jnp.asarray(self.weights[-1], z.dtype)
        return jnp.moveaxis(v, -1, 1) * jnp.asarray(self.pace, z.dtype)


def rings(radius: int, isotropic: bool) -> list[list[tuple[int, int]]]:
    """The cells of a disc without its centre, by distance; each by itself where not `isotropic`."""
    side = range(-radius, radius + 1)
    cells = [(y, x) for y in side for x in side if 0 < y * y + x * x <= (radius + 0.5) ** 2]
    if not isotropic:
        return [[cell] for cell in cells]
    distances = sorted({y * y + x * x for y, x in cells})
    return [[(y, x) for y, x in cells if y * y + x * x == d] for d in distances]


def train_local_flow(
    flow: LocalFlow, pictures: Float[np.ndarray, "M C H W"], watched: Float[np.ndarray, "N C H W"], plan: Epochs, *,
    batch: int, seed: int, **logging: Any,
) -> tuple[LocalFlow, Trained]:  # fmt: skip
    """min R over pictures, their turns and noise; kept where it is least for the pictures `watched`."""
    kept, looked = (flow.score.standardised(jnp.asarray(c, jnp.float32)) for c in (pictures, watched))
    key = jax.random.key(seed)

    def with_weights(weights: tuple[Array, ...]) -> LocalFlow:
        return eqx.tree_at(lambda f: f.weights, flow, tuple(leaf[0] for leaf in weights))

    def quotient(weights: tuple[Array, ...], clean: Array, key: Array) -> Array:
        noise, probe = jax.random.split(key)
        noised, _ = noised_pictures(clean, jnp.full(len(clean), flow.tau, clean.dtype), noise)
        r, speeds = residuals_of(with_weights(weights), noised, probe)
        return (jnp.mean(r[0] * r[1]) / jnp.mean(speeds))[None]

    def training(weights: tuple[Array, ...], key: Array) -> Array:
        pick, turn, rest = jax.random.split(key, 3)
        return quotient(weights, turned(kept[draw(pick, batch, len(kept))], turn), rest)

    trained = train_epochs(
        training, lambda weights: quotient(weights, looked, jax.random.key(1)),
        tuple(jnp.asarray(leaf)[None] for leaf in flow.weights), plan, key=jax.random.fold_in(key, 2), **logging,
    )  # fmt: skip
    best = eqx.tree_at(lambda f: f.weights, flow, tuple(np.asarray(leaf[0]) for leaf in trained.params))
    stretch = _stiffness(best.standardised_drift, looked[:4], flow.tau, key)
    return eqx.tree_at(lambda f: f.stiffness, best, np.asarray(stretch, np.float32)), trained


def _stiffness(drift: Callable[[Array], Array], z: Array, tau: float, key: Array) -> float:
    """The largest singular value of ∂v/∂z on noised pictures, by power iteration."""
    noised, _ = noised_pictures(z, jnp.full(len(z), tau, z.dtype), key)

    @jax.jit
    def step(xi: Array) -> tuple[Array, Array]:
        stretched = jax.jvp(drift, (noised,), (xi,))[1]
        back = jax.vjp(drift, noised)[1](stretched)[0]
        norms = jnp.sqrt(jnp.sum(back**2, (1, 2, 3), keepdims=True))
        return back / jnp.maximum(norms, 1e-30), jnp.max(norms)

    xi, square = jax.random.normal(key, noised.shape, noised.dtype), jnp.zeros(())
    for _ in range(_POWER):
        xi, square = step(xi)
    return float(jnp.sqrt(square))
