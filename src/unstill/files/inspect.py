"""`inspect`: what a file holds and what is suspicious, before any method works on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._errors import BadInput
from .._numbers import real_numbers
from ..observations.inspection import Inspection, examine
from ..observations.snapshots import Snapshots
from .loading import load


def inspect(
    pictures: Snapshots | Mapping[str, np.ndarray] | np.ndarray | str | os.PathLike, **reading: Any
) -> Inspection:
    """Look at pictures: axes, side of a cell, range, saturation, noise, wavelength, borders, copies, order.

    Nothing is assumed of a system. The noise is that of `observations.noise`, which fails on patterns of one or two
    cells; the wavelength is where the power of rings of the spectrum is largest; borders meet where the squared step
    across them is below 3 times that inside; pictures are near copies where they differ, noise apart, by less than a
    tenth of what unlike ones do.

    Args:
        pictures: A file or folder as `load` reads it, what `load` returns, arrays (M, H, W) or (H, W) by field name, or
            one such array of v.
        reading: Options of `load`, for a file.

    Returns an `Inspection`; its `status` is `dead` where all is uniform or noise, else `converged`, and `suspicious`
    says in words what should be looked at. Raises `BadInput`.
    """
    if isinstance(pictures, str | os.PathLike):
        return examine(load(pictures, **reading))
    if reading:
        name = next(iter(reading))
        raise BadInput(name, "is for a file only", repr(reading[name]))
    if isinstance(pictures, Snapshots):
        return examine(pictures)
    given = pictures if isinstance(pictures, Mapping) else {"v": pictures}
    arrays = {str(name): real_numbers(str(name), values) for name, values in given.items()}
    whole = any(values.dtype.kind in "iu" for values in arrays.values())
    return examine(Snapshots(arrays, absolute=not whole))
