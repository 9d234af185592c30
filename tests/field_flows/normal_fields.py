"""Gaussian random fields, whose score is known."""

import numpy as np

from unstill.field_flows.spectral_normal import wavenumbers

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
