"""Point sets by name, each with its true dynamics where there is one: what methods are tried on."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._arguments import Count, Whole, checked
from .._errors import BadInput, nearest
from .._result import Result, plain
from .._types import Status
from ..observations.points import Points, default_names
from ..systems import Dynamics
from ..systems.double_gyre import DoubleGyre
from ..systems.hopf import Hopf
from ..systems.lorenz import Lorenz
from ..systems.rossler import Rossler
from ..systems.van_der_pol import VanDerPol
from .orbits import independent, starts, trajectories

Sampler = Callable[[int, int, bool], np.ndarray]  # count, seed, independent → x (M, D)


class LinearDynamics(eqx.Module):
    """dx/dt = A (x − μ): a `Dynamics`. Other numbers compile nothing new."""

    matrix: Array | np.ndarray
    mean: Array | np.ndarray

    def drift(self, state: Float[Array, "*M D"]) -> Float[Array, "*M D"]:
        mean = jnp.broadcast_to(jnp.asarray(self.mean, state.dtype), state.shape)
        return (state - mean) @ jnp.asarray(self.matrix, state.dtype).T


class Standardised(eqx.Module):
    """The dynamics of z = (x − mean)/scale, where x moves by `dynamics`. Other numbers compile nothing new."""

    dynamics: Dynamics
    mean: Array | np.ndarray
    scale: Array | np.ndarray

    def drift(self, state: Float[Array, "*M D"]) -> Float[Array, "*M D"]:
        mean, scale = (jnp.broadcast_to(jnp.asarray(n, state.dtype), state.shape) for n in (self.mean, self.scale))
        return self.dynamics.drift(state * scale + mean) / scale


@dataclasses.dataclass(frozen=True)
class PointSet:
    """How to draw a set: `sample(count, seed, independent)`. `moves`: whether its points are those of runs, so that
    `independent` makes a difference; `z_scored`: whether they are standardised, the true dynamics with them."""

    name: str
    about: str
    citation: str
    count: int
    sample: Sampler
    dynamics: Dynamics | None = None
    covariance: tuple[tuple[float, ...], ...] | None = None
    moves: bool = False
    z_scored: bool = False

    def __call__(
        self, count: int | None = None, *, seed: int = 0, independent: bool = False, raw: bool = False
    ) -> Points:
        """Points (count, D); `raw` ones are in the system's own units. Raises `BadInput` for a count below 2."""
        count = self.count if count is None else count
        if count < 2:
            raise BadInput("count", "must be at least 2", count)
        x, dynamics = self.sample(count, seed, independent or not self.moves), self.dynamics
        if self.z_scored and not raw:
            mean, scale = x.mean(0), x.std(0)
            x, dynamics = (x - mean) / scale, None if dynamics is None else Standardised(dynamics, mean, scale)
        S = None if self.covariance is None else np.array(self.covariance)
        return Points(x, default_names(x.shape[1]), dynamics, S, self.name)


def _two_peaks(count, seed, independent):
    rng = np.random.default_rng(seed)
    side = rng.choice([-1.0, 1.0], count)
    return side[:, None] + 0.5 * rng.standard_normal((count, 2))


