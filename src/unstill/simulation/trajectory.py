"""What a simulation returns."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from .._errors import BadInput, nearest
from .._result import Result, plain
from .._types import Status
from ..systems import AbstractSystem, Dynamics, ReactionDiffusion, system_name
from ..systems.grid import Grid

_REMEDIES = {
    Status.BLOW_UP: "left the finite numbers: take a smaller `dt`",
    Status.NOT_CONVERGED: "still moved at the last step: raise `max_steps` or `until_drift`",
}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Result):
    """States in order, sample by sample. NumPy arrays; M samples, C fields, T saved times.

    `status[m]` is how sample m ended, after `steps[m]` steps of `dt`, moving at `drift[m]` per unit time (root mean
    square over cells of ∂c/∂t, the larger of the fields). A sample that stopped early repeats its last state in the
    frames. A sample that blew up keeps its last finite state.

    `film["v"]` is a field, of the frames (T, M, H, W) where there are any, else of the final states (M, H, W);
    `film[0]` and `film[2:5]` are trajectories of some samples; `film.at(500.0)` are the states (M, C, H, W) at a saved
    time.
    """

    verb: ClassVar = "simulate"
    formats: ClassVar = True
    failures: ClassVar = (Status.BLOW_UP, Status.NOT_CONVERGED)

    dynamics: Dynamics | ReactionDiffusion
    grid: Grid | None
    dt: float
    state: Float[np.ndarray, "M C H W"] | Float[np.ndarray, "M D"]
    frames: Float[np.ndarray, "T M C H W"] | Float[np.ndarray, "T M D"] | None
    ts: Float[np.ndarray, " T"] | None
    status: tuple[Status, ...]  # pyright: ignore[reportIncompatibleVariableOverride]  # one a sample
    steps: Int[np.ndarray, " M"]
    drift: Float[np.ndarray, " M"]
    seconds: float = 0.0
    normalize: bool = False  # whether `normalised()` belongs to the run folder

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in the order of axis C."""
        return getattr(self.dynamics, "fields", tuple(f"x{i}" for i in range(self.state.shape[1])))

    def __len__(self) -> int:
        """M, the number of samples."""
        return len(self.state)

    def __getitem__(self, key: str | int | slice) -> Any:
        """A field by name, or samples by number. Raises `BadInput` for another name, `IndexError` beyond them."""
        if isinstance(key, str):
            if key not in self.fields:
                raise BadInput("field", "must name a field of the trajectory", repr(key), nearest(key, self.fields))
            axis = self.fields.index(key)
            return self.state[:, axis] if self.frames is None else self.frames[:, :, axis]
        every = np.arange(len(self.state))
        return self._samples(every[key] if isinstance(key, slice) else every[[key]])

    def _samples(self, index: np.ndarray) -> Trajectory:
        dynamics = self.dynamics
        if isinstance(dynamics, AbstractSystem):
            values = {name: np.asarray(value) for name, value in dynamics.values().items()}
            dynamics = dynamics.with_values(**{n: v[index] if v.ndim == 1 else v for n, v in values.items()})
        return dataclasses.replace(
            self, dynamics=dynamics, state=self.state[index], steps=self.steps[index], drift=self.drift[index],
            frames=None if self.frames is None else self.frames[:, index],
            status=tuple(self.status[m] for m in index),
        )  # fmt: skip

    def at(self, time: float) -> np.ndarray:
        """The states (M, C, H, W) or (M, D) of all samples at a saved time; raises `BadInput` for another time."""
        if self.frames is None or self.ts is None:
            raise BadInput("time", "needs saved frames", time, "Pass `save_every` to simulate.")
        nearest_one = int(np.argmin(np.abs(self.ts - time)))
        if abs(self.ts[nearest_one] - time) > 0.5 * self.dt:
            raise BadInput("time", f"must be a saved one, such as {self.ts[nearest_one]:g}", time)
        return self.frames[nearest_one]

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """How many samples ended how, and what helps those that failed."""
        counts = {status: self.status.count(status) for status in dict.fromkeys(self.status)}
        parts = [f"{n} of {len(self.status)} {status}" for status, n in counts.items()]
        return "; ".join([", ".join(parts), *(_REMEDIES[status] for status in counts if status in _REMEDIES)])

    @property
    def failed(self) -> bool:
        """Whether a sample failed."""
        return any(status in self.failures for status in self.status)

    @property
    def interrupted(self) -> bool:
        """Whether the motion was interrupted."""
        return Status.INTERRUPTED in self.status

    def headline(self) -> str:
        shape = " × ".join(map(str, self.state.shape))
        frames = "" if self.frames is None else f", {len(self.frames)} frames"
        return f"{self.message}; states {shape} of {', '.join(self.fields)}{frames}"

    def parameter_sets(self) -> tuple[list[dict[str, Any]], np.ndarray]:
        """The different parameter sets, and which of them each sample has."""
        if not isinstance(self.dynamics, AbstractSystem):
            return [{}], np.zeros(len(self.state), int)
        values = {name: np.asarray(value) for name, value in self.dynamics.values().items()}
        ranks = {value.ndim for value in values.values()}
        if 1 not in ranks or ranks > {0, 1}:  # one set, or fields of parameters
            return [plain(values)], np.zeros(len(self.state), int)
        rows = np.stack([np.broadcast_to(value, len(self.state)) for value in values.values()], 1)
        _, first, index = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(np.argsort(first))  # sets in the order in which they come
        sets = [dict(zip(values, map(float, rows[m]), strict=True)) for m in np.sort(first)]
        return sets, order[index.ravel()]

    def to_dict(self) -> dict[str, Any]:
        sets, index = self.parameter_sets()
        system = self.dynamics
        return {
            "system": system_name(system) if isinstance(system, AbstractSystem) else type(system).__name__,
            "fields": list(self.fields),
            "parameters": sets,
            "parameter_set": index.tolist(),
            "status": [str(s) for s in self.status],
            "steps": self.steps.tolist(),
            "drift_per_time": [plain(float(d)) for d in self.drift],
            "dt": self.dt,
            "dx": self.grid.dx if self.grid else None,
            "boundary": self.grid.boundary if self.grid else None,
            "laplacian": self.grid.scheme if self.grid else None,
            "seconds": self.seconds,
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        files = {"states.npz": {name: self.state[:, i] for i, name in enumerate(self.fields)}}
        if self.frames is not None and self.ts is not None:
            frames = {name: self.frames[:, :, i] for i, name in enumerate(self.fields)}
            files["frames.npz"] = {"ts": self.ts, **frames}
        if self.normalize:
            files["normalised.npz"] = self.normalised()
        return files

    def letters(self) -> dict[str, str]:
        cells = "YX" if self.state.ndim == 4 else ""
        states = dict.fromkeys(self.fields, f"M{cells}")
        frames = {f"frames_{name}": f"TM{cells}" for name in self.fields}
        return {**states, **frames, **{f"normalised_{name}": f"M{cells}" for name in self.fields}}

    def normalised(self) -> dict[str, np.ndarray]:
        """The final states for training: each field (M, H, W) from [low, high] to [−1, 1], float32, with `low` and
        `high` (C,): the range that the system never leaves, where it is known, else the field's own."""
        axes = (0, *range(2, self.state.ndim))
        known = getattr(self.dynamics, "stays_within", None)
        ends = (self.state.min(axes), self.state.max(axes)) if known is None else known
        low, high = (np.broadcast_to(end, len(self.fields)) for end in ends)
        width = np.where(high > low, high - low, 1.0)
        fields = {
            name: ((2 * self.state[:, i] - low[i] - high[i]) / width[i]).astype(np.float32)
            for i, name in enumerate(self.fields)
        }
        return fields | {"low": np.asarray(low, float), "high": np.asarray(high, float)}

    def table(self) -> list[list[str]]:
        return [
            [f"sample {m}", str(status), f"after {steps} steps", f"drift {drift:.2g} per unit time"]
            for m, (status, steps, drift) in enumerate(zip(self.status, self.steps, self.drift, strict=True))
        ]
