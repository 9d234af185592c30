"""The Gray–Scott system: the model of self-replicating spots, and of most of this project's questions."""

from typing import ClassVar

from .base import Number, ReactionDiffusion, parameter


def _preset(Du: float, Dv: float, F: float, k: float) -> dict[str, float]:
    return {"Du": Du, "Dv": Dv, "F": F, "k": k}


class GrayScott(ReactionDiffusion):
    """u + 2v → 3v, v → inert, u fed and both washed out. The uniform state (1, 0) is stable and absorbs: "dead".

    Presets are named after what they show on a grid of dx = 1 at dt = 1; `pearson` has the diffusion of Pearson's
    paper in units of his grid spacing, 2.5/256.
    """

    name: ClassVar = "gray-scott"
    fields: ClassVar = ("u", "v")
    diffusion: ClassVar = {"u": "Du", "v": "Dv"}
    equations: ClassVar = ("∂u/∂t = Du ∇²u − u v² + F (1 − u)", "∂v/∂t = Dv ∇²v + u v² − (F + k) v")
    stays_within: ClassVar = (0.0, 1.0)
    amounts: ClassVar = True
    citation: ClassVar = "J. E. Pearson, Science 261, 189 (1993), eq. 2, doi:10.1126/science.261.5118.189"
    presets: ClassVar = {
        "spots": _preset(0.16, 0.08, 0.035, 0.065),
        "dots": _preset(0.16, 0.08, 0.04, 0.07),
        "stripes": _preset(0.16, 0.08, 0.035, 0.060),
        "spirals": _preset(0.16, 0.08, 0.007, 0.028),
        "waves": _preset(0.16, 0.08, 0.018, 0.049),
        "holes": _preset(0.16, 0.08, 0.039, 0.058),
        "chaos": _preset(0.10, 0.05, 0.026, 0.051),
        "maze": _preset(0.16, 0.08, 0.029, 0.057),
        "life": _preset(0.16, 0.08, 0.006, 0.045),
        "bubbles": _preset(0.16, 0.08, 0.090, 0.059),
        "worms": _preset(0.16, 0.08, 0.046, 0.063),
        "solitons": _preset(0.10, 0.05, 0.030, 0.060),
        "pulsating_solitons": _preset(0.10, 0.05, 0.025, 0.060),
        "u_skate": _preset(0.16, 0.08, 0.062, 0.061),
        "fingerprints": _preset(0.16, 0.08, 0.040, 0.064),
        "pearson": _preset(2e-5 * (256 / 2.5) ** 2, 1e-5 * (256 / 2.5) ** 2, 0.037, 0.060),
    }

    Du: Number = parameter(0.16, (0, 5), "diffusion of the substrate u", symbol="Dᵤ", unit="dx²/time")
    Dv: Number = parameter(0.08, (0, 5), "diffusion of the activator v", symbol="Dᵥ", unit="dx²/time")
    F: Number = parameter(0.035, (0, 0.3), "feed rate", unit="1/time")
    k: Number = parameter(0.065, (0, 0.3), "kill rate", unit="1/time")

    def kinetics(self, u, v):
        rate = u * v * v
        return self.F * (1 - u) - rate, rate - (self.F + self.k) * v

    def rest(self):
        return 1.0, 0.0

    def patch(self):
        return 0.5, 0.25
