"""Families of vector fields v(z), each with its exact divergence by a hand-written product of Jacobians.

Two hidden layers of tanh: v = W₃ φ(W₂ φ(W₁ e(z) + b₁) + b₂) + b₃. With φ' = g the divergence is the trace of
W₃ diag(g₂) W₂ diag(g₁) W₁ ∂e. For e(z) = z it is g₂ᵀ (W₂ ⊙ (W₁W₃)ᵀ) g₁: one product more than the field itself costs,
whatever D; for other encodings it takes D of them. Batches go through it as products of matrices.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from .._errors import BadInput, nearest
from .._jax import enable_x64
from .networks import MLP, affine

EXACT = 3  # up to so many variables the divergence is exact
_OCTAVES = 4


class AbstractField(eqx.Module):
    """v(z) of one standardised point. `uses_score`: v is built from the score there, and preserves p by itself."""

    name: ClassVar[str]
    uses_score: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(self, z: Float[Array, " D"], s: Float[Array, " D"]) -> Float[Array, " D"]:
        """v, from the point and the score at the point."""

    def many(self, z: Float[Array, "B D"], s: Float[Array, "B D"]) -> Float[Array, "B D"]:
        """v at many points."""
        return jax.vmap(self)(z, s)

    def with_divergence(self, z: Float[Array, "B D"]) -> tuple[Float[Array, "B D"], Float[Array, " B"]]:
        """v and ∇·v of many points, exactly; for fields that do not read the score."""
        return self.many(z, z), jax.vmap(lambda z: jnp.trace(jax.jacfwd(lambda z: self(z, z))(z)))(z)

    @classmethod
    @abc.abstractmethod
    def make(cls, key: Array, dimension: int, hidden: int) -> AbstractField: ...

    @abc.abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a file."""

    @classmethod
    @abc.abstractmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> AbstractField:
        """From the arrays that `arrays` gave."""


class _OneNetwork(AbstractField):
    network: MLP

    def arrays(self):
        return self.network.arrays("v_")

    @classmethod
    def of(cls, arrays):
        return cls(MLP.of(arrays, "v_"))


class PlainField(_OneNetwork):
    """A perceptron of the point itself: smooth, and the cheapest divergence."""

    name: ClassVar = "plain"

    @classmethod
    def make(cls, key, dimension, hidden):
        return cls(MLP.make(key, (dimension, hidden, hidden, dimension)))

    def __call__(self, z, s):
        return self.network(z, jnp.tanh)

    def with_divergence(self, z):
        (W1, W2, W3), (b1, b2, b3) = self.network.weights, self.network.biases
        h1 = jnp.tanh(affine(W1, z, b1))
        h2 = jnp.tanh(affine(W2, h1, b2))
        return affine(W3, h2, b3), jnp.sum((1 - h2**2) * ((1 - h1**2) @ (W2.T * (W1 @ W3))), 1)


class EncodedField(_OneNetwork):
    """A perceptron of sin(2ᵏ z), cos(2ᵏ z), k = 0…3: founding system B's encoder. Periodic, hence bounded far out."""

    name: ClassVar = "encoded"

    @classmethod
    def make(cls, key, dimension, hidden):
        return cls(MLP.make(key, (2 * _OCTAVES * dimension, hidden, hidden, dimension)))

    def _encoding(self, z: Array) -> tuple[Array, Array]:
        """e (*B, D, 8) and its derivatives: row d depends on z_d only."""
        octave = jnp.broadcast_to(jnp.asarray(2.0 ** np.arange(_OCTAVES), z.dtype), (*z.shape, _OCTAVES))
        sin, cos = jnp.sin(z[..., None] * octave), jnp.cos(z[..., None] * octave)
        return jnp.concatenate([sin, cos], -1), jnp.concatenate([octave * cos, -octave * sin], -1)

    def __call__(self, z, s):
        return self.network(self._encoding(z)[0].reshape(-1), jnp.tanh)

    def with_divergence(self, z):
        (W1, W2, W3), (b1, b2, b3) = self.network.weights, self.network.biases
        e, slope = self._encoding(z)
        h1 = jnp.tanh(affine(W1, e.reshape(len(z), -1), b1))
        h2 = jnp.tanh(affine(W2, h1, b2))
        # ∂e_d/∂z_d is not 0 only in row d: each variable has its own block of W₁
        tangents = jnp.einsum("bdf,hdf->dbh", slope, W1.reshape(len(W1), *e.shape[1:])) * (1 - h1**2)[None]
        return affine(W3, h2, b3), jnp.sum(jnp.einsum("dbh,dh->bh", tangents @ W2.T, W3) * (1 - h2**2), 1)


