"""Right-hand sides of reaction–diffusion equations: reaction terms, and the Laplacian of every field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._errors import BadInput
from ..observations.spectrum import inverse, transform
from ..simulation import Grid
from ..systems.grid import FIVE_POINT
from .equation_text import right_hand_sides
from .library import Library, Term, find_library, latex_name


@dataclasses.dataclass(frozen=True)
class FieldLibrary:
    """Reaction terms of C fields, point by point, then lap c for every field c: L terms.

    lap c stands in the equation of c alone, or with `cross` in all of them. The Laplacian is that of the grid.
    """

    reactions: Library
    cross: bool = False

    @classmethod
    def find(cls, name: str | Mapping[str, Callable[..., Array]], fields: Sequence[str], cross: bool) -> FieldLibrary:
        """From a library's name, `file.py:NAME` or mapping of reaction terms; raises `BadInput`."""
        return cls(find_library(name, fields), cross)

    @property
    def fields(self) -> tuple[str, ...]:
        return self.reactions.variables

    @property
    def terms(self) -> tuple[Term, ...]:
        def spreading(*c: Array) -> Array:
            raise TypeError("a Laplacian is no function of the values at one point")

        laplacians = [Term(f"lap {name}", rf"\nabla^2 {latex_name(name)}", spreading) for name in self.fields]
        return (*self.reactions.terms, *laplacians)

    @property
    def variables(self) -> tuple[str, ...]:
        return self.fields

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(term.name for term in self.terms)

    @property
    def allowed(self) -> Bool[np.ndarray, "C L"]:
        """Which terms may stand in which equation."""
        C, R = len(self.fields), len(self.reactions.terms)
        return np.concatenate([np.ones((C, R), bool), np.ones((C, C), bool) if self.cross else np.eye(C) > 0], 1)

    def laplacian_of(self, field: int) -> int:
        """The place of lap c among the terms."""
        return len(self.reactions.terms) + field

    def index(self, argument: str, name: str) -> int:
        """The place of a term, however its factors are ordered; raises `BadInput`."""
        return Library(self.fields, self.terms).index(argument, name)

    def columns(self, grid: Grid, c: Float[np.ndarray, "C H W"]) -> Float[np.ndarray, "L H W"]:
        """All terms at all cells of one picture, on the host. Raises `BadInput` for a term that is not finite there."""
        values = self.reactions.evaluate(c.reshape(len(c), -1).T).T.reshape(-1, *c.shape[1:])
        return np.concatenate([values, laplacian(grid, c)])


def laplacian(grid: Grid, c: Float[np.ndarray, "*B H W"]) -> Float[np.ndarray, "*B H W"]:
    """`Grid.laplacian` in NumPy: one picture of its own a call is too little work for JAX."""
    if grid.scheme != FIVE_POINT:
        return inverse(grid, grid.symbol * transform(grid, c))
    mode = "wrap" if grid.boundary == "periodic" else "edge"
    wide = np.pad(c, [(0, 0)] * (c.ndim - 2) + [(1, 1)] * 2, mode=mode)
    around = wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:] + wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1]
    return (around - 4 * c) / grid.dx**2


class FieldEquations(eqx.Module):
    """∂c_a/∂t = Σ_j c_aj θ_j on a grid: the `Dynamics` of states (C, H, W); `coefficients` in the input's own units."""

    coefficients: Float[Array | np.ndarray, "C L"]
    library: FieldLibrary = eqx.field(static=True)
    grid: Grid = eqx.field(static=True)

    covariance = None  # of a noise term: pictures are taken as deterministic
    conditions = ()

    @property
    def fields(self) -> tuple[str, ...]:
        return self.library.fields

    def drift(self, state: Float[Array, "*B C H W"]) -> Float[Array, "*B C H W"]:
        """The right-hand sides at every cell."""
        state = jnp.asarray(state)
        values = self.library.reactions(jnp.moveaxis(state, -3, -1))
        spread = jnp.moveaxis(self.grid.laplacian(state), -3, -1)
        terms = jnp.concatenate([values, spread], -1)
        return jnp.moveaxis(terms @ jnp.asarray(self.coefficients, state.dtype).T, -1, -3)

    def right_hand_sides(self) -> dict[str, str]:
        """One right-hand side a field."""
        return right_hand_sides(self.fields, np.asarray(self.coefficients), self.library.names)

    def text(self) -> str:
        """The equations, one a line."""
        return "\n".join(f"∂{name}/∂t = {side}" for name, side in self.right_hand_sides().items())

    def latex(self) -> str:
        """An `aligned` block."""
        names = [term.latex for term in self.library.terms]
        sides = right_hand_sides(self.fields, np.asarray(self.coefficients), names, tex=True)
        lines = [rf"\partial_t {latex_name(name)} &= {side}" for name, side in sides.items()]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def known_coefficients(
    given: Mapping[tuple[int, int], float], library: FieldLibrary
) -> tuple[Float[np.ndarray, "C L"], Bool[np.ndarray, "C L"]]:
    """Known coefficients (0 elsewhere), and which are free; raises `BadInput` for a term where it cannot stand."""
    known, free = np.zeros(library.allowed.shape), library.allowed.copy()
    for (a, j), value in given.items():
        if not library.allowed[a, j]:
            name = f"{library.fields[a]}:{library.names[j]}"
            raise BadInput("fix", "must name a term that may stand in this equation", name, "Pass `cross=True`.")
        known[a, j], free[a, j] = value, False
    return known, free
