"""The Brusselator: Prigogine and Lefever's chemical oscillator with a Turing instability."""

from typing import ClassVar

from .base import Number, ReactionDiffusion, parameter


class Brusselator(ReactionDiffusion):
    """Uniform state u = a, v = b/a. Hopf at b = 1 + a², Turing at b = (1 + a √(Du/Dv))²."""

    name: ClassVar = "brusselator"
    fields: ClassVar = ("u", "v")
    diffusion: ClassVar = {"u": "Du", "v": "Dv"}
    equations: ClassVar = ("∂u/∂t = Du ∇²u + a − (b + 1) u + u² v", "∂v/∂t = Dv ∇²v + b u − u² v")
    citation: ClassVar = "I. Prigogine, R. Lefever, J. Chem. Phys. 48, 1695 (1968), eq. 3, doi:10.1063/1.1668896"
    amounts: ClassVar = True
    dt: ClassVar = 0.01
    presets: ClassVar = {
        "stripes": {"Du": 2.0, "Dv": 16.0, "a": 3.0, "b": 5.0},
        "hexagons": {"Du": 2.0, "Dv": 16.0, "a": 3.0, "b": 7.0},
    }

    Du: Number = parameter(2.0, (0, 50), "diffusion of the activator u", symbol="Dᵤ", unit="dx²/time")
    Dv: Number = parameter(16.0, (0, 200), "diffusion of the inhibitor v", symbol="Dᵥ", unit="dx²/time")
    a: Number = parameter(3.0, (0, 20), "feed")
    b: Number = parameter(5.0, (0, 50), "control parameter")

    def kinetics(self, u, v):
        rate = u * u * v
        return self.a - (self.b + 1) * u + rate, self.b * u - rate

    def rest(self):
        return self.a, self.b / self.a
