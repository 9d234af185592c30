"""The balance of every field, mode by mode: pictures at rest, or frames in order of time.

At rest Σ_j c_aj θ_j = 0 at every cell and for every field a by itself; of two frames in order of time, h apart,
Σ_j c_aj ((1 − τ) θ_j + τ θ_j') = (c_a' − c_a)/h: to second order with τ = ½ for a true flow, exactly with τ = 0 for one
step of explicit Euler, and in between for several. Test functions are the eigenvectors of the Laplacian, so the rows
A_k are the transforms of the terms, weighted by

    w_k = (1 + K/K̄)⁻² Π_a gain_a(K)²,     K = −∇² of mode k

with K̄ the pattern's own mean K: noise in the Laplacian grows like K, so what is left is about as sure in every mode.
`gain_a` is the Wiener filter's: modes that hold noise only are left out. No mode is chosen by the values at its cells,
so noise enters the quadratic forms Σ_k w_k A_kᵀA_k only, from where it is taken out (`without_noise`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..observations.spectrum import transform
from ..simulation import Grid
from .field_library import FieldLibrary
from .field_noise import without_noise


@dataclasses.dataclass(frozen=True)
class Balances:
    """Pictures (M, F, C, H, W) of F = 1 frame, or F = 2 frames `interval` apart: quadratic forms of their terms.

    Columns are the library's L terms, then (F = 2) the rates of the C fields.
    """

    library: FieldLibrary
    grid: Grid
    pictures: Float[np.ndarray, "M F C H W"]
    levels: Float[np.ndarray, " C"]
    interval: float = 1.0
    later: float = 0.5  # τ

    def columns(self, frames: Float[np.ndarray, "F C H W"]) -> Float[np.ndarray, "N H W"]:
        """The terms of one picture; of two frames those in between, and the rates."""
        terms = [self.library.columns(self.grid, c) for c in frames]
        if len(frames) == 1:
            return terms[0]
        between = (1 - self.later) * terms[0] + self.later * terms[1]
        return np.concatenate([between, (frames[1] - frames[0]) / self.interval])

    def weights(self) -> Float[np.ndarray, "H W"]:
        """w_k."""
        power = (np.abs(transform(self.grid, self.pictures)) ** 2).mean((0, 1))
        K = -self.grid.symbol
        patterned = self.grid.symbol < -1e-9 * K.max()
        clean = np.maximum(power - self.levels[:, None, None] ** 2, 0) * patterned
        typical = (clean * K).sum() / max(clean.sum(), 1e-300)
        if self.levels.any():  # the mean K without the tail that the noise has by chance
            low = np.where(K / typical < 4, clean, 0.0)
            typical = (low * K).sum() / max(low.sum(), 1e-300)
        gains = [_gain(self.grid, p, s) for p, s in zip(power, self.levels, strict=True)]
        return np.prod(gains, axis=0) ** 2 / (1 + K / max(typical, 1e-300)) ** 2

    def rows(self, frames: Float[np.ndarray, "F C H W"], root: Float[np.ndarray, "H W"]) -> np.ndarray:
        """√w A: (N, modes)."""
        return (transform(self.grid, self.columns(frames)) * root).reshape(-1, root.size)

    def forms(self, seed: int = 0) -> tuple[Float[np.ndarray, "N N"], Float[np.ndarray, "N N"], float]:
        """(Σ w AᵀA of the clean pictures, what noise added to it, the number of modes), means over modes."""
        weights = self.weights()
        root, rng = np.sqrt(weights), np.random.default_rng(seed)

        def form(frames):
            A = self.rows(frames, root)
            return np.real(A.conj() @ A.T) / weights.sum()

        pairs = [without_noise(form, frames, self.levels, rng) for frames in self.pictures]
        clean, noise = (np.mean(part, axis=0) for part in zip(*pairs, strict=True))
        return clean, noise, len(self.pictures) * float(weights.sum() ** 2 / (weights**2).sum())

    def spread(
        self, columns: Sequence[int], normal: Float[np.ndarray, "n n"], e: Float[np.ndarray, " N"]
    ) -> Float[np.ndarray, "n n"]:
        """Covariance of the coefficients of `columns`, N⁻¹ Σ_k (w A_k r_k)(w A_k r_k)ᵀ N⁻¹ with r = A e, where `normal`
        is N of these columns: honest as far as modes err independently."""
        weights = self.weights()
        root, meat = np.sqrt(weights), np.zeros_like(normal)
        for frames in self.pictures:
            A = self.rows(frames, root)
            scores = np.real(A[list(columns)].conj() * (e @ A)) / weights.sum() / len(self.pictures)
            scores = scores - scores.mean(1, keepdims=True)  # what noise adds to A r, mode by mode the same on average
            # A mode and its mirror image are one and the same: together they count once, with twice the score.
            meat += (2 if self.grid.boundary == "periodic" else 1) * scores @ scores.T
        inverse = np.linalg.inv(normal)
        return inverse @ meat @ inverse.T


def _gain(grid: Grid, power: Float[np.ndarray, "H W"], level: float) -> Float[np.ndarray, "H W"]:
    """1 − noise/power of each radial shell."""
    if level == 0:
        return np.ones_like(power)
    radius = np.sqrt(np.maximum(-grid.symbol, 0)) * grid.dx
    shell = np.rint(radius * np.sqrt(radius.size) / (2 * np.pi)).astype(int)
    mean = np.bincount(shell.ravel(), power.ravel()) / np.maximum(np.bincount(shell.ravel()), 1)
    gain = np.maximum(1 - level**2 / np.maximum(mean[shell], 1e-300), 0)
    gain = np.where(gain > 0.2, gain, 0.0)  # below, a shell's gain is chance
    return np.where(grid.symbol == 0, 1.0, gain)  # the mean of a field may vanish, those of its products need not
