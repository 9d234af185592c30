"""The Rössler system: chaos from one quadratic term."""

from typing import ClassVar

import jax.numpy as jnp

from .base import Number, OrdinarySystem, parameter


class Rossler(OrdinarySystem):
    """Stretching and folding; for a = b = 0.2 cycles of one turn, two, four, … lead to chaos as c grows.

    Lyapunov exponents at the defaults: 0.0714, 0, −5.39 [J. C. Sprott, Chaos and Time-Series Analysis (Oxford, 2003)]:
    the attractor is almost a surface.
    """

    name: ClassVar = "rossler"
    fields: ClassVar = ("x", "y", "z")
    equations: ClassVar = ("dx/dt = −y − z", "dy/dt = x + a y", "dz/dt = b + z (x − c)")
    citation: ClassVar = "O. E. Rössler, Phys. Lett. A 57, 397 (1976), eq. 2, doi:10.1016/0375-9601(76)90101-8"
    presets: ClassVar = {
        "chaos": {"c": 5.7},
        "cycle": {"c": 2.5},
        "two-turns": {"c": 3.5},
    }
    dt: ClassVar = 0.02

    a: Number = parameter(0.2, (0, 1), "growth of the spiral")
    b: Number = parameter(0.2, (0, 10), "supply of z")
    c: Number = parameter(5.7, (0, 50), "threshold of the fold")

    def drift(self, state):
        x, y, z = state[..., 0], state[..., 1], state[..., 2]
        return jnp.stack([-y - z, x + self.a * y, self.b + z * (x - self.c)], -1)

    def rest(self):
        return 1.0, 1.0, 0.0
