"""What a heap of points determines, in words: the nullity of a library, both signs, the pace of time."""

import dataclasses
from typing import Any

import numpy as np

from .._errors import BadInput

# What no heap of points tells, in any language.
_ARROW = "the arrow of time: a field and its reverse preserve the same points"
_PACE = "the pace of time: so does every multiple c·v, and c(x)·v where c is constant along the orbits"
_FORM = "the field, without a language: D(x)·s + ∇·D preserves the points for every antisymmetric matrix D(x)"


@dataclasses.dataclass(frozen=True)
class Admissible:
    """A `Discovery` as a family of dynamics: a basis of the fields of a library that preserve the points."""

    found: Any

    def members(self) -> list[Any]:
        """The sparse representatives, as `Dynamics`; none where the nullity is 0."""
        return [self._of(c) for c in self.found.representatives[: self.found.nullity]]

    def _of(self, coefficients):
        return dataclasses.replace(self.found.equations, coefficients=np.asarray(coefficients), covariance=None)

    def texts(self, sign: int) -> list[dict[str, str]]:
        """The equations of each member, or with sign −1 of its reverse."""
        return [self._of(sign * np.asarray(one.coefficients)).right_hand_sides() for one in self.members()]


def admissible(points, library: str, seed: int) -> Admissible | str:
    """The fields of a library that preserve the points, or why that cannot be told."""
    from ..discovery import discover

    try:
        return Admissible(discover(points, library, seed=seed))
    except BadInput as error:
        return str(error)


def report(equations: Admissible | str, library: str, dimension: int) -> dict[str, Any]:
    """The `identifiability` of `result.json`."""
    free = [_ARROW, _PACE, *([_FORM] if dimension > 1 else [])]
    if isinstance(equations, str):
        told = f"nothing within {library}: not tested ({equations})"
        return {
            "library": library, "nullity": None, "equations": [], "reversed": [], "determined": [],
            "free": [*free, told],
        }  # fmt: skip
    nullity, texts = equations.found.nullity, equations.texts(1)
    determined = []
    if nullity == 0:
        determined.append(f"no field of {library} preserves the points")
    elif nullity == 1:
        shown = "; ".join(f"d{name}/dt = {text}" for name, text in texts[0].items())
        determined.append(f"within {library} one field, up to pace and arrow: {shown}")
    else:
        free.append(f"within {library} {nullity} numbers: the fields that preserve the points are sums of {nullity}")
    return {
        "library": library,
        "nullity": nullity,
        "equations": texts,
        "reversed": equations.texts(-1),
        "determined": determined,
        "free": free,
    }
