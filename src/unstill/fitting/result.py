"""What a fit returns."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._result import Estimate, Result, plain
from .._types import Status
from ..simulation import Grid
from ..systems import ReactionDiffusion, system_name


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Fit(Result):
    """Parameters found by gradient (or without) against a loss, and how they were found.

    `system` carries them: numbers, or fields (H, W) for those fitted cell by cell; `states` are the last prediction
    (B, C, H, W) and `targets` the pictures (M, K, H, W) that it was compared with; no states after an interrupt;
    `history` holds one record an iteration, of all starts; `iterations` and `loss` are of the best one, `start`; `stds`
    are standard deviations, which only synthetic-likelihood has.
    """

    verb: ClassVar = "fit"
    formats: ClassVar = True
    failures: ClassVar = (Status.BLOW_UP, Status.NO_GRADIENT, Status.DEAD, Status.NO_FIT)

    start: int
    system: ReactionDiffusion
    grid: Grid
    observed: tuple[str, ...]
    free: tuple[str, ...]
    strategy: str
    loss_name: str
    optimiser: str
    status: Status
    message: str
    loss: float
    iterations: int
    history: Sequence[Mapping[str, Any]]
    states: Float[np.ndarray, "B C H W"]
    targets: Float[np.ndarray, "M K H W"]
    seconds: float
    stds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def values(self) -> dict[str, np.ndarray]:
        """The parameters as arrays, in the system's order: numbers, or fields (H, W)."""
        return {name: np.asarray(value) for name, value in self.system.values().items()}

    @property
    def parameters(self) -> dict[str, Estimate]:
        """The parameters, in the system's order: the mean of one fitted cell by cell; known ones are exact."""
        means = {name: float(np.mean(value)) for name, value in self.values.items()}
        return {name: self._estimate(name, mean) for name, mean in means.items()}

    def _estimate(self, name: str, mean: float) -> Estimate:
        if name not in self.free:
            return Estimate.exact(mean)
        return Estimate.normal(mean, self.stds[name]) if name in self.stds else Estimate(mean)

    @property
    def state(self) -> Float[np.ndarray, "C H W"]:
        """The first predicted state: what `simulate` sets in motion."""
        return self.states[0]

    @property
    def sample_steps(self) -> int:
        """Steps of one sample that were simulated in all: with derivatives and without."""
        return int(sum(row["steps"] + row["steps_differentiated"] for row in self.history))

    @property
    def starts(self) -> int:
        """How many starts were tried."""
        return len({row["start"] for row in self.history})

    @property
    def method(self) -> str:
        """Strategy, loss and optimiser, in words."""
        return f"{self.strategy}, {self.loss_name}, {self.optimiser}"

    def headline(self) -> str:
        if not self.failed:
            return super().headline()
        values = ", ".join(f"{name}={known.value:.4g}" for name, known in self.parameters.items())
        extremes = self.history[-1].get("prediction_range") if self.history else None
        seen = f"; its prediction spans {extremes[0]:.3g} to {extremes[1]:.3g}" if extremes else ""
        return f"{super().headline()}, at {values}{seen}"

    def to_dict(self) -> dict[str, Any]:
        cellwise = {name: bool(value.ndim) for name, value in self.values.items()}
        return plain({
            "system": system_name(self.system),
            "observed": list(self.observed),
            "method": self.method,
            "strategy": self.strategy,
            "loss": self.loss_name,
            "optimiser": self.optimiser,
            "status": self.status,
            "message": self.message,
            "parameters": {name: {**plain(p), "cellwise": cellwise[name]} for name, p in self.parameters.items()},
            "final_loss": self.loss,
            "iterations": self.iterations,
            "starts": self.starts,
            "sample_steps": self.sample_steps,
            "history": "log.jsonl",
            "dx": self.grid.dx,
            "boundary": self.grid.boundary,
            "seconds": self.seconds,
        })  # fmt: skip

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        fields = {name: self.states[:, i] for i, name in enumerate(self.system.fields)}
        fields |= {f"target_{name}": self.targets[:, j] for j, name in enumerate(self.observed)}
        fields |= {f"parameter_{name}": value for name, value in self.values.items() if value.ndim}
        return {"fields.npz": fields}

    def letters(self) -> dict[str, str]:
        pictures = (*self.system.fields, *(f"target_{name}" for name in self.observed))
        return dict.fromkeys(pictures, "MYX") | {f"parameter_{name}": "YX" for name in self.values}

    def table(self) -> list[list[str]]:
        means = {name: ["mean of a field"] if value.ndim else [] for name, value in self.values.items()}
        return [[name, *(cell for cell in known.cells() if cell), *means[name]]
                for name, known in self.parameters.items()]  # fmt: skip

    def notes(self) -> list[str]:
        return [f"loss {self.loss:.4g} after {self.iterations} iterations", self.method]
