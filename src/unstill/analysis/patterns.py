"""Statistics of a pattern: levels, wavelength, orientation, Minkowski functionals, spots.

All are of one field; lengths are in the grid's unit. Shapes go on through a periodic border, and end at another one.
Wavelength and orientation are of the transform, which sees a jump where the border is not periodic.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from ..systems.grid import Grid

QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)


@dataclasses.dataclass(frozen=True)
class PatternStatistics:
    """What a picture looks like, in numbers that do not know where its pieces lie.

    `quantiles` of its values at `QUANTILES`; `wavelength` = 2π/⟨q⟩ weighted by power; `orientation` is 0 for a pattern
    without direction and 1 for straight stripes (|⟨e^{2iφ}⟩| over the spectrum). At the level half way between the
    lowest and the highest fiftieth of its values: `area` is the share of cells above it, `perimeter` its length on unit
    area (Crofton's formula over rows and columns), `euler` the number of pieces less that of holes, and `spots` the
    number of pieces, each on an area of 10⁴. A uniform picture has `None` for all but its quantiles.
    """

    quantiles: Float[np.ndarray, " Q"]
    wavelength: float | None = None
    orientation: float | None = None
    area: float | None = None
    perimeter: float | None = None
    euler: float | None = None
    spots: float | None = None


def pattern_statistics(grid: Grid, c: Float[np.ndarray, "H W"]) -> PatternStatistics:
    """What a picture looks like in numbers that do not know where its pieces lie: levels, lengths, shapes.

    Args:
        grid: Cells, cell size and boundary.
        c: One field.

    Source of the functionals: K. R. Mecke, Phys. Rev. E 53, 4794 (1996), sec. II.
    """
    quantiles = np.quantile(c, QUANTILES)
    if not np.ptp(c) > 1e-3 * max(np.abs(c).max(), 1e-300):
        return PatternStatistics(quantiles)
    wavelength, orientation = _spectral(grid, c)
    above, around = c > (quantiles[0] + quantiles[-1]) / 2, grid.boundary == "periodic"
    scale = 1e4 / (c.size * grid.dx**2)
    return PatternStatistics(
        quantiles, wavelength, orientation, float(above.mean()), _perimeter(above, around) / grid.dx,
        _euler(above, around) * scale, _pieces(above, around) * scale,
    )  # fmt: skip


def _spectral(grid: Grid, c: np.ndarray) -> tuple[float, float]:
    rows, columns = (2 * np.pi * np.fft.fftfreq(n, grid.dx) for n in grid.shape)
    power = abs(np.fft.fft2(c - c.mean())) ** 2
    q, angle = np.hypot(rows[:, None], columns), np.arctan2(rows[:, None], columns)
    return float(2 * np.pi * power.sum() / (power * q).sum()), float(
        abs((power * np.exp(2j * angle)).sum()) / power.sum()
    )


def _perimeter(above: np.ndarray, around: bool) -> float:
    """Border faces between cells per cell, × π/4: right on average over all directions of a border."""
    first = None if around else 1  # the first row has no other one above it
    changes = [(above != np.roll(above, 1, axis)).swapaxes(0, axis)[first:].sum() for axis in (0, 1)]
    return float(np.pi / 4 * sum(changes) / above.size)


def _euler(above: np.ndarray, around: bool) -> int:
    """Faces − edges + vertices of the union of closed cells, on a torus or in the plane: pieces less holes, corners
    joined."""
    if not around:
        above = np.pad(above, 1)  # nothing beyond the border
    right, below = np.roll(above, -1, 1), np.roll(above, -1, 0)
    edges = (above | right).sum() + (above | below).sum()
    vertices = (above | right | below | np.roll(below, -1, 1)).sum()
    return int(above.sum()) - int(edges) + int(vertices)


def _pieces(above: np.ndarray, around: bool) -> int:
    """Connected pieces, on a torus or in the plane, corners joined."""
    labels, count = ndimage.label(above, np.ones((3, 3)))
    if not around:
        return int(count)
    parent = list(range(count + 1))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i] = parent[parent[i]]
        return i

    for shift in (-1, 0, 1):
        for first, last in ((labels[0], labels[-1]), (labels[:, 0], labels[:, -1])):
            for a, b in zip(first.tolist(), np.roll(last, shift).tolist(), strict=True):
                if a and b:
                    parent[root(a)] = root(b)
    return sum(parent[i] == i for i in range(1, count + 1))
