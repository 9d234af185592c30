"""Test functionals φ of a state, and the test fields that their gradients are made of.

A *test field* is a field z(c) made of the state: a monomial of the fields at each cell, or one field filtered to a
radial band of wavenumbers. A *functional* is a number φ(c) whose gradient is a sum of test fields:

    φ = ⟨m(c)⟩                 ∂φ/∂c_a = ∂m/∂c_a            a monomial of one degree less
    φ = ⟨c_a · G c_b⟩          ∂φ/∂c_a = G c_b,  ∂φ/∂c_b = G c_a      G: band filter, symmetric

with ⟨·⟩ the mean over cells. On a stationary ensemble E[⟨∇φ·f⟩] = 0 for functionals only; on steady pictures f = 0 at
each cell, so that ⟨z f_a⟩ = 0 for every test field z and every field a by itself.
"""

import dataclasses
import functools
import itertools

import numpy as np
from jaxtyping import Float

from ..observations.spectrum import inverse, radial_bands, transform
from ..simulation import Grid
from .point_functionals import exponents_to


def _exponents(fields: int, degree: int) -> list[tuple[int, ...]]:
    return sorted(exponents_to(degree, fields), key=lambda e: (sum(e), e))


@dataclasses.dataclass(frozen=True)
class TestSpace:
    """Monomials to `degree` and `bands` band-passed quadratic forms of C fields, standardised by `mean` and `scale`.

    Standardised fields z_a = (c_a − mean_a)/scale_a span the same functionals and keep the matrices well scaled.
    """

    __test__ = False  # the name is not a test class for pytest

    grid: Grid
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    degree: int = 4
    bands: int = 12

    @property
    def fields(self) -> int:
        return len(self.mean)

    @functools.cached_property
    def masks(self) -> Float[np.ndarray, "bands H W"]:
        """The band filters in spectral space."""
        return radial_bands(self.grid, self.bands)

    @functools.cached_property
    def field_exponents(self) -> list[tuple[int, ...]]:
        """The monomials among the test fields: one degree below the functionals."""
        return _exponents(self.fields, self.degree - 1)

    @functools.cached_property
    def functional_exponents(self) -> list[tuple[int, ...]]:
        """The monomials among the functionals."""
        return _exponents(self.fields, self.degree)[1:]

    @functools.cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs of fields (a, b) of the quadratic forms, a ≤ b."""
        return list(itertools.combinations_with_replacement(range(self.fields), 2))

    @property
    def field_count(self) -> int:
        """How many test fields: monomials first, then the bands of field 0, of field 1, …"""
        return len(self.field_exponents) + self.fields * len(self.masks)

    @functools.cached_property
    def labels(self) -> list[str]:
        """One short name a functional."""
        monomials = ["z^" + ",".join(map(str, e)) for e in self.functional_exponents]
        return monomials + [f"z{a} G{k} z{b}" for a, b in self.pairs for k in range(len(self.masks))]

    @functools.cached_property
    def gradients(self) -> Float[np.ndarray, "functionals fields C"]:
        """∇φ as a table: ∂φ_i/∂c_a = Σ_j gradients[i, j, a] · (test field j)."""
        monomials, bands = self.field_exponents, len(self.masks)
        table = np.zeros((len(self.labels), self.field_count, self.fields))
        for row, e in enumerate(self.functional_exponents):
            for a in range(self.fields):
                if e[a]:
                    lower = tuple(n - (i == a) for i, n in enumerate(e))
                    table[row, monomials.index(lower), a] = e[a] / self.scale[a]
        rows = iter(range(len(self.functional_exponents), len(table)))
        for a, b in self.pairs:
            for k in range(bands):
                row = next(rows)
                table[row, len(monomials) + b * bands + k, a] += 1 / self.scale[a]
                table[row, len(monomials) + a * bands + k, b] += 1 / self.scale[b]
        return table

    @functools.cached_property
    def hessians(self) -> Float[np.ndarray, "monomials fields C C"]:
        """∂²m_i/∂c_a∂c_b of the monomial functionals, as a table over the test fields that are monomials."""
        first = self.gradients[: len(self.functional_exponents), : len(self.field_exponents)]
        table = np.zeros((*first.shape, self.fields))
        for j, e in enumerate(self.field_exponents):
            for b in range(self.fields):
                if e[b]:
                    lower = self.field_exponents.index(tuple(n - (i == b) for i, n in enumerate(e)))
                    table[:, lower, :, b] += first[:, j, :] * e[b] / self.scale[b]
        return table

    def test_fields(self, c: Float[np.ndarray, "C H W"]) -> Float[np.ndarray, "fields H W"]:
        """The test fields of one state, in NumPy: the definition, slow and plain."""
        z = (c - np.array(self.mean)[:, None, None]) / np.array(self.scale)[:, None, None]
        monomials = [np.prod([z[a] ** n for a, n in enumerate(e)], 0) for e in self.field_exponents]
        banded = [inverse(self.grid, mask * transform(self.grid, za)) for za in z for mask in self.masks]
        return np.array(monomials + banded)

    def values(self, c: Float[np.ndarray, "C H W"]) -> Float[np.ndarray, " functionals"]:
        """φ_i(c), in NumPy: the definition that the gradients are tested against."""
        fields = self.test_fields(c)
        z = (c - np.array(self.mean)[:, None, None]) / np.array(self.scale)[:, None, None]
        means = [np.mean(np.prod([z[a] ** n for a, n in enumerate(e)], 0)) for e in self.functional_exponents]
        banded = fields[len(self.field_exponents) :].reshape(self.fields, len(self.masks), *c.shape[1:])
        forms = [np.mean(z[a] * banded[b, k]) for a, b in self.pairs for k in range(len(self.masks))]
        return np.array(means + forms)
