"""`rollout`: the pure, differentiable motion of one state. Three engines with one meaning: native, GPU and XLA."""

import dataclasses
import functools
import logging
import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .._jax import platform_of
from ..systems import AbstractSystem, Dynamics, ReactionDiffusion
from ..systems.grid import FIVE_POINT, Grid, OnGrid
from . import gpu, native
from .adjoints import fused_rollout, watched
from .kernel_source import KernelSpec
from .steppers import find_stepper

Engine = Literal["auto", "native", "gpu", "xla"]
ENGINES: tuple[Engine, ...] = ("auto", "native", "gpu", "xla")
_log = logging.getLogger("unstill")


def place(dynamics: Dynamics | ReactionDiffusion, grid: Grid | None, shape: tuple[int, ...]) -> Dynamics:
    """A reaction–diffusion system on `grid` (by default a periodic one with dx = 1 of the state's size); else as is."""
    if isinstance(dynamics, ReactionDiffusion):
        return OnGrid(dynamics, grid or Grid((shape[-2], shape[-1])))
    return dynamics


@functools.lru_cache(maxsize=256)
def _untranslatable(spec: KernelSpec) -> str | None:
    """Why a system's kinetics have no scalar form, or None where they have one."""
    reason = native.supports(spec)
    if reason:
        _log.info("%s: no fused kernel (%s); the XLA engine is used", spec.system.name, reason)
    return reason


def _other_fields(system: ReactionDiffusion) -> list[str]:
    """Fields of an instance that are not parameters: kernels are made for a class and cannot know them."""
    return [field.name for field in dataclasses.fields(system) if "parameter" not in field.metadata]


def _reason_against_fusing(dynamics: Dynamics, stepper: str, spec: KernelSpec | None) -> str | None:
    """Why no fused kernel, native or GPU, can move these dynamics."""
    if spec is None or not isinstance(dynamics, OnGrid):
        return "it is not a reaction–diffusion system"
    if stepper != "euler":
        return f"the stepper is {stepper}"
    if dynamics.grid.scheme != FIVE_POINT:
        return f"the Laplacian is {dynamics.grid.scheme}"
    if other := _other_fields(dynamics.system):
        return f"it depends on {', '.join(other)}, which is no parameter"
    return _untranslatable(spec)


def choose_engine(
    engine: str, dynamics: Dynamics, stepper: str, spec: KernelSpec | None, platform: str | None = None
) -> str:
    """ "native", "gpu" or "xla". Automatic: for Euler steps of a system whose kinetics translate, the fused kernels of
    the platform on which the state lives (by default JAX's own); otherwise XLA. Raises `BadInput`."""
    if engine not in ENGINES:
        raise BadInput("engine", f"must be one of {', '.join(ENGINES)}", repr(engine))
    find_stepper(stepper)
    platform = platform or platform_of(None)
    fused = {"cpu": "native", "gpu": "gpu"}.get(platform, "xla")
    wanted = fused if engine == "auto" else engine
    if wanted == "xla":
        return "xla"
    reason = (gpu.missing(platform) if wanted == "gpu" else None) or _reason_against_fusing(dynamics, stepper, spec)
    if reason and engine != "auto":
        raise BadInput("engine", f"cannot be used here: {reason}", engine, "Pass engine='auto'.")
    return "xla" if reason else wanted


def fused_job(engine: str, spec: KernelSpec, grid: Grid, dt: float) -> native.Job | gpu.Job:
    """The job of the engine that was chosen, "native" or "gpu"."""
    if engine == "gpu":
        return gpu.Job(spec, grid, float(dt), gpu.machine())
    return native.Job(spec, grid, float(dt))


def kernel_spec(dynamics: Dynamics, dtype: Any, clip: bool) -> KernelSpec | None:
    """The spec of the kernels that would move these dynamics; parameters of shape (H, W) are cellwise."""
    if not isinstance(dynamics, OnGrid):
        return None
    cellwise = tuple(name for name, value in dynamics.system.values().items() if jnp.ndim(value) >= 2)
    return KernelSpec(type(dynamics.system), dynamics.grid.boundary, jnp.dtype(dtype).name, cellwise, clip)


