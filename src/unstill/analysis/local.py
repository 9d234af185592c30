"""A system at one place, as functions of one vector y: fields, free parameters, and ln q² where waves are asked of.

Each bifurcation of a uniform state is a set of equations in y, solved and followed by `continuation`:

    saddle-node       R = 0, det J = 0                       Takens–Bogdanov   R = 0, det J = 0, det J₂ = 0
    Hopf              R = 0, det J₂ = 0                      Turing–Hopf       R = 0, det J₂ = 0, g = 0, ∂g/∂q² = 0
    Turing            R = 0, g = 0, ∂g/∂q² = 0,  g = det(J − q² D)
    wave              the same with J₂ and D₂ for J and D

J₂ acts on pairs of fields: its eigenvalues are the sums λᵢ + λⱼ, i < j, so that det J₂ = 0 where a pair ±iω is
imaginary (or where λ, −λ are real). Y. A. Kuznetsov, Elements of Applied Bifurcation Theory (3rd ed.), section 10.2.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._jax import enable_x64
from ..systems import ReactionDiffusion

SADDLE_NODE, HOPF, TURING, WAVE = "saddle-node", "Hopf", "Turing", "wave"
TAKENS_BOGDANOV, TURING_HOPF, BAUTIN, BRANCH_POINT = "Takens–Bogdanov", "Turing–Hopf", "Bautin", "branch point"
STATE = "state"
WITH_WAVES = (TURING, WAVE, TURING_HOPF)  # kinds whose y ends with ln q²

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Local:
    """Rates, Jacobian and diffusion of a system where the parameters `free` are part of y; the others are its own."""

    def __init__(self, system: ReactionDiffusion, free: Sequence[str] = ()):
        self.system, self.free, self.count = system, tuple(free), len(system.fields)
        self._made: dict[str, Evaluate] = {}
        self._parts = jax.jit(lambda y: (self.jacobian(y), self.diffusion(y)))

    def at(self, y: Array) -> ReactionDiffusion:
        """The system with the free parameters of y."""
        return self.system.with_values(**{name: y[self.count + i] for i, name in enumerate(self.free)})

    def rates(self, y: Array) -> Array:
        """R, (C,)."""
        c = y[: self.count]
        return jnp.stack([jnp.asarray(rate, c.dtype) for rate in self.at(y).kinetics(*c)])

    def jacobian(self, y: Array) -> Array:
        """J = ∂R/∂c, (C, C)."""
        return jax.jacfwd(lambda c: self.rates(jnp.concatenate([c, y[self.count :]])))(y[: self.count])

    def diffusion(self, y: Array) -> Array:
        """Diffusion coefficients, (C,)."""
        return jnp.stack([jnp.asarray(D, y.dtype) for D in self.at(y).diffusivities()])

    def parts(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """J (C, C) and D (C,) as NumPy arrays."""
        with enable_x64():
            J, D = self._parts(np.asarray(y, np.float64))
        return np.asarray(J), np.asarray(D)

    def equations(self, kind: str, held: Mapping[int, float] = {}) -> Evaluate:
        """y → the equations of a kind (E,) and their derivatives (E, N), compiled once; yᵢ = value for each `held`."""
        if kind not in self._made:
            residual = functools.partial(_RESIDUALS[kind], self)
            both = jax.jit(lambda y: (residual(y), jax.jacfwd(residual)(y)))

            def evaluate(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                with enable_x64():
                    f, J = both(np.asarray(y, np.float64))
                return np.asarray(f), np.asarray(J)

            self._made[kind] = evaluate
        return _holding(self._made[kind], held) if held else self._made[kind]


def _holding(evaluate: Evaluate, held: Mapping[int, float]) -> Evaluate:
    at, values = list(held), np.array(list(held.values()))

    def all_of_them(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, J = evaluate(y)
        return np.concatenate([f, y[at] - values]), np.concatenate([J, np.eye(len(y))[at]])

    return all_of_them


def on_pairs(matrix: Any) -> Any:
    """A (C, C) → A₂ (C(C − 1)/2, C(C − 1)/2), whose eigenvalues are the sums of two of A's."""
    E = _pairs(matrix.shape[0])
    one = np.eye(matrix.shape[0])
    use = jnp if isinstance(matrix, jax.Array) else np
    return E.T @ (use.kron(matrix, one) + use.kron(one, matrix)) @ E


@functools.cache
def _pairs(count: int) -> np.ndarray:
    """An orthonormal basis of the antisymmetric pairs eᵢ ⊗ eⱼ − eⱼ ⊗ eᵢ, one a column."""
    columns = []
    for i, j in itertools.combinations(range(count), 2):
        pair = np.zeros((count, count))
        pair[i, j], pair[j, i] = np.sqrt(0.5), -np.sqrt(0.5)
        columns.append(pair.ravel())
    return np.array(columns).reshape(len(columns), count * count).T


def determinant(matrix: Array) -> Array:
    """det A as a polynomial of its entries, so that its derivatives are right where A is singular, too.

    Up to 3 rows written out, then by Faddeev and LeVerrier's recursion (F. R. Gantmacher, The Theory of Matrices I,
    chapter IV, §5), which loses digits where eigenvalues differ by many orders.
    """
    n, a = matrix.shape[0], matrix
    if n == 0:
        return jnp.ones((), a.dtype)
    if n == 1:
        return a[0, 0]
    if n == 2:
        return a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]
    if n == 3:
        return a[0] @ jnp.cross(a[1], a[2])
    one = jnp.eye(n, dtype=a.dtype)
    power, c = jnp.zeros_like(a), jnp.ones((), a.dtype)
    for k in range(1, n + 1):
        power = a @ power + c * one
        c = -jnp.trace(a @ power) / k
    return (-1) ** n * c


def _of_waves(local: Local, y: Float[Array, " N"], pairs: bool) -> list[Array]:
    """g and ∂g/∂ln q² of the matrix or of its pairs."""
    J, D = local.jacobian(y), jnp.diag(local.diffusion(y))
    A, B = (on_pairs(J), on_pairs(D)) if pairs else (J, D)
    return list(jax.jvp(lambda log: determinant(A - jnp.exp(log) * B), (y[-1],), (jnp.ones_like(y[-1]),)))


def _equations(local: Local, y: Float[Array, " N"], *more: Array) -> Array:
    return jnp.concatenate([local.rates(y), jnp.stack(more)]) if more else local.rates(y)


_RESIDUALS: dict[str, Callable[[Local, Array], Array]] = {
    STATE: lambda local, y: _equations(local, y),
    SADDLE_NODE: lambda local, y: _equations(local, y, determinant(local.jacobian(y))),
    HOPF: lambda local, y: _equations(local, y, determinant(on_pairs(local.jacobian(y)))),
    TURING: lambda local, y: _equations(local, y, *_of_waves(local, y, False)),
    WAVE: lambda local, y: _equations(local, y, *_of_waves(local, y, True)),
    TAKENS_BOGDANOV: lambda local, y: _equations(
        local, y, determinant(local.jacobian(y)), determinant(on_pairs(local.jacobian(y)))
    ),
    TURING_HOPF: lambda local, y: _equations(
        local, y, determinant(on_pairs(local.jacobian(y))), *_of_waves(local, y, False)
    ),
}
