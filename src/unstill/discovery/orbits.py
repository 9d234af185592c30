"""Points of dynamical systems: all of a few trajectories, or independent ones; with and without noise."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._jax import enable_x64
from ..simulation.steppers import rk4
from ..systems import Dynamics

_RUNS = 1000


def _step(dynamics: Dynamics, dt: float, root: np.ndarray | None):
    """One step (state (R, D), key) → state: RK4, or with noise √dt σ ξ the stochastic Heun method (weak order 2 for
    constant σ; Kloeden & Platen, Numerical Solution of SDE, eq. 15.1.1)."""
    if root is None:
        deterministic = rk4(dynamics, dt)
        return lambda state, key: deterministic(state)

    def step(state: Array, key: Array) -> Array:
        kick = jnp.sqrt(dt) * jax.random.normal(key, state.shape, state.dtype) @ jnp.asarray(root.T)
        slope = dynamics.drift(state)
        return state + kick + dt / 2 * (slope + dynamics.drift(state + dt * slope + kick))

    return step


def run(
    dynamics: Dynamics, start: Float[np.ndarray, "R D"], *, dt: float, frames: int, every: int = 1, skip: int = 0,
    root: Float[np.ndarray, "D D"] | None = None, seed: int = 0,
) -> Float[np.ndarray, "frames R D"]:  # fmt: skip
    """States every `every` steps after the first `skip` steps; `root` is σ with Σ = σσᵀ."""
    with enable_x64():
        step = _step(dynamics, dt, root)

        def several(carry, count: int):
            def one(_, carry):
                state, key = carry
                key, use = jax.random.split(key)
                return step(state, use), key

            return jax.lax.fori_loop(0, count, one, carry)

        @jax.jit
        def go(state, key):
            def frame(carry, _):
                carry = several(carry, every)
                return carry, carry[0]

            return jax.lax.scan(frame, several((state, key), skip), None, length=frames)[1]

        return np.asarray(go(jnp.asarray(start, jnp.float64), jax.random.key(seed)))


def trajectories(
    dynamics: Dynamics, start: Float[np.ndarray, "R D"], count: int, **options
) -> Float[np.ndarray, "M D"]:
    """All points of R trajectories from `start`, transients kept; `count` in all."""
    frames = -(-count // len(start))
    states = run(dynamics, start, frames=frames, **options)
    return np.moveaxis(states, 1, 0).reshape(-1, start.shape[1])[:count]


def independent(
    dynamics: Dynamics,
    start: Float[np.ndarray, "R D"],
    count: int,
    *,
    dt: float,
    settle: float,
    apart: float,
    **options,
) -> Float[np.ndarray, "M D"]:
    """`count` points of R long runs, after the time `settle`, each the time `apart` from the last of its run."""
    frames = -(-count // len(start))
    states = run(dynamics, start, dt=dt, frames=frames, every=round(apart / dt), skip=round(settle / dt), **options)
    return states.reshape(-1, start.shape[1])[:count]


def starts(count: int, middle: tuple[float, ...], spread: float, seed: int) -> Float[np.ndarray, "R D"]:
    """Normal starting states around `middle`, at most 1,000 of them."""
    rng = np.random.default_rng(seed)
    return np.array(middle) + spread * rng.standard_normal((min(count, _RUNS), len(middle)))
