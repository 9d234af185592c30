"""Test functions φ of a point, and the averages that the weak form of stationarity is made of.

On a density p that dx = f dt + σ dW preserves, with Σ = σσᵀ,

    E[∇φ·f + ½ Σ:∇∇φ] = 0      for every smooth φ of moderate growth                        (1)

(the stationary Fokker–Planck equation in weak form, e.g. Pavliotis, Stochastic Processes and Applications, 2014,
eq. 4.3). With f = Σ_j θ_j(x) c_j that is linear in c and Σ. All test functions here live on standardised points z.

Bias of noise. Of points y = z + η with Gaussian η of standard deviation s_i in variable i, the characteristic function
is χ_y(k) = χ_z(k) exp(−½ Σ s_i² k_i²). So moments M_a(k) = E[yᵃ e^{ik·y}] = (−i∂_k)ᵃ χ_y are mended by Leibniz' rule:

    E[zᵃ e^{ik·z}] = e^{½ Σ s_i² k_i²} Σ_{b ≤ a} binom(a, b) G_b(k) M_{a−b}(k)            (2)
    G_{b+1} = −s² (i k G_b + b G_{b−1})

variable by variable with G_0 = 1; at k = 0 the G are Hermite's. Exact for polynomials.
"""

import abc
import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from .._errors import BadInput

_MOST_WAVES = 4  # around a period, where all variables have one: shorter ones add noise (docs/discover.md)
_CHUNK = 16_384  # points at a time: memory stays below 100 MB whatever the heap

Exponents = tuple[tuple[int, ...], ...]
Averages = tuple[Float[np.ndarray, "K D L"], Float[np.ndarray, "K D D"]]


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]


def exponents_to(degree: int, dimension: int) -> Exponents:
    """All exponents of total degree ≤ `degree`, by degree, then x before y: C(D + degree, D) of them."""
    variables = range(dimension)
    factors = (itertools.combinations_with_replacement(variables, total) for total in range(degree + 1))
    return tuple(tuple(chosen.count(i) for i in variables) for chosen in itertools.chain.from_iterable(factors))


def monomials(z: Float[np.ndarray, "M D"], exponents: Exponents) -> Float[np.ndarray, "M L"]:
    """zᵃ for each exponent."""
    out = np.ones((len(z), len(exponents)))
    for column, e in enumerate(exponents):
        for i, n in enumerate(e):
            if n:
                out[:, column] *= z[:, i] ** n
    return out


def undo_noise(
    moments: Complex[np.ndarray, "N L"],
    k: Float[np.ndarray, "N D"],
    exponents: Exponents,
    noise: Float[np.ndarray, " D"],
) -> Complex[np.ndarray, "N L"]:
    """Equation (2): moments M_a(k) of noisy points → those of clean ones. `exponents` hold every b ≤ a with a."""
    place = {e: i for i, e in enumerate(exponents)}
    top = max(map(max, exponents))
    G = np.zeros((top + 1, *k.shape), complex)
    G[0] = 1
    for b in range(top):
        G[b + 1] = -(noise**2) * (1j * k * G[b] + b * G[b - 1])
    out = np.zeros_like(moments)
    for column, a in enumerate(exponents):
        for b in itertools.product(*(range(n + 1) for n in a)):
            factor = math.prod(math.comb(n, m) for n, m in zip(a, b, strict=True)) + 0j
            weight = factor * np.prod([G[m][:, i] for i, m in enumerate(b)], axis=0)
            out[:, column] += weight * moments[:, place[tuple(n - m for n, m in zip(a, b, strict=True))]]
    return out * np.exp(0.5 * (k**2 @ noise**2))[:, None]


