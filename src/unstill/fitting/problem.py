"""What is fitted: pictures, a system class, a grid, and where rollouts start."""

import dataclasses

import numpy as np

from .._errors import BadInput
from ..simulation import Grid, initial_state
from ..simulation.motion import Motion
from ..systems import ReactionDiffusion

CHUNK = 100  # steps between two looks at steadiness


@dataclasses.dataclass(frozen=True)
class Problem:
    """Targets (M, K, H, W) of the fields `observed` (indices), and how a rollout towards them goes.

    `horizon` is the greatest number of steps from a fresh initial state, cut short where no field of any sample moves
    by more than `until_change` a step (founding system A: 40,000 and 1e-4). An iteration compares `batch` targets.
    """

    system_class: type[ReactionDiffusion]
    grid: Grid
    dt: float
    observed: tuple[int, ...]
    targets: np.ndarray
    init: str = "square"
    horizon: int = 40_000
    until_change: float = 1e-4
    batch: int = 8
    seed: int = 0

    def __post_init__(self):
        if self.targets.ndim != 4 or self.targets.shape[2:] != tuple(self.grid.shape):
            raise BadInput("targets", f"must have the grid's shape {self.grid.shape}", self.targets.shape)
        if self.targets.shape[1] != len(self.observed):
            raise BadInput("targets", f"must have {len(self.observed)} field(s)", self.targets.shape[1])
        if not np.isfinite(self.targets).all():
            raise BadInput("targets", "must be finite", "NaN or infinity")
        for name, value in (("horizon", self.horizon), ("batch", self.batch)):
            if value < 1:
                raise BadInput(name, "must be at least 1", value)

    @property
    def whole(self) -> bool:
        """Whether every iteration sees all targets."""
        return self.batch >= len(self.targets)

    @property
    def box(self) -> tuple[float, float] | None:
        """What states stay within, where the system says so and the targets do."""
        box = self.system_class.stays_within
        inside = box is not None and box[0] <= self.targets.min() and self.targets.max() <= box[1]
        return box if inside else None

    def rng(self, iteration: int, use: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, iteration, use])

    def draw(self, iteration: int) -> "Batch":
        """The targets of an iteration: all, or a random few without repetition."""
        index = np.arange(len(self.targets))
        if not self.whole:
            index = np.sort(self.rng(iteration, 0).choice(len(self.targets), self.batch, replace=False))
        return Batch(iteration, index, self.targets[index])

    def start(self, batch: "Batch") -> np.ndarray:
        """Initial states (B, C, H, W): the batch's own, or fresh ones."""
        if batch.start is not None:
            return batch.start
        seed = int(self.rng(batch.iteration, 1).integers(2**31))
        return initial_state(self.system_class(), self.grid, init=self.init, samples=len(batch.index), seed=seed)

    def rounded(self, steps: int) -> int:
        """`steps` rounded up to eighths of the horizon: each length is compiled once, and rest lasts."""
        part = max(1, -(-self.horizon // 8))
        return min(-(-steps // part) * part, self.horizon)

    def motion(self, system: ReactionDiffusion, shape: tuple[int, ...]) -> Motion:
        return Motion(
            system, self.grid, shape, dt=self.dt, dtype="float64", stepper="euler", engine="auto", clip=False
        )  # fmt: skip

    def settle(self, system: ReactionDiffusion, start: np.ndarray) -> tuple[np.ndarray, int]:
        """The states when none moves by more than `until_change` a step, or after `horizon` steps; and the steps."""
        motion, every = self.motion(system, start.shape), np.arange(len(start))
        state, steps = start, 0
        while steps < self.horizon:
            chunk = min(CHUNK, self.horizon - steps)
            before = motion.advance(state, chunk - 1, every) if chunk > 1 else state
            state = motion.advance(before, 1, every)
            steps += chunk
            change = np.abs(state - before).max()
            if not np.isfinite(change) or change <= self.until_change:
                break
        return np.asarray(state), steps


@dataclasses.dataclass(frozen=True)
class Batch:
    """The targets (B, K, H, W) that one iteration sees, their indices in the whole set, and initial states where those
    are not drawn."""

    iteration: int
    index: np.ndarray
    targets: np.ndarray
    start: np.ndarray | None = None