def _ring(count, seed, independent):
    rng = np.random.default_rng(seed)
    radius, angle = np.sqrt(rng.uniform(1, 4, count)), rng.uniform(0, 2 * np.pi, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _two_moons(count, seed, independent):
    rng = np.random.default_rng(seed)
    angle, lower = rng.uniform(0, np.pi, count), rng.integers(0, 2, count)
    x = np.stack([np.cos(angle), np.sin(angle)], 1) * np.where(lower, -1.0, 1.0)[:, None]
    x += lower[:, None] * np.array([1.0, 0.5])
    return x + 0.1 * rng.standard_normal((count, 2))


_MEAN, _SIGMA = np.array([1.0, -0.5]), np.array([[1.0, 0.4], [0.4, 0.5]])


def _gaussian(count, seed, independent):
    normal = np.random.default_rng(seed).standard_normal((count, 2))
    return _MEAN + normal @ np.linalg.cholesky(_SIGMA).T


def _gyre(count, seed, independent):
    return np.random.default_rng(seed).uniform(0, [2 * np.pi, np.pi], (count, 2))


def _lorenz(count, seed, apart):
    if apart:
        return independent(Lorenz(), starts(count, (0, 0, 25), 5.0, seed), count, dt=0.01, settle=100, apart=10)
    start = np.random.default_rng(seed).standard_normal((10, 3))
    return trajectories(Lorenz(), start, count, dt=0.01)


def _of(dynamics: Dynamics, middle, spread: float, *, runs: int, settle: float, apart: float, dt=0.01, variances=None):
    """A sampler of a system: runs from normal starts; with noise of these variances."""
    root = None if variances is None else np.diag(np.sqrt(variances))

    def sample(count, seed, alone):
        if alone:
            start = starts(count, middle, spread, seed)
            return independent(dynamics, start, count, dt=dt, settle=settle, apart=apart, root=root, seed=seed)
        start = starts(runs, middle, spread, seed)
        return trajectories(dynamics, start, count, dt=dt, skip=round(settle / dt), root=root, seed=seed)

    return sample


_SET_B = "equilibrium-flow point sets, arXiv:2509.17990"
_TURN = np.array([[0.0, -1.0], [1.0, 0.0]]) @ np.linalg.inv(_SIGMA)
_NOISE = {"van_der_pol": (0.1, 0.1), "hopf": (0.2, 0.2)}


def _diagonal(variances):
    return tuple(tuple(float(v) for v in row) for row in np.diag(variances))


POINT_SETS: dict[str, PointSet] = {
    s.name: s
    for s in (
        PointSet("two_peaks", "two Gaussians, N(±(1, 1), 0.5²)", _SET_B, 10_000, _two_peaks),
        PointSet("ring", "uniform in 1 ≤ r ≤ 2", _SET_B, 10_000, _ring),
        PointSet("two_moons", "two half circles, noise 0.1, z-scored", _SET_B, 5_000, _two_moons, z_scored=True),
        PointSet(
            "lorenz", "10 runs of RK4 steps of 0.01 from N(0, 1), transients kept, z-scored", _SET_B, 50_000, _lorenz,
            Lorenz(), moves=True, z_scored=True,
        ),
        PointSet("gaussian", "a correlated Gaussian in the plane", "", 10_000, _gaussian),
        PointSet(
            "rotating_gaussian", "the same, turned by v = D Σ⁻¹(x − μ) with D antisymmetric", "", 10_000, _gaussian,
            LinearDynamics(_TURN, _MEAN),
        ),
        PointSet(
            "rossler", "10 runs on the Rössler attractor", Rossler.citation, 50_000,
            _of(Rossler(), (0, -4, 0), 1.0, runs=10, settle=100, apart=100, dt=0.02), Rossler(), moves=True,
        ),
        PointSet(
            "van_der_pol", "Van der Pol with noise, Σ = 0.1, 10 runs", VanDerPol.citation, 50_000,
            _of(VanDerPol(), (0, 0), 1.0, runs=10, settle=30, apart=20, variances=_NOISE["van_der_pol"]),
            VanDerPol(), _diagonal(_NOISE["van_der_pol"]), moves=True,
        ),
        PointSet(
            "hopf", "Hopf normal form with noise, Σ = 0.2, 10 runs", Hopf.citation, 50_000,
            _of(Hopf(), (0, 0), 1.0, runs=10, settle=30, apart=10, variances=_NOISE["hopf"]),
            Hopf(), _diagonal(_NOISE["hopf"]), moves=True,
        ),
        PointSet("double_gyre", "uniform in [0, 2π] × [0, π]", DoubleGyre.citation, 10_000, _gyre, DoubleGyre()),
    )
}  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DrawnPoints(Points, Result):
    """Points that were drawn from a set: `Points`, and what they are."""

    verb: ClassVar = "points"
    formats: ClassVar = True
    status: ClassVar = Status.CONVERGED  # pyright: ignore[reportIncompatibleVariableOverride]

    chosen: PointSet | None = None
    independent: bool = False
    raw: bool = False
    seconds: float = 0.0

    @property
    def set(self) -> PointSet:
        """The set that they are from."""
        assert self.chosen is not None
        return self.chosen

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the set is about, as it was drawn."""
        about = self.set.about.replace(", z-scored", "") if self.raw else self.set.about
        return about.replace("10 runs", "independent points") if self.independent else about

    def headline(self) -> str:
        return f"{self.count} points of {', '.join(self.names)}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        equations = getattr(self.set.dynamics, "equations", None)
        values = None if equations is None else self.set.dynamics.values()  # pyright: ignore
        return {
            "set": self.set.name,
            "about": self.message,
            "citation": self.set.citation,
            "variables": list(self.names),
            "count": self.count,
            "independent": self.independent or not self.set.moves,
            "z_scored": self.set.z_scored and not self.raw,
            "equations": None if equations is None else list(equations),
            "parameters": None if values is None else {n: float(v) for n, v in values.items()},
            "covariance": plain(self.covariance),
            # Of a z-scored set: what was subtracted, and what it was divided by.
            "mean": plain(getattr(self.drift, "mean", self.x.mean(0))),
            "std": plain(getattr(self.drift, "scale", self.x.std(0))),
        }

    def letters(self) -> dict[str, str]:
        return {"x": "MD", "names": "D"}

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        return {"points.npz": {"x": self.x, "names": np.array(self.names)}}


@checked
def draw_points(
    name: str, *, count: Count | None = None, independent: bool = False, raw: bool = False, seed: Whole = 0
) -> DrawnPoints:
    """Draw a point set: an unordered heap of points, with its true dynamics where there is one.

    Args:
        name: A point set: two_peaks, ring, two_moons, lorenz, … (`POINT_SETS` lists them).
        count: How many points (default: the set's own).
        independent: Independent points rather than all of a few runs.
        raw: The system's own units, where the set is z-scored.
        seed: Seed of the draw.

    Raises `BadInput`.
    """
    began, chosen = time.perf_counter(), find_point_set(name)
    if independent and not chosen.moves:
        raise BadInput("independent", f"must be left out: the points of {chosen.name} always are", independent)
    if raw and not chosen.z_scored:
        raise BadInput("raw", f"must be left out: {chosen.name} is not z-scored", raw)
    points = chosen(count, seed=seed, independent=independent, raw=raw)
    kept = {field.name: getattr(points, field.name) for field in dataclasses.fields(points)}
    told = {"chosen": chosen, "independent": independent, "raw": raw}
    return DrawnPoints(**kept, **told, seconds=time.perf_counter() - began)


def find_point_set(name: str) -> PointSet:
    """The set behind a name, with _ or -; raises `BadInput`."""
    key = name.replace("-", "_")
    if key not in POINT_SETS:
        raise BadInput("name", "must be a known point set", repr(name), nearest(key, POINT_SETS))
    return POINT_SETS[key]
