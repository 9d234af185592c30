"""A system whose stripes of two cells are known in closed form, with their fold and all their eigenvalues.

∂u/∂t = Du∇²u + r u + u³ − u⁵ − w, ∂w/∂t = Dw∇²w + u − w: on the five-point lattice (dx = 1) stripes u = ±a, w = ±b of
one column each see ∇² as −4, so that b = a/(1 + 4 Dw) and r = 4 Du + 1/(1 + 4 Dw) − a² + a⁴: a fold at a² = 1/2. u² is
the same everywhere, so that the waves of the lattice are the eigenvectors of the Jacobian.
"""

from typing import ClassVar

import numpy as np

from unstill.systems import Grid, Number, ReactionDiffusion, parameter

DU, DW = 4 / 289, 4.0  # waves with −∇² = 4 are the first to grow
ONSET = 4 * DU + 1 / (1 + 4 * DW)
FOLD = ONSET - 0.25


class Stripes(ReactionDiffusion):
    name: ClassVar = "stripes"
    fields: ClassVar = ("u", "w")
    diffusion: ClassVar = {"u": "Du", "w": "Dw"}
    equations: ClassVar = ("∂u/∂t = Du ∇²u + r u + u³ − u⁵ − w", "∂w/∂t = Dw ∇²w + u − w")
    dt: ClassVar = 0.1

    Du: Number = parameter(DU, (0, 1), "diffusion of u")
    Dw: Number = parameter(DW, (0, 10), "diffusion of w")
    r: Number = parameter(0.0, (-2, 2), "growth")

    def kinetics(self, u, w):
        return self.r * u + u**3 - u**5 - w, u - w

    def rest(self):
        return 0.0, 0.0

    def patch(self):
        return 1.0, 0.0


def amplitudes(r: float) -> list[float]:
    """a of the stripes that exist, the larger one first."""
    root = np.sqrt(complex(r - FOLD))
    squares = [0.5 + root, 0.5 - root]
    return [float(np.sqrt(x.real)) for x in squares if abs(x.imag) < 1e-12 and x.real > 0]


def stripes(r: float, grid: Grid, which: int = 0) -> np.ndarray:
    """The state (2, H, W)."""
    a = amplitudes(r)[which]
    u = np.broadcast_to(a * (-1.0) ** np.arange(grid.shape[1]), grid.shape)
    return np.stack([u, u / (1 + 4 * DW)])


def eigenvalues(r: float, a: float, grid: Grid) -> np.ndarray:
    """All of them, by falling real part."""
    q = -grid.symbol.ravel()
    slope = r + 3 * a**2 - 5 * a**4
    blocks = np.array([[[slope - DU * each, -1.0], [1.0, -1 - DW * each]] for each in q])
    found = np.linalg.eigvals(blocks).ravel().astype(complex)
    return found[np.argsort(-found.real)]
