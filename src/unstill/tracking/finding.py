"""Particles in one picture on a torus: a threshold, connected components, circular means."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from .._errors import BadInput


@dataclasses.dataclass(frozen=True)
class Particles:
    """N particles: `places` (row, column) in cells within the torus, `areas` in cells, `counts` of merged ones."""

    places: Float[np.ndarray, "N 2"]
    areas: Float[np.ndarray, " N"]
    counts: Int[np.ndarray, " N"]


def otsu(values: np.ndarray) -> float:
    """The threshold with the largest variance between classes (N. Otsu, IEEE Trans. SMC 9, 62 (1979), eq. 18)."""
    heights, edges = np.histogram(values, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(heights)[:-1]
    above = values.size - below
    first = np.cumsum(heights * middles)
    means = first[:-1] / np.maximum(below, 1) - (first[-1] - first[:-1]) / np.maximum(above, 1)
    return float(edges[1 + np.argmax(below * above * means**2)])


def find_particles(
    picture: Float[np.ndarray, "H W"], *, threshold: float | None = None, least: int = 4, dark: bool = False
) -> Particles:
    """Find the bright particles of one picture on a torus.

    A component's place is its circular mean in each direction, arg Σ exp(2πi x/L) · L/2π (K. V. Mardia, P. E. Jupp,
    Directional Statistics, 2000, eq. 2.2.4). It fails for what winds around the torus. One that is larger than the
    median counts as round(area / median) particles, yet stays one place.

    Args:
        picture: One field (H, W).
        threshold: Particles are above it, in the field's unit (default: Otsu's of this picture).
        least: Components of fewer cells are noise.
        dark: Particles are below the threshold instead.

    Raises `BadInput` where a value is not finite.
    """
    if not np.isfinite(picture).all():
        raise BadInput(
            "picture", "must be finite everywhere", f"{int((~np.isfinite(picture)).sum())} cells that are not"
        )
    values = np.asarray(picture, np.float64) * (-1 if dark else 1)
    edge = otsu(values) if threshold is None else threshold * (-1 if dark else 1)
    labels = _components(values > edge)
    areas = np.bincount(labels.ravel())[1:].astype(np.float64)
    kept = np.flatnonzero(areas >= least)
    places = np.stack([_circular(labels, axis)[kept] for axis in (0, 1)], 1)
    areas = areas[kept]
    typical = np.median(areas) if len(areas) else 1.0
    return Particles(places, areas, np.maximum(1, np.rint(areas / typical)).astype(np.int64))


def _components(mask: np.ndarray) -> np.ndarray:
    """Labels 1, 2, … of components of four neighbours, joined across the borders."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    labels, found = ndimage.label(mask)  # pyright: ignore[reportGeneralTypeIssues]
    ends = [(labels[0], labels[-1]), (labels[:, 0], labels[:, -1])]
    pairs = np.concatenate([np.stack(each, 1)[(each[0] > 0) & (each[1] > 0)] for each in ends])
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(found + 1, found + 1))
    joined = connected_components(graph, directed=False)[1]
    return joined[labels]  # the ground is node 0, hence component 0


def _circular(labels: np.ndarray, axis: int) -> np.ndarray:
    length = labels.shape[axis]
    angle = 2 * np.pi * np.arange(length) / length
    shape = (-1, 1) if axis == 0 else (1, -1)
    flat, many = labels.ravel(), labels.max() + 1
    each = [np.broadcast_to(f(angle).reshape(shape), labels.shape).ravel() for f in (np.cos, np.sin)]
    x, y = (np.bincount(flat, weights=w, minlength=many)[1:] for w in each)
    return (np.arctan2(y, x) * length / (2 * np.pi)) % length
