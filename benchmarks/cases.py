"""Gray–Scott at the maze preset, as each engine wants it: the common case of the speed measurements."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import unstill as us
from unstill.simulation import native
from unstill.simulation.native import Job
from unstill.simulation.rollout import kernel_spec, operands, place

SYSTEM = us.GrayScott(**us.GrayScott.presets["maze"])
TILE, SETTLED = 128, 5000  # a fully grown pattern: denormal numbers ahead of a front would distort the times


def states(size: int, batch: int, dtype: str) -> np.ndarray:
    """(batch, 2, size, size); grids larger than `TILE` repeat a smaller one."""
    tile = min(size, TILE)
    grown = us.simulate(
        SYSTEM, init="discs", samples=batch, seed=200, grid=us.Grid((tile, tile)), steps=SETTLED, engine="native"
    )
    return np.tile(grown.state, (1, 1, size // tile, size // tile)).astype(dtype)


def ready(function, *arguments):
    """A call without arguments that returns when its result is there."""
    return lambda: jax.block_until_ready(function(*arguments))


def native_rollout(x: np.ndarray, steps: int):
    """The native engine on NumPy arrays: what `simulate` calls."""
    grid = us.Grid(x.shape[-2:])
    spec = kernel_spec(place(SYSTEM, grid, x.shape), x.dtype, False)
    p, q = (np.repeat(np.asarray(a)[None], len(x), 0) for a in operands(SYSTEM, spec, grid.shape))
    job = Job(spec, grid, 1.0)
    return lambda: native.rollout(job, x, p, q, frames=1, every=steps)


@functools.partial(jax.jit, static_argnames=("steps", "engine"))
def batched(system, x, steps: int, engine: str):
    """The public `rollout`, mapped over samples."""
    return jax.vmap(lambda c: us.rollout(system, c, steps=steps, engine=engine))(x)


def _rolled(c):
    return jnp.roll(c, 1, -1) + jnp.roll(c, -1, -1) + jnp.roll(c, 1, -2) + jnp.roll(c, -1, -2) - 4 * c


def _sliced(c):
    n = jnp.pad(c, [(0, 0)] * (c.ndim - 2) + [(1, 1), (1, 1)], mode="wrap")
    return n[..., 1:-1, :-2] + n[..., 1:-1, 2:] + n[..., :-2, 1:-1] + n[..., 2:, 1:-1] - 4 * c


def hand_written(laplacian):
    """A `lax.scan` as a JAX user would write it, without our code."""
    D = tuple(float(D) for D in SYSTEM.diffusivities())
    F, k = float(SYSTEM.F), float(SYSTEM.k)

    def step(c, _):
        u, v = c
        rate = u * v * v
        u = u + (D[0] * laplacian(u) - rate + F * (1 - u))
        v = v + (D[1] * laplacian(v) + rate - (F + k) * v)
        return (u, v), None

    @functools.partial(jax.jit, static_argnames="steps")
    def run(x, steps):
        u, v = jax.lax.scan(step, (x[:, 0], x[:, 1]), None, length=steps)[0]
        return jnp.stack([u, v], 1)

    return run


rolled, sliced = hand_written(_rolled), hand_written(_sliced)
