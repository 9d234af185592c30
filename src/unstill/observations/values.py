"""What the values of pictures tell of the camera: range, saturation, levels; and the wavelength of the pattern."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from ..systems.grid import Grid
from .borders import border_steps
from .noise import estimate_noise
from .spectrum import transform

_MOST_LEVELS = 4096  # distinct values; more are no levels of a camera
_PILE = 3.0  # times as many cells at the end of the range as at the level beside it
PILED = 0.005  # of all cells
_BINS = 64
_MOST_VALUES = 16_000_000  # that are transformed


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
    """One field: `low`, `high`, `mean`, `contrast` (mean standard deviation over cells), `levels` (distinct values,
    None for a continuum), `at_low` and `at_high`, the shares of cells that pile up at the ends of the range (0 where
    none do), `noise` with `noise_detected`, `wavelength` in cells (None for no pattern), `border_rows` and
    `border_columns`, squared steps across borders over those inside; `spectrum` (wavelengths of rings, their power, how
    many waves each has) and `histogram` (edges, counts) for the figure."""

    low: float
    high: float
    mean: float
    contrast: float
    levels: int | None
    at_low: float
    at_high: float
    noise: float
    noise_detected: bool
    wavelength: float | None
    border_rows: float
    border_columns: float
    spectrum: tuple[np.ndarray, np.ndarray, np.ndarray]
    histogram: tuple[np.ndarray, np.ndarray]

    def to_dict(self) -> dict[str, Any]:
        """Its numbers."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)[:-2]}


def look(grid: Grid, pictures: Float[np.ndarray, "M H W"]) -> Look:
    """Examine the pictures of one field; `grid` has cells of side 1, and the boundary that its waves are taken for."""
    levels, at_low, at_high = _ends(pictures)
    contrast = float(np.mean([picture.std() for picture in pictures]))
    some = pictures[:: -(-pictures.size // _MOST_VALUES)]  # transforms of more need gigabytes, and tell the same
    noise = estimate_noise(grid, some)
    counts, edges = np.histogram(pictures, _BINS)
    wavelengths, power, waves = radial_spectrum(grid, some)
    rows, columns = border_steps(pictures)
    return Look(
        float(pictures.min()), float(pictures.max()), float(pictures.mean()), contrast, levels, at_low, at_high,
        noise.std, noise.detected, _peak(wavelengths, power - waves * noise.std**2 * noise.detected), rows, columns,
        (wavelengths, power, waves), (edges, counts),
    )  # fmt: skip


def _ends(pictures: np.ndarray) -> tuple[int | None, float, float]:
    """Distinct values, and the shares of cells that pile up at the least and the greatest of them."""
    least, greatest = (float((pictures == end).mean()) for end in (pictures.min(), pictures.max()))
    values, counts = np.unique(pictures[:: max(1, len(pictures) // 16)], return_counts=True)
    if len(values) > _MOST_LEVELS:  # a continuum: cells that are equal to the last bit were cut off
        return None, least * (least > PILED), greatest * (greatest > PILED)
    if len(values) < 3:
        return len(values), 0.0, 0.0
    piled = [counts[0] > _PILE * counts[1], counts[-1] > _PILE * counts[-2]]
    return len(values), least * (piled[0] and least > PILED), greatest * (piled[1] and greatest > PILED)


def radial_spectrum(grid: Grid, pictures: Float[np.ndarray, "M H W"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of rings of one fundamental's width: mean wavelengths in cells, longest first, the power of all their waves, and
    how many they are."""
    power = (np.abs(transform(grid, pictures)) ** 2).mean(0)
    period = 1 if grid.boundary == "periodic" else 2
    rows, columns = (np.minimum(np.arange(n), n * period - np.arange(n)) / (n * period) for n in grid.shape)
    frequency = np.hypot(rows[:, None], columns[None, :])
    width = 1 / max(grid.shape)
    ring = np.rint(frequency / width).astype(int)
    counts = np.bincount(ring.ravel())
    sums = np.bincount(ring.ravel(), power.ravel())
    mean_frequency = np.bincount(ring.ravel(), frequency.ravel())
    held = (np.arange(len(counts)) > 0) & (counts > 0)
    return counts[held] / mean_frequency[held], sums[held], counts[held]


def _peak(wavelengths: np.ndarray, power: np.ndarray) -> float | None:
    """The wavelength at which the power of rings is largest, refined by its neighbours."""
    power = np.maximum(power, 0)
    if not power.any():
        return None
    top = int(np.argmax(power))
    beside = slice(max(top - 1, 0), top + 2)
    frequency = (power[beside] / wavelengths[beside]).sum() / power[beside].sum()
    return float(1 / frequency)
