"""What a landscape is: losses over parameters, and what is known beside them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .._result import Result, plain
from .._types import Status
from ..systems import ReactionDiffusion, system_name


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Landscape(Result):
    """Losses over `axes` (name → values (N,), one or two, or the numbers of a list of `sets`).

    `losses` is NaN where the motion failed or where nothing was computed yet; `ends` says which: "ok", "dead" (the
    prediction carries no pattern; its loss is kept), "blow-up", "unstable" (beyond the stability limit), "" (open).
    `truth` is drawn where it is known, `path` (T, P) of `path_names` is an optimiser's way, `curves` are bifurcations
    of the uniform states where closed forms are known in the plane of the axes.
    """

    verb: ClassVar = "landscape"
    formats: ClassVar = True
    failures: ClassVar = (Status.BLOW_UP,)

    system: type[ReactionDiffusion]
    axes: Mapping[str, np.ndarray]
    sets: Sequence[Mapping[str, float]]
    losses: np.ndarray
    ends: np.ndarray
    loss_name: str
    strategy: str
    truth: Mapping[str, float] | None = None
    path: np.ndarray | None = None
    path_names: tuple[str, ...] = ()
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None
    seconds: float = 0.0

    @property
    def status(self) -> Status:  # pyright: ignore[reportIncompatibleVariableOverride]
        """`interrupted` while points are open, `blow-up` where none has a finite loss, else `converged`."""
        if (self.ends == "").any():
            return Status.INTERRUPTED
        return Status.CONVERGED if np.isfinite(self.losses).any() else Status.BLOW_UP

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        told = ", ".join(f"{n} {word or 'open'}" for word, n in self.counts.items())
        if self.status is Status.BLOW_UP:
            return f"no point has a finite loss ({told})"
        return f"{self.losses.size} points ({told})"

    @property
    def counts(self) -> dict[str, int]:
        """How many points ended how."""
        return {word: int(np.sum(self.ends == word)) for word in sorted({*self.ends.ravel().tolist()})}

    @property
    def least(self) -> int:
        """The index of the least finite loss: of predictions that carry a pattern, where there is one."""
        alive = np.where(self.ends == "ok", self.losses, np.nan)
        return int(np.nanargmin(alive if np.isfinite(alive).any() else self.losses))

    @property
    def best(self) -> Mapping[str, float]:
        """The parameter set of that loss."""
        return self.sets[self.least]

    def to_dict(self) -> dict[str, Any]:
        found = {"parameters": dict(self.best), "loss": self.losses.flat[self.least]} if self._any else None
        return plain({
            "system": system_name(self.system),
            "strategy": self.strategy,
            "loss": self.loss_name,
            "axes": dict(self.axes),
            "status": self.counts,
            "best": found,
            "truth": self.truth,
            "seconds": self.seconds,
        })  # fmt: skip

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        return {"landscape.npz": self.kept()}

    def kept(self) -> dict[str, np.ndarray]:
        """What a call needs to go on from here, and a reader to draw it."""
        axes = {f"axis_{name}": values for name, values in self.axes.items()}
        return {**axes, "losses": self.losses, "status": self.ends}

    @property
    def _any(self) -> bool:
        return bool(np.isfinite(self.losses).any())

    def table(self) -> list[list[str]]:
        return [[name, f"{value:.6g}"] for name, value in self.best.items()] if self._any else []

    def notes(self) -> list[str]:
        if not self._any:
            return []
        return [f"least loss {self.losses.flat[self.least]:.4g}, {self.ends.flat[self.least]}"]
