"""The Van der Pol oscillator: a limit cycle that is not a circle."""

from typing import ClassVar

import jax.numpy as jnp

from .base import Number, OrdinarySystem, parameter


class VanDerPol(OrdinarySystem):
    """A limit cycle of amplitude near 2 for every μ > 0: a circle for small μ, jumps and slow drifts for large μ.

    Lyapunov exponents 0 and μ(1 − ⟨x²⟩), the mean divergence: −1.0594 at μ = 1, −μ + O(μ³) for small μ. The period is
    2π(1 + μ²/16) + O(μ⁴), and (3 − 2 ln 2)μ + O(μ^(−1/3)) for large μ.
    """

    name: ClassVar = "van-der-pol"
    fields: ClassVar = ("x", "y")
    equations: ClassVar = ("dx/dt = y", "dy/dt = μ (1 − x²) y − x")
    citation: ClassVar = "B. van der Pol, Philos. Mag. 2, 978 (1926), eq. 2, doi:10.1080/14786442608564127"
    presets: ClassVar = {
        "cycle": {"mu": 1.0},
        "harmonic": {"mu": 0.1},
        "relaxation": {"mu": 5.0},
    }

    mu: Number = parameter(1.0, (0, 100), "strength of the nonlinear damping", symbol="μ")

    def drift(self, state):
        x, y = state[..., 0], state[..., 1]
        return jnp.stack([y, self.mu * (1 - x**2) * y - x], -1)

    def rest(self):
        return 1.0, 0.0
