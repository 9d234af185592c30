"""How states and their tangent vectors move together: in the native kernels on a grid, in XLA otherwise."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._arguments import one_of
from .._errors import BadInput
from .._jax import enable_x64
from ..simulation import Grid, OnGrid, native, rollout, stable_dt
from ..simulation.native import Job
from ..simulation.rollout import check_parameter_shapes, choose_engine, kernel_spec, operands, place
from ..systems import AbstractSystem, Dynamics, ReactionDiffusion

EVERY, EVERY_ON_GRID = 10, 100  # steps between two QR decompositions


@dataclasses.dataclass(frozen=True)
class TangentRun:
    """How to move: what stays the same over a call, and decides what is compiled.

    `job`: the native kernels' job, where there are such; `full`: all exponents are wanted.
    """

    dt: float
    stepper: str
    every: int
    count: int
    full: bool
    job: Job | None

    @property
    def interval(self) -> float:
        """Time between two QR decompositions."""
        return self.every * self.dt


def place_orbits(dynamics, grid: Grid | None, state: np.ndarray, dtype: str = "float64") -> tuple[Dynamics, np.ndarray]:
    """The dynamics with its numbers as arrays, so that other values compile nothing new; states with an orbit axis."""
    one_of("dtype", dtype, ("float64", "float32"))
    states = np.asarray(state, np.float64)
    if states.ndim not in (1, 2, 3, 4):
        raise BadInput("state", "must have shape (D,), (M, D), (C, H, W) or (M, C, H, W)", states.shape)
    states = states[None] if states.ndim in (1, 3) else states
    if not np.all(np.isfinite(states)):
        raise BadInput("state", "must be finite numbers", f"{int((~np.isfinite(states)).sum())} that are not")
    if isinstance(dynamics, ReactionDiffusion) and states.ndim == 2:
        raise BadInput("state", "must have shape (C, H, W) or (M, C, H, W)", np.shape(state))
    placed = place(dynamics, grid, states.shape)
    system = placed.system if isinstance(placed, OnGrid) else placed
    if isinstance(placed, OnGrid):
        wanted = (len(placed.system.fields), *placed.grid.shape)
        if states.shape[1:] != wanted:
            raise BadInput("state", f"must have shape {wanted} on this grid", states.shape[1:])
    if isinstance(system, AbstractSystem):
        check_parameter_shapes(system, None, placed.grid.shape if isinstance(placed, OnGrid) else None)
        with enable_x64():
            placed = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), placed)
    return placed, states.astype(dtype)


def plan(
    placed: Dynamics, states: np.ndarray, count: int | None, dt: float | None, stepper: str | None, every: int | None
) -> TangentRun:
    """What a call asks for, with the defaults filled in. Raises `BadInput`."""
    on_grid, size = isinstance(placed, OnGrid), states[0].size
    stepper = stepper or ("euler" if on_grid else "rk4")
    every = (EVERY_ON_GRID if on_grid else EVERY) if every is None else every
    wanted = size if count is None else count
    dt = stable_dt(placed) if dt is None else float(dt)
    if not (np.isfinite(dt) and dt > 0):
        raise BadInput("dt", "must be positive", dt)
    if every < 1:
        raise BadInput("renormalise_every", "must be at least 1", every)
    if not 1 <= wanted <= size:
        raise BadInput("count", f"must lie between 1 and the number of variables, {size}", wanted)
    spec = kernel_spec(placed, states.dtype, False)
    engine = choose_engine("auto", placed, stepper, spec)
    job = Job(spec, placed.grid, dt) if engine == "native" and spec and isinstance(placed, OnGrid) else None
    return TangentRun(dt, stepper, every, wanted, wanted == size, job)


def orthonormal_frames(count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Random orthonormal directions (M, K, …), the same for every orbit."""
    size = int(np.prod(shape[1:]))
    frame = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, count)))[0].T
    return np.broadcast_to(frame.reshape(count, *shape[1:]), (shape[0], count, *shape[1:]))


