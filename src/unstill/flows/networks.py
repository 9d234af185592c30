"""A multilayer perceptron as a pytree of weights; ensembles are the same pytree with one more axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class MLP(eqx.Module):
    """h ← φ(W h + b) layer by layer, the last without φ; of one point. Weights W (out, in)."""

    weights: tuple[Array | np.ndarray, ...]
    biases: tuple[Array | np.ndarray, ...]

    @classmethod
    def make(cls, key: Array, sizes: Sequence[int]) -> MLP:
        """Normal weights of variance 1/in and zero biases, float32."""
        keys = jax.random.split(key, len(sizes) - 1)
        shapes = zip(sizes[1:], sizes[:-1], strict=True)
        weights = (jax.random.normal(k, s, jnp.float32) / s[1] ** 0.5 for k, s in zip(keys, shapes, strict=True))
        return cls(tuple(weights), tuple(jnp.zeros(n, jnp.float32) for n in sizes[1:]))

    def __call__(self, h: Float[Array, " I"], phi: Callable) -> Float[Array, " O"]:
        for W, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = phi(W @ h + b)
        return jnp.asarray(self.weights[-1] @ h + self.biases[-1])

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
