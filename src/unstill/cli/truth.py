"""The true dynamics behind a point set, where its run folder tells them: for comparison only."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from .._errors import BadInput


def with_truth(points, source: str):
    """The points with their true dynamics, if they are the run folder of a known set without noise of its own."""
    from ..discovery.point_sets import POINT_SETS
    from ..files.runs import RESULT, read_result
    from ..flows.diagnosis import Rescaled

    if not (Path(source).expanduser() / RESULT).is_file():
        return points
    told = read_result(Path(source).expanduser())
    chosen = POINT_SETS.get(str(told.get("set")))
    if chosen is None or chosen.dynamics is None or chosen.covariance is not None:
        return points
    dynamics = chosen.dynamics
    if told.get("z_scored"):
        dynamics = Rescaled(dynamics, np.array(told["mean"], float), np.array(told["std"], float))
    return dataclasses.replace(points, drift=dynamics)


def known_part(word: str, dimension: int):
    """x → dx/dt, of as many variables, of a flow's run folder (its first flow), a built-in system or `file.py:NAME`.

    Raises `BadInput`.
    """
    import jax

    part = _part(word)
    try:
        shape = jax.eval_shape(part, jax.ShapeDtypeStruct((dimension,), "float32")).shape
    except (TypeError, ValueError, IndexError):
        shape = None
    if shape != (dimension,):
        raise BadInput("known", f"must be of the points' {dimension} variables", repr(word))
    return part


def _part(word: str):
    from ..files.models import FLOWS_FILE, load_flow
    from ..systems import OrdinarySystem, find_system

    if (Path(word).expanduser() / FLOWS_FILE).is_file():
        return load_flow(word)[0].drift
    cls = find_system(word)
    if not issubclass(cls, OrdinarySystem):
        raise BadInput("known", "must be a system without space, or a run of `unstill flow`", repr(word))
    return cls().drift
