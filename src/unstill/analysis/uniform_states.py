"""All uniform steady states of a system in a box: Newton's method from many starts, and what it found verified."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import qmc

from .._jax import enable_x64
from ..systems import ReactionDiffusion
from .local import Local

_ITERATIONS = 80
_RESIDUAL, _STEP = 1e-12, 1e-8  # of a state that is accepted: rates over the size of their terms, Newton's next step
_ASIDE = 1e-9  # of the scale: where smoothness is tried
_WIDE = 100.0  # half of the default box, in units of the state of rest
_SAME = 1e-6  # states nearer than this share are one
_MOST = 30  # isolated states of one system; more that are all degenerate are a continuum


_Solve = Callable[[Array, Array], Array]


@dataclasses.dataclass(frozen=True, eq=False)
class Box:
    """Where states are looked for: low and high of each field (C,), and the scale of each."""

    low: Float[np.ndarray, " C"]
    high: Float[np.ndarray, " C"]
    scale: Float[np.ndarray, " C"]


def box_of(systems: list[ReactionDiffusion], box: Mapping[str, tuple[float, float]]) -> Box:
    """The box of all systems together: what the user says, else 100 times the state of rest, or 100 where that is more.

    Amounts (`ReactionDiffusion.amounts`) are not negative.
    """
    with enable_x64():
        known = np.array([[float(c) for c in each] for one in systems for each in (one.rest(), one.patch())])
    size = np.nanmax(np.abs(np.where(np.isfinite(known), known, 0.0)), axis=0)
    scale = np.where(size > 0, size, max(float(size.max()), 1e-3) if size.max() > 0 else 1.0)
    half = _WIDE * np.maximum(scale, 1.0)
    low, high = (np.zeros_like(half) if systems[0].amounts else -half), half
    for i, name in enumerate(systems[0].fields):
        if name in box:
            low[i], high[i] = box[name]
            scale[i] = min(scale[i], max(abs(low[i]), abs(high[i])))
    return Box(low, high, scale)


def starts_in(box: Box, count: int, seed: int) -> Float[np.ndarray, "S C"]:
    """Starts: even in the box within a few scales, and even in the logarithm down to 1/10,000 of the scale."""
    C = len(box.low)
    draws = qmc.Sobol(2 * C + 1, rng=np.random.default_rng(seed)).random_base2(int(np.ceil(np.log2(count))))
    near = np.maximum(box.low, -4 * box.scale), np.minimum(box.high, 4 * box.scale)
    near = np.minimum(near[0], near[1]), np.maximum(near[0], near[1])
    even = near[0] + (near[1] - near[0]) * draws[:, :C]
    far = np.maximum(np.maximum(np.abs(box.low), np.abs(box.high)), 2e-4 * box.scale)
    small = np.log(1e-4 * box.scale)
    size = np.exp(small + (np.log(far) - small) * draws[:, :C])
    log = np.where(draws[:, C : 2 * C] < 0.5, size, -size)
    log = np.where((log < box.low) | (log > box.high), -log, log)
    return np.clip(np.where(draws[:, -1:] < 0.5, even, log), box.low, box.high)


def find_uniform_states(
    local: Local,
    points: Float[np.ndarray, "N P"],
    box: Box,
    *,
    starts: int = 1024,
    seed: int = 0,
) -> tuple[list[Float[np.ndarray, "S C"]], bool]:
    """The uniform states R(c) = 0 at each of N values of the free parameters, sorted by the first field.

    Damped Newton steps c ← c − J⁻¹R (no field grows more than threefold in one) from quasi-random starts. A state
    counts where R is below 1e-12 of the size of its terms, Σⱼ|J_ij c_j| + Σ_p|∂R_i/∂θ_p θ_p|, and the next step below
    1e-8 of the state: a rate that only tends to 0, as exp(−u), has none.

    Args:
        local: The system.
        points: Values of its free parameters, one row each.
        box: Where to look.
        starts: Starts for each row.
        seed: Seed of the starts.

    Returns the states of each row, and whether some row has a continuum of them (a conserved amount): those are left
    out. Finds all of them only in so far as some start leads to each.
    """
    found = _search(local, points, box, starts_in(box, starts, seed), _solved)
    if not any(len(states) for states in found):  # J may be singular at all of them
        found = _search(local, points[:1], box, starts_in(box, 2 * _MOST, seed), _shortest)
        return [states[:0] for states in [found[0]] * len(points)], len(found[0]) > _MOST
    continuum = any(len(states) > _MOST for states in found)
    return [states if len(states) <= _MOST else states[:0] for states in found], continuum


def _solved(J: Array, R: Array) -> Array:
    """J⁻¹R; of two fields by Cramer's rule, which is faster for many small matrices."""
    if len(R) != 2:
        return jnp.linalg.solve(J, R)
    adjugate = jnp.array([J[1, 1] * R[0] - J[0, 1] * R[1], J[0, 0] * R[1] - J[1, 0] * R[0]])
    return adjugate / (J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0])


