"""The weak form of one heap of points: E[∇φ·f + ½ Σ:∇∇φ] as a matrix times coefficients, and how sure its rows are."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator

import numpy as np
import scipy.linalg
from jaxtyping import Float

from .._errors import BadInput
from ..balance.point_functionals import AbstractPointFunctionals, exponents_to, monomials
from .library import Library

_MOST_SAMPLED = 20_000
_COLLINEAR = 1e-7  # of a term's size: what is left of it once the others are taken out


@dataclasses.dataclass(frozen=True)
class Basis:
    """Orthonormal combinations ψ of a library's terms on the heap: θ(x) = ψ(z) R, with z = (x − mean)/scale.

    A polynomial library is first expressed in monomials of z, which stay independent where x is far from the origin.
    """

    library: Library
    mean: Float[np.ndarray, " V"]
    scale: Float[np.ndarray, " V"]
    inner: Float[np.ndarray, "L L"]  # base functions = ψ · inner
    R: Float[np.ndarray, "L L"]

    @classmethod
    def of(cls, library: Library, x: Float[np.ndarray, "M V"]) -> Basis:
        """From all points of all heaps, conditions included. Raises `BadInput` for terms that are collinear there."""
        mean, scale = x.mean(0), x.std(0)
        scale = np.where(scale > 0, scale, 1.0)
        base = cls._base(library, (x - mean) / scale, x)
        _, inner = np.linalg.qr(base, mode="reduced")
        inner = inner / math.sqrt(len(x))
        size = np.sqrt((base**2).mean(0))
        R = inner @ _shift(library, mean, scale) if library.exponents is not None else inner
        _check_independent(library, inner, R, size)
        return cls(library, mean, scale, inner, R)

    @staticmethod
    def _base(library: Library, z, x):
        return monomials(z, library.exponents) if library.exponents is not None else library.evaluate(x)

    def functions(self, z: Float[np.ndarray, "M V"]) -> Float[np.ndarray, "M L"]:
        """ψ on standardised points."""
        base = self._base(self.library, z, z * self.scale + self.mean)
        return scipy.linalg.solve_triangular(self.inner, base.T, trans="T").T


def _shift(library: Library, mean, scale) -> np.ndarray:
    """xᵃ = (mean + scale z)ᵃ as columns over the monomials of z."""
    exponents = library.exponents
    assert exponents is not None
    place = {e: i for i, e in enumerate(exponents)}
    table = np.zeros((len(exponents),) * 2)
    for column, a in enumerate(exponents):
        for b in itertools.product(*(range(n + 1) for n in a)):
            factors = (math.comb(n, m) * s**m * c ** (n - m) for n, m, s, c in zip(a, b, scale, mean, strict=True))
            table[place[b], column] = math.prod(factors)
    return table


def _check_independent(library: Library, inner, R, size) -> None:
    """Terms that add up to nothing on the points leave their coefficients without meaning: say which."""
    unit = inner / np.where(size > 0, size, 1.0)
    if size.min() > 0 and np.linalg.svd(unit, compute_uv=False)[-1] > _COLLINEAR:
        return
    norms = np.sqrt((R**2).sum(0))
    weight = np.abs(np.linalg.svd(R / np.where(norms > 0, norms, 1.0))[2][-1])
    guilty = [n for n, w in zip(library.names, weight, strict=True) if w > 0.03 * weight.max()] or list(library.names)
    raise BadInput(
        "library", "must have terms that are independent on the points", f"collinear: {', '.join(guilty)}",
        "Take a smaller library, or points that also leave the curve or surface on which they lie.",
    )  # fmt: skip


def pairs(dimension: int) -> list[tuple[int, int]]:
    """The entries a ≤ b of Σ, in the order of the columns."""
    return list(itertools.combinations_with_replacement(range(dimension), 2))


class WeakForm:
    """K test averages of one heap, linear in the coefficients: `matrix` (K, P), P = D·L [+ D(D+1)/2 for Σ].

    Coefficients are those of f_i/scale_i over ψ, variable by variable, then Σ_ab/(scale_a scale_b). `noise` is the
    standard deviation of Gaussian measurement noise in units of `scale`; its bias is taken out of `matrix`.
    """

    def __init__(
        self,
        functionals: AbstractPointFunctionals,
        basis: Basis,
        x: Float[np.ndarray, "M V"],
        *,
        dimension: int,
        stochastic: bool,
    ):
        self.functionals, self.basis = functionals, basis
        self.dimension, self.stochastic, self.count = dimension, stochastic, len(x)
        z = (x - basis.mean) / basis.scale
        self._z, self._condition = z[:, :dimension], z[0, dimension:]
        self._samples = tuple(self._sample(z, most) for most in (12 * functionals.count, _MOST_SAMPLED))
        some, _, weight = self._samples[0]
        values = functionals.values(some)
        values = values - weight @ values
        self.spread = values.T @ (weight[:, None] * values)
        slopes = [weight @ functionals.gradients(some, np.broadcast_to(e, some.shape)) ** 2 for e in np.eye(dimension)]
        # Variance of the rows for a field of unit speed in no particular direction.
        self.typical = np.mean(slopes, 0) / self.count
        self.matrix = self.clean_matrix(np.zeros(dimension))

    @property
    def shrinkage(self) -> float:
        """1 − K/n: an inverse covariance from n points is too large by the inverse of this (Hotelling's T²)."""
        return 1 - self.functionals.count / len(self._samples[1][0])

    def _sample(self, z: Float[np.ndarray, "M V"], most: int):
        """Points z, ψ there, and weights that add up to 1, for the covariance of the rows.

        The outermost points are all in: combinations of φ that vanish in the bulk have their whole variance there. The
        inner ones are thinned evenly; z is sorted, so that the choice does not depend on the order of the heap.
        """
        outwards = np.argsort(np.sum(z[:, : self.dimension] ** 2, 1), kind="stable")
        if len(z) <= most:
            chosen, weight = outwards, np.ones(len(z))
        else:
            inner, outer = outwards[: -most // 2], outwards[-most // 2 :]
            thinned = inner[np.linspace(0, len(inner) - 1, most - len(outer)).astype(int)]
            chosen = np.concatenate([thinned, outer])
            weight = np.concatenate([np.full(len(thinned), len(inner) / len(thinned)), np.ones(len(outer))])
        return z[chosen, : self.dimension], self.basis.functions(z[chosen]), weight / weight.sum()

    def clean_matrix(self, noise: Float[np.ndarray, " D"]) -> Float[np.ndarray, "K P"]:
        """`matrix` with the bias of measurement noise taken out."""
        first, second = self._base_averages(noise)
        first = scipy.linalg.solve_triangular(self.basis.inner, first.reshape(-1, first.shape[2]).T, trans="T").T
        first = first.reshape(len(second), -1)
        if not self.stochastic:
            return first
        return np.concatenate([first, np.stack([second[:, a, b] for a, b in pairs(self.dimension)], 1)], 1)

    def _base_averages(self, noise):
        exponents = self.basis.library.exponents
        if exponents is None:
            if noise.any():
                raise BadInput("noise", "can be taken out of polynomials only", None, "No angles, and poly1 to poly3.")
            return self._own_averages
        inner = exponents_to(max(map(sum, exponents)), self.dimension)
        first, second = self.functionals.clean_averages(self._moments, inner, noise)
        columns = [inner.index(e[: self.dimension]) for e in exponents]
        factors = [math.prod(self._condition ** np.array(e[self.dimension :], int)) for e in exponents]
        return first[:, :, columns] * np.array(factors), second

    @functools.cached_property
    def _moments(self):
        exponents = self.basis.library.exponents
        assert exponents is not None
        return self.functionals.moments(self._z, exponents_to(max(map(sum, exponents)), self.dimension))

    @functools.cached_property
    def _own_averages(self):
        conditions = np.broadcast_to(self._condition, (self.count, len(self._condition)))
        x = np.concatenate([self._z, conditions], 1) * self.basis.scale + self.basis.mean
        return self.functionals.averages(self._z, self.basis.library.evaluate(x))

    @functools.cached_property
    def _slopes(self):
        return tuple(self.functionals.slopes(some) for some, _, _ in self._samples)

    def contributions(
        self, coefficients: Float[np.ndarray, " P"], *, fine: bool = True
    ) -> tuple[Float[np.ndarray, "m K"], Float[np.ndarray, " m"]]:
        """What single points add to the rows of `matrix @ coefficients`, less the mean, and the points' weights; of up
        to 20,000 points, or (not `fine`) twelve a row."""
        some, psi, weight = self._samples[int(fine)]
        D, L = self.dimension, psi.shape[1]
        rates = self._slopes[int(fine)](psi @ coefficients[: D * L].reshape(D, L).T)
        if self.stochastic:
            S = np.zeros((D, D))
            for (a, b), value in zip(pairs(D), coefficients[D * L :], strict=True):
                S[a, b] = S[b, a] = value
            rates += self.functionals.curvatures(some, S)
        rates -= weight @ rates
        return rates, weight

    def scatter(self, half: Float[np.ndarray, "K K"]) -> Float[np.ndarray, "P P"]:
        """E[δAᵀ HᵀH δA] for A = `matrix` of independent points, from up to twelve points a row."""
        weight = self._samples[0][2]
        blocks = [(G @ half.T, factor) for G, factor in self.columns(fine=False)]
        grid: list[list[np.ndarray]] = [[np.zeros(0)] * len(blocks) for _ in blocks]
        for (i, (G, left)), (j, (other, right)) in itertools.combinations_with_replacement(enumerate(blocks), 2):
            grid[i][j] = left.T @ ((weight * np.einsum("mk,mk->m", G, other))[:, None] * right)
            grid[j][i] = grid[i][j].T
        return np.block(grid) / self.count

    def columns(self, *, fine: bool = True) -> Iterator[tuple[Float[np.ndarray, "m K"], Float[np.ndarray, "m L"]]]:
        """What single points add to `matrix`, block by block of its columns: entry (k, l) of point m is the product of
        the two arrays' entries (m, k) and (m, l)."""
        some, psi, _ = self._samples[int(fine)]
        for direction in np.eye(self.dimension):
            yield self._slopes[int(fine)](np.broadcast_to(direction, some.shape)), psi
        for a, b in pairs(self.dimension) if self.stochastic else []:
            S = np.zeros((self.dimension, self.dimension))
            S[a, b] = S[b, a] = 1
            yield self.functionals.curvatures(some, S), np.ones((len(some), 1))

    def covariance(self, coefficients: Float[np.ndarray, " P"], *, fine: bool = True) -> Float[np.ndarray, "K K"]:
        """Covariance of the rows of `matrix @ coefficients` if the points are independent; see `contributions`."""
        rates, weight = self.contributions(coefficients, fine=fine)
        rates *= np.sqrt(weight / self.count)[:, None]
        return rates.T @ rates
