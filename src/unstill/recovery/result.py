"""What a recovery returns."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._errors import NumericalFailure
from .._result import Estimate, Result, plain
from .._types import Status
from ..simulation import Grid
from ..systems import ReactionDiffusion, system_name


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Recovery(Result):
    """Parameters, hidden fields and the evidence for them, from M pictures.

    `system` carries the recovered parameters (a parameter that the data leave free has the value that the fit used, one
    of many that fit as well); `fields` are the fitted states, hidden fields included (none, M = 0, where the pictures
    carry no pattern); `combinations` are the products of powers that the data do determine where single parameters are
    free, as text → estimate; `camera` holds gain, offset and gamma (none where all fields are seen); `goodness` says
    how much like noise is what the fit leaves (`None` where there is no noise), and `misfit` is that, in units of the
    noise, else as a share of the tested field's contrast; `noise` is the absolute standard deviation per observed
    field, in the pictures' unit; `drift_per_time` is the rms of ∂c/∂t that the pictures show under `system`; `message`
    says in one line what the status means; `ranking` holds a row for each field of each system that was tried, best
    first (none where one system was asked for).
    """

    verb: ClassVar = "recover"
    formats: ClassVar = True
    failures: ClassVar = (Status.MOVING, Status.DEAD, Status.NO_FIT, Status.NOT_CONVERGED)

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
    camera: Mapping[str, Estimate] = dataclasses.field(default_factory=dict)
    window: bool = False
    goodness: Mapping[str, float] | None = None
    misfit: Float[np.ndarray, "K h w"] | None = None
    ranking: tuple[Mapping[str, Any], ...] = ()

    @property
    def identifiable(self) -> dict[str, Estimate]:
        """What the data determine: parameters, and combinations of those that are free."""
        return {name: each for name, each in {**self.parameters, **self.combinations}.items() if each.value is not None}

    @property
    def state(self) -> Float[np.ndarray, "C H W"]:
        """The first fitted state: what `simulate` sets in motion. Raises `NumericalFailure` where there is none."""
        if len(self.fields) == 0:
            raise NumericalFailure(str(self.status), f"no state was recovered: {self.message}")
        return self.fields[0]

    def to_dict(self) -> dict[str, Any]:
        return {
            "system": system_name(self.system),
            "observed": list(self.observed),
            "method": self.method,
            "status": str(self.status),
            "message": self.message,
            "parameters": plain(dict(self.parameters)),
            "combinations": plain(dict(self.combinations)),
            "identifiable": plain(self.identifiable),
            "camera": plain(dict(self.camera)) or None,
            "window": self.window,
            "goodness": plain(self.goodness),
            "ranking": [dict(row) for row in self.ranking] or None,
            "fitted_parameters": plain(self.system.values()) if len(self.fields) else None,
            "noise": plain(dict(self.noise)),
            "drift_per_time": plain(self.drift_per_time),
            "dx": self.grid.dx,
            "boundary": self.grid.boundary,
            "laplacian": self.grid.scheme,
            "samples": len(self.fields),
            "seconds": self.seconds,
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        names = self.system.fields
        hidden = [self.fields[:, i] for i, name in enumerate(names) if name not in self.observed]
        fields = {name: self.fields[:, i] for i, name in enumerate(names)}
        fields |= {"fitted": self.fields, "observed": _stacked(list(self.pictures.values()))}
        return {"fields.npz": fields | ({"hidden": _stacked(hidden)} if hidden else {})}

    def letters(self) -> dict[str, str]:
        hidden = "MYX" if len(self.system.fields) - len(self.observed) == 1 else "MCYX"
        parts = {"fitted": "MCYX", "observed": "MYX" if len(self.observed) == 1 else "MCYX", "hidden": hidden}
        return dict.fromkeys(self.system.fields, "MYX") | parts

    def table(self) -> list[list[str]]:
        camera = {name: estimate for name, estimate in self.camera.items() if estimate.std != 0}
        found = {**self.parameters, **camera, **self.combinations}
        return [[name, *estimate.cells()] for name, estimate in found.items()]

    def notes(self) -> list[str]:
        noise = ", ".join(f"{name} {level:.2g}" for name, level in self.noise.items())
        drift = "unknown" if self.drift_per_time is None else f"{self.drift_per_time:.2g}"
        rows = [
            f"{row['system']} {row['field']}: {row['status']}, {100 * row['unexplained']:.2g} % left"
            for row in self.ranking
        ]
        return [f"noise {noise}; drift {drift} per unit time", self.method, *rows]


def _stacked(arrays: list[np.ndarray]) -> np.ndarray:
    """(M, H, W) of one field, (M, C, H, W) of several."""
    return arrays[0] if len(arrays) == 1 else np.stack(arrays, 1)
