"""Hints: what a user knows besides the points, and how it settles the pace and the arrow of time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._errors import BadInput, nearest
from .field_library import FieldLibrary
from .library import Library


def coefficient(
    argument: str, name: str, library: Library | FieldLibrary, variables: tuple[str, ...]
) -> tuple[int, int]:
    """`x:y z` → (equation, term); raises `BadInput`."""
    variable, colon, term = name.partition(":")
    if not colon:
        raise BadInput(argument, "must be VARIABLE:TERM=VALUE", repr(name), f'For example --{argument} "x:y=10".')
    if variable.strip() not in variables:
        raise BadInput(argument, "must name a variable before the colon", repr(name), nearest(variable, variables))
    return variables.index(variable.strip()), library.index(argument, term.strip())


def coefficients(
    argument: str, values: Mapping[str, float], library: Library | FieldLibrary, variables: tuple[str, ...]
) -> dict[tuple[int, int], float]:
    """`{"x:y": 10}` → {(equation, term): value}; raises `BadInput`."""
    found = {}
    for name, value in values.items():
        if not np.isfinite(value):
            raise BadInput(argument, "must be finite", f"{name}={value}")
        found[coefficient(argument, name, library, variables)] = float(value)
    return found


def known_signs(
    values: Mapping[str, float] | None, library: Library | FieldLibrary, variables: tuple[str, ...]
) -> dict[tuple[int, int], float]:
    """`{"x:y": -1}` → {(equation, term): ±1}; raises `BadInput`."""
    for name, value in (values or {}).items():
        if value not in (1, -1):
            raise BadInput("sign", "must be 1 or -1", f"{name}={value}", "A known coefficient is for --fix.")
    return {coefficient("sign", name, library, variables): value for name, value in (values or {}).items()}
