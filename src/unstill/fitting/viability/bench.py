"""One fit of the study after another: how each ended, its errors, its cost."""

import dataclasses
import functools
import time as clock
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..._errors import BadInput, UnstillError
from ..._types import Status
from ...observations.task import Task, check
from ...systems import GrayScott
from ..fit import plan_of
from ..minimisations import run_start
from ..roads import plan_roads
from ..starts import first_start
from .study import RATE, Regime, Row, Study
from .targets import draw_start, pictures

SUCCESS = 0.02  # of every parameter
ENDS = (
    "success", "dead plateau", "cliff", "exploding gradient", "wrong basin", "budget", "unidentifiable",
    "not applicable", "failed solve",
)  # fmt: skip
_EXPLODED = 1e3  # in units of the loss, by a relative change of a parameter


class Bench:
    """The roads of a study, compiled once each: every start of a row and regime shares them."""

    def __init__(self, study: Study):
        self.study = study
        self.task = functools.cache(self._task)
        self.road = functools.cache(self._road)

    def _task(self, regime_name: str) -> Task:
        regime = next(r for r in self.study.regimes if r.name == regime_name)
        return check(GrayScott, pictures(regime, self.study))

    def _road(self, row_name: str, regime_name: str):
        row = next(r for r in self.study.rows if r.name == row_name)
        options = {name: value for name, value in row.options.items() if name != "warm_start"}
        shared: dict[str, Any] = {"horizon": self.study.horizon, "batch": self.study.pictures, "seed": self.study.seed}
        if options.get("optimiser") == "adam":
            shared["rate"] = RATE
        plan = plan_of(**(shared | options))
        (road,) = plan_roads(self.task(regime_name), plan)
        return dataclasses.replace(road, iterations=self.study.iterations[road.optimiser_name]), plan

    def fit(self, row: Row, regime: Regime, distance: float, start: int) -> dict[str, Any]:
        """One fit as a line of the log: how it ended, its errors, its cost."""
        began = clock.perf_counter()
        line: dict[str, Any] = {"row": row.name, "regime": regime.name, "distance": distance, "start": start}
        try:
            road, plan = self.road(row.name, regime.name)
            values = draw_start(regime, self.study, distance, start)
            if "warm_start" in row.options:
                values = first_start(self.task(regime.name), 1.0, plan_of(warm_start="recover"))
            run = run_start(road, plan, values)
            if run.outcome.status is Status.INTERRUPTED:  # Ctrl-C ends the study; it is no end of a fit
                raise KeyboardInterrupt
        except (UnstillError, ArithmeticError, np.linalg.LinAlgError) as error:
            # A method that does not apply says so; a solver's failure ends one fit, not a night's study.
            end = "not applicable" if isinstance(error, BadInput) else "failed solve"
            why, seconds = f"{type(error).__name__}: {error}", clock.perf_counter() - began
            return line | {"end": end, "why": why, "errors": {}, "steps": 0, "seconds": seconds}
        reached = road.coordinates.values(run.outcome.x)
        errors = {n: abs(float(np.mean(reached[n])) / v - 1) for n, v in regime.parameters.items()}
        return line | {
            "end": end_of(run.outcome.status, errors, run.rows),
            "why": run.outcome.message,
            "errors": errors,
            "iterations": run.outcome.iterations,
            "steps": sum(r["steps"] + r["steps_differentiated"] for r in run.rows),
            "seconds": clock.perf_counter() - began,
        }


def end_of(status: Status, errors: Mapping[str, float], rows: Sequence[Mapping[str, Any]]) -> str:
    """The way a fit ended, in the words of `ENDS`."""
    if max(errors.values()) <= SUCCESS:
        return "success"
    if status in (Status.DEAD, Status.UNIDENTIFIABLE):
        return "dead plateau" if status is Status.DEAD else "unidentifiable"
    if _steepest(rows) > _EXPLODED:
        return "exploding gradient"
    if status is Status.BLOW_UP:
        return "cliff"
    return "budget" if status is Status.NOT_CONVERGED else "wrong basin"


def _steepest(rows: Sequence[Mapping[str, Any]]) -> float:
    """The largest change of the loss by a relative change of a parameter, in units of the largest loss of the fit;
    infinite where a finite loss had a derivative that is not."""
    rows = [row for row in rows if "gradients" in row and row["finite"] and np.isfinite(row["loss"])]
    scale = max((row["loss"] for row in rows), default=1.0)
    slopes = np.array(
        [abs(s * row["parameters"][n]) for row in rows for n, s in row["gradients"].items() if n in row["parameters"]]
    )
    if not slopes.size:
        return 0.0
    return float(slopes.max()) / max(scale, 1e-300) if np.isfinite(slopes).all() else np.inf
