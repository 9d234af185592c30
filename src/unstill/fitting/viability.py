"""The viability study: strategies × losses × regimes × distances of the start, and how each failure ended."""

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
import time as clock
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np

from .._errors import BadInput, UnstillError
from .._types import Status
from ..analysis import leading_exponent
from ..recovery.recover import Task, check
from ..simulation import Grid, initial_state, native, simulate
from ..systems import GrayScott
from .fit import plan_of
from .roads import plan_roads
from .runs import run_start
from .starts import clip, first_start

SUCCESS = 0.02  # of every parameter
DISTANCES = (0.2, 0.6)  # starts differ from the truth by factors of 1 ± this, uniformly, parameter by parameter
ENDS = (
    "success", "dead plateau", "cliff", "exploding gradient", "wrong basin", "budget", "unidentifiable",
    "not applicable", "failed solve",
)  # fmt: skip
LARGE = 96  # cells a side on which chaos lives for long
ALIVE = 0.01  # contrast of v
_EXPLODED = 1e3  # in units of the loss, by a relative change of a parameter


@dataclasses.dataclass(frozen=True)
class Regime:
    """A place in parameter space, and what is seen of it: v alone of patterns at rest, else an ensemble of u and v."""

    name: str
    parameters: Mapping[str, float]
    steady: bool
    about: str


def _set(Du: float, Dv: float, F: float, k: float) -> dict[str, float]:
    return {"Du": Du, "Dv": Dv, "F": F, "k": k}


REGIMES = (
    Regime("uniform", _set(0.16, 0.08, 0.05, 0.045), True, "the uniform state: two numbers for four parameters"),
    Regime("spots", _set(0.16, 0.08, 0.035, 0.065), True, "steady spots, founding system A's target"),
    Regime("labyrinth", _set(0.16, 0.08, 0.029, 0.057), True, "a steady labyrinth"),
    Regime("bifurcation", _set(0.16, 0.08, 0.05, 0.06103), True, "on the Turing curve, between pattern and uniformity"),
    Regime("oscillatory", _set(0.16, 0.08, 0.018, 0.049), False, "waves"),
    Regime("chaotic", _set(0.10, 0.05, 0.026, 0.051), False, "spatio-temporal chaos"),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One way of fitting: a name for the table and the arguments of `fit`."""

    name: str
    options: Mapping[str, Any]


def _row(name: str, **options: Any) -> Row:
    return Row(name, options)


ROWS = (
    _row("founding (A)", strategy="tbptt", window=1000, loss="founding-spectrum", optimiser="adaptive", rate=1.2e-2,
         constraint="founding", pair="each"),
    _row("bptt, power spectrum, adam", strategy="bptt", loss="power-spectrum", optimiser="adam"),
    _row("tbptt, radial spectrum, adam", strategy="tbptt", window=500, loss="radial-spectrum", optimiser="adam"),
    _row("forward, radial spectrum, LM", strategy="forward", loss="radial-spectrum", optimiser="levenberg-marquardt",
         batch=1),
    _row("implicit, radial spectrum, LM", strategy="implicit", loss="radial-spectrum", optimiser="levenberg-marquardt",
         batch=1),
    _row("CMA-ES, moments", strategy="bptt", loss="moments", optimiser="cma-es"),
    _row("CMA-ES then LM, radial spectrum", strategy="forward", loss="radial-spectrum", optimiser="hybrid", batch=1),
    _row("observed start, 8 steps, pixel", strategy="observed-start", window=8, loss="pixel"),
    _row("observed start, 256 steps, pixel", strategy="observed-start", window=256, loss="pixel"),
    _row("observed start, 8 steps, pixel, adam", strategy="observed-start", window=8, loss="pixel", optimiser="adam"),
    _row("curriculum to 256 steps, pixel", strategy="curriculum", window=256, loss="pixel"),
    _row("EM, pixel", strategy="em", loss="pixel"),
    _row("multiple shooting, pixel, adam", strategy="shooting", loss="pixel", batch=64),
    _row("observed start, 1 step, stationarity", strategy="observed-start", window=1, loss="stationarity"),
    _row("warm start from recover, pixel", strategy="observed-start", window=8, loss="pixel", warm_start="recover"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Study:
    """The size of a study. `iterations` by optimiser: a first-order step, a Gauss–Newton one, a generation."""

    size: int
    starts: int
    horizon: int
    pictures: int
    iterations: Mapping[str, int]
    rows: Sequence[Row] = ROWS
    regimes: Sequence[Regime] = REGIMES
    distances: Sequence[float] = DISTANCES
    seed: int = 0

    @property
    def fits(self) -> int:
        return sum(len(block) for block in self.blocks())

    def blocks(self, known: Container[tuple] = ()):
        """The open fits (row, regime, distance, start) in blocks of one row and regime, five starts at a time: an early
        end leaves a thinner table rather than one with holes. A warm start does not look at the start: one will do."""
        for first in range(0, self.starts, 5):
            for regime in self.regimes:
                for row in self.rows:
                    last = min(first + 5, 1 if "warm_start" in row.options else self.starts)
                    cells = [(row, regime, d, start) for d in self.distances for start in range(first, last)]
                    open_ = [c for c in cells if (c[0].name, c[1].name, c[2], c[3]) not in known]
                    if open_:
                        yield open_


_FEW = {"adaptive": 30, "adam": 30, "levenberg-marquardt": 20, "cma-es": 10, "hybrid": 16}
_MANY = {"adaptive": 300, "adam": 300, "levenberg-marquardt": 60, "cma-es": 80, "hybrid": 60}
QUICK = Study(48, 10, 8_000, 2, _FEW)
FULL = Study(64, 20, 20_000, 4, _MANY)
RATE = 0.05  # of Adam, in log θ: 30 steps reach from −60 % to the truth and beyond
FOUNDING_START = _set(0.127, 0.127, 0.05, 0.05)


def pictures(regime: Regime, study: Study) -> dict[str, np.ndarray]:
    """The targets of a regime: v of patterns grown as the rows that roll out grow theirs (fresh squares, until no cell
    moves by 1e-4 a step, within the horizon), or u and v of an ensemble of 64 moving states."""
    grid = Grid((study.size, study.size))
    system = GrayScott(**regime.parameters)
    if regime.steady:
        state = initial_state(system, grid, init="square", samples=study.pictures, seed=study.seed + 1)
        return {"v": _settle(state, system, grid, study.horizon)[:, 1]}
    state = initial_state(system, grid, init="discs", samples=32, seed=study.seed + 1)
    film = simulate(system, state, grid=grid, steps=20_000, save_every=1_250)
    assert film.frames is not None
    alive = np.flatnonzero(film.state[:, 1].std((-2, -1)) > ALIVE)[
        :8
    ]  # in small boxes waves and chaos die now and then
    states = film.frames[-8:, alive].reshape(-1, 2, *grid.shape)
    return {"u": states[:, 0], "v": states[:, 1]}


def _settle(state: np.ndarray, system: GrayScott, grid: Grid, horizon: int) -> np.ndarray:
    """Founding system A's stop rule."""
    return simulate(system, state, grid=grid, until_change=1e-4, max_steps=horizon).state


def draw_start(regime: Regime, study: Study, distance: float, start: int) -> dict[str, float]:
    """A random start around the truth, clipped to the ranges and to the stability limit."""
    rng = np.random.default_rng([study.seed, start, round(1000 * distance)])
    factors = rng.uniform(1 - distance, 1 + distance, len(regime.parameters))
    values = {n: v * f for (n, v), f in zip(regime.parameters.items(), factors, strict=True)}
    return clip(GrayScott, Grid((study.size, study.size)), 1.0, values)


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
            "end": _end(run.outcome.status, errors, run.rows),
            "why": run.outcome.message,
            "errors": errors,
            "iterations": run.outcome.iterations,
            "steps": sum(r["steps"] + r["steps_differentiated"] for r in run.rows),
            "seconds": clock.perf_counter() - began,
        }


