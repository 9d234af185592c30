"""A question about pictures of a known system, checked: what `recover`, `fit` and `landscape` are asked alike."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .._arguments import Names, listed
from .._errors import BadInput, nearest
from .._numbers import real_numbers
from ..systems import AbstractSystem, Grid, ReactionDiffusion, find_system
from .noise import known_noise
from .snapshots import refuse_channels_last, refuse_extreme


@runtime_checkable
class Pictures(Protocol):
    """What `us.load` returns: arrays (M, H, W) by field name, and the grid where it is known."""

    @property
    def fields(self) -> Mapping[str, np.ndarray]: ...

    @property
    def grid(self) -> Grid | None: ...


def named_fields(cls: type[ReactionDiffusion], pictures: Any, observe: Names | None) -> tuple[Any, str]:
    """One array as pictures by field name, and what was assumed of it, for the message; raises `BadInput`."""
    if not isinstance(pictures, (np.ndarray, list, tuple)) and not hasattr(pictures, "__array__"):
        return pictures, ""
    array, names = real_numbers("pictures", pictures), listed(observe)
    if array.ndim == 4 and array.shape[1] == len(cls.fields):
        return {name: array[:, i] for i, name in enumerate(cls.fields)}, ""
    if array.ndim not in (2, 3) or len(names) > 1:
        rule = (
            f"must be an array (H, W) or (M, H, W) of one field, (M, {len(cls.fields)}, H, W) of all, or arrays by name"
        )
        raise BadInput("pictures", rule, array.shape)
    if array.ndim == 3 and len(array) == len(cls.fields) and not names:
        fields = ", ".join(cls.fields)
        rule = f"must tell pictures of one field from the fields {fields}, of which there are as many"
        raise BadInput("pictures", rule, array.shape, f"Pass observe={cls.fields[-1]!r}, or x[None] for all fields.")
    seen = names[0] if names else "v" if "v" in cls.fields else cls.fields[-1]
    return {seen: array}, "" if names else f"taken as {seen} of {cls.name}; "


@dataclasses.dataclass(frozen=True)
class Task:
    """A checked call of `recover`; pictures (M, H, W) by field name, in the system's order."""

    system: type[ReactionDiffusion]
    pictures: Mapping[str, np.ndarray]
    grid: Grid
    start: Mapping[str, float]
    fix: Mapping[str, float]
    noise: Mapping[str, float]


def check(system, pictures, *, observe=None, grid=None, start=None, fix=None, noise=None, gaps=False) -> Task:
    """The checks of `recover` alone, so that a caller can make them before it replaces older results. With `gaps`,
    pictures of one field may hold NaN."""
    cls = system_class(system)
    arrays, grid = _arrays(pictures, observe, grid, cls, gaps)
    if 1 < len(arrays) < len(cls.fields):
        raise BadInput("observe", f"must name one field or all of {', '.join(cls.fields)}", ", ".join(arrays))
    start, fix = known_parameters(cls, "start", start), known_parameters(cls, "fix", fix)
    if set(fix) == set(cls.parameters()):
        raise BadInput("fix", "must leave a parameter to be found", f"all of {', '.join(fix)}")
    return Task(cls, arrays, grid, start, fix, known_noise(noise, arrays, "observed fields"))


def system_class(system: str | type[AbstractSystem]) -> type[ReactionDiffusion]:
    cls: type[AbstractSystem] = find_system(system) if isinstance(system, str) else system
    if not (isinstance(cls, type) and issubclass(cls, ReactionDiffusion)):
        raise BadInput("system", "must be a reaction–diffusion system", getattr(cls, "name", cls))
    return cls


def _arrays(pictures, observe, grid, cls, gaps) -> tuple[dict[str, np.ndarray], Grid]:
    if isinstance(pictures, str | Path):
        raise BadInput(
            "pictures", "must be pictures, not the name of a file", repr(str(pictures)), "Read it by us.load."
        )
    fields = dict(pictures.fields if isinstance(pictures, Pictures) else pictures)
    known = pictures.grid if isinstance(pictures, Pictures) else None
    names = listed(observe) if observe else tuple(name for name in fields if name in cls.fields)
    if not names:
        raise BadInput("observe", f"must name fields of {cls.name}", ", ".join(fields), nearest("", cls.fields))
    for name in names:
        if name not in cls.fields:
            raise BadInput("observe", f"must name fields of {cls.name}", repr(name), nearest(name, cls.fields))
        if name not in fields:
            raise BadInput("observe", "must name fields of the pictures", repr(name), nearest(name, fields))
    chosen = {name: real_numbers(name, fields[name]).astype(float) for name in cls.fields if name in names}
    chosen = {name: array[None] if array.ndim == 2 else array for name, array in chosen.items()}
    shapes = {array.shape for array in chosen.values()}
    if len(shapes) > 1 or any(len(shape) != 3 for shape in shapes):
        raise BadInput("pictures", "must have one shape (M, H, W) for every field", shapes)
    for name, array in chosen.items():
        if not array.size:
            raise BadInput("pictures", "must hold values", f"{name} of shape {array.shape}")
        refuse_channels_last(name, array.shape)
        bad = np.isinf(array) if gaps and len(names) < len(cls.fields) else ~np.isfinite(array)
        if bad.any():
            raise BadInput("pictures", "must be finite", f"{name} with {bad.sum()} values that are not")
        refuse_extreme(name, array)
    (shape,) = shapes
    grid = grid or known or Grid(shape[1:], getattr(getattr(pictures, "measures", None), "dx", None) or 1.0)
    if tuple(grid.shape) != shape[1:]:
        raise BadInput("grid", f"must have the pictures' shape {shape[1:]}", grid.shape)
    return chosen, grid


def known_parameters(cls, argument: str, values: Mapping[str, float] | None) -> dict[str, float]:
    """Values that name parameters and lie in their ranges."""
    values = {name: float(value) for name, value in (values or {}).items()}
    for name in values:
        if name not in cls.parameters():
            raise BadInput(argument, f"must name parameters of {cls.name}", repr(name), nearest(name, cls.parameters()))
    cls.make(**values)  # raises for a value outside its range
    return values
