"""The plan of a fit: what a call of `fit` says, argument by argument. The signature of `fit` is its definition."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from .._arguments import listed
from .._errors import BadInput, nearest
from ..simulation import INITIAL_STATES

BEST_STARTS = 8  # where no strategy is named
SYNTHETIC = "synthetic-likelihood"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """How to fit: the arguments of a call of `fit`, as attributes of their names. `fit.plan_of` makes one.

    Raises `BadInput` for what contradicts itself.
    """

    arguments: Mapping[str, Any]

    def __post_init__(self):
        known = dict(self.arguments)
        known |= {"start": dict(known["start"] or {}), "fix": dict(known["fix"] or {})}
        known |= {"cellwise": listed(known["cellwise"])}
        object.__setattr__(self, "arguments", known)
        if self.init not in INITIAL_STATES:
            raise BadInput("init", "must be a known initial state", repr(self.init), nearest(self.init, INITIAL_STATES))
        if self.window is not None and self.window > self.horizon:
            raise BadInput("window", f"must not be longer than the horizon, {self.horizon} steps", self.window)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["arguments"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def is_synthetic(self) -> bool:
        """Whether no rollout is differentiated: statistics of fresh patterns are compared."""
        from_atlas = self.warm_start not in (None, "recover")
        return self.strategy == SYNTHETIC or (self.strategy is None and from_atlas)

    @property
    def count(self) -> int:
        """How many starts may be tried."""
        return self.starts or (BEST_STARTS if self.strategy is None else 1)
