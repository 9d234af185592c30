"""The Schnakenberg system: the simplest kinetics with a Turing instability."""

from typing import ClassVar

from .base import Number, ReactionDiffusion, parameter


class Schnakenberg(ReactionDiffusion):
    """Uniform state u = a + b, v = b/(a + b)². At a = 0.1, b = 0.9 it is Turing unstable for Dv/Du > 8.57."""

    name: ClassVar = "schnakenberg"
    fields: ClassVar = ("u", "v")
    diffusion: ClassVar = {"u": "Du", "v": "Dv"}
    equations: ClassVar = ("∂u/∂t = Du ∇²u + a − u + u² v", "∂v/∂t = Dv ∇²v + b − u² v")
    citation: ClassVar = "J. Schnakenberg, J. Theor. Biol. 81, 389 (1979), eq. 40, doi:10.1016/0022-5193(79)90042-0"
    amounts: ClassVar = True
    dt: ClassVar = 0.02
    presets: ClassVar = {
        "spots": {"Du": 0.5, "Dv": 10.0, "a": 0.1, "b": 0.9},
        "stripes": {"Du": 0.5, "Dv": 10.0, "a": 0.1, "b": 1.4},
    }

    Du: Number = parameter(0.5, (0, 20), "diffusion of the activator u", symbol="Dᵤ", unit="dx²/time")
    Dv: Number = parameter(10.0, (0, 200), "diffusion of the substrate v", symbol="Dᵥ", unit="dx²/time")
    a: Number = parameter(0.1, (0, 5), "supply of u")
    b: Number = parameter(0.9, (0, 5), "supply of v")

    def kinetics(self, u, v):
        rate = u * u * v
        return self.a - u + rate, self.b - rate

    def rest(self):
        return self.a + self.b, self.b / (self.a + self.b) ** 2
