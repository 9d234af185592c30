"""The weak form of a set of terms over a heap of pictures: rows, and the mean products of the terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .functionals import Functionals
from .terms import AbstractTerms

_GRAM_PICTURES = 16  # for the mean products


@dataclasses.dataclass(frozen=True, eq=False)
class WeakForm:
    """Rows (M pictures, T tiles, K functionals, C equations, J terms) and ⟨B_i B_j⟩ (J, J)."""

    functionals: Functionals
    terms: AbstractTerms
    rows: Float[np.ndarray, "M T K C J"]
    products: Float[np.ndarray, "J J"]


def weak_form(
    pictures: Float[np.ndarray, "M C H W"],
    terms: AbstractTerms,
    functionals: Functionals,
    noise: Float[np.ndarray, " C"],
    seed: int,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> WeakForm:
    """The rows of all pictures; with `noise` those of the noise-free ones, in expectation (see `functionals`)."""
    rng, rows = np.random.default_rng(seed), []
    for m, c in enumerate(pictures):
        seen = c + 1j * noise[:, None, None] * rng.standard_normal(c.shape) if noise.any() else c
        rows.append(functionals.rows(seen, terms).astype(np.float32))
        told(m + 1, len(pictures))
    some = pictures[:: max(1, len(pictures) // _GRAM_PICTURES)]
    return WeakForm(functionals, terms, np.array(rows), np.mean([_products(terms(c)) for c in some], 0))


def _products(B: Float[np.ndarray, "J H W"]) -> Float[np.ndarray, "J J"]:
    flat = B.reshape(len(B), -1)
    return flat @ flat.T / flat.shape[1]