def _end(status: Status, errors: Mapping[str, float], rows: Sequence[Mapping[str, Any]]) -> str:
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


def study_viability(
    study: Study,
    done: Sequence[Mapping[str, Any]] = (),
    record: Callable[[dict[str, Any]], None] = lambda line: None,
    *,
    workers: int | None = None,
) -> list[dict[str, Any]]:
    """Every fit of the study that is not among the lines `done`; returns all lines.

    Blocks of fits that share what is compiled go to `workers` processes of one thread each (by default one a core).
    """
    lines = [dict(line) for line in done]
    known = {(line["row"], line["regime"], line["distance"], line["start"]) for line in lines}
    blocks = study.blocks(known)
    if (workers or native.threads()) == 1:
        bench = Bench(study)
        for line in (bench.fit(*cell) for block in blocks for cell in block):
            lines.append(line)
            record(line)
        return lines
    for finished in _in_processes(study, blocks, workers or native.threads()):
        for line in finished:
            lines.append(line)
            record(line)
    return lines


def _in_processes(study: Study, blocks, workers: int):
    """The lines of each block as it is finished."""
    context = multiprocessing.get_context("spawn")  # JAX does not survive a fork
    with concurrent.futures.ProcessPoolExecutor(workers, context, _begin_worker, (study,)) as pool:
        try:
            for future in concurrent.futures.as_completed([pool.submit(_fit_block, block) for block in blocks]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_bench: Bench | None = None


def _begin_worker(study: Study) -> None:
    global _bench
    os.environ["UNSTILL_THREADS"] = "1"
    _bench = Bench(study)


def _fit_block(block) -> list[dict[str, Any]]:
    assert _bench is not None
    return [_bench.fit(*cell) for cell in block]


def founding_at_its_size(*, pictures: int, iterations: int) -> dict[str, Any]:
    """Founding system A's own configuration at its own size: 128², batch 8, from fresh squares to a change of 1e-4 a
    step within 40,000 steps, a window of 1,000; its adaptive rate from its start, for as many iterations as asked."""
    spots = next(r for r in REGIMES if r.name == "spots")
    grid, system = Grid((128, 128)), GrayScott(**spots.parameters)
    start = initial_state(system, grid, init="square", samples=pictures, seed=7)
    targets = _settle(start, system, grid, 40_000)
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


def table(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a row, regime and distance: successes of how many starts, median cost, and the other ends counted."""
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["row"], line["regime"], line["distance"]), []).append(line)
    return [
        {
            "row": row, "regime": regime, "distance": distance, "starts": len(group),
            "success": sum(line["end"] == "success" for line in group) / len(group),
            "steps": float(np.median([line["steps"] for line in group])),
            "seconds": float(np.median([line["seconds"] for line in group])),
            "ends": {end: n for end in ENDS if (n := sum(line["end"] == end for line in group))},
        }
        for (row, regime, distance), group in groups.items()
    ]  # fmt: skip


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
