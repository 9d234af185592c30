"""The Gaussian random field with the pictures' spectrum: the closed form of denoising, baseline and start of networks.

For a stationary, isotropic normal field with cross spectrum C(k) (C × C, real, by wavenumber k) the best prediction of
w = √a ε − τ z from z_τ = √a z + τ ε is, mode by mode,

    E[w | z_τ] = τ √a (a C(k) + τ²)⁻¹ (1 − C(k)) z_τ(k)            (the Wiener filter; N. Wiener, 1949, for this w).

It is exact where the pictures are normal, and no network that sees two-point statistics alone does better.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

LARGEST = float(np.pi * np.sqrt(2))  # wavenumber of a grid, in radians a cell


class SpectralNormal(eqx.Module):
    """C(k) = U diag(λ) Uᵀ at even steps of k from 0 to √2 π radians a cell: `variances` λ, `axes` U.

    Between the steps the filter is interpolated, so that it serves grids of any size.
    """

    variances: Float[Array | np.ndarray, "S C"]
    axes: Float[Array | np.ndarray, "S C C"]

    @classmethod
    def of(cls, z: Float[np.ndarray, "M C H W"]) -> SpectralNormal:
        """With the shell means of the pictures' periodograms, whose imaginary parts vanish in the mean over angles."""
        H, W = z.shape[-2:]
        modes = np.fft.fft2(z.astype(np.float64), norm="ortho")
        power = np.einsum("mahw,mbhw->abhw", modes, modes.conj()).real / len(z)
        shells = max(8, min(H, W))
        at = wavenumbers((H, W), half=False) / LARGEST * (shells - 1)
        below = np.minimum(at.astype(int), shells - 2).ravel()
        share = at.ravel() - below
        # Least squares of linear interpolation: shells that few modes see lean on their neighbours.
        rows = np.zeros((shells, shells))
        np.add.at(rows, (below, below), (1 - share) ** 2)
        np.add.at(rows, (below + 1, below + 1), share**2)
        np.add.at(rows, (below, below + 1), share * (1 - share))
        np.add.at(rows, (below + 1, below), share * (1 - share))
        flat = power.reshape(*power.shape[:2], -1)
        sums = np.zeros((*power.shape[:2], shells))
        for side, weight in ((0, 1 - share), (1, share)):
            for a, b in np.ndindex(*power.shape[:2]):
                np.add.at(sums[a, b], below + side, weight * flat[a, b])
        smooth = 1e-6 * np.trace(rows) / shells * _second_differences(shells)
        found = np.linalg.solve(rows + smooth, sums.reshape(-1, shells).T).T.reshape(sums.shape)
        variances, axes = np.linalg.eigh(np.moveaxis(found, -1, 0))
        return cls(np.maximum(variances, 1e-12 * variances.max()), axes)  # interpolation may go a little below 0

    def predicted(self, z: Float[Array, "B C H W"], tau: Float[Array, " B"]) -> Float[Array, "B C H W"]:
        """E[w | z_τ] of pictures z at levels τ."""
        variances, axes = (jnp.asarray(part, z.dtype) for part in (self.variances, self.axes))
        t = tau[:, None, None]
        own = variances[None]
        share = t * jnp.sqrt(1 - t**2) * (1 - own) / ((1 - t**2) * own + t**2)
        filters = jnp.einsum("sac,bsc,sdc->bsad", axes, share, axes)
        at = wavenumbers((int(z.shape[2]), int(z.shape[3])), half=True) / LARGEST * (len(variances) - 1)
        below = np.minimum(at.astype(int), len(variances) - 2)
        above = jnp.asarray(at - below, z.dtype)[None, ..., None, None]
        filters = (1 - above) * filters[:, below] + above * filters[:, below + 1]
        return jnp.fft.irfft2(jnp.einsum("bhwad,bdhw->bahw", filters, jnp.fft.rfft2(z)), s=z.shape[-2:])


def wavenumbers(shape: tuple[int, int], *, half: bool) -> Float[np.ndarray, "H W"]:
    """|k| of every mode in radians a cell; `half` as `rfft2` lays them out."""
    down, across = np.fft.fftfreq(shape[0]), (np.fft.rfftfreq if half else np.fft.fftfreq)(shape[1])
    return 2 * np.pi * np.hypot(down[:, None], across)


def _second_differences(n: int) -> Float[np.ndarray, "n n"]:
    difference = np.diff(np.eye(n), 2, axis=0)
    return difference.T @ difference
