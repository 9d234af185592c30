"""A call of `discover` on pictures, and what its roads have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from .._errors import BadInput
from .._types import Status
from ..simulation import Grid
from .field_library import FieldEquations, FieldLibrary
from .result import Discovery


@dataclasses.dataclass(frozen=True, eq=False)
class PictureProblem:
    """A call of `discover` on pictures: what is asked, and what is known."""

    library: FieldLibrary
    grid: Grid
    states: Float[np.ndarray, "M C H W"]
    levels: Float[np.ndarray, " C"]
    known: Float[np.ndarray, "C L"]
    free: Bool[np.ndarray, "C L"]
    told: Mapping[str, float]
    signs: Mapping[tuple[int, int], float]
    seed: int

    @property
    def fields(self) -> tuple[str, ...]:
        return self.library.fields

    def given(self, field: str) -> str:
        """What is known of the pace of a field's equation, in words; empty for nothing."""
        return ", ".join(f"{n} = {v:g}" for n, v in self.told.items() if v and n.partition(":")[0].strip() == field)

    @property
    def pace(self) -> str:
        """What is known of the pace of any equation."""
        return ", ".join(filter(None, map(self.given, self.fields)))

    def discovery(
        self,
        C: Float[np.ndarray, "C L"],
        *,
        status: Status,
        nullity: int,
        sign: str,
        members: Float[np.ndarray, "N C L"],
        **numbers: Any,
    ) -> Discovery:
        """The `Discovery` of these coefficients; raises `BadInput` where known signs contradict them."""
        for (a, j), wanted in self.signs.items():
            if C[a, j] and np.sign(C[a, j]) != np.sign(wanted):
                label = f"{self.fields[a]}:{self.library.names[j]}"
                raise BadInput("sign", f"contradicts what is {sign}", f"{label} = {C[a, j]:.5g}")
        return Discovery(
            equations=FieldEquations(C, self.library, self.grid),
            status=status,
            nullity=nullity,
            sign=sign,
            representatives=members,
            representative_covariances=None,
            telescopes=False,
            noise={name: float(s) for name, s in zip(self.fields, self.levels, strict=True) if s},
            count=int(self.states[:, 0].size),
            seconds=0.0,
            **numbers,
        )
