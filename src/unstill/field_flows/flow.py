"""What flows of pictures that are built on a score share."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._jax import enable_x64
from .field_score import FieldScore, check_pictures


class AbstractFieldFlow(eqx.Module):
    """dc/dt of pictures c on tori of any size, which keeps the density noised by `tau`: a `Dynamics`."""

    name: ClassVar[str]

    score: FieldScore
    tau: float = eqx.field(static=True)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in the order of axis C."""
        return self.score.fields

    @property
    @abc.abstractmethod
    def dt(self) -> float:
        """A stable time step."""

    @property
    @abc.abstractmethod
    def radius(self) -> int:
        """Cells to each side that it reaches beyond its score."""

    @property
    def least_side(self) -> int:
        """Cells a side of the smallest torus on which neither the score nor the flow sees a cell twice."""
        return 2 * max(self.score.network.radius, self.radius) + 1

    @abc.abstractmethod
    def drift_with(self, z: Float[Array, "B C H W"], s: Float[Array, "B C H W"]) -> Float[Array, "B C H W"]:
        """dz/dt of standardised pictures z whose score s is at hand."""

    def standardised_drift(self, z: Float[Array, "B C H W"]) -> Float[Array, "B C H W"]:
        """dz/dt of standardised pictures."""
        return self.drift_with(z, self.score.at(z, self.tau))

    @abc.abstractmethod
    def drift_and_divergences(
        self, z: Float[Array, "B C H W"], key: Array
    ) -> tuple[Float[Array, "B C H W"], Float[Array, "2 B"]]:
        """dz/dt and two unbiased estimates of its divergence in the space of pictures, independent or exact."""

    @abc.abstractmethod
    def at_pace(self, pace: float) -> AbstractFieldFlow:
        """The same with dz/dt times `pace`."""

    def drift(self, state: Float[Array, "*B C H W"]) -> Float[Array, "*B C H W"]:
        """dc/dt at every cell."""
        c = jnp.asarray(state)
        many = c.reshape(-1, *c.shape[-3:])
        scale = jnp.asarray(self.score.scale, c.dtype)[None, :, None, None]
        return (scale * self.standardised_drift(self.score.standardised(many))).reshape(c.shape)

    def __call__(self, state: Any) -> Any:
        """dc/dt of states (M, C, H, W): NumPy, JAX or PyTorch in, the same out. Raises `BadInput`."""
        check_pictures(self.fields, state)
        if isinstance(state, jax.Array):
            return compiled_drift(self, state)
        host = state if isinstance(state, np.ndarray) else state.detach().cpu().numpy()
        with enable_x64():
            found = np.asarray(compiled_drift(self, jnp.asarray(host, jnp.float64))).astype(
                host.dtype if host.dtype.kind == "f" else np.float64
            )
        if isinstance(state, np.ndarray):
            return found
        import torch  # pyright: ignore[reportMissingImports]

        return torch.as_tensor(found, dtype=state.dtype, device=state.device)


@eqx.filter_jit
def compiled_drift(flow: AbstractFieldFlow, state: Float[Array, "*B C H W"]) -> Float[Array, "*B C H W"]:
    """dc/dt as one program."""
    return flow.drift(state)


def residuals_of(
    flow: AbstractFieldFlow, z: Float[Array, "B C H W"], key: Array
) -> tuple[Float[Array, "2 B"], Float[Array, " B"]]:
    """Of each noised picture two estimates of r = ∇·v + v·s, whose product is r² without bias; and |v|²."""
    v, divergences = flow.drift_and_divergences(z, key)
    along = jnp.sum(v * flow.score.at(z, flow.tau), axis=(1, 2, 3))
    return divergences + along[None], jnp.sum(v**2, axis=(1, 2, 3))
