"""A camera on a grid: its curve, cell by cell, and its blur, which mixes neighbours."""

import dataclasses

import numpy as np
from jaxtyping import Float

from ..observations.camera import Camera
from ..observations.spectrum import inverse, transform
from ..systems.grid import Grid


@dataclasses.dataclass(frozen=True)
class Optics:
    """y = G (gain · c^gamma + offset), G = 1 + blur dx²∇², with the grid's own ∇²; `values` are of the camera's
    unknowns. Where the blur is known to be 0, no step of it is taken."""

    camera: Camera
    grid: Grid

    @property
    def is_sharp(self) -> bool:
        return self.camera.blur == 0.0

    def picture(self, values: Float[np.ndarray, " U"], c: Float[np.ndarray, "*B H W"]):
        """y, ∂(sharp y)/∂c and ∂y/∂(each unknown), shape (U, *B, H, W)."""
        y, slope, slopes = self.camera.picture(values, c)
        if self.is_sharp:
            return y, slope, slopes
        share = self.camera.share(values)
        slopes = self.blurred(slopes, share)
        if self.camera.blur is None:
            slopes[-1] = self._applied(y, self._laplacian)
        return self.blurred(y, share), slope, slopes

    def concentration(self, values: Float[np.ndarray, " U"], y: Float[np.ndarray, "*B H W"]):
        """c behind the picture y, and ∂c/∂(each unknown), shape (U, *B, H, W)."""
        if self.is_sharp:
            return self.camera.concentration(values, y)
        symbol = 1 + self.camera.share(values) * self._laplacian
        c, slopes = self.camera.concentration(values, self._applied(y, 1 / symbol))
        if self.camera.blur is None:
            slopes[-1] *= self._applied(y, -self._laplacian / symbol**2)
        return c, slopes

    def blurred(self, y: Float[np.ndarray, "*B H W"], share: float) -> Float[np.ndarray, "*B H W"]:
        """G y."""
        return self._applied(y, 1 + share * self._laplacian)

    def _applied(self, y: np.ndarray, symbol: np.ndarray) -> np.ndarray:
        return inverse(self.grid, symbol * transform(self.grid, y)) if y.size else y

    @property
    def _laplacian(self) -> Float[np.ndarray, "H W"]:
        """The eigenvalues of dx²∇²."""
        return self.grid.symbol * self.grid.dx**2
