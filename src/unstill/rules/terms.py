"""Terms B_j of a cell's features, of which every rule is a combination: polynomials, and splines of the fields.

    polynomials   every monomial Π z_i^e_i of the standardised features z with Σ order_i e_i ≤ degree
    splines       tensor products of cubic B-splines of one or two fields, beside the features of the neighbours

Both are functions of features alone, NumPy (complex for polynomials, see `weak_form`) or JAX alike.
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from .neighbourhood import Neighbourhood

_CUBIC = 3


@dataclasses.dataclass(frozen=True)
class AbstractTerms(abc.ABC):
    """J functions of the features of a cell, which are standardised by `mean` and `scale`."""

    neighbourhood: Neighbourhood
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """One name a term."""

    @property
    @abc.abstractmethod
    def kinetics(self) -> Bool[np.ndarray, "C J"]:
        """Which terms may stand in which equation of the form D ∇²c + R(c)."""

    @abc.abstractmethod
    def of_features(self, features: Any) -> Any:
        """The terms (…, J, H, W) of features (…, F, H, W)."""

    def __call__(self, c: Any) -> Any:
        """The terms (…, J, H, W) of states (…, C, H, W)."""
        return self.of_features(self.neighbourhood.features(c))

    def standardised(self, features: Any) -> Any:
        """z."""
        xp = jnp if isinstance(features, jax.Array) else np
        dtype = features.dtype if xp is jnp else None
        mean, scale = (
            xp.broadcast_to(xp.asarray(n, dtype)[:, None, None], features.shape) for n in (self.mean, self.scale)
        )
        return (features - mean) / scale


def spread(neighbourhood: Neighbourhood, pictures: Float[np.ndarray, "M C H W"]) -> dict[str, tuple[float, ...]]:
    """Mean and standard deviation of each feature over pictures."""
    features = neighbourhood.features(pictures)
    deviation = features.std((0, 2, 3))
    return {
        "mean": tuple(map(float, features.mean((0, 2, 3)))),
        "scale": tuple(float(s) if s > 0 else 1.0 for s in deviation),
    }


@dataclasses.dataclass(frozen=True)
class Polynomials(AbstractTerms):
    """Monomials of the features up to a degree."""

    degree: int = 3

    @property
    def exponents(self) -> list[tuple[int, ...]]:
        """Of each term, by rising degree."""
        orders = self.neighbourhood.orders
        ranges = [range(self.degree // order + 1) for order in orders]
        every = [e for e in itertools.product(*ranges) if np.dot(e, orders) <= self.degree]
        return sorted(every, key=lambda e: (np.dot(e, orders), tuple(-k for k in e)))

    @property
    def names(self):
        return tuple(_monomial_name(self.neighbourhood.names, e) for e in self.exponents)

    @property
    def kinetics(self):
        fields, owners = len(self.neighbourhood.fields), self.neighbourhood.owners
        allowed = np.zeros((fields, len(self.exponents)), bool)
        for j, e in enumerate(self.exponents):
            if not any(e[fields:]):
                allowed[:, j] = True
            elif sum(e) == 1 and owners[e.index(1)] is not None:
                allowed[owners[e.index(1)], j] = True
        return allowed

    def of_features(self, features):
        xp = jnp if isinstance(features, jax.Array) else np
        z = self.standardised(features)
        powers = {tuple([0] * z.shape[-3]): xp.ones_like(z[..., 0, :, :])}
        for e in self.exponents[1:]:  # by rising degree: one product each
            i = next(i for i, k in enumerate(e) if k)
            lower = tuple(k - (n == i) for n, k in enumerate(e))
            powers[e] = powers[lower] * z[..., i, :, :]
        return xp.stack([powers[e] for e in self.exponents], -3)

    def natural(self) -> Float[np.ndarray, "J J"]:
        """E with z^e = Σ_e' E[e, e'] x^e': coefficients c of the z are Eᵀc of the features in their own units."""
        place = {e: j for j, e in enumerate(self.exponents)}
        table = np.zeros((len(place), len(place)))
        for e, j in place.items():
            for lower in itertools.product(*(range(k + 1) for k in e)):
                parts = (
                    math.comb(k, l) * (-m) ** (k - l) / s**k
                    for k, l, m, s in zip(e, lower, self.mean, self.scale, strict=True)
                )
                table[j, place[lower]] = math.prod(parts)
        return table


