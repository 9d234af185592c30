"""`survey`: the verb that maps the regimes of a system over its parameters."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
import time as clock
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from .._arguments import Count, Positive, Values, Whole, checked
from .._errors import BadInput
from .._progress import AbstractCheckpoint, Progress, silent
from .._stopping import shielded
from .._types import Status
from ..analysis.bifurcations import Curve
from ..simulation import INITIAL_STATES, Grid, native
from ..simulation.rollout import check_euler_dt, place, stability_limit, stable_dt
from ..systems import ReactionDiffusion, find_system
from ..systems.same_call import fingerprint, same_call
from .atlas import Atlas
from .cells import REGIMES, Cell, Setting, empty, look_at_all
from .classify import FEWEST, STEPS
from .design import Design, lay_out
from .linear_theory import curves_of
from .refinement import Refinement
from .workers import LostCluster, Work, crew

_MOST_IN_A_TASK = 8  # cells: tasks of seconds to minutes, and little is lost with one


@checked
def survey(
    system: type[ReactionDiffusion] | str,
    *,
    over: Mapping[str, Sequence[float] | np.ndarray],
    set: Values | None = None,
    preset: str = "",
    design: Literal["grid", "sobol", "latin"] = "grid",
    points: Count | None = None,
    refine: Whole = 0,
    samples: Count = 1,
    time: Positive | None = None,
    grid: Grid | None = None,
    dt: Positive | None = None,
    init: str = "square",
    keep_states: bool = False,
    workers: Count | None = None,
    cluster: str = "",
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Atlas:
    """Map the regimes of a system over parameters: `classify` at every point of a design, for each initial state.

    A cell of the atlas depends on its parameters, the settings and the number of its initial state alone, so the map
    is the same, bit for bit, in whatever order and on however many workers it is made. Motions that rest end early.
    Over two parameters the curves of linear theory are added (`stability`).

    Args:
        system: The system, or its name.
        over: The parameters that vary: values along each axis of a grid, by name; of other designs, whose ends count.
        set: The other parameters.
        preset: Where these start from (default: the system's own values).
        design: Points of a grid; or that many `points` of a scrambled Sobol sequence or a Latin hypercube.
        points: How many points a sobol or latin design has.
        refine: Look at every 2^refine-th point of a grid first, and halve the stride that often, but only between
            points of different regimes. Points that are passed over stay without a regime.
        samples: Initial states at each point, the same at all of them.
        time: How long to watch a motion at most, in the system's unit (default: 20,000 steps).
        grid: Cells, cell size and boundary (default: 128 × 128; dx = 1, periodic).
        dt: Time step of the explicit Euler steps (default: the system's, stable all over the design).
        init: Initial states: square, discs or noise.
        keep_states: Keep the last states whole, in single precision, too.
        workers: Processes of one thread each, made by dask.distributed (default: none, threads on all cores).
        cluster: The address of a running dask.distributed scheduler, such as tcp://127.0.0.1:8786, to work on.
        seed: Seed of the initial states, of the design and of the tangent vectors.
        progress: Called with the cells done and in all.
        resume: Keeps what is found task by task; the same call goes on from there.

    Tasks are a few cells each; one whose worker dies is done again, and nothing is written but by this process. Raises
    `BadInput`, also for a scheduler that cannot be reached. One that is lost later leaves the map `interrupted`.
    """
    started = clock.perf_counter()
    cls = find_system(system) if isinstance(system, str) else system
    laid, setting = _prepared(
        cls, over, dict(set or {}), preset, design, points, time, grid, dt, init, keep_states, seed
    )  # fmt: skip
    _check_levels(refine, laid)
    with crew(workers, cluster) as work:
        atlas = _Cells(setting, laid, samples, refine, resume)
        stopped = _look(atlas, work, progress)
    values = atlas.shaped()
    status, message = _verdict(values["regime"], stopped, refine > 0)
    curves: Mapping[str, Curve] = {}
    with contextlib.suppress(KeyboardInterrupt):  # all cells are there: the map stands without its curves
        curves = {} if stopped else curves_of(setting.cls, setting.fixed, laid, seed)
    return Atlas(setting, laid, values, curves, status, message, clock.perf_counter() - started)


def _prepared(
    cls, over, fixed, preset, kind, points, time, grid, dt, init, keep_states, seed
) -> tuple[Design, Setting]:
    """The design and the setting of a call; raises `BadInput`."""
    if not (isinstance(cls, type) and issubclass(cls, ReactionDiffusion)):
        raise BadInput("system", "must be a reaction–diffusion system", getattr(cls, "name", repr(cls)))
    laid = lay_out(cls, over, kind, points, seed)
    twice = sorted(fixed.keys() & laid.values.keys())
    if twice:
        raise BadInput("set", "must not name what varies", twice[0], "It stands in `over`.")
    if init not in INITIAL_STATES:
        raise BadInput("init", f"must be one of {', '.join(INITIAL_STATES)}", repr(init))
    grid = grid or Grid((128, 128))
    fixed = {name: float(value) for name, value in cls.make(preset or None, **fixed).values().items()}
    fixed = {name: value for name, value in fixed.items() if name not in laid.values}
    step = _step(cls, fixed, laid, grid, dt)
    time = STEPS * step if time is None else float(time)
    if time < FEWEST * step:
        raise BadInput("time", f"must be at least {FEWEST} steps of dt, {FEWEST * step:g}", time)
    return laid, Setting(cls, fixed, grid, time, step, init, seed, keep_states)


def _check_levels(refine: int, laid: Design) -> None:
    if refine and not laid.axes:
        raise BadInput("refine", f"must be left out: a {laid.kind} design has no neighbours", refine)
    if refine and (refine >= 30 or 2**refine >= min(laid.shape)):
        raise BadInput("refine", "must leave two points or more on each axis at first", refine)


def _step(cls, fixed: Mapping[str, float], laid: Design, grid: Grid, dt: float | None) -> float:
    """A time step that is stable in every corner of the ranges; raises `BadInput` where one is given that is not, and
    for parameters beyond the system's bounds."""
    ends = [(float(v.min()), float(v.max())) for v in laid.values.values()]
    corners = [dict(zip(laid.values, corner, strict=True)) for corner in itertools.product(*ends)]
    systems = [cls.make(None, **{**fixed, **corner}) for corner in corners]
    if dt is not None:
        check_euler_dt(dt, min(stability_limit(each, grid) for each in systems))
        return float(dt)
    shape = (1, len(cls.fields), *grid.shape)
    return min(float(stable_dt(place(each, grid, shape))) for each in systems)


def _look(atlas: _Cells, work: Work, progress: Progress) -> str:
    """Look at all cells that are wanted and not known yet; what ended it early, in words, or nothing."""
    total = None if atlas.levels else atlas.count
    try:
        for level in itertools.count():
            tasks = atlas.waiting(level)
            if atlas.is_whole(level):
                break
            for place, rows in work(functools.partial(look_at_all, atlas.setting), list(map(atlas.cells_of, tasks))):
                atlas.take(tasks[place], rows)
                progress(atlas.done, total, {"cells": atlas.done})
    except KeyboardInterrupt:
        return "stopped"
    except LostCluster as lost:
        return str(lost)
    atlas.drop()
    return ""


def _verdict(regime: np.ndarray, stopped: str, refined: bool) -> tuple[Status, str]:
    missing, undecided = int((regime < 0).sum()), int((regime == REGIMES.index("undecided")).sum())
    if stopped:
        return Status.INTERRUPTED, f"{stopped} after {regime.size - missing} of {regime.size} cells"
    told = f"{regime.size} cells"
    if refined:
        told = f"{regime.size - missing} of {told} looked at, the others lie between points of one regime"
    return Status.CONVERGED, f"{told}, {undecided} of them undecided" if undecided else told


class _Cells:
    """All cells, in tasks of a few, and what is known of them, in memory and in the checkpoint, if there is one.

    Tasks are counted over all levels of a refinement; those of the next level follow from what was found before.
    """

    def __init__(self, setting: Setting, laid: Design, samples: int, levels: int, kept: AbstractCheckpoint | None):
        self.setting, self.laid, self.samples, self.levels, self.kept = setting, laid, samples, levels, kept
        self.count = samples * math.prod(laid.shape)
        self.arrays = empty(setting, len(setting.cls.fields), self.count)
        self.done, self._stride = 0, max(1, min(_MOST_IN_A_TASK, self.count // (4 * native.threads())))
        self._tasks: list[np.ndarray] = []
        self._first = 0  # task of the level that is under way
        self._refinement = Refinement(laid.shape, levels, REGIMES.index("undecided"))
        if kept is not None:
            self._open(kept)

    def _open(self, kept: AbstractCheckpoint) -> None:
        """An interrupted call's checkpoint, whose tasks may be of another size, or a new one. Raises `BadInput`."""
        facts = {
            each.name: getattr(self.setting, each.name) for each in dataclasses.fields(Setting) if each.name != "cls"
        }
        facts |= {"samples": self.samples, "design": self.laid.values, "refine": self.levels}
        same_call(kept, fingerprint(self.setting.cls, **facts))
        known = kept.kept("tasks")
        if known is not None:
            self._stride = int(known["cells"])
        else:
            kept.keep("tasks", cells=np.array(self._stride))

    def waiting(self, level: int) -> list[int]:
        """The tasks of a level that no earlier call has done; those that one has are taken up."""
        regime = self.arrays["regime"].reshape(*self.laid.shape, self.samples)
        points = self._refinement.points(level, regime)
        cells = (points[:, None] * self.samples + np.arange(self.samples)).ravel()
        first = self._first = len(self._tasks)
        self._tasks += [cells[i : i + self._stride] for i in range(0, len(cells), self._stride)]
        for task in range(first, len(self._tasks)):
            earlier = self.kept.kept(f"cells-{task}") if self.kept is not None else None
            if earlier is not None:
                self._fill(task, earlier)
        return [task for task in range(first, len(self._tasks)) if (self.arrays["regime"][self._tasks[task]] < 0).any()]

    def is_whole(self, level: int) -> bool:
        """Whether a level beyond the last wants nothing more."""
        return level > self.levels and len(self._tasks) == self._first

    def cells_of(self, task: int) -> list[Cell]:
        """The cells of a task."""
        return [
            Cell({name: float(v[i // self.samples]) for name, v in self.laid.values.items()}, i % self.samples)
            for i in self._tasks[task].tolist()
        ]

    def take(self, task: int, rows: Mapping[str, np.ndarray]) -> None:
        """Know and keep a task, whole or not at all."""
        with shielded():
            self._fill(task, rows)
            if self.kept is not None:
                self.kept.keep(f"cells-{task}", **rows)

    def _fill(self, task: int, rows: Mapping[str, np.ndarray]) -> None:
        places = self._tasks[task]
        for name, values in rows.items():
            self.arrays[name][places] = values
        self.done += len(places)

    def shaped(self) -> dict[str, np.ndarray]:
        """The arrays with the axes of the design and of the samples."""
        lead = (*self.laid.shape, self.samples)
        return {name: values.reshape(*lead, *values.shape[1:]) for name, values in self.arrays.items()}

    def drop(self) -> None:
        """Forget the checkpoint: all is done."""
        if self.kept is not None:
            for name in ("call", "tasks", *(f"cells-{task}" for task in range(len(self._tasks)))):
                self.kept.drop(name)
