"""`Flow`: a vector field in the points' own units, a `Dynamics`; `Flows`: an ensemble of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .._jax import enable_x64
from .fields import AbstractField
from .score import Score


class Flow(eqx.Module):
    """v(x) = scale · c · v_z((x − mean)/scale): its flow preserves the density p_τ of mean + scale · z_τ.

    The factor c makes E|v_z|² = D over the points, so that the mean speed is about one standard deviation of each
    variable per unit of time: points tell neither the pace of time nor its arrow, and −v preserves them as well.
    """

    field: AbstractField
    score: Score | None
    mean: Array | np.ndarray
    scale: Array | np.ndarray
    factor: Array | np.ndarray
    tau: float = eqx.field(static=True)

    def many(self, z: Float[Array, "M D"]) -> Float[Array, "M D"]:
        """The velocities of standardised points, in standard deviations per unit of time."""
        return jnp.asarray(self.factor) * self.field.many(z, z if self.score is None else self.score.at(z, self.tau))

    def at(self, z: Float[Array, " D"]) -> Float[Array, " D"]:
        """The velocity of one standardised point."""
        return self.many(z[None])[0]

    def drift(self, state: Float[Array, "*M D"]) -> Float[Array, "*M D"]:
        """dx/dt: a flow is a `Dynamics`."""
        x = state.reshape(-1, state.shape[-1])
        mean, scale = (jnp.broadcast_to(jnp.asarray(n, x.dtype), x.shape) for n in (self.mean, self.scale))
        return (scale * self.many((x - mean) / scale)).astype(x.dtype).reshape(state.shape)

    def standardised(self) -> Flow:
        """The same flow of z = (x − mean)/scale."""
        return dataclasses.replace(self, mean=np.zeros_like(self.mean), scale=np.ones_like(self.scale))

    def __call__(self, x: Any) -> Any:
        """dx/dt at x (M, D) or (D,): NumPy, JAX or PyTorch in, the same out. Raises `BadInput` for another D."""
        if np.ndim(x) < 1 or x.shape[-1] != len(self.mean):
            raise BadInput("x", f"must have shape (M, {len(self.mean)})", tuple(np.shape(x)))
        if isinstance(x, jax.Array):
            return self.drift(x)
        if isinstance(x, np.ndarray):
            return self._on_host(x).astype(x.dtype if x.dtype.kind == "f" else np.float64)
        import torch  # pyright: ignore[reportMissingImports]

        return torch.as_tensor(self._on_host(x.detach().cpu().numpy()), dtype=x.dtype, device=x.device)

    def _on_host(self, x: np.ndarray) -> np.ndarray:
        with enable_x64():
            return np.asarray(_drift(self, jnp.asarray(x, jnp.float64)))


@eqx.filter_jit
def _drift(flow: Flow, x: Array) -> Array:
    return flow.drift(x)


@dataclasses.dataclass(frozen=True, eq=False)
class Flows:
    """K flows of one family: `flows[i]` is a `Flow`. `field` and `factors` have a member axis in front."""

    field: AbstractField
    score: Score | None
    mean: Float[np.ndarray, " D"]
    scale: Float[np.ndarray, " D"]
    factors: Float[np.ndarray, " K"]
    tau: float
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.factors)

    def __getitem__(self, i: int) -> Flow:
        if not -len(self) <= i < len(self):
            raise IndexError(f"flow {i} of {len(self)}")
        member = jax.tree.map(lambda leaf: np.asarray(leaf[i], np.float64), self.field)
        return Flow(member, self.score, self.mean, self.scale, np.asarray(self.factors[i]), self.tau)

    def __iter__(self) -> Iterator[Flow]:
        return (self[i] for i in range(len(self)))

    def velocities(self, z: Float[np.ndarray, "M D"]) -> Float[np.ndarray, "K M D"]:
        """All members' velocities at standardised points."""
        with enable_x64():
            fields = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), self.field)
            return np.asarray(_velocities(fields, self.score, jnp.asarray(self.factors), jnp.asarray(z), self.tau))


@eqx.filter_jit
def _velocities(fields: AbstractField, score: Score | None, factors: Array, z: Array, tau: float) -> Array:
    s = z if score is None else score.at(z, tau)
    return jax.vmap(lambda field, c: c * field.many(z, s))(fields, factors)