def advance(run: TangentRun, intervals: int, dynamics, limits, carry):
    """All orbits over some intervals: the new carry, and the time integrals of log growth, speed and divergence."""
    if run.job is None:
        return _scanned(run, jnp.asarray(intervals), dynamics, limits, carry)
    # NumPy arrays to the kernels, an interval a call: under jit they would be callbacks on other threads, to which the
    # context that allows float64 does not reach.
    p, q = (np.asarray(operand)[None] for operand in operands(dynamics.system, run.job.spec, dynamics.grid.shape))
    sums, measured = 3 * (0.0,), _measured(run, dynamics, carry[0])
    for _ in range(intervals):
        native.check_interrupt()
        before, carry = measured, (*_moved_natively(run.job, run.every, p, q, *carry[:2]), carry[2])
        measured = _measured(run, dynamics, carry[0])
        carry, logs = _orthonormal(limits, carry)
        integrals = (before + measured) * (run.interval / 2)
        sums = tuple(a + b for a, b in zip(sums, (logs, *integrals.T), strict=True))
    return carry, sums


def _moved_natively(job: Job, steps: int, p, q, states, frames):
    """`_moved` by the tangent kernels over several steps, for one system and all orbits."""
    states, frames = np.asarray(states), np.asarray(frames)
    p, q = (np.repeat(operand, len(states), 0) for operand in (p, q))
    return native.directions(job, states, p, q, frames, steps=steps)


@eqx.filter_jit
def _scanned(run: TangentRun, intervals, dynamics, limits, carry):
    # `intervals` is traced: the transient and the segments are one program
    def step(carry, _):
        x, frame, before = carry
        x, frame = _moved(run, dynamics, x, frame)
        after = _measured(run, dynamics, x)
        return (x, frame, after), (before + after) * (run.dt / 2)  # the trapezoidal rule

    def interval(_, now):
        ((x, frame, alive), measured, (growth, sums)) = now
        (x, frame, measured), integrals = jax.lax.scan(step, (x, frame, measured), None, length=run.every)
        carry, logs = _orthonormal(limits, (x, frame, alive))
        return carry, measured, (growth + logs, sums + integrals.sum(0))

    measured = _measured(run, dynamics, carry[0])
    start = (carry, measured, (jnp.zeros(carry[1].shape[:2]), jnp.zeros_like(measured)))
    carry, _, (growth, sums) = jax.lax.fori_loop(0, intervals, interval, start)
    return carry, (growth, *sums.T)


def _moved(run: TangentRun, dynamics, states, frames):
    """States (M, …) and tangent vectors (M, K, …) after one step: the derivative of the discrete motion."""

    def after(c):
        return rollout(dynamics, c, steps=1, dt=run.dt, stepper=run.stepper).astype(c.dtype)

    def one(x, frame):
        return jax.vmap(lambda d: jax.jvp(after, (x,), (d,)), out_axes=(None, 0))(frame)

    return jax.vmap(one)(states, frames)


@eqx.filter_jit
def _measured(run: TangentRun, dynamics, states):
    """Speed |f| and divergence ∇·f of each orbit, (M, 2); the divergence exactly, by one jvp a variable."""

    def one(x):
        slopes = jax.jacfwd(dynamics.drift)(x).reshape(x.size, x.size) if run.full else jnp.zeros((1, 1), x.dtype)
        return jnp.stack([jnp.linalg.norm(dynamics.drift(x).ravel()), jnp.trace(slopes)]).astype(x.dtype)

    return jax.vmap(one)(states)


@eqx.filter_jit
def _orthonormal(limits, carry):
    """The carry with orthonormal tangent vectors, and ln|Rᵢᵢ| (M, K) of the decomposition."""

    def one(x, frame, alive):
        q, r = jnp.linalg.qr(frame.reshape(len(frame), -1).T)
        alive &= jnp.all(jnp.isfinite(x) & (x >= limits[0]) & (x <= limits[1]))
        return (x, q.T.reshape(frame.shape), alive), jnp.log(jnp.abs(jnp.diag(r)))

    return jax.vmap(one)(*carry)
