"""Stochastic motion that keeps a density: a flow with noise, by Heun's method.

    dz = (v(z) + η s(z)) dt + √(2 η) dW

preserves p for every η ≥ 0 where v does, since s = ∇log p (G. A. Pavliotis, Stochastic Processes and Applications,
2014, eq. 4.84). Heun's step for additive noise has weak order 2 in the drift (P. E. Kloeden, E. Platen, 1992,
eq. 15.1.3). What moves is noised by τ; what is shown is E[z₀ | z_τ].
"""

from __future__ import annotations

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._arguments import Count, NonNegative, Positive, Whole, checked
from .._errors import BadInput, NumericalFailure
from .._progress import Progress, silent
from .._types import Status
from ..simulation import Grid, Trajectory
from .field_score import check_pictures, noised_pictures
from .flow import AbstractFieldFlow, compiled_drift

_LOST = 20.0  # standard deviations: nothing that moves by its score is there


@checked
def langevin(
    flow: AbstractFieldFlow,
    state: np.ndarray | None = None,
    *,
    size: Count = 128,
    samples: Count = 1,
    steps: Count = 1000,
    dt: Positive | None = None,
    eta: NonNegative = 0.1,
    frames: Count = 150,
    reverse: bool = False,
    seed: Whole = 0,
    progress: Progress = silent,
) -> Trajectory:
    """Move pictures by a flow, with noise.

    Args:
        flow: A flow of pictures built from their score.
        state: Clean pictures (M, C, H, W) to begin with, which are noised to the flow's level (default: pure noise).
        size: Cells a side, where no `state` is given; larger than what was learnt from, if wanted.
        samples: How many, where no `state` is given.
        steps: Heun steps.
        dt: Time step (default: the flow's stable one).
        eta: Strength η of the noise and of what balances it; 0 is the flow alone.
        frames: Pictures kept at most, at equal distances.
        reverse: Run the flow backwards: v → −v.
        seed: Seed of all random numbers.
        progress: Called with the steps done and in all.

    Returns a `Trajectory` whose frames are denoised and whose `state` is the last one as it moves, noised by τ. Where a
    state leaves the finite numbers the motion ends, and the frames before it are kept (status `blow-up`); at Ctrl-C too
    (`interrupted`). Raises `BadInput`, and `NumericalFailure` where nothing finite follows the first state.
    """
    began, key = time.perf_counter(), jax.random.key(seed)
    z = _noised(flow, state, samples, size, jax.random.fold_in(key, 0))
    step, every, done = dt or flow.dt / (1 + eta), max(1, -(-steps // frames)), 0
    kept, ts, status = [_shown(flow, z)], [0.0], Status.MOVING
    numbers = jnp.asarray([step, eta, -1.0 if reverse else 1.0], jnp.float32)  # no constants: one program serves all
    for first in range(0, steps, every):
        try:
            some = min(every, steps - first)
            moved = _several(flow, z, jax.random.fold_in(key, first + 1), numbers, jnp.asarray(some))
            if not bool(jnp.max(jnp.abs(moved)) < _LOST):  # NaN compares false
                status = Status.BLOW_UP
                break
            z = moved
            kept.append(_shown(flow, z))
            done = first + some
            ts.append(done * step)
            progress(done, steps, {})
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
            break
    if status is Status.BLOW_UP and len(kept) == 1:
        raise NumericalFailure(status, f"the motion left the finite numbers within {every} steps: take a smaller `dt`")
    last = np.asarray(flow.score.natural(z))
    return Trajectory(
        dynamics=flow,
        grid=Grid((last.shape[2], last.shape[3])),
        dt=step,
        state=last,
        frames=np.stack(kept),
        ts=np.array(ts),
        status=(status,) * len(last),
        steps=np.full(len(last), done),
        drift=np.sqrt((np.asarray(compiled_drift(flow, jnp.asarray(last))) ** 2).mean((2, 3)))
        .max(1)
        .astype(np.float64),
        seconds=time.perf_counter() - began,
    )


def _noised(flow: AbstractFieldFlow, state: np.ndarray | None, samples: int, size: int, key: Array) -> Array:
    """Where the motion begins, standardised; raises `BadInput`."""
    if state is None:
        z = jax.random.normal(key, (samples, len(flow.fields), size, size), jnp.float32)
    else:
        check_pictures(flow.fields, state)
        clean = flow.score.standardised(jnp.asarray(state, jnp.float32))
        z, _ = noised_pictures(clean, jnp.full(len(clean), flow.tau, jnp.float32), key)
    if min(z.shape[-2:]) < flow.least_side:
        raise BadInput("size", f"must be at least {flow.least_side}, which score or flow see", min(z.shape[-2:]))
    return z


@eqx.filter_jit
def _shown(flow: AbstractFieldFlow, z: Array) -> Array:
    return flow.score.natural(flow.score.clean(z, flow.tau))


@eqx.filter_jit
def _several(
    flow: AbstractFieldFlow, z: Array, key: Array, numbers: Float[Array, " 3"], steps: Int[Array, ""]
) -> Array:
    """So many steps of `dt` under noise of strength `eta` and the flow times `sign`."""
    dt, eta, sign = numbers

    def drift(z: Array) -> Array:
        s = flow.score.at(z, flow.tau)
        return sign * flow.drift_with(z, s) + eta * s

    def step(i, z):
        noise = jnp.sqrt(2 * eta * dt) * jax.random.normal(jax.random.fold_in(key, i), z.shape, z.dtype)
        first = drift(z)
        return (z + dt / 2 * (first + drift(z + dt * first + noise)) + noise).astype(z.dtype)

    return jax.lax.fori_loop(0, steps, step, z)
