"""Losses in real space: cells one by one, their moments, their neighbourhoods, responses of filters."""

import itertools
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .losses_base import NOISE, FeatureLoss


class Pixel(FeatureLoss):
    """f = c, cell by cell: L = ⟨(c_predicted − c_target)²⟩.

    For states that grew from one initial state, or are one picture. Between two patterns of one kind that stand
    elsewhere it is as large as against a uniform state at the mean, or larger, so it prefers the dead state.
    """

    about: ClassVar[str] = "mean squared difference, cell by cell"
    depends_on_start: ClassVar[bool] = True

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        return states.reshape(len(states), -1)


class Moments(FeatureLoss):
    """Mean, standard deviation, third and fourth central moment of each field, and covariances of each two fields.

    f = (⟨c_a⟩, s_a, ⟨z_a³⟩/s_a², ⟨z_a⁴⟩/s_a³, ⟨z_a z_b⟩/√(s_a s_b)), with z = c − ⟨c⟩ and s² = ⟨z²⟩ + NOISE²: all of
    the dimension of a field, so that none rules the others. Blind to everything spatial; on a uniform picture all but
    the mean have a gradient of zero.
    """

    about: ClassVar[str] = "mean, deviation, skewness, kurtosis of each field, covariances between fields"
    depends_on_start: ClassVar[bool] = False

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        flat = states.reshape(*states.shape[:2], -1)
        mean = flat.mean(-1)
        z = flat - mean[..., None]
        s = jnp.sqrt(jnp.mean(z**2, -1) + NOISE**2)
        own = [mean, s, jnp.mean(z**3, -1) / s**2, jnp.mean(z**4, -1) / s**3]
        pairs = itertools.combinations(range(states.shape[1]), 2)
        shared = [jnp.mean(z[:, a] * z[:, b], -1) / jnp.sqrt(s[:, a] * s[:, b]) for a, b in pairs]
        return jnp.concatenate([*own, *(x[:, None] for x in shared)], 1)


class Patches(FeatureLoss):
    """Sliced Wasserstein distance between the distributions of 5 × 5 patches of all fields.

    f_lq = mean of the q-th of Q equal parts of the sorted projections ⟨w_l, patch⟩ over all patches of the (periodic)
    picture, for L fixed random unit vectors w_l: L is then ⟨W₂²⟩ over the projections, up to the coarseness of Q parts.
    Sees shapes of the size of a patch and what fields have in common in them; not the order at longer range. Piecewise
    smooth: where two projections tie the gradient is one-sided. Source: N. Bonneel et al., J. Math. Imaging Vis. 51,
    22 (2015), eq. 13, doi:10.1007/s10851-014-0506-3.
    """

    about: ClassVar[str] = "sliced Wasserstein distance between 5 × 5 patches"
    depends_on_start: ClassVar[bool] = False
    side: int = eqx.field(default=5, static=True)
    projections: int = eqx.field(default=32, static=True)
    quantiles: int = eqx.field(default=64, static=True)

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        cells = states.shape[-2] * states.shape[-1]
        around = (self.side // 2, self.side - 1 - self.side // 2)
        wrapped = jnp.pad(states, ((0, 0), (0, 0), around, around), mode="wrap")
        projected = jax.lax.conv(wrapped, jnp.asarray(self._vectors(states.shape[1]), states.dtype), (1, 1), "VALID")
        ranked = jnp.moveaxis(jnp.sort(projected.reshape(*projected.shape[:2], cells), axis=-1), -1, 0)
        parts = min(self.quantiles, cells)
        part = np.arange(cells) * parts // cells
        sums = jax.ops.segment_sum(ranked, jnp.asarray(part), parts, indices_are_sorted=True)
        means = sums / jnp.asarray(np.bincount(part), states.dtype)[:, None, None]
        return jnp.moveaxis(means, 0, -1).reshape(len(states), -1)

    def _vectors(self, fields: int) -> Float[np.ndarray, "L C side side"]:
        w = np.random.default_rng(0).standard_normal((self.projections, fields, self.side, self.side))
        return w / np.sqrt(np.sum(w**2, (1, 2, 3), keepdims=True))


class Gram(FeatureLoss):
    """Gram matrix of the responses of a fixed bank of oriented filters: f_ij = ⟨φ_i φ_j⟩ / √(s_i s_j) for i ≤ j.

    φ = √(|g ∗ c|² + NOISE²) − NOISE is the amplitude of the response to a Gabor filter g, with wavelengths of 4, 8 and
    16 cells and 4 directions, of each field: 12 C maps. s² = ⟨φ²⟩ + NOISE² brings all to the dimension of a field.
    Sees where scales, directions and fields meet, as spots, stripes and their mixtures differ in it. Fails for
    structure far above 16 cells, which is not seen; it is not rotation invariant; the gradient on a uniform picture is
    zero. After L. Gatys et al., "Texture synthesis using convolutional neural networks", eq. 3, arXiv 1505.07376, with
    fixed filters.
    """

    about: ClassVar[str] = "Gram matrix of the amplitudes of oriented filters at three scales"
    depends_on_start: ClassVar[bool] = False
    wavelengths: tuple[float, ...] = eqx.field(default=(4.0, 8.0, 16.0), static=True)
    directions: int = eqx.field(default=4, static=True)

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        bank = jnp.asarray(self._bank(*states.shape[-2:]), states.dtype)
        response = jnp.fft.ifft2(jnp.fft.fft2(states)[:, :, None] * bank[None, None])
        amplitude = jnp.sqrt(response.real**2 + response.imag**2 + NOISE**2) - NOISE
        maps = amplitude.reshape(len(states), -1, states.shape[-2] * states.shape[-1])
        gram = jnp.einsum("mix,mjx->mij", maps, maps) / maps.shape[-1]
        s = jnp.sqrt(jnp.sqrt(jnp.einsum("mii->mi", gram) + NOISE**2))
        gram = gram / (s[:, :, None] * s[:, None, :])
        upper = np.triu_indices(maps.shape[1])
        return gram[:, upper[0], upper[1]]

    def _bank(self, height: int, width: int) -> Float[np.ndarray, "F H W"]:
        """The filters in Fourier space: Gaussians of one octave around ±k, without the mean; gain 2 on one side."""
        ky = 2 * np.pi * np.fft.fftfreq(height)[:, None]
        kx = 2 * np.pi * np.fft.fftfreq(width)[None, :]
        bank = []
        for wavelength in self.wavelengths:
            k = 2 * np.pi / wavelength
            for angle in np.pi * np.arange(self.directions) / self.directions:
                distance = (kx - k * np.cos(angle)) ** 2 + (ky - k * np.sin(angle)) ** 2
                bank.append(2 * np.exp(-distance / (2 * (k / 3) ** 2)))
        bank = np.array(bank)
        bank[:, 0, 0] = 0
        return bank
