"""The Van der Pol oscillator: a limit cycle that is not a circle."""

from typing import ClassVar

import jax.numpy as jnp

from ._base import Number, OrdinarySystem, parameter


class VanDerPol(OrdinarySystem):
    """Relaxation oscillations for large μ."""

    name: ClassVar = "van-der-pol"
    fields: ClassVar = ("x", "y")
    equations: ClassVar = ("dx/dt = y", "dy/dt = μ (1 − x²) y − x")
    citation: ClassVar = "B. van der Pol, Philos. Mag. 2, 978 (1926), eq. 2"

    mu: Number = parameter(1.0, (0, 100), "strength of the nonlinear damping", symbol="μ")

    def drift(self, state):
        x, y = state[..., 0], state[..., 1]
        return jnp.stack([y, self.mu * (1 - x**2) * y - x], -1)

    def rest(self):
        return 1.0, 0.0
