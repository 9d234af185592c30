"""How large a question is, judged before anything is built: unknowns, the points they ask for, and the work.

A polynomial library of degree d in V variables has C(V + d, d) terms, and p = D·L unknowns [+ D(D + 1)/2 of a noise
term]. Its weak form wants 3p/2 test functions at least, and twice as many points as these. Generalised least squares
factorises matrices of that side some twenty times: p³ work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._errors import BadInput

MOST_UNKNOWNS = 1_000  # some minutes and 2 GB; sixteen variables under poly1 are 272, ten under poly2 are 660
MOST_TERMS = 500  # of one equation of pictures
TERMS: dict[str, Callable[[int], int]] = {
    "poly1": lambda variables: variables + 1,
    "poly2": lambda variables: math.comb(variables + 2, 2),
    "poly3": lambda variables: math.comb(variables + 3, 3),
    "trig": lambda variables: 1 + 2 * variables + 4 * math.comb(variables, 2),
}


def term_count(library: str | Mapping[str, Any], variables: int, periodic: int = 0) -> int:
    """L of a library by its name, or of a mapping; 1, which judges nothing, where a file has to be read first."""
    if not isinstance(library, str):
        return len(library)
    if periodic and library in TERMS and library != "trig":
        from .periodic_library import count_periodic

        return count_periodic(int(library[-1]), variables, periodic)
    return TERMS[library](variables) if library in TERMS else 1


def least_functionals(unknowns: int, heaps: int) -> int:
    """Test functions a heap, at least: half as many again as there are unknowns, over all heaps."""
    return -(-3 * unknowns // (2 * heaps))


def judge_points(
    library: str | Mapping[str, Any],
    shapes: Sequence[tuple[int, int]],
    held: int,
    fixed: int,
    stochastic: bool,
    periodic: int = 0,
) -> None:
    """Raises `BadInput` where heaps of these shapes (M, D), with `held` conditions, `fixed` known coefficients
    and `periodic` variables, are too few points for the library, or the library too large."""
    D, terms = shapes[0][1], term_count(library, shapes[0][1] + held, periodic)
    unknowns = D * terms - fixed + (D * (D + 1) // 2 if stochastic else 0)
    what = f"{unknowns:,} unknowns ({terms:,} terms in each of {D} equations)"
    least, fewest = 2 * least_functionals(unknowns, len(shapes)), min(M for M, _ in shapes)
    if fewest < least:
        rule = f"must be at least twice the test functions, {least:,} for {what}"
        picture = D >= 16 and fewest <= 16 * D  # a table that is not much longer than wide
        remedy = "A picture as a table? Save every field, (H, W), under its name in one .npz."
        remedy = remedy if picture else "Take a smaller library, or more points."
        raise BadInput("points", rule, f"{fewest} points", remedy)
    if unknowns > MOST_UNKNOWNS:
        rule = f"must leave at most {MOST_UNKNOWNS:,} unknowns"
        remedy = "Take a smaller library, or fewer variables."
        raise BadInput("library", rule, what, remedy)


def judge_pictures(library: str | Mapping[str, Any], fields: int) -> None:
    """Raises `BadInput` for a library of too many reaction terms in so many fields."""
    terms = term_count(library, fields)
    if terms > MOST_TERMS:
        rule = f"must have at most {MOST_TERMS} terms"
        raise BadInput("library", rule, f"{terms:,} in {fields} fields", "Take a smaller library, or fewer fields.")
