"""The configuration of a fit: spelled once, for the library, the command line and the studies."""

import dataclasses
from collections.abc import Mapping

from .._errors import BadInput, nearest
from ..simulation import INITIAL_STATES

WARM = ("recover",)
BEST_STARTS = 8  # where no strategy is named


@dataclasses.dataclass(frozen=True)
class Plan:
    """How to fit. Every field has the name of the command line's option.

    Where to begin: `start`, a value for every free parameter, unless `warm_start` is "recover"; `fix`, known
    parameters; `starts`, how many starts within a factor of 2.5 of the first may be tried until one converges.
    Road: `strategy`, `loss`, `optimiser` by name (none: the best proven strategy, and the strategy's own loss and
    optimiser); `window`, the steps that are differentiated; `rate` of the optimiser; `iterations` at most.
    Variables: `constraint`, the map that keeps parameters in bounds; `cellwise`, kinetic parameters fitted as fields
    (H, W), with `smoothness` × ⟨|∇θ|²⟩/⟨θ⟩² added to the loss; `free_state`, initial states are variables too.
    Data: `batch` targets an iteration; `pair`, whether prediction m is compared with target m ("each") or mean with
    mean ("mean"; by default "each" where rollouts start at their targets). Rollouts from fresh states: `init`,
    `horizon` in steps, `until_change`, the change a step below which they count as steady. `dt`: the time step.
    """

    start: Mapping[str, float] = dataclasses.field(default_factory=dict)
    fix: Mapping[str, float] = dataclasses.field(default_factory=dict)
    warm_start: str | None = None
    starts: int | None = None
    strategy: str | None = None
    loss: str | None = None
    optimiser: str | None = None
    window: int | None = None
    rate: float | None = None
    iterations: int | None = None
    constraint: str = "log"
    cellwise: tuple[str, ...] = ()
    smoothness: float = 1e-2
    free_state: bool = False
    pair: str | None = None
    batch: int = 8
    init: str = "square"
    horizon: int = 40_000
    until_change: float = 1e-4
    dt: float | None = None
    seed: int = 0

    def __post_init__(self):
        for name in ("starts", "iterations", "batch", "horizon", "window"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(name, "must be at least 1", value)
        for name in ("smoothness", "until_change"):
            if not getattr(self, name) >= 0:
                raise BadInput(name.replace("_", "-"), "must not be negative", getattr(self, name))
        if self.dt is not None and not self.dt > 0:
            raise BadInput("dt", "must be positive", self.dt)
        if self.warm_start not in (None, *WARM):
            raise BadInput("warm-start", f"must be {', '.join(WARM)}", repr(self.warm_start))
        if self.init not in INITIAL_STATES:
            raise BadInput("init", "must be a known initial state", repr(self.init), nearest(self.init, INITIAL_STATES))
        if self.pair not in (None, "each", "mean"):
            raise BadInput("pair", "must be each or mean", repr(self.pair))
        if self.window is not None and self.window > self.horizon:
            raise BadInput("window", f"must not be longer than the horizon, {self.horizon} steps", self.window)

    @property
    def count(self) -> int:
        """How many starts may be tried."""
        return self.starts or (BEST_STARTS if self.strategy is None else 1)
