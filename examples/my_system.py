"""A system of one's own, in about 15 lines. Every verb takes it:

unstill simulate examples/my_system.py:Thomas --init noise --size 64 --steps 100000 --out runs/thomas
unstill recover runs/thomas --observe u,v --system examples/my_system.py:Thomas --out runs/thomas-recovered
"""

import unstill as us


class Thomas(us.ReactionDiffusion):
    """Substrate inhibition (Thomas 1975): oxygen v and uric acid u over an enzyme membrane."""

    name = "thomas"
    fields = ("u", "v")
    diffusion = {"u": "Du", "v": "Dv"}
    equations = ("∂u/∂t = Du ∇²u + a − u − ρuv/(1+u+Ku²)", "∂v/∂t = Dv ∇²v + α(b − v) − ρuv/(1+u+Ku²)")
    citation = "J. D. Murray, Mathematical Biology II (3rd ed., 2003), eq. 2.7"
    dt = 0.002

    Du: float = us.parameter(1.0, (0, 10))
    Dv: float = us.parameter(30.0, (0, 100))
    a: float = us.parameter(92.0, (0, 500))
    b: float = us.parameter(64.0, (0, 500))
    alpha: float = us.parameter(1.5, (0, 10), symbol="α")
    rho: float = us.parameter(18.5, (0, 50), symbol="ρ")
    K: float = us.parameter(0.1, (0, 1))

    def kinetics(self, u, v):
        h = self.rho * u * v / (1 + u + self.K * u * u)
        return self.a - u - h, self.alpha * (self.b - v) - h

    def rest(self):
        return 10.0, 9.0  # near the uniform state of the defaults
