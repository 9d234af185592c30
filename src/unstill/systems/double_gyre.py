"""The steady double gyre: two counter-rotating cells, and the simplest flow with a known flux everywhere."""

from typing import ClassVar

import jax.numpy as jnp

from .base import Number, OrdinarySystem, parameter


class DoubleGyre(OrdinarySystem):
    """Stream function ψ = a sin x sin y on [0, 2π] × [0, π], dx/dt = −∂ψ/∂y, dy/dt = ∂ψ/∂x.

    Divergence-free, so the uniform density is preserved; motions keep ψ, so both Lyapunov exponents are 0. Close to the
    centre (π/2, π/2) a turn takes 2π/a, and on the border for ever.
    """

    name: ClassVar = "double-gyre"
    fields: ClassVar = ("x", "y")
    equations: ClassVar = ("dx/dt = −a sin x cos y", "dy/dt = a cos x sin y")
    citation: ClassVar = (
        "S. C. Shadden, F. Lekien & J. E. Marsden, Physica D 212, 271 (2005), eq. 49 with ε = 0, "
        "doi:10.1016/j.physd.2005.10.007"
    )
    presets: ClassVar = {
        "cells": {"a": 1.0},
    }

    a: Number = parameter(1.0, (-100, 100), "greatest speed")

    def drift(self, state):
        x, y = state[..., 0], state[..., 1]
        return jnp.stack([-self.a * jnp.sin(x) * jnp.cos(y), self.a * jnp.cos(x) * jnp.sin(y)], -1)

    def rest(self):
        return 1.0, 1.0