def _lattice(most: int, least: int, dimension: int) -> Float[np.ndarray, "N D"]:
    """Whole-numbered vectors, one of each pair ±n, shortest first: those of at most four in length, or `least`."""
    reach = next(
        r for r in itertools.count(1) if ((2 * r + 1) ** dimension - 1) // 2 >= most or r >= max(_MOST_WAVES, least)
    )
    side = np.arange(-reach, reach + 1)
    every = np.stack(np.meshgrid(*[side] * dimension, indexing="ij"), -1).reshape(-1, dimension)
    half = every[len(every) // 2 + 1 :]  # after the zero vector, of which the rest are mirror images
    lengths = np.linalg.norm(half, axis=1)
    chosen = half[np.lexsort((*half.T, lengths))][:most]
    short = int((np.sort(lengths)[: len(chosen)] <= _MOST_WAVES).sum())
    return chosen[: max(short, least)].astype(float)


class AbstractPointFunctionals(abc.ABC):
    """K test functions φ of standardised points z (M, D)."""

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """K."""

    @abc.abstractmethod
    def values(self, z: Float[np.ndarray, "M D"]) -> Float[np.ndarray, "M K"]:
        """φ(z)."""

    @abc.abstractmethod
    def gradients(self, z: Float[np.ndarray, "M D"], v: Float[np.ndarray, "M D"]) -> Float[np.ndarray, "M K"]:
        """∇φ·v, point by point."""

    def slopes(self, z: Float[np.ndarray, "M D"]) -> Callable[[Float[np.ndarray, "M D"]], Float[np.ndarray, "M K"]]:
        """`gradients` at points that many v are asked for."""
        return functools.partial(self.gradients, z)

    @abc.abstractmethod
    def curvatures(self, z: Float[np.ndarray, "M D"], S: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "M K"]:
        """½ S:∇∇φ, point by point, for a constant symmetric S."""

    def averages(self, z: Float[np.ndarray, "M D"], theta: Float[np.ndarray, "M L"]) -> Averages:
        """E[∂_iφ θ_j] (K, D, L), and the response ½ (2 − δ_ab) E[∂_a∂_bφ] to Σ_ab, a ≤ b (K, D, D; the rest is 0)."""
        M, D = z.shape
        first, second = np.zeros((self.count, D, theta.shape[1])), np.zeros((self.count, D, D))
        for part in _chunks(M):
            for i in range(D):
                first[:, i] += self.gradients(z[part], np.broadcast_to(np.eye(D)[i], z[part].shape)).T @ theta[part]
            for a, b in itertools.combinations_with_replacement(range(D), 2):
                S = np.zeros((D, D))
                S[a, b] = S[b, a] = 1
                second[:, a, b] += self.curvatures(z[part], S).sum(0)
        return first / M, second / M

    def moments(self, z: Float[np.ndarray, "M D"], exponents: Exponents) -> Any:
        """All that `clean_averages` needs to know of the points."""
        return self.averages(z, monomials(z, exponents))

    def clean_averages(self, moments: Any, exponents: Exponents, noise: Float[np.ndarray, " D"]) -> Averages:
        """`averages` for θ = monomials, with the bias of Gaussian noise of standard deviation `noise` taken out."""
        if noise.any():
            raise BadInput("tests", "cannot have the bias of noise taken out", type(self).__name__, "Use fourier.")
        return moments


@dataclasses.dataclass(frozen=True)
class FourierFunctionals(AbstractPointFunctionals):
    """cos(k·z), then sin(k·z), for random wavevectors k (N, D); K = 2N (Rahimi & Recht, NIPS 2007).

    `blind`: some of them may be at right angles to a field everywhere, as whole numbers of waves around circles are.
    """

    k: Float[np.ndarray, "N D"]
    blind: bool = False

    @classmethod
    def make(cls, count: int, dimension: int, seed: int = 0) -> "FourierFunctionals":
        """`count` functions with normal wavevectors of standard deviation 2, 1 and ½: lengths from half a standard
        deviation of the points to two. Above three dimensions they shrink, so that |k| stays what it is in three."""
        rng = np.random.default_rng(seed)
        spread = np.array([2.0, 1.0, 0.5])[np.arange((count + 1) // 2) % 3] * min(1.0, math.sqrt(3 / dimension))
        return cls(rng.standard_normal((len(spread), dimension)) * spread[:, None])

    @classmethod
    def on_circles(
        cls, count: int, turns: Float[np.ndarray, " D"], seed: int = 0, least: int = 2
    ) -> "FourierFunctionals":
        """`count` functions of which the periodic variables see whole numbers of waves: variable i has wavevectors that
        are multiples of `turns[i]` = 2π/period, in units of z; it is 0 for the others, which are as in `make`.

        Where all variables are periodic, wavevectors are those of a lattice, shortest first, to four waves a period:
        fewer than `count` where there are no more, but `least` at least.
        """
        around = turns > 0
        if around.all():
            return cls(_lattice(count // 2, max(1, least // 2), len(turns)) * turns, blind=True)
        free = cls.make(count, len(turns), seed).k
        rng = np.random.default_rng((seed, 1))
        spread = np.array([3.0, 1.5, 0.75])[np.arange(len(free)) % 3]
        whole = np.round(rng.standard_normal(free.shape) * spread[:, None])
        return cls(np.where(around, whole * turns, free), blind=True)

    @property
    def count(self):
        return 2 * len(self.k)

    def _waves(self, z):
        phase = z @ self.k.T
        return np.cos(phase), np.sin(phase)

    def values(self, z):
        return np.concatenate(self._waves(z), 1)

    def gradients(self, z, v):
        return self.slopes(z)(v)

    def slopes(self, z):
        cos, sin = self._waves(z)

        def along(v):
            rate = v @ self.k.T
            return np.concatenate([-sin * rate, cos * rate], 1)

        return along

    def curvatures(self, z, S):
        cos, sin = self._waves(z)
        rate = -0.5 * np.einsum("ni,ij,nj->n", self.k, S, self.k)
        return np.concatenate([cos * rate, sin * rate], 1)

    def _transform(self, z, theta) -> Complex[np.ndarray, "N L"]:
        """E[e^{ik·z} θ]."""
        total = np.zeros((len(self.k), theta.shape[1]), complex)
        for part in _chunks(len(z)):
            cos, sin = self._waves(z[part])
            total += cos.T @ theta[part] + 1j * (sin.T @ theta[part])
        return total / len(z)

    def _averages(self, with_theta: Complex[np.ndarray, "N L"], alone: Complex[np.ndarray, " N"]) -> Averages:
        """`averages` from E[e^{ik·z} θ] and E[e^{ik·z}]."""
        first = 1j * self.k[:, :, None] * with_theta[:, None, :]
        D = self.k.shape[1]
        second = -(np.triu(np.ones((D, D))) - 0.5 * np.eye(D)) * self.k[:, :, None] * self.k[:, None, :]
        second = second * alone[:, None, None]
        return np.concatenate([first.real, first.imag]), np.concatenate([second.real, second.imag])

    def averages(self, z, theta):
        transform = self._transform(z, np.concatenate([theta, np.ones((len(z), 1))], 1))
        return self._averages(transform[:, :-1], transform[:, -1])

    def moments(self, z, exponents):
        return self._transform(z, monomials(z, exponents))

    def clean_averages(self, moments, exponents, noise):
        clean = undo_noise(moments, self.k, exponents, noise)
        return self._averages(clean, clean[:, exponents.index((0,) * self.k.shape[1])])


@dataclasses.dataclass(frozen=True)
class MonomialFunctionals(AbstractPointFunctionals):
    """zᵃ for 1 ≤ |a| ≤ degree. Sharp where averages telescope, poor on independent points with heavy tails."""

    exponents: Exponents

    @classmethod
    def make(cls, degree: int, dimension: int) -> "MonomialFunctionals":
        return cls(exponents_to(degree, dimension)[1:])

    @property
    def count(self):
        return len(self.exponents)

    def _derivative(self, *axes: int) -> tuple[np.ndarray, Exponents]:
        """∂_axes zᵃ = factor · z^lower; the exponent of a vanished term is 0."""
        factor, lower = np.ones(self.count), [list(e) for e in self.exponents]
        for axis in axes:
            for row, e in enumerate(lower):
                factor[row] *= e[axis]
                e[axis] = max(e[axis] - 1, 0)
        return factor, tuple(map(tuple, lower))

    def _at(self, z, *axes):
        factor, lower = self._derivative(*axes)
        return factor * monomials(z, lower)

    def values(self, z):
        return monomials(z, self.exponents)

    def gradients(self, z, v):
        return np.sum([self._at(z, i) * v[:, i : i + 1] for i in range(z.shape[1])], axis=0)

    def curvatures(self, z, S):
        D = z.shape[1]
        return np.sum([0.5 * S[a, b] * self._at(z, a, b) for a in range(D) for b in range(D)], axis=0)

    def _products(self, exponents: Exponents) -> Exponents:
        """Exponents of everything that a functional's gradient times a monomial can be."""
        return exponents_to(max(map(sum, exponents)) + max(map(sum, self.exponents)), len(exponents[0]))

    def moments(self, z, exponents):
        every = self._products(exponents)
        return np.sum([monomials(z[part], every).sum(0) for part in _chunks(len(z))], axis=0) / len(z)

    def clean_averages(self, moments, exponents, noise):
        D, every = len(noise), self._products(exponents)
        clean = undo_noise(moments[None].astype(complex), np.zeros((1, D)), every, noise)[0].real
        moment = dict(zip(every, clean, strict=True))
        first, second = np.zeros((self.count, D, len(exponents))), np.zeros((self.count, D, D))
        for i in range(D):
            for row, (factor, low) in enumerate(zip(*self._derivative(i), strict=True)):
                products = [tuple(n + m for n, m in zip(low, e, strict=True)) for e in exponents]
                first[row, i] = [factor * moment[e] for e in products]
            for b in range(i, D):
                factor, low = self._derivative(i, b)
                second[:, i, b] = (0.5 if i == b else 1.0) * factor * np.array([moment[e] for e in low])
        return first, second


@dataclasses.dataclass(frozen=True)
class GaussianFunctionals(AbstractPointFunctionals):
    """exp(−|z − c|²/2h²) for centres c (K, D) and widths h (K,): test functions that look at one place."""

    centres: Float[np.ndarray, "K D"]
    widths: Float[np.ndarray, " K"]

    @classmethod
    def make(cls, count: int, z: Float[np.ndarray, "M D"], seed: int = 0) -> "GaussianFunctionals":
        """Centres are points of the heap, drawn without repetition; widths are ½, 1 and 2 standard deviations."""
        rng = np.random.default_rng(seed)
        return cls(z[rng.permutation(len(z))[:count]], np.array([0.5, 1.0, 2.0])[np.arange(count) % 3])

    @property
    def count(self):
        return len(self.centres)

    def values(self, z):
        square = np.sum(z**2, 1)[:, None] - 2 * z @ self.centres.T + np.sum(self.centres**2, 1)
        return np.exp(-0.5 * np.maximum(square, 0) / self.widths**2)

    def gradients(self, z, v):
        along = np.sum(z * v, 1)[:, None] - v @ self.centres.T
        return -self.values(z) * along / self.widths**2

    def curvatures(self, z, S):
        form = np.sum(z @ S * z, 1)[:, None] - 2 * z @ S @ self.centres.T + np.sum(self.centres @ S * self.centres, 1)
        return 0.5 * self.values(z) * (form / self.widths**4 - np.trace(S) / self.widths**2)
