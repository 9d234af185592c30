"""`agree`: how far learnt dynamics of fields agree with the true ones, by one protocol for every family.

The cosine of two fields f and g over pictures is

    cos = Σ f·g / √(Σ|f|² Σ|g|²),     each field of a state in units of its standard deviation over the pictures,

signed: a field that runs backwards scores −1. Its 95 % interval is that of means over resampled pictures (bootstrap).
Displacements c(T) − c(0) under both are compared in the same way; the learnt dynamics move at the pace that gives both
the same mean speed at first, since pictures do not tell the pace. `chance` is what random fields of cells score: 95 %
of random isotropic linear and quadratic rules of a cell and its Laplacian have a smaller |cosine|. `confusion` holds
the cosines with every preset of the system on the same pictures: a flow that knows its pictures knows its own best.

Where the pictures are at rest the true field vanishes on them: there is no direction to agree with, and no cosine.
"""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._arguments import Count, Positive, Whole, checked
from .._errors import BadInput
from .._jax import enable_x64
from .._result import Result, plain
from .._types import Status
from ..observations import Snapshots
from ..simulation import Grid, OnGrid, stable_dt
from ..systems import Dynamics, ReactionDiffusion

_RANDOM = 200  # fields of the chance level
_DRAWS = 1000  # of the bootstrap
_AT_REST = 1e-6  # root mean square of the true rates in standard deviations of the fields a unit of time


@dataclasses.dataclass(frozen=True)
class Cosine:
    """A signed cosine with its 95 % interval over pictures."""

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Agreement(Result):
    """By flow: cosine of the `field` and of the `displacement` with the truth's, and of the field with every preset."""

    verb: ClassVar = "agree"

    status: Status
    message: str
    field: dict[str, Cosine]
    displacement: dict[str, Cosine]
    confusion: dict[str, dict[str, float]]
    chance: float | None
    time: float
    pictures: int
    truth: dict[str, float]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        def told(found: dict[str, Cosine]) -> dict[str, Any]:
            return {name: plain(dataclasses.asdict(each)) for name, each in found.items()}

        return {
            "status": str(self.status),
            "message": self.message,
            "field": told(self.field),
            "displacement": told(self.displacement),
            "confusion": plain(self.confusion),
            "chance": plain(self.chance),
            "time": self.time,
            "pictures": self.pictures,
            "truth": self.truth,
            "seconds": self.seconds,
        }

    def table(self) -> list[list[str]]:
        rows = [] if not self.field else [["flow", "cosine of the field", "of displacements", "its best preset"]]
        for name, one in self.field.items():
            moved, known = self.displacement[name], self.confusion[name]
            best = max(known, key=lambda preset: known[preset]) if known else ""
            rows.append([name, *(f"{c.value:.4f} [{c.low:.4f}, {c.high:.4f}]" for c in (one, moved)), best])
        return rows

    def notes(self) -> list[str]:
        if self.chance is None:
            return []
        return [
            f"chance: 95 % of random rules have a |cosine| below {self.chance:.3f}; "
            f"displacements over a time of {self.time:g}"
        ]


@checked
def agree(
    pictures: Snapshots | Mapping[str, np.ndarray],
    flows: Mapping[str, Dynamics],
    truth: ReactionDiffusion,
    *,
    grid: Grid | None = None,
    time: Positive | None = None,
    most: Count = 64,
    seed: Whole = 0,
) -> Agreement:
    """Compare learnt dynamics of pictures with the true ones, on pictures that they were not learnt from.

    Args:
        pictures: Held-out pictures of all fields: arrays (M, H, W) by field name, or what `load` returns.
        flows: Learnt dynamics by name: rules, equations, systems, whatever has a `drift`.
        truth: The system that made the pictures.
        grid: Cell size `dx` and boundary (default: the pictures' own, else periodic with dx = 1).
        time: Time of the displacements, in the truth's units (default: that in which it moves half a standard
            deviation).
        most: Pictures that are used at most, evenly spread.
        seed: Seed of all random numbers.

    Returns an `Agreement` with status `moving`, or `steady` where the pictures are at rest and nothing can be
    compared. Raises `BadInput`.
    """
    began = clock.perf_counter()
    heap = pictures if isinstance(pictures, Snapshots) else Snapshots(dict(pictures))
    if not flows:
        raise BadInput("flows", "must name at least one", None)
    states = heap.states(truth.fields)
    states = states[np.unique(np.linspace(0, len(states) - 1, min(most, len(states))).round().astype(int))]
    placed = OnGrid(truth, grid or heap.known_grid())
    spread = np.maximum(states.std((0, 2, 3)), 1e-300)[:, None, None]
    true = drift_of(placed, states) / spread
    speed = float(np.sqrt((true**2).mean()))
    known = {name: float(np.asarray(value)) for name, value in truth.values().items()}
    facts: dict[str, Any] = {"pictures": len(states), "truth": known}
    if speed < _AT_REST:
        told = "the pictures are at rest: the true field vanishes on them, and there is no direction to agree with"
        return Agreement(Status.STEADY, told, {}, {}, {}, None, 0.0, **facts, seconds=clock.perf_counter() - began)
    duration, rng = time or 0.5 / speed, np.random.default_rng(seed)
    found = {name: _checked(name, flow, states) / spread for name, flow in flows.items()}
    presets = {name: drift_of(OnGrid(type(truth).make(name), placed.grid), states) / spread for name in truth.presets}
    moved = _moved(placed, states, duration, 1.0) / spread
    paths = {
        name: _moved(flow, states, duration, speed / float(np.sqrt((found[name] ** 2).mean()))) / spread
        for name, flow in flows.items()
    }
    return Agreement(
        Status.MOVING,
        f"{len(flows)} flow{'s' if len(flows) > 1 else ''} against the truth on {len(states)} pictures",
        {name: _cosine(f, true, rng) for name, f in found.items()},
        {name: _cosine(path, moved, rng) for name, path in paths.items()},
        {name: {p: _cosine_of(f, g) for p, g in presets.items()} for name, f in found.items()},
        _chance(placed.grid, states, true, rng),
        duration,
        **facts,
        seconds=clock.perf_counter() - began,
    )


