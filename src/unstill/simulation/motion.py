"""A batch of states and the ways to move it: one interface over all engines, for verbs that run on the host.

States stay where they are moved: NumPy arrays for the native engine, JAX arrays on their device for the others.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._jax import enable_x64
from ..systems import AbstractSystem, Dynamics, ReactionDiffusion
from ..systems.grid import Grid, OnGrid
from . import gpu, native
from .kernel_source import KernelSpec
from .rollout import choose_engine, fused_job, kernel_spec, operands, place, xla_rollout

S = TypeVar("S", bound=AbstractSystem)
Batch = Any  # np.ndarray or jax.Array


def sample_axes(dynamics: Any) -> Any:
    """For vmap: 0 for a parameter with one value (M,) or one picture (M, H, W) a sample, else None."""
    return jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) in (1, 3) else None, dynamics)


def sample(system: S, m: int) -> S:
    """The system of sample m, where parameters are given sample by sample."""
    return jax.tree.map(lambda leaf: leaf[m] if jnp.ndim(leaf) in (1, 3) else leaf, system)


def _finite(states):
    # NaN compares false
    return (abs(states) < 1e8).all(axis=tuple(range(1, states.ndim)))


_finite_on_device = jax.jit(_finite)


@eqx.filter_jit
def _rates(dynamics, axes, states):
    # outside of `Motion`, so that the next motion of the kind compiles nothing
    def rms(one, c):
        rate = one.drift(c)
        return jnp.sqrt(jnp.mean(rate**2, axis=tuple(range(1, rate.ndim))))

    return jax.vmap(rms, in_axes=(axes, 0))(dynamics, states)


@functools.partial(jax.jit, static_argnames=("job", "steps"))
def _several(states, p, q, *, job: gpu.Job, steps: int):
    return gpu.rollout(job, states, p, q, frames=1, every=steps, keep=False)[0][:, 0]


class Motion:
    """How a batch moves: `advance(states, steps)` and `drift(states)`, on arrays (M, …) that `hold` has placed."""

    def __init__(
        self,
        dynamics: Dynamics | ReactionDiffusion,
        grid: Grid | None,
        shape,
        *,
        dt: float,
        dtype,
        stepper: str,
        engine: str,
        clip: bool,
    ):
        self.dynamics = place(dynamics, grid, shape)
        self.grid = self.dynamics.grid if isinstance(self.dynamics, OnGrid) else grid
        self.dt, self.dtype, self.clip, self.stepper = dt, np.dtype(dtype), clip, stepper
        one = self.dynamics
        if isinstance(one, OnGrid):  # the shapes of one sample's parameters decide which are cellwise
            one = OnGrid(sample(one.system, 0), one.grid)
        spec = kernel_spec(one, self.dtype, clip)
        self.engine = choose_engine(engine, one, stepper, spec)
        self._job = None
        if self.engine != "xla" and spec is not None and isinstance(self.dynamics, OnGrid):
            self._job = fused_job(self.engine, spec, self.dynamics.grid, dt)
            self._parameters = self._operands(self.dynamics, spec, shape[0])
        self._moves: dict[int, Callable] = {}  # the XLA engine's compiled motion by number of steps

    def _axes(self):
        if isinstance(self.dynamics, (OnGrid, AbstractSystem)):
            return sample_axes(self.dynamics)
        return None

    def _operands(self, dynamics: OnGrid, spec: KernelSpec, samples: int):
        """p (M, P) and q (M, Q, H, W) of all samples."""
        with enable_x64():
            rows = [operands(sample(dynamics.system, m), spec, dynamics.grid.shape) for m in range(samples)]
        return tuple(np.stack([np.asarray(row[i]) for row in rows]) for i in range(2))

    def hold(self, states: np.ndarray) -> Batch:
        """The states where this engine moves them."""
        if self.engine == "native":
            return states.astype(self.dtype)
        with enable_x64():
            return jnp.asarray(states, self.dtype)

    def advance(self, states: Batch, steps: int, index: np.ndarray) -> Batch:
        """The states of the samples `index` after `steps` steps."""
        if self._job is not None:
            p, q = (operand[index] for operand in self._parameters)
            if isinstance(self._job, native.Job):
                return np.asarray(native.rollout(self._job, np.asarray(states), p, q, frames=1, every=steps))[:, 0]
            with enable_x64():
                return _several(jnp.asarray(states), p, q, job=self._job, steps=steps)
        if steps not in self._moves:
            self._moves[steps] = self._mapped(
                lambda dynamics, c: xla_rollout(
                    dynamics, c, dt=self.dt, frames=1, every=steps, stepper=self.stepper, clip=self.clip
                )[0]
            )
        with enable_x64():
            return self._moves[steps](self._of(index), jnp.asarray(states))

    def rates(self, states: Batch, index: np.ndarray) -> np.ndarray:
        """Root mean square over cells of ∂c/∂t, sample by sample and field by field; (M, C)."""
        with enable_x64():
            return np.asarray(_rates(self._of(index), self._axes(), jnp.asarray(states, jnp.float64)))

    def drift(self, states: Batch, index: np.ndarray) -> np.ndarray:
        """The larger of the fields' `rates`; (M,)."""
        return self.rates(states, index).max(1)

    def take(self, states: Batch, index: np.ndarray) -> Batch:
        """The states of the samples `index`; not copied where these are all."""
        if len(index) == len(states):
            return states
        with enable_x64():
            return states[index]

    def finite(self, states: Batch) -> np.ndarray:
        """Whether each sample is finite, and below 10⁸ in size; (M,)."""
        if isinstance(states, np.ndarray):
            return _finite(states)
        with enable_x64():
            return np.asarray(_finite_on_device(states))

    def largest_change(self, states: Batch, index: np.ndarray) -> np.ndarray:
        """The largest change of any cell in one step, sample by sample; (M,)."""
        with enable_x64():
            change = abs(self.advance(states, 1, index) - states)
            return np.asarray(change.max(axis=tuple(range(1, change.ndim))))

    def merged(self, states: Batch, index: np.ndarray, some: Batch) -> Batch:
        """The states, with those of the samples `index` replaced."""
        if isinstance(states, np.ndarray):
            states[index] = some
            return states
        with enable_x64():
            return states.at[index].set(jnp.asarray(some))

    def _mapped(self, function: Callable) -> Callable:
        return eqx.filter_jit(jax.vmap(function, in_axes=(self._axes(), 0)))

    def _of(self, index: np.ndarray) -> Dynamics:
        if not isinstance(self.dynamics, (OnGrid, AbstractSystem)):
            return self.dynamics
        return jax.tree.map(
            lambda leaf: jnp.asarray(leaf)[index] if jnp.ndim(leaf) in (1, 3) else jnp.asarray(leaf), self.dynamics
        )
