"""What a cell sees: its own fields, and isotropic invariants of its neighbours. One definition for NumPy and JAX.

    laplacian    ∇²c_a by the five-point stencil (that of `Grid`)
    biharmonic   ∇⁴c_a = ∇²(∇²c_a)
    gradient     ∇c_a·∇c_b by central differences, every pair a ≤ b; of order 2 in the fields

These are all the invariants of the first and second derivatives that a rule of first order in each can use; what does
not turn with the picture (an advection, a preferred direction) is no such rule.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._arguments import listed
from .._errors import BadInput, nearest
from ..systems.grid import FIVE_POINT

NEIGHBOURHOODS = ("laplacian", "biharmonic", "gradient")


@dataclasses.dataclass(frozen=True)
class Neighbourhood:
    """The features of cells of `fields`: first the fields themselves, then the invariants that `kinds` name."""

    fields: tuple[str, ...]
    kinds: tuple[str, ...] = ("laplacian",)
    dx: float = 1.0
    boundary: str = "periodic"

    @classmethod
    def make(cls, fields, kinds, grid) -> Neighbourhood:
        """Raises `BadInput` for an unknown kind."""
        kinds = tuple(listed(kinds))
        for kind in kinds:
            if kind not in NEIGHBOURHOODS:
                raise BadInput("neighbourhood", "must be a known one", repr(kind), nearest(kind, NEIGHBOURHOODS))
        if grid.scheme != FIVE_POINT:
            raise BadInput("pictures", "must be of a five-point Laplacian", grid.scheme)
        return cls(tuple(fields), kinds, float(grid.dx), grid.boundary)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The fields (a, b) of each gradient."""
        return list(itertools.combinations_with_replacement(range(len(self.fields)), 2))

    @property
    def names(self) -> tuple[str, ...]:
        """One name a feature."""
        names = list(self.fields)
        for kind, word in (("laplacian", "lap"), ("biharmonic", "bilap")):
            names += [f"{word} {c}" for c in self.fields] if kind in self.kinds else []
        if "gradient" in self.kinds:
            names += [f"grad {self.fields[a]}·grad {self.fields[b]}" for a, b in self.pairs]
        return tuple(names)

    @property
    def orders(self) -> tuple[int, ...]:
        """How often the fields stand in each feature."""
        return tuple(2 if "·" in name else 1 for name in self.names)

    @property
    def owners(self) -> tuple[int | None, ...]:
        """The field in whose equation a feature may stand by itself, for kinetics; None for the fields' own values."""
        C = len(self.fields)
        linear = [*range(C)] * sum(kind in self.kinds for kind in ("laplacian", "biharmonic"))
        return (*[None] * C, *linear, *[None] * (len(self.names) - C - len(linear)))

    def features(self, c: Any) -> Any:
        """The features (…, F, H, W) of states (…, C, H, W): NumPy, complex too, or JAX."""
        xp = jnp if isinstance(c, jax.Array) else np
        parts = [c]
        if {"laplacian", "biharmonic"} & set(self.kinds):
            laplacian = self._laplacian(xp, c)
            parts += [laplacian] if "laplacian" in self.kinds else []
            parts += [self._laplacian(xp, laplacian)] if "biharmonic" in self.kinds else []
        if "gradient" in self.kinds:
            west, east, north, south = self._around(xp, c)
            across, down = (east - west) / (2 * self.dx), (south - north) / (2 * self.dx)
            one, other = (xp.asarray(index) for index in zip(*self.pairs, strict=True))
            parts += [across[..., one, :, :] * across[..., other, :, :] + down[..., one, :, :] * down[..., other, :, :]]
        return xp.concatenate(parts, -3)

    def _around(self, xp: Any, c: Any) -> tuple[Any, Any, Any, Any]:
        """The neighbours to the west, east, north and south of every cell."""
        mode = "wrap" if self.boundary == "periodic" else "edge"
        wide = xp.pad(c, [(0, 0)] * (c.ndim - 2) + [(1, 1)] * 2, mode=mode)
        return wide[..., 1:-1, :-2], wide[..., 1:-1, 2:], wide[..., :-2, 1:-1], wide[..., 2:, 1:-1]

    def _laplacian(self, xp: Any, c: Any) -> Any:
        west, east, north, south = self._around(xp, c)
        return ((west + east) + (north + south) - 4 * c) / self.dx**2
