"""FitzHugh–Nagumo with a diffusing inhibitor: excitable waves, and Turing labyrinths when v spreads fast."""

from typing import ClassVar

from .base import Number, ReactionDiffusion, parameter


class FitzHughNagumo(ReactionDiffusion):
    """The v-equation of a steady state is homogeneous in (Dv, ε): one picture determines only the ratio Dv/ε.

    At b = 0 the uniform state is (0, 0), Turing unstable at the defaults for Dv/Du > 11.7.
    """

    name: ClassVar = "fitzhugh-nagumo"
    fields: ClassVar = ("u", "v")
    diffusion: ClassVar = {"u": "Du", "v": "Dv"}
    equations: ClassVar = ("∂u/∂t = Du ∇²u + u − u³ − v", "∂v/∂t = Dv ∇²v + ε (u − a v − b)")
    citation: ClassVar = "R. FitzHugh, Biophys. J. 1, 445 (1961), eqs. 1–2, doi:10.1016/S0006-3495(61)86902-6"
    dt: ClassVar = 0.01
    presets: ClassVar = {
        "labyrinth": {"Du": 0.5, "Dv": 12.5, "eps": 4.0, "a": 0.5, "b": 0.0},
        "spots": {"Du": 0.5, "Dv": 12.5, "eps": 4.0, "a": 0.5, "b": -0.1},
    }

    Du: Number = parameter(0.5, (0, 20), "diffusion of the activator u", symbol="Dᵤ", unit="dx²/time")
    Dv: Number = parameter(12.5, (0, 200), "diffusion of the inhibitor v", symbol="Dᵥ", unit="dx²/time")
    eps: Number = parameter(4.0, (0, 50), "rate of the inhibitor", symbol="ε")
    a: Number = parameter(0.5, (0, 5), "decay of the inhibitor")
    b: Number = parameter(0.0, (-5, 5), "bias of the inhibitor")

    def kinetics(self, u, v):
        return u - u * u * u - v, self.eps * (u - self.a * v - self.b)

    def rest(self):
        return 0.0, 0.0

    def patch(self):
        return 0.5, 0.1
