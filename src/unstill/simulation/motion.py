"""A batch of states and the two ways to move it: one interface over both engines, for verbs that run on the host."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._jax import enable_x64
from ..systems import AbstractSystem, Dynamics, ReactionDiffusion
from . import native
from .grid import Grid, OnGrid
from .native import Job
from .rollout import choose_engine, kernel_spec, operands, place, xla_rollout

S = TypeVar("S", bound=AbstractSystem)


def sample_axes(dynamics: Any) -> Any:
    """For vmap: 0 for a parameter with one value (M,) or one picture (M, H, W) a sample, else None."""
    return jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) in (1, 3) else None, dynamics)


def sample(system: S, m: int) -> S:
    """The system of sample m, where parameters are given sample by sample."""
    return jax.tree.map(lambda leaf: leaf[m] if jnp.ndim(leaf) in (1, 3) else leaf, system)


class Motion:
    """How a batch moves: `advance(states, steps)` and `drift(states)`, on NumPy arrays (M, …)."""

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
        self.grid = self.dynamics.grid if isinstance(self.dynamics, OnGrid) else None
        self.dt, self.dtype, self.clip, self.stepper = dt, np.dtype(dtype), clip, stepper
        one = self.dynamics
        if isinstance(one, OnGrid):  # the shapes of one sample's parameters decide which are cellwise
            one = OnGrid(sample(one.system, 0), one.grid)
        spec = kernel_spec(one, self.dtype, clip)
        self.engine = choose_engine(engine, one, stepper, spec)
        self._job = Job(spec, self.grid, float(dt)) if self.engine == "native" and spec and self.grid else None
        if self._job is not None and isinstance(self.dynamics, OnGrid):
            self._parameters = self._operands(self.dynamics, self._job, shape[0])
        self._moves: dict[int, Callable] = {}  # the XLA engine's compiled motion by number of steps
        self._drift: Callable | None = None

    def _axes(self):
        if isinstance(self.dynamics, (OnGrid, AbstractSystem)):
            return sample_axes(self.dynamics)
        return None

    def _operands(self, dynamics: OnGrid, job: Job, samples: int):
        """p (M, P) and q (M, Q, H, W) of all samples."""
        with enable_x64():
            rows = [operands(sample(dynamics.system, m), job.spec, dynamics.grid.shape) for m in range(samples)]
        return tuple(np.stack([np.asarray(row[i]) for row in rows]) for i in range(2))

    def advance(self, states: np.ndarray, steps: int, index: np.ndarray) -> np.ndarray:
        """The states of the samples `index` after `steps` steps."""
        if self._job is not None:
            p, q = (operand[index] for operand in self._parameters)
            return np.asarray(native.rollout(self._job, states, p, q, frames=1, every=steps))[:, 0]
        if steps not in self._moves:
            self._moves[steps] = self._mapped(
                lambda dynamics, c: xla_rollout(
                    dynamics, c, dt=self.dt, frames=1, every=steps, stepper=self.stepper, clip=self.clip
                )[0]
            )
        with enable_x64():
            return np.asarray(self._moves[steps](self._of(index), jnp.asarray(states)))

    def drift(self, states: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Root mean square over cells of ∂c/∂t, the larger of the fields, sample by sample; (M,)."""

        def rms(dynamics, c):
            rate = dynamics.drift(c)
            return jnp.max(jnp.sqrt(jnp.mean(rate**2, axis=tuple(range(1, rate.ndim)))))

        self._drift = self._drift or self._mapped(rms)
        with enable_x64():
            return np.asarray(self._drift(self._of(index), jnp.asarray(states, jnp.float64)))

    def _mapped(self, function: Callable) -> Callable:
        return eqx.filter_jit(jax.vmap(function, in_axes=(self._axes(), 0)))

    def _of(self, index: np.ndarray) -> Dynamics:
        if not isinstance(self.dynamics, (OnGrid, AbstractSystem)):
            return self.dynamics
        return jax.tree.map(
            lambda leaf: jnp.asarray(leaf)[index] if jnp.ndim(leaf) in (1, 3) else jnp.asarray(leaf), self.dynamics
        )
