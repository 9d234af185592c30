"""Training of vector fields that preserve the density of noised points, an ensemble at once.

∇·(p v) = 0 is r = ∇·v + v·s = 0 with s = ∇log p. The loss is the Rayleigh quotient R = E r²/(E|v|² E|s|²): it is
free of the field's scale, so that v = 0 is no answer, and normalising v by one number afterwards keeps r/|v| exact.
Source: founding system B, arXiv:2509.17990, whose loss is the squared Hutchinson estimate of r. That estimate's
variance is added to its square and punishes the symmetric part of the Jacobian: so the divergence here is exact for
D ≤ 3, and above r² is the product of two estimates with independent probes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .._jax import enable_x64
from ..observations.points import Points
from ..training.epochs import Epochs, draw, signs, train_epochs
from .fields import EXACT, AbstractField, PolynomialField, find_field, least_residuals
from .flow import Flow, Flows
from .kernel_score import kernel_score
from .priors import AbstractPrior, Known, power
from .schedule import check_level
from .score import Score, standardise

PLAN = Epochs(epochs=60, steps=100, rate=1e-2, patience=15)
_HELD_OUT = 4096


@dataclasses.dataclass(frozen=True)
class Heap:
    """Noised standardised points z_τ with the score at each, in two parts: for training and held out."""

    z: Float[np.ndarray, "N D"]
    s: Float[np.ndarray, "N D"]
    z_held: Float[np.ndarray, "H D"]
    s_held: Float[np.ndarray, "H D"]

    @classmethod
    def draw(cls, points: Points, score: Score | None, tau: float, count: int, seed: int) -> Heap:
        """`score=None`: the closed form of the noised empirical distribution of all points."""
        mean, scale = standardise(points) if score is None else (np.asarray(score.mean), np.asarray(score.scale))
        rng = np.random.default_rng(seed)
        clean = rng.permutation((points.sorted() - mean) / scale)
        part = max(1, len(clean) // 10)
        noised = [
            np.sqrt(1 - tau**2) * some[rng.integers(0, len(some), n)] + tau * rng.standard_normal((n, clean.shape[1]))
            for some, n in ((clean[part:], count), (clean[:part], _HELD_OUT))
        ]
        every = np.concatenate(noised).astype(np.float32)
        if score is None:
            s = kernel_score(every, clean.astype(np.float32), tau)
        else:
            light = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), score)
            s = np.asarray(jax.jit(lambda z: light.at(z, tau))(jnp.asarray(every)))
        s = s.astype(np.float32)
        return cls(every[:count], s[:count], every[count:], s[count:])


@dataclasses.dataclass(frozen=True)
class TrainedFlows:
    """K flows, their held-out residuals R, the mean losses epoch by epoch (training, held out), and how it ended."""

    flows: Flows
    residuals: Float[np.ndarray, " K"]
    losses: Float[np.ndarray, "E 2"]
    interrupted: bool
    settled: bool


def train_flows(
    points: Points,
    score: Score | None = None,
    *,
    tau: float = 0.1,
    experiments: int = 1,
    field: str = "plain",
    hidden: int = 64,
    priors: Sequence[AbstractPrior] = (),
    plan: Epochs = PLAN,
    batch: int = 1024,
    count: int = 32_768,
    seed: int = 0,
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
    keep: Callable[[dict[str, np.ndarray]], None] = lambda arrays: None,
    resume: Mapping[str, np.ndarray] | None = None,
) -> TrainedFlows:
    """`experiments` fields from as many random starts, trained at once.

    `score` of the points, or `None` for the closed form, which suits families that need no score later (`plain`,
    `encoded`, `polynomial`); `count` noised points are drawn once, with their scores. Families with `uses_score`
    preserve p_τ as they are and are trained only if there are `priors`; `polynomial` ones without priors are not
    trained but the eigenvectors of R with its least eigenvalues, in order: the first is the best quadratic field.
    `record`, `keep` and `resume` as for `train_epochs`.

    Raises `BadInput` for one variable, for points and score that differ, and for families that need a score.
    """
    family = check_flow(points, score, tau, field)
    heap = Heap.draw(points, score, tau, count, seed)
    key = jax.random.key(seed)
    make = jax.vmap(lambda key: family.make(key, points.dimension, hidden))
    params = make(jax.random.split(jax.random.fold_in(key, 1), experiments))
    z, s, z_held, s_held = (jnp.asarray(a) for a in (heap.z, heap.s, heap.z_held, heap.s_held))
    losses, held = np.zeros((0, 2)), jax.jit(lambda p: _members(p, z_held, s_held, jax.random.key(7), priors))
    interrupted, settled = False, True
    if family is PolynomialField and not priors:
        params = PolynomialField(least_residuals(heap.z, heap.s, experiments))
    elif is_trained(family, priors):

        def batches(params, key):
            pick, probe = jax.random.split(key)
            some = draw(pick, batch, count)
            return _members(params, z[some], s[some], probe, priors)

        onward = jax.random.fold_in(key, 2)
        trained = train_epochs(batches, held, params, plan, key=onward, record=record, keep=keep, resume=resume)
        params, interrupted, settled = trained.params, trained.interrupted, trained.settled
        losses = np.stack([trained.training.mean(1), trained.validation.mean(1)], 1)
    flows = _at_pace(params, points, score, tau, heap)
    return TrainedFlows(flows, residuals(flows, heap.z_held, heap.s_held), losses, interrupted, settled)


def is_trained(family: type[AbstractField], priors: Sequence[AbstractPrior]) -> bool:
    """Whether a family is trained at all: some preserve the density as they are, one has a closed form."""
    return bool(priors) or not (family.uses_score or family is PolynomialField)


def _at_pace(params: AbstractField, points: Points, score: Score | None, tau: float, heap: Heap) -> Flows:
    """Flows with the one factor each that makes E|v|² = D."""
    mean, scale = (np.asarray(n) for n in ((score.mean, score.scale) if score else standardise(points)))
    fields = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    members = len(jax.tree.leaves(fields)[0])
    kept = score if params.uses_score else None
    flows = Flows(fields, kept, mean, scale, np.ones(members), float(tau), points.names)
    squares = np.mean(np.sum(flows.velocities(heap.z_held.astype(np.float64)) ** 2, 2), 1)
    return dataclasses.replace(flows, factors=np.sqrt(points.dimension / squares))


def residuals(flows: Flows, z: Float[np.ndarray, "N D"], s: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " K"]:
    """R = E r²/(E|v|² E|s|²) of each flow at points z with the scores s, all terms of r = ∇·v + v·s exactly."""
    with enable_x64():
        wide = [jnp.asarray(a, jnp.float64) for a in (z, s)]
        return np.array([float(_residual(flow.standardised(), *wide)) for flow in flows])


@eqx.filter_jit
def _residual(flow: Flow, z: Array, s: Array) -> Array:
    def one(z, s):
        v = flow.at(z)
        return v, jnp.trace(jax.jacfwd(flow.at)(z)) + v @ s

    v, r = jax.vmap(one)(z, s)
    return jnp.mean(r**2) / (power(v) * power(s))


def residual(
    field: AbstractField, z: Float[Array, "B D"], s: Float[Array, "B D"]
) -> tuple[Float[Array, "B D"], Float[Array, " B"]]:
    """v and r = ∇·v + v·s at points, exactly; r = 0 by construction where the field is built from the score."""
    if field.uses_score:
        return field.many(z, s), jnp.zeros(len(z), z.dtype)
    v, divergence = field.with_divergence(z)
    return v, divergence + jnp.sum(v * s, 1)


def estimates(field: AbstractField, z: Float[Array, " D"], s: Float[Array, " D"], key: Array) -> tuple[Array, Array]:
    """v and two independent estimates of r, each with one Rademacher probe: E[r₁ r₂] = r²."""

    def one(probe):
        v, along = jax.jvp(lambda z: field(z, s), (z,), (probe,))
        return v, probe @ along + v @ s

    probes = signs(key, (2, len(z))).astype(z.dtype)
    v, r = jax.vmap(one)(probes)
    return v[0], r


def rayleigh(
    field: AbstractField, z: Float[Array, "B D"], s: Float[Array, "B D"], key: Array
) -> tuple[Float[Array, ""], Float[Array, "B D"]]:
    """R = E r²/(E|v|² E|s|²) over a batch, and v."""
    if z.shape[1] <= EXACT or field.uses_score:
        v, r = residual(field, z, s)
        square = jnp.mean(r**2)
    else:
        v, r = jax.vmap(lambda z, s, key: estimates(field, z, s, key))(z, s, jax.random.split(key, len(z)))
        square = jnp.mean(r[:, 0] * r[:, 1])
    return square / (power(v) * power(s)), v


def _members(params: AbstractField, z: Array, s: Array, key: Array, priors: Sequence[AbstractPrior]) -> Array:
    """The loss of each member (K,)."""

    known = next((jax.vmap(p.part)(z) for p in priors if isinstance(p, Known) and p.part), None)

    def one(field):
        quotient, v = rayleigh(field, z, s, key)
        if known is not None:
            quotient *= power(v) / power(known)
        return quotient + sum((p.weight * p(field, z, s, v) for p in priors), jnp.zeros((), z.dtype))

    return jax.vmap(one)(params)


def check_flow(points: Points, score: Score | None, tau: float, field: str) -> type[AbstractField]:
    """The family of a name; raises `BadInput` for what `train_flows` cannot do, before anything is computed."""
    check_level(tau)
    family = find_field(field)
    if points.dimension == 1:
        remedy = "In one variable p·v is constant, and 0 where p vanishes far out: the only flow is rest."
        raise BadInput("points", "must have two variables or more", "1", remedy)
    if points.count < 20:
        raise BadInput("points", "must hold at least 20 points", points.count)
    if score is None and family.uses_score:
        raise BadInput("score", f"must be a learnt one for the family {family.name}", "kernel")
    if score is not None and len(score.mean) != points.dimension:
        raise BadInput("score", "must be of the points' variables", f"{len(score.mean)}, not {points.dimension}")
    return family
