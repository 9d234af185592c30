"""What a discovery returns."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from .._result import Estimate, Result, plain
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

    def drift(self, state: Float[Array | np.ndarray, "*M D"]) -> Float[Array, "*M D"]:
        """f(x)."""
        import jax.numpy as jnp

        state = jnp.asarray(state)
        held = jnp.broadcast_to(jnp.asarray(self.conditions, state.dtype), (*state.shape[:-1], len(self.conditions)))
        return self.library(jnp.concatenate([state, held], -1)) @ jnp.asarray(self.coefficients).T

    def at(self, **conditions: float) -> Equations:
        """The same equations under other values of the known conditions."""
        values = tuple(float(conditions[name]) for name in self.library.variables[self.coefficients.shape[0] :])
        return Equations(self.coefficients, self.covariance, self.library, values)

    def right_hand_sides(self) -> dict[str, str]:
        """One right-hand side a variable, such as "-10 x + 10 y"."""
        return right_hand_sides(self.fields, np.asarray(self.coefficients), self.library.names)

    def text(self) -> str:
        """The equations, one a line."""
        return "\n".join(f"d{name}/dt = {side}" for name, side in self.right_hand_sides().items())

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


@dataclasses.dataclass(frozen=True, eq=False, repr=False)  # by identity: arrays have no hash, and dynamics need one
class Discovery(Result):
    """The dynamics that a library has to offer for a heap of points or pictures, and how far the heap determines them.

    `nullity` is the dimension of the admissible space (0: none fits); `equations` its sparsest member, and
    `representatives` a sparse basis of it (N, D, L) with `representative_covariances` (N, D, D). `std` are standard
    deviations of the coefficients where the nullity is 1 (with a free scale: at unit speed), given that these are
    the terms; None where the estimate that has them finds no minimum. `scale` and `sign` say what fixes the pace
    and the arrow of time, or "free": then every multiple, or the reverse, fits as well. `spectrum` are the
    eigenvalues of the weak form per degree of freedom at the best weights; `tests` pairs (statistic, limit) of the
    candidates for the space, in order. `dispersion`, `telescopes`, `misfit`: see `NullSpace`. `noise` is the
    standard deviation of measurement noise, by variable, that was taken out; `periodic` are the periods of the
    variables that have one.

    Of pictures: `std` are given that these are the terms; `sparsity` says for each equation, or for all fields of a
    moving ensemble together, why these; `tests` and `spectrum` are shares that stay open at rest; `count` are cells.
    `source` is what was given, for figures: the first heap of points, or pictures by field.
    """

    verb: ClassVar = "discover"
    failures: ClassVar = (Status.NO_FIT,)

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
    periodic: dict[str, float] = dataclasses.field(default_factory=dict)
    source: Any = None

    @property
    def variables(self) -> tuple[str, ...]:
        return self.equations.fields

    @property
    def coefficients(self) -> Float[np.ndarray, "D L"]:
        """coefficients[i, j] multiplies term j in dx_i/dt, in the input's own units."""
        return np.asarray(self.equations.coefficients)

    def drift(self, state: Float[Array | np.ndarray, "*M D"]) -> Float[Array, "*M D"]:
        """The drift of `equations`: a discovery is a `Dynamics` too."""
        import jax.numpy as jnp

        return self.equations.drift(jnp.asarray(state))

    @property
    def parameters(self) -> dict[str, Estimate]:
        """The coefficients that are not zero, under the names that `fix` takes: "x:y" for the term y in dx/dt."""
        found, terms = {}, self.equations.library.names
        for i, j in zip(*np.nonzero(self.coefficients), strict=True):
            value = float(self.coefficients[i, j])
            std = None if self.std is None else float(self.std[i, j])
            known = std is not None and np.isfinite(std)
            name = f"{self.variables[i]}:{terms[j]}"
            found[name] = Estimate.normal(value, std) if known and std is not None else Estimate(value)
        return found

    def to_dict(self) -> dict[str, Any]:
        reasons = None if self.sparsity is None else {name: _reason(each) for name, each in self.sparsity.items()}
        return {
            "variables": list(self.variables),
            "conditions": list(self.equations.library.variables[len(self.variables) :]),
            "status": str(self.status),
            "message": self.message,
            "equations": self.equations.right_hand_sides(),
            "latex": self.equations.latex(),
            "terms": list(self.equations.library.names),
            "coefficients": plain(self.coefficients),
            "std": plain(self.std),
            "covariance": plain(self.equations.covariance),
            "nullity": self.nullity,
            "spectrum": plain(self.spectrum),
            "tests": [{"statistic": float(s), "limit": float(limit)} for s, limit in self.tests],
            "scale": self.scale,
            "sign": self.sign,
            "representatives": [plain(member) for member in self.representatives],
            "representative_covariances": plain(self.representative_covariances),
            "noise": plain(self.noise),
            "periodic": plain(self.periodic),
            "dispersion": float(self.dispersion),
            "telescopes": bool(self.telescopes),
            "misfit": float(self.misfit),
            "points": self.count,
            "functionals": self.functionals,
            "sparsity": reasons,
            "seconds": float(self.seconds),
        }

    def texts(self) -> dict[str, str]:
        return {"equations.tex": self.equations.latex() + "\n"}

    def table(self) -> list[list[str]]:
        return [[f"d{name}/dt = {side}"] for name, side in self.equations.right_hand_sides().items()]

    def notes(self) -> list[str]:
        lines = []
        if self.sign == "free" and self.status is not Status.NO_FIT:
            lines.append("or the same with every sign turned: points alone do not tell which way time runs")
        if self.equations.covariance is not None:
            lines.append(f"covariance of the noise per unit time: {plain(self.equations.covariance)}")
        if self.noise:
            levels = ", ".join(f"{name} {level:.3g}" for name, level in self.noise.items())
            lines.append(f"measurement noise taken out: {levels}")
        return [*lines, f"nullity {self.nullity}; pace of time: {self.scale}; arrow of time: {self.sign}"]


def _reason(sparsity: Sparsity) -> dict[str, Any]:
    tried = [{"terms": n, "open": float(value)} for n, value in sparsity.open.items()]
    return {"terms": sparsity.terms, "open": tried, "second": plain(sparsity.second)}
