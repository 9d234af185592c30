"""Simulations at points of parameter space: patterns grown from fresh initial states, and their statistics."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from ...observations.steadiness import UNIFORM, contrast
from ...observations.task import Task
from ...simulation import OnGrid, default_dt, initial_state
from ...simulation.motion import Motion
from ..coordinates import Coordinates
from ..starts import largest_values
from .statistics import Statistics

_LOOK = 500  # steps between two looks for states that died or blew up
YOUNG = 16  # times younger than the horizon is the youngest pattern


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """What is simulated. A point q holds an optimiser's number of each free parameter, then the age as log(steps).

    `low` and `high` are where points may lie: the ranges, diffusion within the stability limit, and ages from a
    sixteenth of `horizon` to all of it.
    """

    task: Task
    dt: float
    init: str
    horizon: int
    seed: int

    @classmethod
    def of(cls, task: Task, *, dt: float | None, init: str, horizon: int, seed: int) -> "Ensemble":
        """With the system's own time step where none is given."""
        step = default_dt(OnGrid(task.system(), task.grid)) if dt is None else float(dt)
        return cls(task, step, init, horizon, seed)

    @functools.cached_property
    def coordinates(self) -> Coordinates:
        return Coordinates(self.task.system, dict(self.task.fix), "log")

    @functools.cached_property
    def statistics(self) -> Statistics:
        return Statistics(self.task.grid, np.stack(list(self.task.pictures.values()), 1))

    @property
    def observed(self) -> list[int]:
        return [self.task.system.fields.index(name) for name in self.task.pictures]

    @property
    def low(self) -> Float[np.ndarray, " D"]:
        return self._edge(0)

    @property
    def high(self) -> Float[np.ndarray, " D"]:
        return self._edge(1)

    def _edge(self, side: int) -> Float[np.ndarray, " D"]:
        most = largest_values(self.task.system, self.task.grid, self.dt)
        ages = (max(1.0, self.horizon / YOUNG), float(self.horizon))
        bounds = [self._bounds(name, most.get(name, np.inf))[side] for name in self.coordinates.free]
        return np.array([*bounds, np.log(ages[side])])

    def _bounds(self, name: str, most: float) -> tuple[float, float]:
        """Of one parameter's number; a millionth of the default is as good as 0."""
        info, default = self.task.system.parameters()[name], abs(self.task.system.defaults()[name])
        least = info.low if info.low < 0 else max(info.low, 1e-6 * (default or info.high))
        greatest = min(most, info.high)
        return float(self.coordinates.number(name, least)), float(self.coordinates.number(name, greatest))

    def point(self, values: Mapping[str, float], steps: float) -> Float[np.ndarray, " D"]:
        """The point of parameters and an age; raises `BadInput` for what a parameter cannot be."""
        numbers = [float(self.coordinates.number(name, values[name])) for name in self.coordinates.free]
        return np.array([*numbers, np.log(steps)])

    def values(self, q: Float[np.ndarray, "*P D"]) -> dict[str, np.ndarray]:
        """The free parameters at points."""
        return self.coordinates.values({name: np.asarray(q[..., i]) for i, name in enumerate(self.coordinates.free)})

    def slopes(self, q: Float[np.ndarray, " D"]) -> dict[str, float]:
        """dθ/dq of each free parameter, at one point."""
        slopes = self.coordinates.slope({name: np.asarray(q[i]) for i, name in enumerate(self.coordinates.free)})
        return {name: float(slope) for name, slope in slopes.items()}

    def ages(self, q: Float[np.ndarray, "P D"]) -> Int[np.ndarray, " P"]:
        """Steps from the fresh state."""
        return np.maximum(np.rint(np.exp(q[:, -1])), 1).astype(int)

    def look(self, q: Float[np.ndarray, "P D"], generation: int) -> Float[np.ndarray, "P S"]:
        """The statistics of one simulation at each point; NaN where no pattern is left."""
        seen = self.grow(q, generation)[:, self.observed]
        return self.statistics.of(seen, np.random.default_rng([self.seed, generation, 1]))

    def grow(self, q: Float[np.ndarray, "P D"], generation: int) -> Float[np.ndarray, "P C H W"]:
        """The state of one simulation at each point, each from its own draw of `init`."""
        values, fixed = self.values(q), self.task.fix
        systems = [
            self.coordinates.system({name: np.asarray(v[i]) for name, v in values.items()}) for i in range(len(q))
        ]
        seeds = np.random.default_rng([self.seed, generation, 0]).integers(2**31, size=len(q))
        fresh = [initial_state(one, self.task.grid, init=self.init, samples=1, seed=int(seed))
                 for one, seed in zip(systems, seeds, strict=True)]  # fmt: skip
        system = self.task.system(**self.task.system.defaults()).with_values(**fixed, **values)
        return self._moved(system, np.concatenate(fresh), self.ages(q))

    def _moved(self, system, state: np.ndarray, steps: Int[np.ndarray, " P"]) -> np.ndarray:
        """Each sample after its own number of steps; one that dies or blows up is left as it was noticed. In single
        precision: round-off is far below the scatter between fresh states."""
        motion = Motion(system, self.task.grid, state.shape, dt=self.dt, dtype="float32", stepper="euler",
                        engine="auto", clip=False)  # fmt: skip
        stops, done = sorted({*steps.tolist(), *range(_LOOK, int(steps.max()), _LOOK)}), 0
        lively = np.ones(len(state), bool)
        for stop in stops:
            moving = np.flatnonzero(lively & (steps >= stop))
            if len(moving) == 0:
                break
            state[moving] = np.asarray(motion.advance(motion.hold(state[moving]), stop - done, moving))
            done = stop
            if stop % _LOOK == 0:
                lively[moving] = _is_lively(state[moving])
        return state


def _is_lively(state: Float[np.ndarray, "P C H W"]) -> np.ndarray:
    """Finite, and some field is not uniform: what dies out slows the processor by denormal numbers, and shows nothing
    anew."""
    with np.errstate(all="ignore"):
        largest = np.abs(state).max((1, 2, 3))
        return np.isfinite(largest) & (contrast(state).max(1) > UNIFORM * largest)
