"""Which parameters no picture can determine, whatever its precision: freedoms of scale in the equations."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._jax import enable_x64
from ..balance.moments import Model


@dataclasses.dataclass(frozen=True)
class Freedom:
    """A direction w in parameter space along which the drift only changes by a factor where it must vanish."""

    direction: Float[np.ndarray, " P"]

    def exponents(self, theta: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
        """d log θ along the freedom; 0 for the parameters that it leaves alone."""
        return np.divide(self.direction, theta, out=np.zeros_like(theta), where=self.direction != 0)


def freedoms(
    model: Model, theta: Float[np.ndarray, " P"], sample: Float[np.ndarray, "M C H W"], *, steady: bool
) -> list[Freedom]:
    """The freedoms of scale at θ: solutions w of (∂f/∂θ) w = f.

    Stationarity of an ensemble is blind to f → c f for all fields together; steadiness also to f_a → c f_a for one
    field alone (in FitzHugh–Nagumo: Dv and ε), or for a few that share a coefficient. The identity must hold off the
    solutions too, so it is tried on cells of `sample` with made-up Laplacians.
    """
    columns = _columns_off_solution(model, theta, sample)
    f, J = columns[0], columns[1:]
    found, scaled = [], []
    sizes = range(1, len(f) + 1) if steady else [len(f)]
    for fields in (subset for size in sizes for subset in itertools.combinations(range(len(f)), size)):
        if any(set(fewer) <= set(fields) for fewer in scaled):  # the rest, if it is free, was found by itself
            continue
        target = np.zeros_like(f)
        target[list(fields)] = f[list(fields)]
        unit = np.sqrt((J**2).mean((1, 2)))
        unit[unit == 0] = 1
        w = np.linalg.lstsq((J / unit[:, None, None]).reshape(len(J), -1).T, target.ravel(), rcond=1e-10)[0] / unit
        if np.abs(np.tensordot(w, J, 1) - target).max() < 1e-8 * np.abs(target).max():
            w[np.abs(w) * unit < 1e-8 * np.abs(w * unit).max()] = 0
            found.append(Freedom(w))
            scaled.append(fields)
    return found


def is_linear(model: Model, theta: Float[np.ndarray, " P"], sample: Float[np.ndarray, "M C H W"]) -> bool:
    """Whether the drift is linear in the free parameters: ∂f/∂θ the same at two unlike values of θ."""
    other = theta * np.linspace(0.6, 1.7, len(theta)) + 0.01 * np.abs(theta).max()
    here, there = (_columns_off_solution(model, values, sample)[1:] for values in (theta, other))
    return bool(np.all(np.abs(here - there) <= 1e-9 * np.abs(here).max((1, 2), keepdims=True)))


def _columns_off_solution(model: Model, theta, sample) -> np.ndarray:
    """f and ∂f/∂θ at cells of the pictures with made-up Laplacians: (1 + P, C, cells). Nothing vanishes by chance."""
    rng = np.random.default_rng(0)
    cells = np.moveaxis(sample, 1, 0).reshape(sample.shape[1], -1)
    cells = cells[:, rng.choice(cells.shape[1], 400)]
    spread = cells.std(1, keepdims=True) / model.grid.dx**2
    with enable_x64():
        laplacian = spread * rng.standard_normal(cells.shape)
        return np.asarray(_columns(model, jnp.asarray(theta), jnp.asarray(cells), jnp.asarray(laplacian)))


@functools.partial(jax.jit, static_argnames=("model",))
def _columns(model, theta, cells, laplacian):
    return model.columns(theta, cells, laplacian)
