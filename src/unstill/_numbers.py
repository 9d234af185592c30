"""Arrays that a user hands over, taken as real numbers or refused: what every room asks of them first."""

from typing import Any

import numpy as np

from ._errors import BadInput


def real_numbers(argument: str, values: Any) -> np.ndarray:
    """`values` as an array of their own real dtype; raises `BadInput` for what NumPy would turn into them in silence:
    the values below a mask, the imaginary part of complex numbers, texts, dates and Python objects."""
    if np.ma.isMaskedArray(values) and np.ma.is_masked(values):
        rule = "must not hold masked values: what lies below the mask is no measurement"
        raise BadInput(argument, rule, f"{np.ma.count_masked(values)} of {values.size} masked", "Cut them out.")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:  # lists of unequal lengths, tensors on another device
        raise BadInput(argument, "must be an array of numbers", f"{error}"[:120]) from error
    if array.dtype.kind not in "fiub":
        raise BadInput(argument, "must hold real numbers", f"dtype {array.dtype}")
    return array
