"""Test functionals φ = ⟨cos(w·z + b)⟩ of smoothed fields, and the weak-form rows of terms.

z are the standardised fields, as they are and smoothed by Gaussians of ½, 1 and 2 of the pattern's length; w is sparse
and random, b uniform. E[⟨∇φ·f⟩] = 0 for f = Σ_j θ_aj B_j is linear in θ. Since the Gaussians G_s are symmetric,

    ⟨∂φ/∂c_a · B_j⟩ = −Σ_s w_as ⟨sin(w·z + b) · G_s B_j⟩ / scale_a

so that one smoothing of each term serves all functionals. Bounded functionals see every part of the state space, and
do not let the tails of the density rule, as monomials do.

Noise. Pictures y = c + η with white η of standard deviations s: F(y + i s ξ) with an independent white ξ has the mean
F(c) for every entire F, since all moments of η + iξ vanish: the heat equation run backwards. Sines, Gaussians and
polynomials are entire: the real part of each row at y + i s ξ is a row of the noise-free pictures, in expectation,
whatever the noise correlates. It is exact, and costs scatter. Splines are not entire: they see the real parts.

An explicit Euler scheme of step h keeps E[φ(c + h f) − φ(c)] = 0, which adds h ½ f·∇²φ·f (`second_order`).
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import scipy.fft
from jaxtyping import Float

from ..simulation import Grid
from .terms import AbstractTerms

_WIDTHS = (0.0, 0.5, 1.0, 2.0)  # of the Gaussians, in lengths of the pattern
_TILE = 16  # cells a side, at least
_SAMPLES = 800  # as many tiles as there should be at least
_SMOOTH = 1.8  # cells of the pattern's length from which on every second cell will do


def pattern_length(grid: Grid, pictures: Float[np.ndarray, "M C H W"], noise: Float[np.ndarray, " C"]) -> float:
    """1/√⟨k²⟩ over the power of the fields, in cells: the mean of the fields'."""
    lengths = []
    for c, s in zip(np.moveaxis(pictures, 1, 0), noise, strict=True):
        centred = c - c.mean()
        slopes = np.mean(np.diff(centred, axis=-1) ** 2) + np.mean(np.diff(centred, axis=-2) ** 2) - 4 * s**2
        power = max(float(np.mean(centred**2)) - s**2, 1e-300)
        lengths.append(np.sqrt(power / max(slopes, 1e-3 * power)))
    return float(np.clip(np.mean(lengths), 1.0, min(grid.shape) / 16))


