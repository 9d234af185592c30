"""Priors on flows: points leave a large family free, and each of these says, without knowing the truth, what to prefer.

A prior is a number, 0 at best and about 1 for a random field, that is free of the field's scale and is added to the
loss with a weight. All are averages over points of the density.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput, nearest
from .fields import AbstractField, quadratic


def power(v: Float[Array, "B D"]) -> Float[Array, ""]:
    """E|v|²."""
    return jnp.mean(jnp.sum(v**2, 1))


@dataclasses.dataclass(frozen=True)
class AbstractPrior(abc.ABC):
    """`prior(field, z, s, v)`: points, scores and velocities of a batch → the penalty."""

    about: ClassVar[str]
    weight: float = 1.0

    @abc.abstractmethod
    def __call__(
        self, field: AbstractField, z: Float[Array, "B D"], s: Float[Array, "B D"], v: Float[Array, "B D"]
    ) -> Float[Array, ""]: ...


@dataclasses.dataclass(frozen=True)
class KineticEnergy(AbstractPrior):
    """E|v|²/(E|v|)² − 1: the least kinetic energy at a given mean path length per time; 0 for uniform speed."""

    about: ClassVar = "least kinetic energy at a given mean speed"

    def __call__(self, field, z, s, v):
        return power(v) / jnp.mean(jnp.sqrt(jnp.sum(v**2, 1) + 1e-12)) ** 2 - 1


@dataclasses.dataclass(frozen=True)
class Sparsity(AbstractPrior):
    """Few polynomial terms: E|v − Cθ|²/E|v|² for the nearest quadratic field Cθ, and (Σ|c|)²/(n Σc²) of its terms.

    Each c is weighed by the size of its term over the points.
    """

    about: ClassVar = "few polynomial terms of degree two or less"

    def __call__(self, field, z, s, v):
        terms = jax.vmap(quadratic)(z)
        gram = terms.T @ terms / len(z)
        size = jnp.sqrt(jnp.diag(gram))
        C = jnp.linalg.solve(gram + 1e-6 * jnp.diag(size**2), terms.T @ v / len(z))
        amounts = jnp.sqrt((C * size[:, None]) ** 2 + 1e-12)
        few = jnp.sum(amounts) ** 2 / (amounts.size * jnp.sum(amounts**2))
        return power(v - terms @ C) / power(v) + 0.1 * few


@dataclasses.dataclass(frozen=True)
class Locality(AbstractPrior):
    """Variables in a row, each moved by its neighbours: the share of E|∂v_i/∂z_j|² with |i − j| > `reach`."""

    about: ClassVar = "each variable is moved by its neighbours in the order of the columns"
    reach: int = 1

    def __call__(self, field, z, s, v):
        slopes = jax.vmap(jax.jacfwd(lambda z, s: field(z, s)))(z[:256], s[:256])
        total = jnp.mean(slopes**2, 0)
        i, j = np.indices(total.shape)
        return jnp.sum(jnp.where(np.abs(i - j) > self.reach, total, 0)) / jnp.sum(total)


@dataclasses.dataclass(frozen=True)
class Symmetry(AbstractPrior):
    """E|v(Sz) − S v(z)|²/(2E|v|²) for a change S of signs, such as (−1, −1, 1), that leaves the density as it is."""

    about: ClassVar = "unchanged under a change of signs of the variables, about their means"
    signs: tuple[float, ...] = ()

    def __call__(self, field, z, s, v):
        signs = jnp.broadcast_to(jnp.asarray(self.signs, z.dtype), z.shape)
        return power(jax.vmap(lambda z, s: field(z, s))(z * signs, s * signs) - v * signs) / (2 * power(v))


@dataclasses.dataclass(frozen=True)
class Known(AbstractPrior):
    """E|v − f|²/E|f|² for a part f(z) that is known (standardised): the field nearest to it that preserves the points.

    It fixes the scale and the sign too, so the residual is then measured against E|f|² and not E|v|²: between −f and f
    the quotient would have a wall at v = 0.
    """

    about: ClassVar = "near a known part"
    part: Callable[[Array], Array] | None = None

    def __call__(self, field, z, s, v):
        assert self.part is not None
        known = jax.vmap(self.part)(z)
        return power(v - known) / power(known)


PRIORS: dict[str, Any] = {
    "kinetic-energy": KineticEnergy, "sparsity": Sparsity, "locality": Locality, "symmetry": Symmetry, "known": Known,
}  # fmt: skip


def find_prior(name: str) -> type[AbstractPrior]:
    """The class of a prior; raises `BadInput`."""
    if name not in PRIORS:
        raise BadInput("prior", "must be a known prior", repr(name), nearest(name, PRIORS))
    return PRIORS[name]
