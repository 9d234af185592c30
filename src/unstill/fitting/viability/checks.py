"""What stands beside the study: are its regimes chaotic, and what does founding system A's own configuration reach?"""

import dataclasses
import time as clock
from typing import Any

from ...analysis import leading_exponent
from ...observations.task import check
from ...simulation import Grid, initial_state, simulate
from ...systems import GrayScott
from ..fit import plan_of
from ..minimisations import run_start
from ..roads import plan_roads
from .study import FOUNDING_START, REGIMES, ROWS, Study
from .targets import settle

LARGE = 96  # cells a side on which chaos lives for long


def founding_at_its_size(*, pictures: int, iterations: int) -> dict[str, Any]:
    """Founding system A's own configuration at its own size: 128², batch 8, from fresh squares to a change of 1e-4 a
    step within 40,000 steps, a window of 1,000; its adaptive rate from its start, for as many iterations as asked."""
    spots = next(r for r in REGIMES if r.name == "spots")
    grid, system = Grid((128, 128)), GrayScott(**spots.parameters)
    start = initial_state(system, grid, init="square", samples=pictures, seed=7)
    targets = settle(start, system, grid, 40_000)
    plan = plan_of(**ROWS[0].options, batch=8)
    (road,) = plan_roads(check(GrayScott, {"v": targets[:, 1]}), plan)
    began = clock.perf_counter()
    run = run_start(dataclasses.replace(road, iterations=iterations), plan, FOUNDING_START)
    reached = road.coordinates.values(run.outcome.x)
    return {
        "iterations": run.outcome.iterations,
        "status": str(run.outcome.status),
        "message": run.outcome.message,
        "parameters": {name: float(value) for name, value in reached.items()},
        "losses": [row["loss"] for row in run.rows],
        "steps": sum(row["steps"] + row["steps_differentiated"] for row in run.rows),
        "seconds": clock.perf_counter() - began,
    }


def verify_chaos(study: Study, *, time: float = 60_000.0) -> list[dict[str, Any]]:
    """λ₁ of the moving regimes and of spots in float64 at two time steps: chaotic in time, not by the time step."""
    grid, out = Grid((max(study.size, LARGE), max(study.size, LARGE))), []
    for regime in study.regimes:
        if regime.name not in ("spots", "oscillatory", "chaotic"):
            continue
        system = GrayScott(**regime.parameters)
        state = initial_state(system, grid, init="discs", samples=8, seed=study.seed + 1)
        for dt in (1.0, 0.5):
            runs = simulate(system, state, grid=grid, time=20_000.0, dt=dt).state
            settled = max(runs, key=lambda c: c[1].std())  # one that lives
            found = leading_exponent(system, settled, grid=grid, time=time, transient=2_000.0, dt=dt)
            low, high = found.interval95 if found.interval95 is not None else (None, None)
            out.append(
                {"regime": regime.name, "dt": dt, "exponent": found.value, "std": found.std, "interval95": [low, high]}
            )
    return out
