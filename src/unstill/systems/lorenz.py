"""The Lorenz system: the first ordinary differential system here, and the classical chaotic one."""

from typing import ClassVar

import jax.numpy as jnp

from ._base import Number, OrdinarySystem, parameter


class Lorenz(OrdinarySystem):
    """Lyapunov exponents at the defaults: 0.906, 0, −14.57."""

    name: ClassVar = "lorenz"
    fields: ClassVar = ("x", "y", "z")
    equations: ClassVar = ("dx/dt = σ (y − x)", "dy/dt = x (ρ − z) − y", "dz/dt = x y − β z")
    citation: ClassVar = "E. N. Lorenz, J. Atmos. Sci. 20, 130 (1963), eqs. 25–27"

    sigma: Number = parameter(10.0, (0, 100), "Prandtl number", symbol="σ")
    rho: Number = parameter(28.0, (0, 500), "Rayleigh number, relative", symbol="ρ")
    beta: Number = parameter(8 / 3, (0, 100), "aspect ratio", symbol="β")

    def drift(self, state):
        x, y, z = state[..., 0], state[..., 1], state[..., 2]
        return jnp.stack([self.sigma * (y - x), x * (self.rho - z) - y, x * y - self.beta * z], -1)

    def rest(self):
        return 1.0, 1.0, 25.0
