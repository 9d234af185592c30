"""Parameters as the unbounded numbers that optimisers move, and back."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from scipy.special import expit

from .._errors import BadInput, nearest
from ..systems import ReactionDiffusion
from ..training import Variables

CONSTRAINTS = {
    "log": "θ = exp q where the range is positive, θ = s q elsewhere",
    "founding": "softplus for diffusion coefficients, 0.1·sigmoid for the others (founding system A)",
    "range": "a sigmoid between the bounds of the system's range",
}


@dataclasses.dataclass(frozen=True)
class Coordinates:
    """Elementwise maps θ(q) for the free parameters of a system class; those in `fix` keep their values.

    `values`, `numbers` and `slope` are θ(q), q(θ) and dθ/dq, parameter by parameter; parameters may be numbers or
    fields (H, W). Raises `BadInput` for a value that a map cannot reach.
    """

    system_class: type[ReactionDiffusion]
    fix: Mapping[str, float]
    constraint: str = "log"
    states: tuple[str, ...] = ()  # variables that are states, moved as they are
    most: Mapping[str, float] = dataclasses.field(default_factory=dict)  # what `project` lets parameters reach

    tiny: ClassVar[float] = 1e-8

    def __post_init__(self):
        if self.constraint not in CONSTRAINTS:
            known = nearest(self.constraint, CONSTRAINTS)
            raise BadInput("constraint", "must be a known map", repr(self.constraint), known)
        if set(self.fix) >= set(self.system_class.parameters()):
            raise BadInput("fix", "must leave a parameter to be found", f"all of {', '.join(self.fix)}")

    @property
    def free(self) -> tuple[str, ...]:
        return tuple(name for name in self.system_class.parameters() if name not in self.fix)

    def _map(self, name: str) -> "_Map":
        if name in self.states:
            return _Linear(1.0)
        info = self.system_class.parameters()[name]
        if self.constraint == "founding":
            return _Softplus() if name in self.system_class.diffusion.values() else _Sigmoid(0.0, 0.1)
        if self.constraint == "range":
            return _Sigmoid(info.low, info.high)
        default = abs(self.system_class.defaults()[name])
        scale = default if default > 0 else 0.1 * max(abs(info.low), abs(info.high))
        return _Exponential(self.tiny * scale) if info.low >= 0 else _Linear(scale)

    def values(self, q: Variables) -> dict[str, np.ndarray]:
        """θ(q), and the free states."""
        return {
            name: np.asarray(self._map(name).value(np.asarray(q[name], float))) for name in (*self.free, *self.states)
        }

    def numbers(self, values: Mapping[str, np.ndarray | float]) -> Variables:
        """q(θ), and the free states; raises `BadInput`."""
        return {name: self.number(name, values[name]) for name in (*self.free, *self.states)}

    def number(self, name: str, value: np.ndarray | float) -> np.ndarray:
        """q(θ) of one variable; raises `BadInput`."""
        value = np.asarray(value, float)
        with np.errstate(all="ignore"):
            number = np.asarray(self._map(name).number(value))
        if not np.isfinite(number).all():
            map_ = f"`constraint={self.constraint}` ({CONSTRAINTS[self.constraint]})"
            shown = f"{name}={value.min():g}" if value.size else value
            raise BadInput("start", f"must be what {map_} can reach", shown)
        return number

    def inside(self, values: Mapping[str, float]) -> dict[str, float]:
        """Numbers moved to within a thousandth of what bounded maps can reach: a box of starts may stick out."""
        moved = dict(values)
        for name in values:
            bounds = self._map(name)
            if isinstance(bounds, _Sigmoid):
                margin = 1e-3 * (bounds.high - bounds.low)
                moved[name] = float(np.clip(values[name], bounds.low + margin, bounds.high - margin))
        return moved

    def project(self, q: Variables) -> Variables:
        """Numbers no larger than those of `most`."""
        bounds = {name: self.number(name, most) for name, most in self.most.items() if name in q}
        return {
            name: np.asarray(np.minimum(value, bounds[name])) if name in bounds else value for name, value in q.items()
        }

    def slope(self, q: Variables) -> dict[str, np.ndarray]:
        """dθ/dq."""
        return {
            name: np.asarray(self._map(name).slope(np.asarray(q[name], float))) for name in (*self.free, *self.states)
        }

    def system(self, values: Mapping[str, np.ndarray]) -> ReactionDiffusion:
        """The system at these values, unchecked, with float64 leaves."""
        base = self.system_class(**self.system_class.defaults())
        every = {**self.fix, **{name: values[name] for name in self.free}}
        return base.with_values(**{name: np.asarray(value, float) for name, value in every.items()})


@runtime_checkable
class _Map(Protocol):
    """An increasing function θ(q), elementwise."""

    def value(self, q) -> Any: ...

    def number(self, value) -> Any: ...

    def slope(self, q) -> Any: ...


@dataclasses.dataclass(frozen=True)
class _Exponential:
    least: float

    def value(self, q):
        return np.exp(np.clip(q, np.log(self.least), 50.0))

    def number(self, value):
        return np.log(np.maximum(value, self.least))

    def slope(self, q):
        return self.value(q)


@dataclasses.dataclass(frozen=True)
class _Linear:
    scale: float

    def value(self, q):
        return q * self.scale

    def number(self, value):
        return value / self.scale

    def slope(self, q):
        return np.full_like(q, self.scale)


class _Softplus:
    def value(self, q):
        return np.logaddexp(0.0, q)

    def number(self, value):
        return value + np.log(-np.expm1(-value))

    def slope(self, q):
        return expit(q)


@dataclasses.dataclass(frozen=True)
class _Sigmoid:
    low: float
    high: float

    def value(self, q):
        return self.low + (self.high - self.low) * expit(q)

    def number(self, value):
        share = (value - self.low) / (self.high - self.low)
        return np.log(share / (1 - share))

    def slope(self, q):
        share = expit(q)
        return (self.high - self.low) * share * (1 - share)
