"""Losses of the power spectrum: blind to where things are, and to phases altogether.

All start from the power P_k = |ĉ_k|² of each field by itself, with the mean removed and the orthonormal transform
ĉ = FFT(c)/√(HW): its mean over the modes k is the variance of the field, and white noise of standard deviation s has
P_k = s² on average, on a picture of any size. Logarithms are of P + floor with floor = NOISE², 1e-6 in squared units
of the field; without it they would compare the round-off in the far end of smooth pictures, and be −∞ on uniform ones.

They fail: on a *dead* plateau, where P ≪ floor, the gradient is nearly zero (and zero on an exactly uniform picture),
so nothing pulls a homogeneous prediction towards a pattern; pictures of one spectrum and other phases are equal (spots
and their negative, holes); what two fields have in common is not seen; no-flux walls add the jump of the periodic
continuation to the spectrum.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .losses_base import NOISE, FeatureLoss


def power(states: Float[Array, "M C H W"]) -> Float[Array, "M C H K"]:
    """P_k of each field, the half spectrum of K = W//2 + 1 columns."""
    c_hat = jnp.fft.rfft2(_fluctuation(states), norm="ortho")
    return c_hat.real**2 + c_hat.imag**2


def _fluctuation(states: Float[Array, "M C H W"]) -> Float[Array, "M C H W"]:
    return states - states.mean((-2, -1), keepdims=True)


def multiplicity(height: int, width: int) -> Float[np.ndarray, "H K"]:
    """How often each mode of the half spectrum stands in the full one: 2, and 1 where it is its own mirror column."""
    count = np.full((height, width // 2 + 1), 2.0)
    count[:, 0] = 1
    if width % 2 == 0:
        count[:, -1] = 1
    return count


def wavenumbers(height: int, width: int) -> Float[np.ndarray, "H K"]:
    """|k| of each mode of the half spectrum, in radians a cell."""
    return 2 * np.pi * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])


def _flat_mean(features: Float[Array, "M C H K"], count: Float[np.ndarray, "H K"]) -> Float[Array, "M N"]:
    """Flattened, and scaled so that the mean of squares is that over the full spectrum."""
    scale = jnp.asarray(np.sqrt(count / count.mean()), features.dtype)
    return (features * scale[None, None]).reshape(len(features), -1)


class PowerSpectrum(FeatureLoss):
    """f_k = log(P_k + floor) of each field, over all modes k of the whole picture.

    Modes of single pictures scatter as much as their mean, so that two pictures of one pattern are not 0 apart: a mode
    above the floor adds π²/6 for each picture, the variance of the logarithm of an exponential variable, however large
    the pictures are. Where batches of unlike starts are compared, `paired=False` averages this away.
    """

    about: ClassVar[str] = "log power spectrum of the whole picture"
    depends_on_start: ClassVar[bool] = False
    floor: float = eqx.field(default=NOISE**2, static=True)

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        return _flat_mean(jnp.log(power(states) + self.floor), multiplicity(*states.shape[-2:]))


class FoundingSpectrum(PowerSpectrum):
    """The log power spectrum without a floor that matters, as founding system A compares it.

    On a plateau it follows what is left of the initial state, down to 1e-10 of contrast: it has a gradient there, but
    one that is about the start's noise, and on smooth pictures it compares the round-off in the far end.
    """

    about: ClassVar[str] = "log power spectrum with no floor: founding system A's"
    floor: float = eqx.field(default=1e-20, static=True)


