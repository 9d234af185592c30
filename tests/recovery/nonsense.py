"""Pictures that no Gray–Scott pattern at rest shows: a registry by name, each a function of a seed, values in .02–.40.

None of them served to set the limits of `recovery.hidden_verdict`.
"""

import functools
from collections.abc import Callable

import numpy as np
from scipy import ndimage

import unstill as us

SIDE = 64
LOW, HIGH = 0.02, 0.40  # the range of v in most Gray–Scott patterns


def stretched(picture: np.ndarray) -> np.ndarray:
    """Affinely to the values that v of Gray–Scott takes: what a wrong guess of the system would look like."""
    return LOW + (HIGH - LOW) * (picture - picture.min()) / np.ptp(picture)


def _blocks(side: int, seed: int) -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE)) // side
    return (rows + columns + seed) % 2.0


def _stripes(waves: int, seed: int) -> np.ndarray:
    return np.cos(2 * np.pi * (waves * np.arange(SIDE) / SIDE + 0.1 * seed))[None, :] * np.ones((SIDE, 1))


def _hexagons(waves: int, seed: int) -> np.ndarray:
    x, y = np.indices((SIDE, SIDE)) * 2 * np.pi / SIDE
    return np.cos(waves * x) + np.cos(waves * (y + x) / 1 - seed) + np.cos(waves * y)


def _field(width: float, noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), width, mode="wrap")
    return smooth + noise * smooth.std() * rng.standard_normal(smooth.shape)


def _band(low: float, high: float, noise: float, seed: int) -> np.ndarray:
    """Random phases in a ring of the spectrum: labyrinths by eye, without an equation."""
    rng = np.random.default_rng(seed)
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")) * SIDE
    c = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIDE, SIDE))) * ((k > low) & (k < high))).real
    return np.tanh(c / c.std()) + noise * rng.standard_normal(c.shape)


def _portrait(seed: int) -> np.ndarray:
    """A head, shoulders, eyes and a mouth, blurred as by a lens, with a grain."""
    rng, (y, x) = np.random.default_rng(seed), np.indices((SIDE, SIDE)) / SIDE - 0.5
    face = 1.0 * (np.hypot(x / 0.22, (y + 0.08) / 0.28) < 1) + 0.6 * (np.hypot(x / 0.42, (y - 0.5) / 0.25) < 1)
    for side in (-0.09, 0.09):
        face -= 0.7 * (np.hypot((x - side) / 0.04, (y + 0.12) / 0.025) < 1)
    face -= 0.5 * (np.hypot(x / 0.09, (y - 0.06) / 0.02) < 1)
    return ndimage.gaussian_filter(face + 0.2 * x, 1.0) + 0.01 * rng.standard_normal(face.shape)


def _texture(seed: int) -> np.ndarray:
    """Bark: a field of long grain, thresholded softly."""
    rng = np.random.default_rng(seed)
    return np.tanh(3 * ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), (5, 1), mode="wrap") * 5)


def _voronoi(seed: int) -> np.ndarray:
    """Distance to the nearest of some points on the torus: cells like those of holes."""
    points = np.random.default_rng(seed).uniform(0, SIDE, (40, 2))
    away = np.abs(np.indices((SIDE, SIDE))[:, None] - points.T[:, :, None, None])
    return np.hypot(*np.minimum(away, SIDE - away)).min(0)


@functools.cache
def _other(system: str, preset: str, field: int, time: float, seed: int, upside_down: bool = False) -> np.ndarray:
    pattern = us.simulate(
        us.SYSTEMS[system].make(preset), grid=us.Grid((SIDE, SIDE)), init="noise", time=time, seed=seed
    )
    picture = np.asarray(pattern.state[0, field])
    return -picture if upside_down else picture


Make = Callable[[int], np.ndarray]
_P = functools.partial
EVERY: dict[str, Make] = {
    "blocks 8": _P(_blocks, 8),
    "cosine stripes": _P(_stripes, 6),
    "random field, 20 % noise": _P(_field, 2.5, 0.2),
    "smooth random field": _P(_field, 3.0, 0.0),
    "random ring": _P(_band, 5, 8, 0.0),
    "schnakenberg spots": lambda seed: _other("schnakenberg", "spots", 0, 400.0, seed),
    "brusselator spots": lambda seed: _other("brusselator", "hexagons", 0, 400.0, seed),
    "fitzhugh-nagumo": lambda seed: _other("fitzhugh-nagumo", "spots", 0, 1000.0, seed),
    "portrait": _portrait,
    "blocks 4": _P(_blocks, 4),
    "blocks 16": _P(_blocks, 16),
    "cosine stripes, short": _P(_stripes, 9),
    "cosine stripes, long": _P(_stripes, 3),
    "cosine hexagons": _P(_hexagons, 5),
    "random field, 5 % noise": _P(_field, 2.0, 0.05),
    "random field, 50 % noise": _P(_field, 2.5, 0.5),
    "random field, fine": _P(_field, 1.2, 0.0),
    "random ring, 5 % noise": _P(_band, 6, 9, 0.05),
    "random ring, 30 % noise": _P(_band, 4, 7, 0.3),
    "bark": _texture,
    "voronoi": _voronoi,
    "schnakenberg v": lambda seed: _other("schnakenberg", "spots", 1, 400.0, seed),
    "brusselator stripes": lambda seed: _other("brusselator", "stripes", 0, 400.0, seed),
    "brusselator v": lambda seed: _other("brusselator", "hexagons", 1, 400.0, seed),
    "fitzhugh-nagumo v": lambda seed: _other("fitzhugh-nagumo", "spots", 1, 1000.0, seed),
    "gierer-meinhardt a": lambda seed: _other("gierer-meinhardt", "spots", 0, 400.0, seed),
    "gierer-meinhardt h": lambda seed: _other("gierer-meinhardt", "spots", 1, 400.0, seed),
    "brusselator, upside down": lambda seed: _other("brusselator", "hexagons", 0, 400.0, seed, True),
    "schnakenberg, upside down": lambda seed: _other("schnakenberg", "spots", 0, 400.0, seed, True),
}


def picture_of(name: str, seed: int = 1) -> np.ndarray:
    return stretched(EVERY[name](seed))
