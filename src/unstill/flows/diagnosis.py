"""How good is a flow: does it keep the density, is it the truth, and how many different ones are there?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._jax import enable_x64
from ..analysis.distances import WIDTH, median_distance, mmd_floor, mmd_squared, sliced_wasserstein
from ..systems import Dynamics
from .integrate import move


class Rescaled(eqx.Module):
    """The dynamics of z = (x − mean)/scale, `factor` times as fast, where x moves by `dynamics`."""

    dynamics: Dynamics
    mean: Array | np.ndarray
    scale: Array | np.ndarray
    factor: float | Array | np.ndarray = 1.0

    def drift(self, state: Float[Array, "*M D"]) -> Float[Array, "*M D"]:
        mean, scale = (jnp.broadcast_to(jnp.asarray(n, state.dtype), state.shape) for n in (self.mean, self.scale))
        return jnp.asarray(self.factor) * self.dynamics.drift(state * scale + mean) / scale


def paced(dynamics: Dynamics, z: Float[np.ndarray, "M D"]) -> Rescaled:
    """The dynamics at the pace of a `Flow`: E|v|² = D over the points z."""
    with enable_x64():
        v = np.asarray(dynamics.drift(jnp.asarray(z)), np.float64)
    D = z.shape[1]
    return Rescaled(dynamics, np.zeros(D), np.ones(D), np.sqrt(D / np.asarray(np.mean(np.sum(v**2, 1)))))


@dataclasses.dataclass(frozen=True)
class Preservation:
    """Distances (T, K) between moved points and fresh ones of the density, at times `ts`, with their noise floors.

    `mmd` with the kernel of width 0.5, `mmd_median` with the median distance as width, `wasserstein` sliced.
    """

    ts: Float[np.ndarray, " T"]
    mmd: Float[np.ndarray, "T K"]
    mmd_median: Float[np.ndarray, "T K"]
    wasserstein: Float[np.ndarray, "T K"]
    floor: float
    floor_median: float
    lost: Float[np.ndarray, " K"]

    @property
    def mean(self) -> Float[np.ndarray, " T"]:
        """`mmd` averaged over the flows that have one; NaN where none has."""
        return np.ma.masked_invalid(self.mmd).mean(1).filled(np.nan)

    def of(self, some: slice) -> Preservation:
        """The same of some of the flows."""
        curves = {name: getattr(self, name)[:, some] for name in ("mmd", "mmd_median", "wasserstein")}
        return dataclasses.replace(self, **curves, lost=self.lost[some])


def preservation(
    dynamics: Sequence[Dynamics],
    z: Float[np.ndarray, "N D"],
    *,
    count: int = 500,
    time: float = 10.0,
    dt: float = 0.025,
    looks: int = 10,
    integrator: str = "rk4",
    seed: int = 0,
) -> Preservation:
    """Move `count` of the standardised points z by an `integrator` of `move`; compare with as many others of them, at
    equal path length.

    Every one of `dynamics` should have the pace of a `Flow` (see `paced`). Points that become infinite are left out of
    the distances and counted in `lost`.
    """
    z = np.random.default_rng(seed).permutation(z)
    count = min(count, len(z) // 2)
    start, others = z[:count], z[count : 2 * count]
    every = max(1, round(time / dt / looks))
    width, steps = median_distance(z), looks * every
    curves, lost = [], []
    for one in dynamics:
        paths = move(one, start, dt=dt, steps=steps, save_every=every, integrator=integrator)
        sound = np.abs(paths).max(2, initial=0) < 1e6
        lost.append(1 - sound[-1].mean())
        curves.append([_distances(frame[ok], others, width) for frame, ok in zip(paths, sound, strict=True)])
    table = np.array(curves, float)  # (K, T, 3)
    ts = dt * every * np.arange(table.shape[1])
    mmd, mmd_median, wasserstein = (np.ascontiguousarray(table[:, :, i].T) for i in range(3))
    floor, floor_median = (mmd_floor(z, count, w, seed=seed) for w in (WIDTH, width))
    return Preservation(ts, mmd, mmd_median, wasserstein, floor, floor_median, np.array(lost, float))


def _distances(x: np.ndarray, y: np.ndarray, width: float) -> tuple[float, float, float]:
    if len(x) < 2:
        return np.nan, np.nan, np.nan
    return mmd_squared(x, y), mmd_squared(x, y, width), sliced_wasserstein(x, y)


def cosines(a: Float[np.ndarray, "K M D"], b: Float[np.ndarray, "L M D"]) -> Float[np.ndarray, "K L"]:
    """Σ a·b/√(Σ|a|² Σ|b|²) over all points, of each field with each: whole fields are compared, not directions."""
    unit = [f.reshape(len(f), -1) / np.linalg.norm(f.reshape(len(f), -1), axis=1, keepdims=True) for f in (a, b)]
    return unit[0] @ unit[1].T