@dataclasses.dataclass(frozen=True, eq=False)
class Functionals:
    """K functionals of C fields: weights w (K, C, S), phases b, Gaussians of S widths, means over tiles."""

    grid: Grid
    mean: Float[np.ndarray, " C"]
    scale: Float[np.ndarray, " C"]
    weights: Float[np.ndarray, "K C S"]
    phases: Float[np.ndarray, " K"]
    widths: tuple[float, ...]  # cells
    tiles: int  # a side
    stride: int  # cells between those that are averaged

    @classmethod
    def make(
        cls,
        grid: Grid,
        pictures: Float[np.ndarray, "M C H W"],
        noise: Float[np.ndarray, " C"],
        count: int,
        seed: int,
    ) -> Functionals:
        """As many tiles as `tiles_for` says; w of size ½, 1 or 2."""
        length, rng, C = pattern_length(grid, pictures, noise), np.random.default_rng(seed), pictures.shape[1]
        shape = (count, C, len(_WIDTHS))
        weights = rng.standard_normal(shape) * (rng.random(shape) < 0.5) * rng.choice([0.5, 1, 2], (count, 1, 1))
        weights[:, 0, 0] += (weights == 0).all((1, 2))
        scale = np.sqrt(np.maximum(pictures.var((0, 2, 3)) - noise**2, 1e-300))
        widths = tuple(length * w for w in _WIDTHS)
        return cls(
            grid, pictures.mean((0, 2, 3)), scale, weights, rng.uniform(0, 2 * np.pi, count), widths,
            tiles_for(grid, len(pictures)), 2 if length >= _SMOOTH else 1,
        )  # fmt: skip

    @functools.cached_property
    def _gains(self) -> Float[np.ndarray, "S H W"]:
        widths = np.array(self.widths)[:, None, None] * self.grid.dx
        return np.exp(self.grid.symbol * widths**2 / 2).astype(np.float32)

    def smoothed(self, c: np.ndarray) -> np.ndarray:
        """(N, H, W) → (N, S, h, w): under every Gaussian, at every `stride`-th cell; real or complex."""
        real = not np.iscomplexobj(c)
        c = c.astype(np.float32 if real else np.complex64)
        periodic, dct = self.grid.boundary == "periodic", {"type": 2, "axes": (-2, -1)}
        c_hat = scipy.fft.fft2(c) if periodic else scipy.fft.dctn(c, **dct)
        smooth = c_hat[:, None] * self._gains[None, 1:]
        smooth = scipy.fft.ifft2(smooth) if periodic else scipy.fft.idctn(smooth, **dct)
        every = np.concatenate([c[:, None], smooth.real if real else smooth], 1)
        return every[..., :: self.stride, :: self.stride]

    def _arguments(self, c: np.ndarray) -> np.ndarray:
        """w·z + b at the cells that are averaged: (K, h, w)."""
        z = self.smoothed((c - self.mean[:, None, None]) / self.scale[:, None, None])
        flat = self.weights.reshape(len(self.weights), -1).astype(np.float32)
        return np.tensordot(flat, z.reshape(-1, *z.shape[-2:]), 1) + self.phases.astype(np.float32)[:, None, None]

    def rows(self, c: np.ndarray, terms: AbstractTerms) -> Float[np.ndarray, "T K C J"]:
        """⟨∂φ/∂c_a · B_j⟩ over every tile of one picture (C, H, W), real or complex."""
        slope = np.moveaxis(tiled(-np.sin(self._arguments(c)), self.tiles), 0, 1)
        B = self.smoothed(terms(c))
        J, S = B.shape[:2]
        columns = np.moveaxis(tiled(B.reshape(J * S, *B.shape[2:]), self.tiles), 0, 2)
        means = np.real(slope @ columns).reshape(*slope.shape[:2], J, S) / slope.shape[-1]
        return np.einsum("tkjs,kas,a->tkaj", means, self.weights.astype(np.float32), 1 / self.scale, optimize=True)

    def second_order(self, c: np.ndarray, f: np.ndarray) -> Float[np.ndarray, "T K"]:
        """½ f·∇²φ·f over every tile: −½ ⟨cos(w·z + b) (w·G f)²⟩."""
        along = self.smoothed(f / self.scale[:, None, None])
        flat = self.weights.reshape(len(self.weights), -1).astype(np.float32)
        moved = np.tensordot(flat, along.reshape(-1, *along.shape[-2:]), 1)
        return tiled(-0.5 * np.cos(self._arguments(c)) * moved**2, self.tiles).mean(-1).T


def tiles_for(grid: Grid, pictures: int) -> int:
    """Tiles a side: enough for 800 samples, none of them smaller than 16 cells."""
    most = max(1, min(grid.shape) // _TILE)
    wanted = int(np.ceil(np.sqrt(_SAMPLES / pictures)))
    return min(most, wanted)


def tiled(c: np.ndarray, tiles: int) -> np.ndarray:
    """(…, H, W) → (…, tiles², cells); rows and columns left over at the far edges are dropped."""
    h, w = c.shape[-2] // tiles, c.shape[-1] // tiles
    c = c[..., : h * tiles, : w * tiles].reshape(*c.shape[:-2], tiles, h, tiles, w)
    return np.moveaxis(c, -3, -2).reshape(*c.shape[:-4], tiles * tiles, h * w)
