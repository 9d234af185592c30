"""The curves that linear theory draws through a map: where uniform states are born, oscillate, or form waves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._errors import UnstillError
from ..analysis import stability
from ..analysis.bifurcations import Curve, closed_curves
from ..systems import ReactionDiffusion
from .design import Design

KINDS = ("saddle-node", "Hopf", "Turing")
_POINTS = 200  # of a curve, in a picture


def curves_of(
    cls: type[ReactionDiffusion], fixed: Mapping[str, float], laid: Design, seed: int = 0
) -> dict[str, Curve]:
    """The curves in the plane of a design of two parameters, kind → (second, first parameter), NaN between two pieces.

    By closed forms where they are known, else by `stability`; none where there is no plane, where no uniform state is
    found, or where nothing changes in the window.
    """
    if len(laid.values) != 2:
        return {}
    up, across = laid.values
    window = {across: laid.values[across], up: laid.values[up]}
    known = closed_curves(cls, window, fixed)
    if known is not None:
        return known
    over = {name: (float(values.min()), float(values.max())) for name, values in window.items()}
    middle = {name: (low + high) / 2 for name, (low, high) in over.items()}
    try:
        found = stability(cls, set={**fixed, **middle}, over=over, seed=seed)
    except UnstillError:  # linear theory is an ornament of the map, which stands without it
        return {}
    pieces: dict[str, list[np.ndarray]] = {}
    for curve in found.curves:
        if curve.kind in KINDS:
            some = curve.parameters[:: max(1, len(curve.parameters) // _POINTS)]
            pieces.setdefault(curve.kind, []).append(np.concatenate([some, np.full((1, 2), np.nan)]))
    joined = {kind: np.concatenate(each)[:-1] for kind, each in pieces.items()}
    return {kind: (each[:, 0], each[:, 1]) for kind, each in joined.items()}
