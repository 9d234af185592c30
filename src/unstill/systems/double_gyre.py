"""The steady double gyre: two counter-rotating cells, and the simplest flow with a known flux everywhere."""

from typing import ClassVar

import jax.numpy as jnp

from ._base import Number, OrdinarySystem, parameter


class DoubleGyre(OrdinarySystem):
    """Stream function ψ = a sin x sin y on [0, 2π] × [0, π]; divergence-free, so the uniform density is preserved."""

    name: ClassVar = "double-gyre"
    fields: ClassVar = ("x", "y")
    equations: ClassVar = ("dx/dt = −a sin x cos y", "dy/dt = a cos x sin y")
    citation: ClassVar = "S. C. Shadden, F. Lekien & J. E. Marsden, Physica D 212, 271 (2005), eq. 49 with ε = 0"

    a: Number = parameter(1.0, (-100, 100), "greatest speed")

    def drift(self, state):
        x, y = state[..., 0], state[..., 1]
        return jnp.stack([-self.a * jnp.sin(x) * jnp.cos(y), self.a * jnp.cos(x) * jnp.sin(y)], -1)

    def rest(self):
        return 1.0, 1.0