class PolynomialField(AbstractField):
    """v = C θ(z) with all monomials θ of degree two or less: few numbers, the language of many equations."""

    name: ClassVar = "polynomial"
    coefficients: Float[Array | np.ndarray, "*K D L"]

    @classmethod
    def make(cls, key, dimension, hidden):
        del hidden
        return cls(jax.random.normal(key, (dimension, (dimension + 1) * (dimension + 2) // 2), jnp.float32))

    def __call__(self, z, s):
        return self.coefficients @ quadratic(z)

    def arrays(self):
        return {"v_coefficients": np.asarray(self.coefficients)}

    @classmethod
    def of(cls, arrays):
        return cls(arrays["v_coefficients"])


class AntisymmetricField(_OneNetwork):
    """v = D(z) s + ∇·D(z) with an antisymmetric matrix D of a perceptron: p v = ∇·(p D), so ∇·(p v) = 0 identically.

    Exact where s is the gradient of log p; needs the score wherever it is evaluated.
    """

    name: ClassVar = "antisymmetric"
    uses_score: ClassVar = True

    @classmethod
    def make(cls, key, dimension, hidden):
        return cls(MLP.make(key, (dimension, hidden, hidden, dimension * (dimension - 1) // 2)))

    def __call__(self, z, s):
        return self.many(z[None], s[None])[0]

    def many(self, z, s):
        (W1, W2, W3), (b1, b2, b3) = self.network.weights, self.network.biases
        W1, W2, W3 = (jnp.asarray(W) for W in (W1, W2, W3))
        h1 = jnp.tanh(affine(W1, z, b1))
        h2 = jnp.tanh(affine(W2, h1, b2))
        signs = _antisymmetric_signs(z.shape[1]).astype(z.dtype)
        # (∇·D)_i = Σ_j ∂_j D_ij = g₂ᵀ (W₂ ⊙ Mᵢ) g₁ with Mᵢ = Σ_j (Σ_p signs_pij W₃p) W₁jᵀ: one product a variable
        outer = jnp.einsum("pij,ph,kj->ihk", signs, W3, W1)
        products = (1 - h1**2) @ (W2[None] * outer).reshape(-1, len(W1)).T
        divergence = jnp.sum((1 - h2**2)[:, None] * products.reshape(len(z), *outer.shape[:2]), 2)
        return jnp.einsum("bp,pij,bj->bi", affine(W3, h2, b3), signs, s) + divergence


class ConstantField(AbstractField):
    """v = D s with a constant antisymmetric D: training-free, it preserves p whatever D is."""

    name: ClassVar = "constant"
    uses_score: ClassVar = True
    entries: Float[Array | np.ndarray, "*K P"]

    @classmethod
    def make(cls, key, dimension, hidden):
        del hidden
        return cls(jax.random.normal(key, (dimension * (dimension - 1) // 2,), jnp.float32))

    def __call__(self, z, s):
        return antisymmetric(jnp.asarray(self.entries), len(z)) @ s

    def arrays(self):
        return {"v_entries": np.asarray(self.entries)}

    @classmethod
    def of(cls, arrays):
        return cls(arrays["v_entries"])


def _antisymmetric_signs(D: int) -> Float[np.ndarray, "P D D"]:
    """1 where entry p stands above the diagonal of an antisymmetric matrix, −1 where it stands below."""
    i, j = np.triu_indices(D, 1)
    signs = np.zeros((len(i), D, D))
    signs[range(len(i)), i, j], signs[range(len(i)), j, i] = 1, -1
    return signs


def quadratic(z: Float[Array, " D"]) -> Float[Array, " L"]:
    """1, z_i, z_i z_j (i ≤ j)."""
    i, j = np.triu_indices(len(z))
    return jnp.concatenate([jnp.ones(1, z.dtype), z, z[i] * z[j]])


def least_residuals(z: Float[np.ndarray, "N D"], s: Float[np.ndarray, "N D"], count: int) -> Float[Array, "K D L"]:
    """The `count` quadratic fields of least E r²/E|v|², by the eigenproblem of two matrices; raises `BadInput`."""
    D = z.shape[1]
    with enable_x64():
        points = jnp.asarray(z, jnp.float64)
        terms, slopes = (np.asarray(f(points)) for f in (jax.vmap(quadratic), jax.vmap(jax.jacfwd(quadratic))))
    residuals = (np.swapaxes(slopes, 1, 2) + terms[:, None, :] * s[:, :, None]).reshape(len(z), -1)
    if count > residuals.shape[1]:
        raise BadInput("experiments", f"must be at most {residuals.shape[1]} quadratic fields", count)
    speeds = np.kron(np.eye(D), terms.T @ terms / len(z))
    found = scipy.linalg.eigh(residuals.T @ residuals / len(z), speeds, subset_by_index=[0, count - 1])[1]
    return jnp.asarray(found.T.reshape(count, D, -1), jnp.float32)


def antisymmetric(entries: Float[Array, " P"], D: int) -> Float[Array, "D D"]:
    """The matrix with these entries above its diagonal."""
    upper = jnp.zeros((D, D), entries.dtype).at[np.triu_indices(D, 1)].set(entries)
    return upper - upper.T


FIELDS: dict[str, type[Any]] = {
    cls.name: cls for cls in (PlainField, EncodedField, PolynomialField, AntisymmetricField, ConstantField)
}


def find_field(name: str) -> type[Any]:
    """The class of a family; raises `BadInput`."""
    if name not in FIELDS:
        raise BadInput("field", "must be a known family", repr(name), nearest(name, FIELDS))
    return FIELDS[name]
