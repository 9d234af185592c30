"""Right-hand sides as people write them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def right_hand_sides(
    variables: Sequence[str], coefficients: Float[np.ndarray, "D L"], names: Sequence[str], *, tex: bool = False
) -> dict[str, str]:
    """Σ_j c_ij θ_j as text, variable by variable."""
    return {v: _sum(row, names, tex=tex) for v, row in zip(variables, coefficients, strict=True)}


def _sum(row: np.ndarray, names, *, tex: bool = False) -> str:
    parts = []
    for value, name in zip(row, names, strict=True):
        if value == 0:
            continue
        digits = f"{abs(value):.5g}"
        if tex and "e" in digits:
            base, _, power = digits.partition("e")
            digits = rf"{base} \cdot 10^{{{int(power)}}}"
        gap = r"\," if tex else " "
        factor = digits if name == "1" else name if digits == "1" else f"{digits}{gap}{name}"
        sign = "-" if value < 0 else "+"
        parts.append(f"{sign} {factor}" if parts else f"{'-' if value < 0 else ''}{factor}")
    return " ".join(parts) or "0"
