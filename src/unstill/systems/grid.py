"""The grid: cells, spacing, boundary, and the five-point Laplacian on it."""

import dataclasses
import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .base import ReactionDiffusion
from .contract import check_contract

BOUNDARIES = ("periodic", "no-flux")


@dataclasses.dataclass(frozen=True)
class Grid:
    """A rectangle of (rows, columns) square cells of side `dx`.

    `no-flux` sets the ghost cell equal to the edge cell, so that the Laplacian stays symmetric and the DCT-II
    diagonalises it. Raises `BadInput` for fewer than 3 cells a side, dx ≤ 0, an unknown boundary, and for what is not
    supported yet: one and three dimensions, and cells that are not square.
    """

    shape: tuple[int, int]
    dx: float = 1.0
    boundary: str = "periodic"

    def __post_init__(self):
        _check_size(self.shape)
        if np.ndim(self.dx) > 0:
            rule = "must be one number: cells that are not square are not supported yet"
            raise BadInput("dx", rule, self.dx, "Resample to square cells.")
        if not (np.isfinite(self.dx) and self.dx > 0):
            raise BadInput("dx", "must be positive", self.dx)
        if self.boundary not in BOUNDARIES:
            raise BadInput("boundary", f"must be one of {', '.join(BOUNDARIES)}", repr(self.boundary))

    def laplacian(self, c: Float[Array, "*B H W"]) -> Float[Array, "*B H W"]:
        """∇²c by the five-point stencil; the sum is taken in the order of the native kernels."""
        if self.boundary == "periodic":
            west, east = jnp.roll(c, 1, -1), jnp.roll(c, -1, -1)
            north, south = jnp.roll(c, 1, -2), jnp.roll(c, -1, -2)
        else:
            west = jnp.concatenate([c[..., :, :1], c[..., :, :-1]], -1)
            east = jnp.concatenate([c[..., :, 1:], c[..., :, -1:]], -1)
            north = jnp.concatenate([c[..., :1, :], c[..., :-1, :]], -2)
            south = jnp.concatenate([c[..., 1:, :], c[..., -1:, :]], -2)
        return (((west + east) + (north + south)) - 4 * c) * self._inverse_area

    @property
    def _inverse_area(self) -> float:
        return float(1 / self.dx**2)

    @functools.cached_property
    def symbol(self) -> np.ndarray:
        """Eigenvalues of ∇² (≤ 0), shape (H, W): in the order of `fft2` if periodic, of the DCT-II if no-flux."""
        period = 1 if self.boundary == "periodic" else 2
        rows, columns = (
            (2 * np.cos(2 * np.pi * np.arange(n) / (period * n)) - 2) * self._inverse_area for n in self.shape
        )
        return rows[:, None] + columns[None, :]


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
