"""Stationarity of an ensemble of moving pictures: E[∇φ·f] = 0 for functionals φ of the fields.

Two families of φ, of standardised fields z:

    ⟨m(z)⟩               m: every monomial to degree 5
    ⟨p(z) · G_k q(z)⟩    p, q: every pair of monomials to degree 2; G_k: the filter of a radial band of wavenumbers

With pairs of the fields alone (degree 1) the right choice of terms stands out half as clearly. Means are taken over
tiles of each picture: by translation invariance every tile is a sample, and there must be more samples than functionals
to know how these scatter together.

An explicit Euler scheme of step h keeps E[φ(c + h f) − φ(c)] = 0 instead, which adds h ½ f·∇²φ·f.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
from jaxtyping import Float

from ..balance.point_functionals import exponents_to
from ..observations.spectrum import inverse, radial_bands, transform
from ..simulation import Grid
from .field_library import FieldLibrary

_DEGREE, _BANDS = 5, (3, 10)
_TILES, _LEAST_TILE = 4, 16
_SAMPLES_A_FUNCTIONAL = 3


@dataclasses.dataclass(frozen=True)
class FieldFunctionals:
    """K functionals of C fields on a grid, `bands` filters, means over `tiles` × `tiles` parts of a picture."""

    grid: Grid
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    bands: int
    tiles: int

    @classmethod
    def make(cls, grid: Grid, pictures: Float[np.ndarray, "M C H W"], clean_scale: Float[np.ndarray, " C"]):
        """As many bands as the number of samples allows."""
        tiles = max(1, min(_TILES, min(grid.shape) // _LEAST_TILE))
        mean = tuple(map(float, pictures.mean((0, 2, 3))))
        scale = tuple(map(float, clean_scale))
        one = cls(grid, mean, scale, 1, tiles)
        most = len(pictures) * tiles**2 // _SAMPLES_A_FUNCTIONAL - len(one.monomials)
        return dataclasses.replace(one, bands=int(np.clip(most // len(one.pairs), *_BANDS)))

    @functools.cached_property
    def monomials(self):
        """Exponents of the m."""
        return exponents_to(_DEGREE, len(self.mean))[1:]

    @functools.cached_property
    def features(self):
        """Exponents of the p and q; of three fields and more the fields alone, or there would be too many pairs."""
        return exponents_to(2 if len(self.mean) < 3 else 1, len(self.mean))[1:]

    @functools.cached_property
    def pairs(self) -> list[tuple[int, int]]:
        return list(itertools.combinations_with_replacement(range(len(self.features)), 2))

    @functools.cached_property
    def masks(self) -> Float[np.ndarray, "bands H W"]:
        return radial_bands(self.grid, self.bands)

    @property
    def count(self) -> int:
        """K."""
        return len(self.monomials) + len(self.pairs) * len(self.masks)

    def powers(self, c: Float[np.ndarray, "C H W"]) -> _Powers:
        """Monomials of standardised fields."""
        return _Powers((c - np.array(self.mean)[:, None, None]) / np.array(self.scale)[:, None, None])

    def _slope(self, z: _Powers, e: tuple[int, ...], field: int) -> np.ndarray | None:
        """∂zᵉ/∂c_field, None where it vanishes."""
        if not e[field]:
            return None
        lower = tuple(n - (i == field) for i, n in enumerate(e))
        return e[field] / self.scale[field] * z[lower]

    def rates(self, c: Float[np.ndarray, "C H W"], columns: Float[np.ndarray, "L H W"]) -> Float[np.ndarray, "T K C L"]:
        """⟨∂φ/∂c_a · column_j⟩ of every tile."""
        z, bands = self.powers(c), len(self.masks)
        parts = _tiles(columns, self.tiles)
        cells = parts.shape[-1]
        filtered = [
            _tiles(inverse(self.grid, self.masks * transform(self.grid, z[e])), self.tiles) for e in self.features
        ]
        out = np.zeros((parts.shape[1], self.count, len(c), len(columns)))
        for a in range(len(c)):
            for row, e in enumerate(self.monomials):
                slope = self._slope(z, e, a)
                if slope is not None:
                    out[:, row, a] = np.einsum("tx,jtx->tj", _tiles(slope, self.tiles), parts) / cells
            slopes = [self._slope(z, e, a) for e in self.features]
            flows = [None if s is None else np.moveaxis(_tiles(s, self.tiles) * parts, 0, -1) for s in slopes]
            for pair, (i, j) in enumerate(self.pairs):
                here = slice(len(self.monomials) + pair * bands, len(self.monomials) + (pair + 1) * bands)
                for p, q in ((i, j), (j, i)):
                    flow = flows[q]
                    if flow is not None:
                        out[:, here, a] += np.matmul(np.moveaxis(filtered[p], 1, 0), flow) / cells
        return out

    def values(self, c: Float[np.ndarray, "C H W"]) -> Float[np.ndarray, " K"]:
        """φ of a whole picture."""
        z = self.powers(c)
        means = [z[e].mean() for e in self.monomials]
        spectra = [transform(self.grid, z[e]) for e in self.features]
        masks = self.masks.reshape(len(self.masks), -1)
        forms = [masks @ np.real(spectra[i].conj() * spectra[j]).ravel() / c[0].size for i, j in self.pairs]
        return np.concatenate([means, *forms])

    def second_order(self, c: Float[np.ndarray, "C H W"], f: Float[np.ndarray, "C H W"]) -> Float[np.ndarray, " K"]:
        """½ f·∇²φ·f, by a central difference along f."""
        step = 1e-2 * min(self.scale) / max(float(f.std()), 1e-300)
        return (self.values(c + step * f) + self.values(c - step * f) - 2 * self.values(c)) / (2 * step**2)


def samples(
    library: FieldLibrary, functionals: FieldFunctionals, c: Float[np.ndarray, "C H W"]
) -> Float[np.ndarray, "T K P"]:
    """Rows of one picture: the terms of every equation that may stand there, equation by equation."""
    rates = functionals.rates(c, library.columns(functionals.grid, c))
    return rates.reshape(*rates.shape[:2], -1)[..., library.allowed.ravel()]


class _Powers:
    """zᵉ, each power of a field computed once."""

    def __init__(self, z: np.ndarray):
        ones = np.ones_like(z[0])
        self.tables = [list(itertools.accumulate([ones] + [field] * _DEGREE, np.multiply)) for field in z]

    def __getitem__(self, e: tuple[int, ...]) -> np.ndarray:
        factors = [table[n] for table, n in zip(self.tables, e, strict=True) if n]
        return functools.reduce(np.multiply, factors) if factors else self.tables[0][0]


def _tiles(c: np.ndarray, tiles: int) -> np.ndarray:
    """(…, H, W) → (…, tiles², cells); rows and columns left over at the far edges are dropped."""
    h, w = c.shape[-2] // tiles, c.shape[-1] // tiles
    c = c[..., : h * tiles, : w * tiles].reshape(*c.shape[:-2], tiles, h, tiles, w)
    return np.moveaxis(c, -3, -2).reshape(*c.shape[:-4], tiles * tiles, h * w)