def drift_of(dynamics: Dynamics, states: Float[np.ndarray, "M C H W"]) -> Float[np.ndarray, "M C H W"]:
    """The drift in float64, one picture at a time."""
    with enable_x64():
        one = jax.jit(lambda c: dynamics.drift(c))  # a method of a module with arrays has no hash
        return np.stack([np.asarray(one(jnp.asarray(c))) for c in states])


def _checked(name: str, flow: Dynamics, states: np.ndarray) -> np.ndarray:
    """Its drift on the pictures; raises `BadInput` for dynamics of other fields, or without a finite drift."""
    fields = getattr(flow, "fields", None)
    try:
        found = drift_of(flow, states)
    except (TypeError, ValueError, IndexError) as error:
        raise BadInput("flows", f"must move pictures of {states.shape[1]} fields", f"{name} ({fields})") from error
    if found.shape != states.shape or not np.isfinite(found).all() or not found.any():
        raise BadInput("flows", "must have a finite drift that does not vanish on the pictures", name)
    return found


def _moved(dynamics: Dynamics, states: np.ndarray, duration: float, pace: float) -> np.ndarray:
    """c(T) − c(0) by Heun's method (second order); NaN where a state leaves the finite numbers."""
    dt = min(stable_dt(dynamics), duration * pace / 8)
    steps = max(1, round(duration * pace / dt))
    dt = duration * pace / steps

    def step(_, c):
        first = dynamics.drift(c)
        return c + dt / 2 * (first + dynamics.drift(c + dt * first))

    with enable_x64():
        one = jax.jit(lambda c: jax.lax.fori_loop(0, steps, step, c) - c)
        return np.stack([np.asarray(one(jnp.asarray(c))) for c in states])


def _cosine_of(f: np.ndarray, g: np.ndarray) -> float:
    return float((f * g).sum() / np.sqrt((f * f).sum() * (g * g).sum()))


def _cosine(f: np.ndarray, g: np.ndarray, rng: np.random.Generator) -> Cosine:
    """With its interval over resampled pictures; NaN where a displacement is not finite: diffusion run backwards."""
    if not np.isfinite(f).all():
        return Cosine(np.nan, np.nan, np.nan)
    parts = np.stack([(a * b).sum((1, 2, 3)) for a, b in ((f, g), (f, f), (g, g))])
    drawn = parts[:, rng.integers(0, len(f), (_DRAWS, len(f)))].sum(2)
    low, high = np.quantile(drawn[0] / np.sqrt(drawn[1] * drawn[2]), (0.025, 0.975))
    return Cosine(_cosine_of(f, g), float(low), float(high))


def _chance(grid: Grid, states: np.ndarray, true: np.ndarray, rng: np.random.Generator) -> float:
    """The 95th percentile of |cosine| over random quadratic rules of the fields and their Laplacians."""
    some = states[:: max(1, len(states) // 8)]
    with enable_x64():
        laplacian = np.asarray(grid.laplacian(jnp.asarray(some)))
    z = np.concatenate([some, laplacian], 1)
    z = (z - z.mean((0, 2, 3))[:, None, None]) / np.maximum(z.std((0, 2, 3)), 1e-300)[:, None, None]
    i, j = np.triu_indices(z.shape[1])
    terms = np.concatenate([np.ones_like(z[:, :1]), z, z[:, i] * z[:, j]], 1)
    flat = np.moveaxis(terms, 1, 0).reshape(terms.shape[1], -1)
    target = np.moveaxis(true[:: max(1, len(states) // 8)], 1, 0).reshape(true.shape[1], -1)
    products, along, size = flat @ flat.T, flat @ target.T, (target**2).sum()
    table = rng.standard_normal((_RANDOM, len(target), len(flat)))
    inner = np.einsum("raj,ja->r", table, along)
    squares = np.einsum("raj,jk,rak->r", table, products, table, optimize=True)
    return float(np.quantile(np.abs(inner) / np.sqrt(squares * size), 0.95))
