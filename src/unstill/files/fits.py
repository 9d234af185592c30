"""The run folder of a fit, read back: what was asked, and the log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import BadInput
from .loading import load
from .runs import asked_path, read_log, read_run

if TYPE_CHECKING:
    from ..fitting.plan import Plan
    from ..observations.task import Task

_READING = ("colormap", "axes", "channel", "frames", "fields", "trajectory")  # what `load` takes besides
# Of the command line: `fit` takes pictures and a grid, and does not write.
_OTHERS = ("source", "system", "dx", "boundary", "format", *_READING)


def load_fit(folder: str | os.PathLike) -> tuple[Task, Plan, list[dict[str, Any]]]:
    """The checked pictures, the plan and the log behind a fit's run folder: what `fitting.replay` takes.

    Raises `BadInput` for a folder that is none of a fit, that this version cannot read, or whose targets are gone.
    """
    from ..fitting.fit import plan_of

    asked = _asked(folder)
    source = asked_path(folder, asked["source"])
    if not Path(source).expanduser().exists():
        raise BadInput("source", f"must be a fit whose targets are still there: {folder}'s are not", source)
    try:
        plan = plan_of(**{name: value for name, value in asked.items() if name not in _OTHERS})
        task = _task(source, asked, plan)
    except (TypeError, ValueError) as error:
        raise BadInput("source", "must be a fit that this version can read", folder, str(error)) from error
    return task, plan, read_log(folder)


def load_fit_log(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """The log of a fit's run folder, for a landscape to draw its way; raises `BadInput`."""
    rows = read_log(folder)
    if not rows or not isinstance(rows[-1].get("parameters"), dict):
        raise BadInput("path", "must be the run folder of a fit", folder)
    return rows


def _asked(folder: str | os.PathLike) -> dict[str, Any]:
    """The arguments of the call, with its seed."""
    kept = read_run(folder)
    asked, seed = kept.get("config"), kept.get("seed")
    whole = isinstance(asked, dict) and isinstance(seed, int) and isinstance(asked.get("source"), str)
    if kept.get("verb") != "fit" or not whole:
        raise BadInput("source", "must be a whole run folder of fit", folder, "Its run.json lacks parts.")
    assert isinstance(asked, dict)
    return {**asked, "seed": seed}


def _task(source: str, asked: dict[str, Any], plan: Plan) -> Task:
    from ..observations.task import check
    from ..systems import find_system

    observe = asked.get("observe") or None
    reading = {name: asked[name] for name in _READING if asked.get(name) is not None}
    pictures = load(source, observe=observe, **reading)
    known = pictures.known_grid()
    grid = known.restated(asked.get("dx"), asked.get("boundary"))
    return check(find_system(asked.get("system", "gray-scott")), pictures, observe=observe, grid=grid, fix=plan.fix)
