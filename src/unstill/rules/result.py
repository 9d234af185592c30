"""What `learn_rule` returns."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._result import Result, plain
from .._types import Status
from ..discovery.equation_text import right_hand_sides
from ..observations import Snapshots
from .arrays import RULE_FILE, rule_arrays
from .equation import natural_coefficients
from .rule import Rule
from .terms import Polynomials, Splines

_KEPT_PICTURES = 4  # to be moved


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LearntRule(Result):
    """A local rule that preserves the pictures, and how far they determine it.

    `chi2` with `dof` degrees of freedom says whether it preserves them (its mean is `dof` where it does); `nullity` is
    how many independent fields of the family do (1: this one only, up to pace and arrow); `error` the relative error
    of the field in the mean over the pictures, √(E|f − f̂|²/E|f|²), that the scatter of the pictures leaves.
    `family` is the one that was asked for, `level` the smallest of those nested in it that suffices, and `levels` their
    (χ², degrees of freedom, numbers). `std` are standard deviations of `rule.coefficients`. `sparse` are coefficients
    of the features' own monomials of the nearest sparse equation, None where there is none.
    """

    verb: ClassVar = "flow"
    drawn_as: ClassVar = "rule"
    failures: ClassVar = (Status.NO_FIT, Status.UNIDENTIFIABLE, Status.NOT_CONVERGED)

    rule: Rule
    family: str
    level: str
    levels: dict[str, tuple[float, int, int]]
    pictures: Snapshots
    status: Status
    message: str
    chi2: float
    dof: int
    dispersion: float
    nullity: int
    error: float
    scale: str
    sign: str
    std: Float[np.ndarray, "C J"]
    diffusivities: Float[np.ndarray, " C"]
    sparse: Float[np.ndarray, "C J"] | None
    noise: dict[str, float]
    functionals: int
    seconds: float

    @property
    def fields(self) -> tuple[str, ...]:
        return self.rule.fields

    @property
    def grid(self):
        return self.pictures.grid

    def drift(self, state):
        """dc/dt: a learnt rule is a `Dynamics`."""
        return self.rule.drift(state)

    @property
    def dt(self) -> float:
        """A stable time step in the rule's units of time."""
        return self.rule.dt

    @property
    def natural(self) -> Float[np.ndarray, "C J"]:
        """Coefficients of `rule.terms.names` in the fields' own units."""
        terms, table = self.rule.terms, np.asarray(self.rule.coefficients)
        if isinstance(terms, Polynomials):
            return natural_coefficients(terms, table)
        assert isinstance(terms, Splines)
        linear = len(terms.names) - len(terms.kept)
        scale = np.ones(len(terms.names))
        scale[:linear] = terms.scale[len(self.fields) : len(self.fields) + linear]
        return table / scale

    def equations(self) -> dict[str, str] | None:
        """The right-hand sides of the nearest sparse equation."""
        return None if self.sparse is None else right_hand_sides(self.fields, self.sparse, self.rule.terms.names)

    def to_dict(self) -> dict[str, Any]:
        names, table = self.rule.terms.names, self.natural
        return {
            "fields": list(self.fields),
            "family": self.family,
            "level": self.level,
            "status": str(self.status),
            "message": self.message,
            "chi2": plain(self.chi2),
            "dof": self.dof,
            "dispersion": plain(self.dispersion),
            "nullity": self.nullity,
            "error": plain(self.error),
            "scale": self.scale,
            "sign": self.sign,
            "terms": list(names),
            "coefficients": {c: plain(row) for c, row in zip(self.fields, table, strict=True)},
            "equation": self.equations(),
            "diffusivities": {c: float(d) for c, d in zip(self.fields, self.diffusivities, strict=True)},
            "levels": {n: dict(zip(("chi2", "dof", "numbers"), v, strict=True)) for n, v in self.levels.items()},
            "noise": self.noise,
            "dt": self.dt,
            "functionals": self.functionals,
            "pictures": self.pictures.count,
            "seconds": self.seconds,
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        some = {name: values[:_KEPT_PICTURES] for name, values in self.pictures.fields.items()}
        return {RULE_FILE: rule_arrays(self.rule), "states.npz": some}

    def notes(self) -> list[str]:
        lines = [
            f"χ² {self.chi2:.0f} with {self.dof} degrees of freedom; {self.nullity} independent field"
            f"{'' if self.nullity == 1 else 's'} of the family; relative error of the field {self.error:.2g}",
            f"pace of time: {self.scale}; arrow of time: {self.sign}",
        ]
        for field, side in (self.equations() or {}).items():
            lines.append(f"d{field}/dt = {side}")
        return lines
