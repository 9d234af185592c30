"""What an equation is: fields, parameters, pointwise kinetics. Nothing here knows how to step in time."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from .._errors import BadInput, nearest
from .._numbers import real_numbers
from .contract import lifted

# A parameter: one number, one a sample (M,), or one a cell (H, W).
if TYPE_CHECKING:  # so that kinetics may use any operator
    Number = Any
else:
    Number = float | int | np.ndarray | np.generic | jax.Array
S = TypeVar("S", bound="AbstractSystem")


@runtime_checkable
class Dynamics(Protocol):
    """Anything with a drift: state → d state/dt, both of one shape. All that moves in Unstill is a `Dynamics`."""

    def drift(self, state: Array) -> Array: ...


@dataclasses.dataclass(frozen=True)
class ParameterInfo:
    """The facts about one parameter. `low` and `high` bound what a user may ask for (inclusive)."""

    symbol: str
    low: float
    high: float
    unit: str
    meaning: str


def parameter(
    default: float, range: tuple[float, float], meaning: str = "", *, symbol: str = "", unit: str = "dimensionless"
) -> Any:
    """A parameter of a system: a field of the class body, a pytree leaf of the instance.

    Args:
        default: The default value.
        range: The values (low, high) that a user may ask for.
        meaning: What it means, in words.
        symbol: How tables show it (default: the name).
        unit: Its unit.
    """
    if len(range) != 2 or not float(range[0]) <= float(range[1]):
        raise BadInput("range", "must be (low, high) with low ≤ high", range, "Exchange the two, or mend them.")
    info = ParameterInfo(symbol, float(range[0]), float(range[1]), unit, meaning)
    return eqx.field(default=default, metadata={"parameter": info})


def _is_concrete(value: Any) -> bool:
    return isinstance(value, (int, float, np.ndarray, np.generic)) or (
        isinstance(value, jax.Array) and not isinstance(value, Tracer)
    )


class AbstractSystem(eqx.Module):
    """A named equation with parameters. Parameters are the instance's pytree leaves, in the order of the class body.

    Construction raises `BadInput` (a `ValueError`) for a number outside its parameter's range; traced values and
    `with_values` are not checked, since optimisers may step outside.
    """

    name: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]
    equations: ClassVar[tuple[str, ...]]
    citation: ClassVar[str] = ""
    presets: ClassVar[Mapping[str, Mapping[str, float]]] = {}

    def __check_init__(self):
        for name, info in self.parameters().items():
            value = getattr(self, name)
            if isinstance(value, (str, bytes, complex, list, tuple)):
                raise BadInput(name, f"must be a number or an array for {self.name}", repr(value))
            if _is_concrete(value):
                value = real_numbers(name, value)
                if not (np.all(value >= info.low) and np.all(value <= info.high)):
                    bad = value if value.ndim == 0 else f"values from {value.min():g} to {value.max():g}"
                    raise BadInput(name, f"must lie in [{info.low:g}, {info.high:g}] for {self.name}", bad)

    @classmethod
    def parameters(cls) -> dict[str, ParameterInfo]:
        """The facts about each parameter, in order."""
        return {f.name: f.metadata["parameter"] for f in dataclasses.fields(cls) if "parameter" in f.metadata}

    @classmethod
    def defaults(cls) -> dict[str, float]:
        """The default value of each parameter, in order."""
        return {name: cls.__dataclass_fields__[name].default for name in cls.parameters()}

    @classmethod
    def make(cls: type[S], preset: str | None = None, **values: Any) -> S:
        """A system from a preset's values, overridden by `values`; raises `BadInput` for unknown names."""
        if preset is not None and preset not in cls.presets:
            raise BadInput("preset", f"must be a preset of {cls.name}", repr(preset), nearest(preset, cls.presets))
        for name in values:
            if name not in cls.parameters():
                raise BadInput(
                    "set", f"must name a parameter of {cls.name}", repr(name), nearest(name, cls.parameters())
                )
        return cls(**{**(cls.presets[preset] if preset else {}), **values})

    def values(self) -> dict[str, Any]:
        """The parameters' values, in order."""
        return {name: getattr(self, name) for name in self.parameters()}

    def with_values(self: S, **values: Any) -> S:
        """The same system with other values, unchecked: for code that differentiates or searches."""
        leaves = [values.get(name, getattr(self, name)) for name in self.parameters()]
        return jax.tree.unflatten(jax.tree.structure(self), leaves)


class ReactionDiffusion(AbstractSystem):
    """∂c/∂t = D∇²c + R(c; θ): the subclass writes the pointwise kinetics R once, in plain `jax.numpy`.

    Everything else — native kernels, adjoints, Jacobians, steady states, dispersion relations — derives from it.
    `diffusion` names the diffusion parameter of each field that diffuses; `dt` is the time step that suits the
    default parameters at dx = 1; `rest()` is the uniform state that initial states start from and `patch()` the
    value that squares and discs are set to; `stays_within`, the least and the greatest value that its fields may have;
    `amounts`: its fields are concentrations, which are never negative.
    """

    diffusion: ClassVar[Mapping[str, str]]
    dt: ClassVar[float] = 1.0
    stays_within: ClassVar[tuple[float, float] | None] = None
    amounts: ClassVar[bool] = False

    @abc.abstractmethod
    def kinetics(self, *c: Float[Array, "*S"]) -> tuple[Float[Array, "*S"], ...]:
        """R(c; θ): the rate of each field, from the fields, point by point; any shape, in the order of `fields`."""

    @abc.abstractmethod
    def rest(self) -> tuple[Any, ...]:
        """A uniform state, one number a field."""

    def patch(self) -> tuple[Any, ...]:
        """The value inside squares and discs of an initial state; 1.5 × rest where the subclass does not say."""
        return tuple(1.5 * c for c in self.rest())

    def diffusivities(self) -> tuple[Any, ...]:
        """The diffusion coefficient of each field, in order; 0 for a field that does not diffuse."""
        return tuple(getattr(self, self.diffusion[f]) if f in self.diffusion else 0.0 for f in self.fields)


class OrdinarySystem(AbstractSystem):
    """dx/dt = f(x; θ) for a state vector x of shape (D,): a `Dynamics` by itself.

    A subclass writes `drift` for one state (D,), or for many (M, D); either way it then takes any (*B, D).
    """

    dt: ClassVar[float] = 0.01

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if "drift" in cls.__dict__:
            cls.drift = lifted(cls.__dict__["drift"])  # pyright: ignore[reportAttributeAccessIssue]

    @abc.abstractmethod
    def drift(self, state: Float[Array, "*B D"]) -> Float[Array, "*B D"]:
        """f(x; θ)."""

    @abc.abstractmethod
    def rest(self) -> tuple[Any, ...]:
        """A state to start near, one number a variable."""
