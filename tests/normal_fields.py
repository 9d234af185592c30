"""Gaussian random fields, and their exact score."""

import functools

import jax
import numpy as np

from unstill.field_flows import FieldScore
from unstill.field_flows.local_network import LocalNetwork
from unstill.field_flows.spectral_normal import SpectralNormal, wavenumbers

SHAPE = (24, 24)


def power(shape=SHAPE) -> np.ndarray:
    """Of a smooth isotropic field with variance 1."""
    k = wavenumbers(shape, half=False)
    found = np.exp(-0.5 * (k / 0.7) ** 2) + 0.01
    return found / found.mean()


def gaussian(count: int, seed: int = 0, shape=SHAPE) -> np.ndarray:
    """Two fields (M, 2, H, W): independent parts of that spectrum, turned by 30° into each other."""
    white = np.random.default_rng(seed).standard_normal((count, 2, *shape))
    z = np.fft.ifft2(np.fft.fft2(white) * np.sqrt(power(shape))).real
    z[:, 1] *= 0.5
    c, s = np.cos(0.5), np.sin(0.5)
    return np.einsum("ab,mbhw->mahw", np.array([[c, -s], [s, c]]), z)


def standardised(z: np.ndarray) -> np.ndarray:
    return (z - z.mean((0, 2, 3))[:, None, None]) / z.std((0, 2, 3))[:, None, None]


def few(count: int = 24) -> dict[str, np.ndarray]:
    pictures = gaussian(count)
    return {"u": pictures[:, 0], "v": pictures[:, 1]}


@functools.cache
def exact_score() -> FieldScore:
    """The exact one: its network is silent, and the pictures are normal."""
    z = gaussian(400)
    mean, scale = z.mean((0, 2, 3)), z.std((0, 2, 3))
    network = LocalNetwork.make(jax.random.key(0), 2, 4, 1)
    return FieldScore(network, SpectralNormal.of(standardised(z)), mean, scale, ("u", "v"))
