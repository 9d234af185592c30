"""Gierer–Meinhardt: short-range activation, long-range inhibition."""

from typing import ClassVar

from .base import Number, ReactionDiffusion, parameter


class GiererMeinhardt(ReactionDiffusion):
    """Uniform state a = (ν + ρ)/μ, h = a²/ν."""

    name: ClassVar = "gierer-meinhardt"
    fields: ClassVar = ("a", "h")
    diffusion: ClassVar = {"a": "Da", "h": "Dh"}
    equations: ClassVar = ("∂a/∂t = Da ∇²a + a²/h − μ a + ρ", "∂h/∂t = Dh ∇²h + a² − ν h")
    citation: ClassVar = "A. Gierer, H. Meinhardt, Kybernetik 12, 30 (1972), eq. 12, doi:10.1007/BF00289234"
    amounts: ClassVar = True
    dt: ClassVar = 0.01
    presets: ClassVar = {"spots": {"Da": 0.5, "Dh": 12.5, "mu": 1.0, "nu": 1.2, "rho": 0.1}}

    Da: Number = parameter(0.5, (0, 20), "diffusion of the activator", symbol="Dₐ", unit="dx²/time")
    Dh: Number = parameter(12.5, (0, 200), "diffusion of the inhibitor", symbol="Dₕ", unit="dx²/time")
    mu: Number = parameter(1.0, (0, 10), "decay of the activator", symbol="μ", unit="1/time")
    nu: Number = parameter(1.2, (0, 10), "decay of the inhibitor", symbol="ν", unit="1/time")
    rho: Number = parameter(0.1, (0, 5), "supply of the activator", symbol="ρ")

    def kinetics(self, a, h):
        return a * a / h - self.mu * a + self.rho, a * a - self.nu * h

    def rest(self):
        a = (self.nu + self.rho) / self.mu
        return a, a * a / self.nu
