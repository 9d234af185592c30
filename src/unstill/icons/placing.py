"""Random sequential addition: discs on a torus, one after the other, each where it touches no earlier one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

TRIES = 10_000  # places tried for one disc before it is said not to fit
_BATCH = 64  # places that are drawn together


def torus_distance(difference: np.ndarray, size: float) -> np.ndarray:
    """Lengths of differences (…, 2) of places, the shorter way round."""
    return np.linalg.norm((difference + size / 2) % size - size / 2, axis=-1)


def place_discs(
    rng: np.random.Generator, count: int, radius: float, size: int
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, " N"], int]:
    """Places (row, column) in [0, size) and angles in [0, 2π) of `count` discs, and how many places were tried.

    Random sequential addition (Widom, J. Chem. Phys. 44, 3888, 1966, doi:10.1063/1.1726548): each place is uniform
    where the discs before it leave room. So every single place is uniform on the torus and every angle uniform and
    independent; all places together are not uniform among those without overlap (as hard discs in equilibrium would
    be), and differ from that the more, the denser they lie. Fewer come back where one did not fit in `TRIES` places:
    random sequential addition ends at a coverage of .547.
    """
    places, angles, tried = np.empty((count, 2)), np.empty(count), 0
    for i in range(count):
        found, spent = _free_place(rng, places[:i], 2 * radius, size)
        tried += spent
        if found is None:
            return places[:i], angles[:i], tried
        places[i], angles[i] = found, rng.uniform(0, 2 * np.pi)
    return places, angles, tried


def _free_place(rng, taken: np.ndarray, apart: float, size: int) -> tuple[np.ndarray | None, int]:
    """The first of at most `TRIES` uniform places that is far enough from all that are taken, and its number."""
    for before in range(0, TRIES, _BATCH):
        drawn = rng.uniform(0, size, (_BATCH, 2))
        free = (torus_distance(drawn[:, None] - taken, size) >= apart).all(1)
        if free.any():
            first = int(np.argmax(free))
            return drawn[first], before + first + 1
    return None, TRIES
