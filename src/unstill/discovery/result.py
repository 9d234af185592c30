"""What a discovery returns."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from .._types import Status
from .equation_text import right_hand_sides
from .field_library import FieldEquations
from .library import Library, latex_name


class Equations(eqx.Module):
    """dx_i/dt = Σ_j c_ij θ_j(x), a `Dynamics`: `coefficients` in the input's own units; Σ = σσᵀ where there is noise.

    `conditions` are the values of known conditions that the terms hold besides the variables.
    """

    coefficients: Float[Array | np.ndarray, "D L"]
    covariance: Float[Array | np.ndarray, "D D"] | None
    library: Library = eqx.field(static=True)
    conditions: tuple[float, ...] = eqx.field(static=True, default=())

    @property
    def fields(self) -> tuple[str, ...]:
        """The variables."""
        return self.library.variables[: self.coefficients.shape[0]]

    def drift(self, state: Float[Array, "*M D"]) -> Float[Array, "*M D"]:
        """f(x)."""
        import jax.numpy as jnp

        state = jnp.asarray(state)
        held = jnp.broadcast_to(jnp.asarray(self.conditions, state.dtype), (*state.shape[:-1], len(self.conditions)))
        return self.library(jnp.concatenate([state, held], -1)) @ jnp.asarray(self.coefficients).T

    def at(self, **conditions: float) -> Equations:
        """The same equations under other values of the known conditions."""
        values = tuple(float(conditions[name]) for name in self.library.variables[self.coefficients.shape[0] :])
        return Equations(self.coefficients, self.covariance, self.library, values)

    def text(self) -> dict[str, str]:
        """One right-hand side a variable, such as "-10 x + 10 y"."""
        return right_hand_sides(self.fields, np.asarray(self.coefficients), self.library.names)

    def latex(self) -> str:
        """An `aligned` block."""
        names = [term.latex for term in self.library.terms]
        sides = right_hand_sides(self.fields, np.asarray(self.coefficients), names, tex=True)
        lines = [rf"\dot{{{latex_name(name)}}} &= {side}" for name, side in sides.items()]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


@dataclasses.dataclass(frozen=True)
class Sparsity:
    """Why so many `terms` were taken: what stays `open` at best, by number of terms, and what the `second` best of as
    many leaves open (None: there is none)."""

    terms: int
    open: dict[int, float]
    second: float | None


@dataclasses.dataclass(frozen=True, eq=False)  # by identity: arrays have no hash, and dynamics need one
class Discovery:
    """The dynamics that a library has to offer for a heap of points or pictures, and how far the heap determines them.

    `nullity` is the dimension of the admissible space (0: none fits); `equations` its sparsest member, and
    `representatives` a sparse basis of it (N, D, L) with `representative_covariances` (N, D, D). `std` are standard
    deviations of the coefficients where the nullity is 1 (with a free scale: at unit speed), given that these are
    the terms; None where the estimate that has them finds no minimum. `scale` and `sign` say what fixes the pace
    and the arrow of time, or "free": then every multiple, or the reverse, fits as well. `spectrum` are the
    eigenvalues of the weak form per degree of freedom at the best weights; `tests` pairs (statistic, limit) of the
    candidates for the space, in order. `dispersion`, `telescopes`, `misfit`: see `NullSpace`. `noise` is the
    standard deviation of measurement noise, by variable, that was taken out.

    Of pictures: `std` are given that these are the terms; `sparsity` says for each equation, or for all fields of a
    moving ensemble together, why these; `tests` and `spectrum` are shares that stay open at rest; `count` are cells.
    """

    equations: Equations | FieldEquations
    status: Status
    message: str
    nullity: int
    spectrum: Float[np.ndarray, " p"]
    tests: tuple[tuple[float, float], ...]
    scale: str
    sign: str
    representatives: Float[np.ndarray, "N D L"]
    representative_covariances: Float[np.ndarray, "N D D"] | None
    std: Float[np.ndarray, "D L"] | None
    dispersion: float
    telescopes: bool
    misfit: float
    noise: dict[str, float]
    count: int
    functionals: int
    seconds: float
    sparsity: dict[str, Sparsity] | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        return self.equations.fields

    @property
    def coefficients(self) -> Float[np.ndarray, "D L"]:
        """coefficients[i, j] multiplies term j in dx_i/dt, in the input's own units."""
        return np.asarray(self.equations.coefficients)

    def drift(self, state: Float[Array, "*M D"]) -> Float[Array, "*M D"]:
        """The drift of `equations`: a discovery is a `Dynamics` too."""
        return self.equations.drift(state)