class WindowedSpectrum(FeatureLoss):
    """f_k = log(S_k + floor), S_k the mean power in windows of 16 × 16 cells, over all places of the window.

    S_k = Σ_q |ŵ(k − q)|² P_q / (HW Σw²), with w a Hann window: Welch's estimate with every overlap, computed exactly
    as a smoothing of the spectrum. It scatters far less than single modes do, and does not resolve wavelengths above
    the window's side. Source: P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967),
    doi:10.1109/TAU.1967.1161901.
    """

    about: ClassVar[str] = "log power spectrum in windows of 16 × 16 cells, averaged over the picture"
    depends_on_start: ClassVar[bool] = False
    window: int = eqx.field(default=16, static=True)
    floor: float = eqx.field(default=NOISE**2, static=True)

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        c_hat = jnp.fft.fft2(_fluctuation(states), norm="ortho")
        power = c_hat.real**2 + c_hat.imag**2
        rows, columns = (jnp.asarray(_leakage(self.window, cells), states.dtype) for cells in states.shape[-2:])
        half = columns[: self.window // 2 + 1]
        smooth = jnp.einsum("kh,mchw,lw->mckl", rows, power, half)
        return _flat_mean(jnp.log(smooth + self.floor), multiplicity(self.window, self.window))


def _leakage(window: int, cells: int) -> Float[np.ndarray, "window cells"]:
    """|ŵ(k − q)|² / (cells Σw²) for window modes k and picture modes q along one axis."""
    places = np.arange(window)
    w = np.sin(np.pi * (places + 0.5) / window) ** 2
    difference = 2 * np.pi * (places[:, None] / window - np.arange(cells)[None, :] / cells)
    return np.abs(np.exp(-1j * difference[..., None] * places) @ w) ** 2 / (cells * np.sum(w**2))


class RadialSpectrum(FeatureLoss):
    """f_j = log(S_j + floor), S_j the mean of P_k over band j of |k|, for each field.

    Bands are hat functions of log|k|, of equal ratio from the longest wave to the corner of the spectrum; bands without
    modes are dropped. Directions are not seen: stripes and a labyrinth of one wavelength are nearly equal.
    """

    about: ClassVar[str] = "log power spectrum averaged over directions, in 16 smooth bands of the wavenumber"
    depends_on_start: ClassVar[bool] = False
    bands: int = eqx.field(default=16, static=True)
    floor: float = eqx.field(default=NOISE**2, static=True)

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        log_k = np.log(wavenumbers(*states.shape[-2:]).clip(1e-300))
        lowest, highest = np.min(log_k[log_k > -600]), np.max(log_k)
        means, _ = _radial_means(
            power(states), (log_k - lowest) / (highest - lowest) * (self.bands - 1), states.shape[-1]
        )
        return jnp.log(means + self.floor).reshape(len(states), -1)


class StructureFactor(FeatureLoss):
    """Peak of the radial spectrum S(k): f = (log k*, log Δ, ½ log S*) for each field.

    Shells j of |k| = 2πj/max(H, W) weigh w_j ∝ S_j² + floor², which tells the peak from its broad foot:
    k* = Σ w k, Δ² = Σ w (k − k*)² + (shell width)², S* = Σ w S + floor. All three differences are relative errors: of
    wavelength, of bandwidth, of amplitude. Fails for a pattern with two length scales, whose k* lies between them.
    """

    about: ClassVar[str] = "wavenumber, width and height of the peak of the spectrum"
    depends_on_start: ClassVar[bool] = False
    floor: float = eqx.field(default=NOISE**2, static=True)

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        step = 2 * np.pi / max(states.shape[-2:])
        shell = wavenumbers(*states.shape[-2:]) / step - 1
        s, held = _radial_means(power(states), shell, states.shape[-1])
        k = jnp.asarray(step * (held + 1), s.dtype)[None, None]
        w = s**2 + self.floor**2
        w = w / w.sum(-1, keepdims=True)
        peak = jnp.sum(w * k, -1, keepdims=True)
        width = jnp.sum(w * (k - peak) ** 2, -1) + step**2
        height = jnp.sum(w * s, -1) + self.floor
        return jnp.concatenate([jnp.log(peak[..., 0]), jnp.log(width) / 2, jnp.log(height) / 2], -1)


def _radial_means(
    power: Float[Array, "M C H K"], position: Float[np.ndarray, "H K"], width: int
) -> tuple[Float[Array, "M C B"], Int[np.ndarray, " B"]]:
    """Means over hat-shaped bands, and which bands they are: those that hold a mode.

    Band j weighs a mode at `position` x by max(0, 1 − |x − j|), so each mode is shared by its two neighbours.
    """
    count = multiplicity(power.shape[-2], width).ravel()
    count[0] = 0  # the mean is no wave
    x = np.maximum(position.ravel(), 0)
    lower = np.minimum(x.astype(int), max(int(np.ceil(x.max())) - 1, 0))
    share = np.concatenate([count * (lower + 1 - x), count * (x - lower)])
    band = np.concatenate([lower, lower + 1])
    total = np.bincount(band, share)
    held = np.flatnonzero(total > 1e-6)
    modes = jnp.moveaxis(power.reshape(*power.shape[:2], -1), -1, 0)
    weights = jnp.asarray(share, power.dtype)[:, None, None]
    sums = jax.ops.segment_sum(jnp.concatenate([modes, modes]) * weights, jnp.asarray(band), len(total))
    means = sums[held] / jnp.asarray(total[held], power.dtype)[:, None, None]
    return jnp.moveaxis(means, 0, -1), held
