"""Set a flow in motion: many points by RK4 or with adaptive steps, or by stochastic dynamics of the same density."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput, nearest
from .._jax import enable_x64
from ..simulation.steppers import rk4
from ..systems import Dynamics
from .flow import Flow
from .score import Score

_TOLERANCE = 1e-6


class ScoreAscent(eqx.Module):
    """dz/dt = s_τ(z) of standardised points: a `Dynamics` that ends on the density's peaks."""

    score: Score
    tau: float = eqx.field(static=True)

    def drift(self, state: Float[Array, "M D"]) -> Float[Array, "M D"]:
        return self.score.at(state, self.tau)


def move(
    dynamics: Dynamics,
    x: Float[np.ndarray, "M D"],
    *,
    dt: float,
    steps: int,
    save_every: int = 1,
    integrator: str = "rk4",
) -> Float[np.ndarray, "T M D"]:
    """States after every `save_every` steps of dt, the start first; float64. Raises `BadInput`.

    `integrator="rk4"` takes these steps. `"adaptive"` chooses its own, point by point (Tsitouras 5(4) of Diffrax,
    errors of 1e-6 a step, relative and absolute); points for which 100,000 of them are not enough become infinite.
    """
    _check(dt, steps, save_every)
    if integrator not in INTEGRATORS:
        raise BadInput("integrator", "must be a known one", repr(integrator), nearest(integrator, INTEGRATORS))
    with enable_x64():
        start = jnp.asarray(x, jnp.float64)
        later = np.asarray(INTEGRATORS[integrator](dynamics, start, jnp.asarray(dt), steps // save_every, save_every))
    return np.concatenate([np.asarray(start)[None], later])


def move_noisily(
    flow: Flow, score: Score, x: Float[np.ndarray, "M D"], *, eta: float, dt: float, steps: int, save_every: int = 1,
    seed: int = 0,
) -> Float[np.ndarray, "T M D"]:  # fmt: skip
    """dz = (v + η s) dt + √(2η) dW of standardised points z, by Heun's method: the same density for every η ≥ 0.

    x and what is returned are in the points' own units. Weak order 2 for constant η (Kloeden & Platen, Numerical
    Solution of SDE, eq. 15.1.1). Noise mends what an imperfect v spoils. Raises `BadInput`.
    """
    _check(dt, steps, save_every)
    if not (np.isfinite(eta) and eta >= 0):
        raise BadInput("eta", "must not be negative", eta)
    mean, scale = np.asarray(flow.mean), np.asarray(flow.scale)
    with enable_x64():
        z, key = jnp.asarray((x - mean) / scale, jnp.float64), jax.random.key(seed)
        later = np.asarray(_diffused(flow, score, z, key, (eta, dt), steps // save_every, save_every))
    return np.concatenate([np.asarray(x, np.float64)[None], later * scale + mean])


def _check(dt: float, steps: int, save_every: int) -> None:
    if not (np.isfinite(dt) and dt != 0):
        raise BadInput("dt", "must be a number other than 0", dt, "A negative dt runs time backwards.")
    if not 1 <= save_every <= steps:
        raise BadInput("save_every", "must lie between 1 and the number of steps", save_every)


@eqx.filter_jit
def _moved(dynamics: Dynamics, start: Array, dt: Array, frames: int, every: int) -> Array:
    step = rk4(dynamics, dt)

    def frame(state, _):
        state = jax.lax.fori_loop(0, every, lambda _, state: step(state), state)
        return state, state

    return jax.lax.scan(frame, start, None, length=frames)[1]


@eqx.filter_jit
def _adapted(dynamics: Dynamics, start: Array, dt: Array, frames: int, every: int) -> Array:
    import diffrax

    term = diffrax.ODETerm(lambda t, x, args: dynamics.drift(x[None])[0])
    saved = diffrax.SaveAt(ts=dt * every * jnp.arange(1, frames + 1))
    control = diffrax.PIDController(rtol=_TOLERANCE, atol=_TOLERANCE)

    def one(x) -> Any:
        solution = diffrax.diffeqsolve(
            term, diffrax.Tsit5(), 0.0, dt * every * frames, dt, x, saveat=saved, stepsize_controller=control,
            max_steps=100_000, throw=False, adjoint=diffrax.ForwardMode(),
        )  # fmt: skip
        return solution.ys

    return jnp.swapaxes(jax.vmap(one)(start), 0, 1)


INTEGRATORS = {"rk4": _moved, "adaptive": _adapted}


@eqx.filter_jit
def _diffused(flow: Flow, score: Score, z: Array, key: Array, sizes, frames: int, every: int) -> Array:
    eta, dt = sizes

    def drift(z):
        return flow.many(z) + eta * score.at(z, flow.tau)

    def step(_, carry):
        z, key = carry
        key, use = jax.random.split(key)
        kick = jnp.sqrt(2 * eta * dt) * jax.random.normal(use, z.shape, z.dtype)
        slope = drift(z)
        return z + kick + dt / 2 * (slope + drift(z + dt * slope + kick)), key

    def frame(carry, _):
        carry = jax.lax.fori_loop(0, every, step, carry)
        return carry, carry[0]

    return jax.lax.scan(frame, (z, key), None, length=frames)[1]
