"""A multilayer perceptron as a pytree of weights; ensembles are the same pytree with one more axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class MLP(eqx.Module):
    """h ← φ(W h + b) layer by layer, the last without φ; of one point or of a batch. Weights W (out, in)."""

    weights: tuple[Array | np.ndarray, ...]
    biases: tuple[Array | np.ndarray, ...]

    @classmethod
    def make(cls, key: Array, sizes: Sequence[int], *, silent: bool = False) -> MLP:
        """Normal weights of variance 1/in and zero biases, float32; a `silent` one has zeros in the last layer."""
        keys = jax.random.split(key, len(sizes) - 1)
        shapes = zip(sizes[1:], sizes[:-1], strict=True)
        weights = [jax.random.normal(k, s, jnp.float32) / s[1] ** 0.5 for k, s in zip(keys, shapes, strict=True)]
        if silent:
            weights[-1] = jnp.zeros_like(weights[-1])
        return cls(tuple(weights), tuple(jnp.zeros(n, jnp.float32) for n in sizes[1:]))

    def __call__(self, h: Float[Array, "*B I"], phi: Callable) -> Float[Array, "*B O"]:
        for W, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = phi(affine(W, h, b))
        return affine(self.weights[-1], h, self.biases[-1])

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Named arrays for a file."""
        named = [("w", self.weights), ("b", self.biases)]
        return {f"{prefix}{letter}{i}": np.asarray(a) for letter, many in named for i, a in enumerate(many)}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], prefix: str) -> MLP:
        """From the arrays that `arrays` gave."""
        depth = sum(name.startswith(f"{prefix}w") for name in arrays)
        weights, biases = (tuple(arrays[f"{prefix}{letter}{i}"] for i in range(depth)) for letter in "wb")
        return cls(weights, biases)


def affine(W: Array | np.ndarray, h: Float[Array, "*B I"], b: Array | np.ndarray) -> Float[Array, "*B O"]:
    """W h + b; of a batch in one product of matrices, which is twice as fast as `vmap` of one point."""
    out = h @ jnp.asarray(W).T
    return out + jnp.broadcast_to(jnp.asarray(b), out.shape)