def _shortest(J: Array, R: Array) -> Array:
    """The shortest solution of J x = R where J is singular."""
    return jnp.linalg.lstsq(J, R, rcond=1e-10)[0]


def _search(local: Local, points: np.ndarray, box: Box, begin: np.ndarray, solve: _Solve) -> list[np.ndarray]:
    """The states at each of the points, some more than `_MOST` where there are many."""
    with enable_x64():
        size = jnp.asarray(box.scale)
        newton = jax.jit(jax.vmap(jax.vmap(lambda c, p: _newton(local, c, p, size, solve), (0, None)), (None, 0)))
        check = jax.jit(jax.vmap(jax.vmap(lambda c, p: _checked(local, c, p, size), (0, None)), (0, 0)))
        ends = newton(jnp.asarray(begin), jnp.asarray(points, jnp.float64))
        good = np.asarray(check(ends, jnp.asarray(points, jnp.float64)))
        ends = np.asarray(ends)
    room = 1e-9 * box.scale
    inside = ((ends >= box.low - room) & (ends <= box.high + room)).all(-1) & good
    return [_distinct(states[mask], box.scale) for states, mask in zip(ends, inside, strict=True)]


def _joined(c: Array, p: Array) -> Array:
    return jnp.concatenate([c, p])


def _newton(local: Local, c: Array, p: Array, size: Array, solve: _Solve) -> Array:
    """Damped steps that become Newton's own, since they end in the last digits."""

    def step(_, c):
        delta = solve(local.jacobian(_joined(c, p)), local.rates(_joined(c, p)))
        most = jnp.min(2 * jnp.maximum(jnp.abs(c), 1e-3 * size) / jnp.maximum(jnp.abs(delta), 1e-300))
        return c - jnp.minimum(1.0, most) * delta

    end = jax.lax.fori_loop(0, _ITERATIONS, step, c)
    return jnp.where(jnp.abs(end) < 1e-13 * size, 0.0, end)  # what is 0 but for round-off


def _checked(local: Local, c: Array, p: Array, size: Array) -> Array:
    """Whether a state is one: at rest, and with rates that are smooth around it, which they are not at a pole."""
    y = _joined(c, p)
    J, R = local.jacobian(y), local.rates(y)
    values = {name: jnp.asarray(value, c.dtype) for name, value in local.at(y).values().items()}

    def of_parameters(values):
        return jnp.stack([jnp.asarray(r, c.dtype) for r in local.system.with_values(**values).kinetics(*c)])

    slopes = jax.jacfwd(of_parameters)(values)
    terms = jnp.abs(J) @ jnp.maximum(jnp.abs(c), 1e-3 * size)
    terms = terms + sum(jnp.abs(slopes[name] * value) for name, value in values.items())
    near = jnp.all(jnp.abs(_shortest(J, R)) <= _STEP * (jnp.abs(c) + 1e-3 * size))
    finite = jnp.all(jnp.isfinite(c)) & jnp.all(jnp.isfinite(J))
    smooth = _smooth(local, y, R, J, _ASIDE * size) | _smooth(local, y, R, J, -_ASIDE * size)
    return jnp.all(jnp.abs(R) <= _RESIDUAL * terms) & finite & jnp.any(J != 0) & near & smooth


def _smooth(local: Local, y: Array, R: Array, J: Array, aside: Array) -> Array:
    """Whether J tells the rates a little aside to 1 %."""
    change = local.rates(y.at[: local.count].add(aside)) - R
    return jnp.all(jnp.abs(change - J @ aside) <= 1e-2 * (jnp.abs(J) @ jnp.abs(aside)))


def _distinct(states: Float[np.ndarray, "S C"], size: np.ndarray) -> Float[np.ndarray, "K C"]:
    """One of those that are the same, sorted."""
    kept: list[np.ndarray] = []
    for state in states[np.lexsort(states.T[::-1])]:
        apart = [
            np.abs(state - other) > _SAME * np.maximum(np.abs(state), np.abs(other)) + 1e-9 * size for other in kept
        ]
        if all(each.any() for each in apart):
            kept.append(state)
        if len(kept) > _MOST:
            break
    return np.array(kept).reshape(len(kept), states.shape[-1])
