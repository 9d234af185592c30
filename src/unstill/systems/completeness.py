"""Is a class of the user's a whole system? Asked once, when its file is read, and answered in one line."""

import dataclasses
from typing import NoReturn

import jax
import jax.numpy as jnp

from .._errors import BadInput
from .base import AbstractSystem, OrdinarySystem, ReactionDiffusion
from .contract import check_contract, in_words


def check_complete(cls: type[AbstractSystem], place: str) -> None:
    """Raises `BadInput` unless the class names its parts, gives its parameters defaults, and its rates can be computed.

    `place` is the file and name for the message.
    """
    wanted = ["name", "fields", "equations", *(["diffusion"] if issubclass(cls, ReactionDiffusion) else [])]
    missing = [name for name in wanted if not hasattr(cls, name)] + sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        raise BadInput("system", f"must define {', '.join(missing)}", place, "See docs/own-system.md.")
    plain = [f.name for f in dataclasses.fields(cls) if f.name not in cls.parameters()]
    if plain:
        example = f"For example {plain[0]}: float = us.parameter(0.1, (0, 1))."
        raise BadInput("system", "must make every parameter by us.parameter", f"{plain[0]} in {place}", example)
    if issubclass(cls, ReactionDiffusion):
        strangers = [f"{f}: {p}" for f, p in cls.diffusion.items() if f not in cls.fields or p not in cls.parameters()]
        if strangers:
            rule = "must map fields to parameters in `diffusion`"
            raise BadInput("system", rule, f"{strangers[0]} in {place}")
    try:
        shapes = _rates(cls())
    except BadInput:  # a default outside its range
        raise
    except Exception as error:  # whatever the user's code raises
        _refuse(cls, *in_words(error), place)
    if shapes != [()] * len(cls.fields):
        _refuse(cls, f"rates of shapes {shapes} for {len(cls.fields)} fields", "", place)
    check_contract(cls)


def _rates(system: AbstractSystem) -> list[tuple[int, ...]]:
    """Shapes of the rates at rest, by tracing alone: () for each field."""
    count = len(system.fields)
    rest = system.rest()  # pyright: ignore[reportAttributeAccessIssue]
    if len(tuple(rest)) != count or any(isinstance(c, (str, bytes)) for c in rest):
        raise ValueError(f"rest() must give {count} numbers")
    one, all_of_them = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((), (count,)))
    if isinstance(system, OrdinarySystem):
        found = jax.eval_shape(system.drift, all_of_them)
        return [()] * found.shape[0] if found.ndim == 1 else [found.shape]
    found = jax.eval_shape(system.kinetics, *[one] * count)  # pyright: ignore[reportAttributeAccessIssue]
    if not isinstance(found, (tuple, list)):
        raise ValueError(f"{'one array' if hasattr(found, 'shape') else type(found).__name__}, not a tuple of {count}")
    return [tuple(rate.shape) for rate in found]


def _refuse(cls: type[AbstractSystem], reason: str, remedy: str, place: str) -> NoReturn:
    what = "drift" if issubclass(cls, OrdinarySystem) else "kinetics"
    raise BadInput("system", f"must give a rate for each field from `{what}`", f"{reason} in {place}", remedy)
