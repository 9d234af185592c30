"""The grid: cells, spacing, boundary, and the Laplacian on it."""

import dataclasses
import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .base import ReactionDiffusion
from .contract import check_contract

BOUNDARIES = ("periodic", "no-flux")
FIVE_POINT = "five-point"
SCHEMES = (FIVE_POINT, "nine-point", "spectral")


@dataclasses.dataclass(frozen=True)
class Grid:
    """A rectangle of (rows, columns) square cells of side `dx`.

    `no-flux` sets the ghost cell equal to the edge cell, so that the Laplacian stays symmetric and the DCT-II
    diagonalises it. `scheme` is how ∇² is computed, with the second differences δ_x² and δ_y² over cells:

        five-point   (δ_x² + δ_y²)/dx²: what most codes do, and the only one that fused kernels know
        nine-point   (δ_x² + δ_y² + δ_x²δ_y²/6)/dx², weights 1/6 [1 4 1; 4 −20 4; 1 4 1]: its error −q⁴dx²/12 does not
                     know directions (M. Patra, M. Karttunen, Numer. Methods PDEs 22, 936 (2006),
                     doi:10.1002/num.20129); weights .05, .2, −1 are 3/10 of it
        spectral     −q², of the Fourier or cosine waves that the grid carries; no sparse matrix, so that nothing that
                     solves for a steady state (`polish`, `continue_branch`) serves it, but for `recover`

    Raises `BadInput` for fewer than 3 cells a side, dx ≤ 0, an unknown boundary or scheme, and for what is not
    supported yet: one and three dimensions, and cells that are not square.
    """

    shape: tuple[int, int]
    dx: float = 1.0
    boundary: str = "periodic"
    scheme: str = FIVE_POINT

    def __post_init__(self):
        _check_size(self.shape)
        if np.ndim(self.dx) > 0:
            rule = "must be one number: cells that are not square are not supported yet"
            raise BadInput("dx", rule, self.dx, "Resample to square cells.")
        if isinstance(self.dx, str) or not (np.isfinite(self.dx) and self.dx > 0):
            raise BadInput("dx", "must be positive", repr(self.dx) if isinstance(self.dx, str) else self.dx)
        if self.boundary not in BOUNDARIES:
            raise BadInput("boundary", f"must be one of {', '.join(BOUNDARIES)}", repr(self.boundary))
        if self.scheme not in SCHEMES:
            raise BadInput("laplacian", f"must be one of {', '.join(SCHEMES)}", repr(self.scheme))

    @functools.cached_property
    def five_point(self) -> "Grid":
        """The same cells with the five-point Laplacian."""
        return self if self.scheme == FIVE_POINT else dataclasses.replace(self, scheme=FIVE_POINT)

    def restated(self, dx: float | None = None, boundary: str | None = None, scheme: str | None = None) -> "Grid":
        """The same cells, with what is given in place of their own."""
        given = {"dx": dx, "boundary": boundary, "scheme": scheme}
        return dataclasses.replace(self, **{name: value for name, value in given.items() if value is not None})

    @property
    def stiffest(self) -> float:
        """The largest eigenvalue of −∇² on any grid of this scheme and cell size: 8/dx² of five points."""
        return {FIVE_POINT: 8.0, "nine-point": 16 / 3, "spectral": 2 * math.pi**2}[self.scheme] * self._inverse_area

    def laplacian(self, c: Float[Array, "*B H W"]) -> Float[Array, "*B H W"]:
        """∇²c by the grid's scheme; the sum of five points is taken in the order of the native kernels."""
        if self.scheme != FIVE_POINT:
            return self._by_symbol(c)
        if self.boundary == "periodic":
            west, east = jnp.roll(c, 1, -1), jnp.roll(c, -1, -1)
            north, south = jnp.roll(c, 1, -2), jnp.roll(c, -1, -2)
        else:
            west = jnp.concatenate([c[..., :, :1], c[..., :, :-1]], -1)
            east = jnp.concatenate([c[..., :, 1:], c[..., :, -1:]], -1)
            north = jnp.concatenate([c[..., :1, :], c[..., :-1, :]], -2)
            south = jnp.concatenate([c[..., 1:, :], c[..., -1:, :]], -2)
        return (((west + east) + (north + south)) - 4 * c) * self._inverse_area

    def _by_symbol(self, c: Float[Array, "*B H W"]) -> Float[Array, "*B H W"]:
        symbol = jnp.asarray(self.symbol, c.dtype).reshape((1,) * (c.ndim - 2) + self.shape)
        if self.boundary == "periodic":
            half = symbol[..., : self.shape[1] // 2 + 1]
            return jnp.fft.irfft2(half * jnp.fft.rfft2(c), s=self.shape).astype(c.dtype)
        there = jax.scipy.fft.dctn(c, axes=(-2, -1), norm="ortho")
        return jax.scipy.fft.idctn(symbol * there, axes=(-2, -1), norm="ortho").astype(c.dtype)

    @property
    def _inverse_area(self) -> float:
        return float(1 / self.dx**2)

    @functools.cached_property
    def symbol(self) -> np.ndarray:
        """Eigenvalues of ∇² (≤ 0), shape (H, W): in the order of `fft2` if periodic, of the DCT-II if no-flux."""
        rows, columns = (self._second_difference(n) for n in self.shape)
        crossed = np.multiply.outer(rows, columns) / 6 if self.scheme == "nine-point" else 0.0
        return (rows[:, None] + columns[None, :] + crossed) * self._inverse_area

    def _second_difference(self, n: int) -> np.ndarray:
        """Eigenvalues of the second difference, or of ∂², along an axis of n cells of side 1."""
        waves = 2 * np.pi * np.fft.fftfreq(n) if self.boundary == "periodic" else np.pi * np.arange(n) / n
        return -(waves**2) if self.scheme == "spectral" else 2 * np.cos(waves) - 2


def _check_size(shape) -> None:
    if np.ndim(shape) != 1 or len(shape) != 2:
        rule = "must be (rows, columns): only two dimensions are supported yet"
        remedy = "A line can be a strip of 3 equal rows; a slice of a volume is no plane system."
        raise BadInput("size", rule, shape, remedy)
    if min(shape) < 3 or any(n != int(n) for n in shape):
        raise BadInput("size", "must be at least 3 cells a side, whole numbers", shape)


class OnGrid(eqx.Module):
    """A reaction–diffusion system on a grid: the `Dynamics` with drift D∇²c + R(c) on states of shape (C, H, W)."""

    system: ReactionDiffusion
    grid: Grid = eqx.field(static=True)

    def __check_init__(self):
        check_contract(type(self.system))

    def drift(self, state: Float[Array, "*B C H W"]) -> Float[Array, "*B C H W"]:
        fields = tuple(state[..., i, :, :] for i in range(len(self.system.fields)))
        rates = self.system.kinetics(*fields)
        spread = (D * self.grid.laplacian(c) for D, c in zip(self.system.diffusivities(), fields, strict=True))
        return jnp.stack([a + jnp.broadcast_to(b, a.shape) for a, b in zip(spread, rates, strict=True)], -3)
