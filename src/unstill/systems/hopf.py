"""The normal form of a supercritical Hopf bifurcation, truncated at third order."""

from typing import ClassVar

import jax.numpy as jnp

from .base import Number, OrdinarySystem, parameter


class Hopf(OrdinarySystem):
    """For μ > 0 a circular limit cycle of radius √μ, run through at the angular speed ω + b μ.

    Lyapunov exponents 0 and −2μ on the cycle; μ twice at the origin, where motions end for μ < 0. With noise of the
    covariance Σ I per unit time the density is p ∝ exp((μ r² − r⁴/2)/Σ), whatever ω and b: points do not tell the turn.
    """

    name: ClassVar = "hopf"
    fields: ClassVar = ("x", "y")
    equations: ClassVar = ("dx/dt = (μ − r²) x − (ω + b r²) y", "dy/dt = (μ − r²) y + (ω + b r²) x")
    citation: ClassVar = (
        "J. Guckenheimer & P. Holmes, Nonlinear Oscillations (Springer, 1983), eq. 3.4.8, doi:10.1007/978-1-4612-1140-2"
    )
    presets: ClassVar = {
        "cycle": {"mu": 1.0},
        "twist": {"mu": 1.0, "b": 2.0},
        "focus": {"mu": -0.1},
    }

    mu: Number = parameter(1.0, (-10, 10), "distance from the bifurcation", symbol="μ")
    omega: Number = parameter(1.0, (-100, 100), "angular speed at the origin", symbol="ω")
    b: Number = parameter(0.0, (-100, 100), "growth of the angular speed with r²")

    def drift(self, state):
        x, y = state[..., 0], state[..., 1]
        r2 = x**2 + y**2
        grow, turn = self.mu - r2, self.omega + self.b * r2
        return jnp.stack([grow * x - turn * y, grow * y + turn * x], -1)

    def rest(self):
        return 1.0, 0.0
