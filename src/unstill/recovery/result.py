"""What a recovery returns."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from .._errors import NumericalFailure
from .._types import Status
from ..simulation import Grid
from ..systems import ReactionDiffusion


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One parameter: value, standard deviation and 95 % interval; all `None` where the data leave it free.

    A parameter that the user fixed has a standard deviation of 0.
    """

    value: float | None
    std: float | None = None
    interval95: tuple[float, float] | None = None

    @classmethod
    def normal(cls, value: float, std: float) -> "Estimate":
        """With the interval value ± 1.96 std."""
        return cls(float(value), float(std), (float(value - 1.959964 * std), float(value + 1.959964 * std)))


@dataclasses.dataclass(frozen=True)
class Recovery:
    """Parameters, hidden fields and the evidence for them, from M pictures.

    `system` carries the recovered parameters (a parameter that the data leave free has the value that the fit used, one
    of many that fit as well); `fields` are the fitted states, hidden fields included (none, M = 0, where the pictures
    carry no pattern); `combinations` are the products of powers that the data do determine where single parameters are
    free, as text → estimate; `noise` is the absolute standard deviation per observed field; `drift_per_time` is the
    rms of ∂c/∂t that the pictures show under `system`; `message` says in one line what the status means.
    """

    system: ReactionDiffusion
    grid: Grid
    observed: tuple[str, ...]
    method: str
    status: Status
    message: str
    parameters: Mapping[str, Estimate]
    combinations: Mapping[str, Estimate]
    noise: Mapping[str, float]
    drift_per_time: float | None
    seconds: float
    pictures: Mapping[str, Float[np.ndarray, "M H W"]]
    fields: Float[np.ndarray, "N C H W"]  # N = M, or 0

    @property
    def identifiable(self) -> tuple[str, ...]:
        """The parameters that the data determine."""
        return tuple(name for name, estimate in self.parameters.items() if estimate.value is not None)

    @property
    def state(self) -> Float[np.ndarray, "C H W"]:
        """The first fitted state: what `simulate` sets in motion. Raises `NumericalFailure` where there is none."""
        if len(self.fields) == 0:
            raise NumericalFailure(str(self.status), f"no state was recovered: {self.message}")
        return self.fields[0]
