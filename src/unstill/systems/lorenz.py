"""The Lorenz system: the classical chaotic one."""

from typing import ClassVar

import jax.numpy as jnp

from .base import Number, OrdinarySystem, parameter


class Lorenz(OrdinarySystem):
    """Fixed points x = y = ±√(β(ρ − 1)), z = ρ − 1, stable for 1 < ρ < 24.74; ∇·f = −(σ + 1 + β) everywhere.

    Lyapunov exponents at the defaults: 0.906, 0, −14.57 [J. C. Sprott, Chaos and Time-Series Analysis (Oxford, 2003)].
    """

    name: ClassVar = "lorenz"
    fields: ClassVar = ("x", "y", "z")
    equations: ClassVar = ("dx/dt = σ (y − x)", "dy/dt = x (ρ − z) − y", "dz/dt = x y − β z")
    citation: ClassVar = (
        "E. N. Lorenz, J. Atmos. Sci. 20, 130 (1963), eqs. 25–27, doi:10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2"
    )

    presets: ClassVar = {
        "chaos": {"rho": 28.0},
        "fixed-point": {"rho": 14.0},
        "cycle": {"rho": 160.0},
    }

    sigma: Number = parameter(10.0, (0, 100), "Prandtl number", symbol="σ")
    rho: Number = parameter(28.0, (0, 500), "Rayleigh number, relative", symbol="ρ")
    beta: Number = parameter(8 / 3, (0, 100), "aspect ratio", symbol="β")

    def drift(self, state):
        x, y, z = state[..., 0], state[..., 1], state[..., 2]
        return jnp.stack([self.sigma * (y - x), x * (self.rho - z) - y, x * y - self.beta * z], -1)

    def rest(self):
        return 1.0, 1.0, 25.0
