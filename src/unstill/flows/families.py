"""Families of fields that preserve the points, compared at the same points: which are one and the same?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .diagnosis import cosines
from .fields import ConstantField, EncodedField
from .flow import Flows
from .score import Score


@dataclasses.dataclass(frozen=True)
class Families:
    """`table[i, j]`: the mean |cosine| between members of families i and j (of different members where i = j; NaN for
    a family of one), `spread` its standard deviation; `effective` how many independent fields a family holds,
    (Σλ)²/Σλ² of the eigenvalues of its cosines; `places` a plane (N, 2) in which √(2 − 2|cosine|) is the distance."""

    families: tuple[str, ...]
    counts: tuple[int, ...]
    table: Float[np.ndarray, "F F"]
    spread: Float[np.ndarray, "F F"]
    effective: Float[np.ndarray, " F"]
    places: Float[np.ndarray, "N 2"]
    strains: Float[np.ndarray, 2]


def compare_families(fields: Mapping[str, Float[np.ndarray, "_ M D"]]) -> Families:
    """Compare families of velocities (members, points, D) at the same points. A field and its reverse count as one,
    since points tell no arrow of time: all cosines are taken by their size.

    The plane is classical multidimensional scaling (W. S. Torgerson, Psychometrika 17, 401 (1952)); `strains` are the
    shares of the squared distances that its axes show.
    """
    names, counts = tuple(fields), tuple(len(v) for v in fields.values())
    every = np.concatenate(list(fields.values()))
    table, spread = np.full((2, len(names), len(names)), np.nan)
    signed = cosines(every, every)
    size = np.minimum(np.abs(signed), 1)
    ends = np.cumsum([0, *counts])
    effective = np.ones(len(names))
    for i in range(len(names)):
        own = slice(ends[i], ends[i + 1])
        eigenvalues = np.linalg.eigvalsh(signed[own, own])
        effective[i] = eigenvalues.sum() ** 2 / np.sum(eigenvalues**2)
        for j in range(len(names)):
            block = size[own, ends[j] : ends[j + 1]]
            values = block[~np.eye(len(block), dtype=bool)] if i == j else block.ravel()
            if len(values):
                table[i, j], spread[i, j] = values.mean(), values.std()
    places, strains = _plane(2 - 2 * size)
    return Families(names, counts, table, spread, effective, places, strains)


def _plane(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centred = square - square.mean(0, keepdims=True)
    centred = -(centred - centred.mean(1, keepdims=True)) / 2
    values, vectors = np.linalg.eigh(centred)
    top = np.maximum(values[::-1][:2], 0)
    return vectors[:, ::-1][:, :2] * np.sqrt(top), top / max(np.sum(np.abs(values)), 1e-300)


def training_free(score: Score, tau: float, count: int, names: tuple[str, ...], seed: int = 0) -> Flows:
    """`count` random constant antisymmetric matrices times the score at τ."""
    return _untrained(ConstantField, score, tau, count, names, seed)


def random_fields(score: Score, count: int, names: tuple[str, ...], seed: int = 0) -> Flows:
    """`count` untrained networks of founding system B's kind, which preserve nothing."""
    flows = _untrained(EncodedField, score, 0.1, count, names, seed)
    return dataclasses.replace(flows, score=None)


def _untrained(family, score: Score, tau: float, count: int, names: tuple[str, ...], seed: int) -> Flows:
    D = len(names)
    make = jax.vmap(lambda key: family.make(key, D, 64))
    fields = jax.tree.map(lambda a: np.asarray(a, np.float64), make(jax.random.split(jax.random.key(seed), count)))
    return Flows(fields, score, np.asarray(score.mean), np.asarray(score.scale), np.ones(count), tau, names)


def at_pace(flows: Flows, z: Float[np.ndarray, "M D"]) -> Flows:
    """The flows at the pace of learnt ones: E|v|² = D over the points z."""
    v = flows.velocities(z)
    factors = flows.factors * np.sqrt(z.shape[1] / np.mean(np.sum(v**2, 2), 1))
    return dataclasses.replace(flows, factors=factors)


def scores_as_field(score: Score, z: Float[np.ndarray, "M D"], tau: float) -> Float[np.ndarray, "1 M D"]:
    """The score itself at standardised points, as one more field to compare with: it preserves nothing."""
    from .._jax import enable_x64

    with enable_x64():
        return np.asarray(score.at(jnp.asarray(z), tau))[None]
