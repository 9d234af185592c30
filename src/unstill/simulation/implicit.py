"""The derivative of a steady state by the system's parameters, without unrolling the motion that led to it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._jax import host_call
from ..systems import ReactionDiffusion
from ..systems.grid import Grid, OnGrid
from .jacobian import jacobian_pattern
from .multifrontal import Factorisation, SingularMatrix, elimination

SOFT = 1e-5  # per unit time: modes that decay or grow more slowly are held still
_MODES = 12  # soft modes that are looked for
_ROUNDS = 6  # of subspace iteration
_SHIFT = 1e-9  # keeps the translations' zero eigenvalues from making the matrix singular


class Deflated:
    """J⁻¹ on the complement of the soft modes of a Jacobian J, and its transpose.

    A pattern on a torus can be moved at no cost, and a labyrinth's defects nearly so: J is singular to working
    precision. Right and left null vectors V, W are found by inverse subspace iteration with one factorisation
    (Y. Saad, Numerical Methods for Large Eigenvalue Problems, 2nd ed. 2011, ch. 5); P = 1 − V (WᵀV)⁻¹ Wᵀ then projects
    right-hand sides and solutions along them.
    """

    def __init__(self, grid: Grid, diffusivities: np.ndarray, slopes: np.ndarray):
        fields = len(slopes)
        matrix = jacobian_pattern(grid, fields).matrix(diffusivities, slopes, _SHIFT)
        self._factor = Factorisation(elimination(grid, fields, 1), matrix)
        V, rates = self._modes(matrix, transposed=False)
        W, _ = self._modes(matrix, transposed=True)
        soft = np.abs(rates) < SOFT
        self.count = int(soft.sum())
        self.V, self.W = V[:, soft], W[:, soft]

    def _modes(self, matrix, *, transposed: bool):
        """An orthonormal basis of the slowest modes, Ritz vectors in the order of their rates."""
        space = np.random.default_rng(0).standard_normal((matrix.shape[0], _MODES))
        for _ in range(_ROUNDS):
            space = np.linalg.qr(self._factor.solve(space, transposed=transposed))[0]
        image = (matrix.T if transposed else matrix) @ space
        rates, mixing = np.linalg.eig(space.T @ image)
        order = np.argsort(np.abs(rates))
        parts = np.concatenate([np.real(mixing)[:, order], np.imag(mixing)[:, order]], 1)
        ritz = np.linalg.qr(parts)[0][:, : len(order)]
        return space @ ritz, rates[order]

    def solve(self, rhs: np.ndarray, *, transposed: bool = False) -> np.ndarray:
        """P J⁻¹ P rhs, or its transpose."""
        V, W = (self.W, self.V) if transposed else (self.V, self.W)

        def project(x):
            return x - V @ np.linalg.lstsq(W.T @ V, W.T @ x, rcond=1e-8)[0] if V.shape[1] else x

        return project(self._factor.solve(project(rhs), transposed=transposed))


@functools.lru_cache(maxsize=8)
def _deflated(grid: Grid, fields: int, diffusivities: bytes, slopes: bytes) -> Deflated:
    shape = (fields, fields, *grid.shape)
    return Deflated(grid, np.frombuffer(diffusivities), np.frombuffer(slopes).reshape(shape))


def _solve(grid: Grid, transposed: bool, diffusivities, slopes, rhs):
    """The host's part: NumPy only."""
    diffusivities, slopes = (np.ascontiguousarray(a, dtype=float) for a in (diffusivities, slopes))
    if not (np.isfinite(slopes).all() and np.isfinite(rhs).all()):  # the motion blew up: so does its derivative
        return (np.full(rhs.shape, np.nan),)
    try:
        inverse = _deflated(grid, len(slopes), diffusivities.tobytes(), slopes.tobytes())
    except SingularMatrix:
        return (np.full(rhs.shape, np.nan),)
    return (inverse.solve(rhs.ravel(), transposed=transposed).reshape(rhs.shape),)


def steady_state(
    system: ReactionDiffusion, grid: Grid, state: Float[Array, "C H W"] | np.ndarray
) -> Float[Array, "C H W"]:
    """`state`, a steady state c* of `system`, as a differentiable function of the system's parameters.

    From 0 = f(c*(θ), θ): dc* = −J⁻¹ (∂f/∂θ) dθ with J = ∂f/∂c at c*, the implicit function theorem; forward and
    reverse mode alike, first order, float64. Modes slower than 1e-5 per unit time, such as translations, are
    held still: losses that feel them (a shift of the picture) get the derivative without them. `state` itself
    is data: its own derivative is 0. Wrong in proportion to the drift where the state is not steady.
    """

    @jax.custom_jvp
    def at(system):
        del system
        return jnp.asarray(state)

    @at.defjvp
    def along(primals: Any, tangents: Any):
        (here,), (direction,) = primals, tangents
        c = jnp.asarray(state)
        drift = jax.jvp(lambda s: OnGrid(s, grid).drift(c), (here,), (direction,))[1]
        slopes = _slopes(here, c)
        D = jnp.stack([jnp.asarray(d, c.dtype) for d in here.diffusivities()])

        def solve(transposed: bool, rhs):
            shape = jax.ShapeDtypeStruct(rhs.shape, rhs.dtype)
            return host_call(functools.partial(_solve, grid, transposed), [shape], D, slopes, rhs)[0]

        change = jax.lax.custom_linear_solve(
            lambda x: jax.jvp(OnGrid(here, grid).drift, (c,), (x,))[1],
            -drift,
            solve=lambda _, rhs: solve(False, rhs),
            transpose_solve=lambda _, rhs: solve(True, rhs),
        )
        return c, change

    return at(system)


def _slopes(system: ReactionDiffusion, state) -> Float[Array, "C C H W"]:
    """∂R_i/∂c_j cell by cell."""
    fields = tuple(state)
    columns = []
    for j in range(len(fields)):
        direction = tuple(jnp.full_like(c, float(i == j)) for i, c in enumerate(fields))
        columns.append(jnp.stack(jax.jvp(lambda *c: tuple(system.kinetics(*c)), fields, direction)[1]))
    return jnp.stack(columns, 1)