def _monomial_name(names: tuple[str, ...], e: tuple[int, ...]) -> str:
    factors = [name if k == 1 else f"{name}^{k}" if " " not in name else f"({name})^{k}"
               for name, k in zip(names, e, strict=True) if k]  # fmt: skip
    return " ".join(factors) or "1"


@dataclasses.dataclass(frozen=True)
class Splines(AbstractTerms):
    """Features of the neighbours, then tensor products of `count` cubic B-splines a field over `ranges`.

    Kept are the products that the pictures visit: `kept` are their numbers, (i,) of one field or (i, j) of two. Beyond
    its range a field counts as at its end.
    """

    ranges: tuple[tuple[float, float], ...] = ()
    kept: tuple[tuple[int, ...], ...] = ()
    count: int = 6

    @property
    def _linear(self) -> list[int]:
        return [i for i, owner in enumerate(self.neighbourhood.owners) if owner is not None]

    @property
    def names(self):
        linear = [self.neighbourhood.names[i] for i in self._linear]
        return (*linear, *(f"B{','.join(map(str, which))}" for which in self.kept))

    @property
    def kinetics(self):
        owners = self.neighbourhood.owners
        own = np.array([[owners[i] == a for i in self._linear] for a in range(len(self.neighbourhood.fields))])
        return np.concatenate([own, np.ones((len(own), len(self.kept)), bool)], 1)

    def of_features(self, features):
        xp = jnp if isinstance(features, jax.Array) else np
        z = self.standardised(features)
        bases = [_bsplines(xp, features[..., a, :, :], ends, self.count) for a, ends in enumerate(self.ranges)]
        products = []
        for which in self.kept:
            product = bases[0][which[0]]
            for basis, i in zip(bases[1:], which[1:], strict=True):
                product = product * basis[i]
            products.append(product)
        return xp.concatenate([z[..., np.asarray(self._linear), :, :], xp.stack(products, -3)], -3)


def _bsplines(xp: Any, x: Any, ends: tuple[float, float], count: int) -> list[Any]:
    """Cubic B-splines on a clamped uniform knot vector, by the recursion of Cox and de Boor (C. de Boor, J. Approx.
    Theory 6, 50, 1972, doi:10.1016/0021-9045(72)90080-9)."""
    low, high = ends
    inner = np.linspace(low, high, count - _CUBIC + 1)
    knots = np.concatenate([[low] * _CUBIC, inner, [high] * _CUBIC])
    x = xp.clip(x, low, high - 1e-9 * (high - low))
    splines = [((x >= a) & (x < b)).astype(x.dtype) for a, b in itertools.pairwise(knots)]
    for k in range(1, _CUBIC + 1):
        rising = [
            (x - knots[i]) / (knots[i + k] - knots[i]) * splines[i] if knots[i + k] > knots[i] else 0.0 * x
            for i in range(len(splines))
        ]
        falling = [
            (knots[i + k + 1] - x) / (knots[i + k + 1] - knots[i + 1]) * splines[i + 1]
            if knots[i + k + 1] > knots[i + 1]
            else 0.0 * x
            for i in range(len(splines) - 1)
        ]
        splines = [a + b for a, b in zip(rising[:-1], falling, strict=True)]
    return splines


def visited_splines(
    neighbourhood: Neighbourhood, pictures: Float[np.ndarray, "M C H W"], *, count: int = 6, least: float = 1e-4
) -> Splines:
    """The splines whose mean over the pictures is at least `least`: what is hardly visited is not determined."""
    ranges = tuple((float(c.min()), float(c.max())) for c in np.moveaxis(pictures, 1, 0))
    every = tuple(itertools.product(range(count), repeat=len(ranges)))
    made = Splines(neighbourhood, **spread(neighbourhood, pictures), ranges=ranges, kept=every, count=count)
    linear = len(made.names) - len(every)
    share = np.mean([made(c)[linear:].mean((1, 2)) for c in pictures], 0)
    return dataclasses.replace(made, kept=tuple(w for w, s in zip(every, share, strict=True) if s >= least))
