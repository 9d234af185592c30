"""One cell of an atlas: a parameter set and an initial state, from which everything else of it follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..analysis.patterns import QUANTILES, pattern_statistics
from ..simulation import Grid, initial_state
from ..systems import SYSTEMS, ReactionDiffusion, find_system, system_name
from .regimes import Finding, Regime, find_regime

THUMBNAIL = 32  # cells along a side
REGIMES = tuple(Regime)  # the number of a regime in an atlas is its place here; −1: not looked at yet
NUMBERS = (
    "time", "dt", "drift", "straightness", "reach", "speeds", "depth", "period", "exponent", "exponent_std",
    "exponent_before",
)  # fmt: skip
SHAPES = ("wavelength", "orientation", "area", "perimeter", "euler", "spots")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all cells share, in plain values that travel between processes."""

    cls: type[ReactionDiffusion]
    fixed: Mapping[str, float]
    grid: Grid
    time: float
    dt: float
    init: str
    seed: int
    keep_states: bool

    def __reduce__(self):
        """By the word for the system, which finds a user's file on another process too."""
        word = system_name(self.cls)
        found = word if word in SYSTEMS or ".py:" in word else self.cls
        values = (getattr(self, each.name) for each in dataclasses.fields(self) if each.name != "cls")
        return _setting, (found, *values)


def _setting(word: str | type[ReactionDiffusion], *values: Any) -> Setting:
    cls: Any = find_system(word) if isinstance(word, str) else word
    return Setting(cls, *values)


@dataclasses.dataclass(frozen=True)
class Cell:
    """Parameters that differ from the shared ones, and the number of the initial state."""

    values: Mapping[str, float]
    sample: int


def look_at(setting: Setting, cell: Cell) -> dict[str, np.ndarray]:
    """What an atlas keeps of a cell, by name. It depends on nothing but the setting and the cell."""
    system = setting.cls.make(None, **{**setting.fixed, **cell.values})
    state = initial_state(system, setting.grid, init=setting.init, samples=1, seed=seed_of(setting, cell))[0]
    found = find_regime(system, setting.grid, state, time=setting.time, dt=setting.dt, seed=setting.seed)
    return row(setting, found)


def seed_of(setting: Setting, cell: Cell) -> int:
    """The seed of an initial state: the survey's own for the first, and others that no neighbouring seed has."""
    if cell.sample == 0:
        return setting.seed
    return int(np.random.SeedSequence((setting.seed, cell.sample)).generate_state(1)[0])


def row(setting: Setting, found: Finding) -> dict[str, np.ndarray]:
    """A finding as numbers: NaN for what was not needed."""
    way = found.recurrence
    numbers: dict[str, float | None] = {
        "time": found.time,
        "dt": found.dt,
        "drift": found.drift,
        "straightness": way and way.straightness,
        "reach": way and way.reach,
        "speeds": way and way.speeds,
        "depth": way and way.depth,
        "period": found.period,
        "exponent": found.exponent and found.exponent.value,
        "exponent_std": found.exponent and found.exponent.std,
        "exponent_before": found.before and found.before.value,
    }
    looks = [pattern_statistics(setting.grid, field) for field in found.state]
    kept: dict[str, Any] = {name: np.float64(np.nan if value is None else value) for name, value in numbers.items()}
    kept |= {"regime": np.int8(REGIMES.index(found.regime)), "mean": found.means, "contrast": found.contrasts}
    kept["quantiles"] = np.stack([look.quantiles for look in looks])
    for name in SHAPES:
        values = [getattr(look, name) for look in looks]
        kept[name] = np.array([np.nan if value is None else value for value in values])
    kept["thumbnail"] = thumbnail(found.state[-1])
    if setting.keep_states:
        kept["state"] = found.state.astype(np.float32)
    return {name: np.asarray(value) for name, value in kept.items()}


def empty(setting: Setting, fields: int, count: int) -> dict[str, np.ndarray]:
    """The arrays of an atlas of so many cells, none of which was looked at."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(NUMBERS, ())
    shapes |= dict.fromkeys(("mean", "contrast", *SHAPES), (fields,)) | {"quantiles": (fields, len(QUANTILES))}
    arrays = {name: np.full((count, *shape), np.nan) for name, shape in shapes.items()}
    arrays["regime"] = np.full(count, -1, np.int8)
    arrays["thumbnail"] = np.zeros((count, THUMBNAIL, THUMBNAIL), np.float32)
    if setting.keep_states:
        arrays["state"] = np.full((count, fields, *setting.grid.shape), np.nan, np.float32)
    return arrays


def thumbnail(field: np.ndarray) -> np.ndarray:
    """A field at 32 × 32 cells, by means of blocks of rows and columns."""
    rows, columns = (np.linspace(0, n, min(THUMBNAIL, n) + 1).astype(int) for n in field.shape)
    sums = np.add.reduceat(np.add.reduceat(field, rows[:-1], 0), columns[:-1], 1)
    small = sums / (np.diff(rows)[:, None] * np.diff(columns))
    repeated = [np.linspace(0, n - 0.5, THUMBNAIL).astype(int) if n < THUMBNAIL else slice(None) for n in small.shape]
    return small[repeated[0]][:, repeated[1]].astype(np.float32)


def look_at_all(setting: Setting, cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    """The rows of several cells, stacked."""
    rows = [look_at(setting, cell) for cell in cells]
    return {name: np.stack([each[name] for each in rows]) for name in rows[0]}