def operands(system: ReactionDiffusion, spec: KernelSpec, shape: tuple[int, int]):
    """The system's parameters as the native operands: p (…, P) uniform and q (…, Q, H, W) cellwise."""
    dtype = jnp.dtype(spec.dtype)
    values = system.values()
    uniform = [jnp.asarray(v, dtype) for name, v in values.items() if name not in spec.cellwise]
    cellwise = [jnp.asarray(values[name], dtype) for name in spec.cellwise]
    p = jnp.stack(uniform, -1) if uniform else jnp.zeros((0,), dtype)
    q = jnp.stack(cellwise, -3) if cellwise else jnp.zeros((0, *shape), dtype)
    return p, q


def _scan(step, state, steps: int):
    """`steps` steps, in checkpointed segments of √steps: reverse mode keeps 2√steps states."""

    def several(state, count: int):
        return jax.lax.scan(lambda c, _: (step(c), None), state, None, length=count)[0]

    length = max(1, math.isqrt(steps))
    segment = jax.checkpoint(lambda c: several(c, length))
    state, _ = jax.lax.scan(lambda c, _: (segment(c), None), state, None, length=steps // length)
    return several(state, steps % length)


def _clamped(step):
    # where, not clip: its derivative on a bound is 0, as in the native kernels
    def clamp(c):
        return jnp.where(c <= 0, 0, jnp.where(c >= 1, 1, c)).astype(c.dtype)

    return lambda state: clamp(step(state))


def xla_rollout(
    dynamics: Dynamics, state: Array, *, dt: float, frames: int, every: int, stepper: str, clip: bool
) -> Array:
    """Frames (T, …) after every `every` steps, by `lax.scan`; any dynamics, any backend, any derivative."""
    step = find_stepper(stepper)(dynamics, jnp.asarray(dt, state.dtype))
    step = _clamped(step) if clip else step

    def frame(c, _):
        c = _scan(lambda c: step(c).astype(state.dtype), c, every)
        return c, c

    return jax.lax.scan(frame, state, None, length=frames)[1]


def rollout(
    dynamics: Dynamics | ReactionDiffusion,
    state: Float[Array | np.ndarray, "*state"],
    *,
    steps: int,
    dt: float | None = None,
    grid: Grid | None = None,
    save_every: int | None = None,
    stepper: str = "euler",
    engine: Engine = "auto",
    clip: bool = False,
    debug: bool = False,
) -> Float[Array, "*state"] | Float[Array, "T *state"]:
    """The state after `steps` steps of `dt`, or with `save_every` the frames after each so many steps.

    Pure and differentiable with respect to the state and to the system's parameters (uniform ones, and cellwise ones
    of shape (H, W) except diffusion coefficients), under jit, grad, jacfwd, jacrev and vmap; batch with vmap. Reverse
    mode keeps about 3·steps^⅓ states in the native engine, 2√steps in XLA, and in the GPU engine one every few steps
    (2 to 30, the fewer the larger the grid) up to a quarter of the card's memory, beyond that about √steps. The native
    and the GPU engine have no second derivatives (`NotImplementedError`).

    Args:
        dynamics: A system (which needs a `grid`), or anything with a drift.
        state: One state, (C, H, W) on a grid or (D,) without one; its dtype is computed in.
        steps: How many steps.
        dt: Time step (default: the system's).
        grid: Cells, cell size and boundary.
        save_every: Give the frames after each so many steps, a divisor of `steps`, in place of the last state.
        stepper: Time stepping: euler, rk4 or etdrk4.
        engine: What computes: auto takes the fastest that serves the state's device.
        clip: Clamp every field to [0, 1] after each step.
        debug: Look at each derivative on the way back, and raise `NumericalFailure` ("no-gradient") with the name of
            the parameter by which one is not finite; reverse mode only.

    Raises `BadInput`.
    """
    if steps < 0:
        raise BadInput("steps", "must not be negative", steps)
    if save_every is not None and (save_every < 1 or steps % save_every):
        raise BadInput("save_every", f"must divide steps = {steps}", save_every)
    state = jnp.asarray(state)
    if not jnp.issubdtype(state.dtype, jnp.floating):
        raise BadInput("state", "must be float32 or float64", state.dtype)
    if debug:
        dynamics, state = watched(dynamics), watched(state, "the state")
    dynamics = place(dynamics, grid, state.shape)
    if isinstance(dynamics, OnGrid):
        wanted = (len(dynamics.system.fields), *dynamics.grid.shape)
        if state.shape != wanted:
            raise BadInput("state", f"must have shape {wanted}", state.shape, "Batch with jax.vmap.")
        check_parameter_shapes(dynamics.system, None, dynamics.grid.shape)
    dt = default_dt(dynamics) if dt is None else dt
    if steps == 0:
        return state if save_every is None else jnp.zeros((0, *state.shape), state.dtype)
    every = save_every or steps
    spec = kernel_spec(dynamics, state.dtype, clip)
    chosen = choose_engine(engine, dynamics, stepper, spec, platform_of(state))
    if chosen != "xla":
        assert isinstance(dynamics, OnGrid)
        assert spec is not None
        p, q = operands(dynamics.system, spec, dynamics.grid.shape)
        job = fused_job(chosen, spec, dynamics.grid, dt)
        out = fused_rollout(job, state, p, q, frames=steps // every, every=every)
    else:
        out = xla_rollout(dynamics, state, dt=dt, frames=steps // every, every=every, stepper=stepper, clip=clip)
    out = out[-1] if save_every is None else out
    return watched(out, "what the rollout returned, so before it,") if debug else out


def check_parameter_shapes(system: AbstractSystem, samples: int | None, shape: tuple[int, ...] | None) -> None:
    """Raises `BadInput` for a parameter that is neither one number, nor one a sample (M,), nor one a cell (H, W) or
    (M, H, W), and for diffusion that varies over cells. `samples` None: there is no sample axis."""
    for name, value in system.values().items():
        ndim = jnp.ndim(value)
        if ndim in (1, 3) and (samples is None or len(value) != samples):
            rule = (
                "cannot vary over samples here"
                if samples is None
                else f"must have one entry for each of {samples} samples"
            )
            raise BadInput(name, rule, f"{len(value)} entries")
        if ndim >= 2 and (shape is None or tuple(value.shape[-2:]) != tuple(shape)):
            raise BadInput(name, f"must vary over the grid's cells {shape}", value.shape)
        if ndim >= 2 and isinstance(system, ReactionDiffusion) and name in system.diffusion.values():
            rule = "cannot vary over cells: it is a diffusion coefficient"
            raise BadInput(name, rule, f"values of shape {tuple(value.shape)}", "Pass one number.")


def default_dt(dynamics: Dynamics) -> float:
    """The time step that suits the system's defaults, scaled by dx² on finer grids than dx = 1, and for a Laplacian
    whose waves decay faster than those of five points.

    It does not depend on the parameters: a derivative must not see the step move.
    """
    if isinstance(dynamics, OnGrid):
        return dynamics.system.dt * min(1.0, 8 / dynamics.grid.stiffest)
    return float(getattr(dynamics, "dt", 0.01))


def stable_dt(dynamics: Dynamics) -> float:
    """`default_dt`, kept to 0.9 of the stability limit of the parameters at hand."""
    dt = default_dt(dynamics)
    return min(dt, 0.9 * stability_limit(dynamics.system, dynamics.grid)) if isinstance(dynamics, OnGrid) else dt


def check_euler_dt(dt: float, limit: float) -> None:
    """Raise `BadInput` for a time step at or beyond a `stability_limit`."""
    if dt >= limit:
        raise BadInput("dt", f"must be below the stability limit 2/(max D · max −∇²) = {limit:.4g}", dt)


def stability_limit(system: ReactionDiffusion, grid: Grid) -> float:
    """The largest dt at which explicit Euler damps the stiffest diffusive wave: dx²/(4 max D) of five points
    (dimension of time).

    From dt·D·max(−∇²) ≤ 2; necessary, not sufficient, since reaction adds to the rate. Infinite without diffusion.
    """
    largest = max(float(np.max(np.asarray(D))) for D in system.diffusivities())
    return 2 / (grid.stiffest * largest) if largest > 0 else math.inf
