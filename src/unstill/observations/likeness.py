"""How alike the pictures of a heap are: copies, near copies, and frames of a film that are called samples."""

import dataclasses
import hashlib
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

MOST = 400  # pictures that are compared with one another; more are thinned out evenly
ALIKE = 0.1  # of the distance between unlike pictures: below, one picture is a copy of another but for trifles
ALIKE_IN_ORDER = 0.8  # of the mean distance: above, what order there is does not matter
_LEVEL, _SHUFFLES = 0.01, 999  # of the test for an order: as small a distance of neighbours in so few shuffles
_LEAST = 6  # pictures before an order is looked for: fewer have not enough orders
_SIDE = 64  # cells of the thumbnails that are compared


@dataclasses.dataclass(frozen=True, eq=False)
class Likeness:
    """`copies`: pictures that equal an earlier one exactly; `near`: others that hardly differ from an earlier one (of
    those compared); `neighbours`: mean distance of pictures next to each other in the file over that of any two, None
    for few pictures; `in_order`: these are so much alike that shuffles show it by chance in 1 % at most; `distances`
    between those compared, about 1 between unlike ones."""

    copies: int
    near: int
    neighbours: float | None
    in_order: bool
    distances: Float[np.ndarray, "N N"]


def likeness(fields: Mapping[str, np.ndarray], noise: Mapping[str, float]) -> Likeness:
    """Compare pictures (M, H, W) by field, each field in units of its contrast, without what white noise of these
    levels adds."""
    M = len(next(iter(fields.values())))
    seen = {_fingerprint(fields, m) for m in range(M)}
    which = np.unique(np.linspace(0, M - 1, min(M, MOST)).round().astype(int))
    apart = sum(_squares(values[which], noise[name]) for name, values in fields.items()) / len(fields)
    distances = np.sqrt(np.asarray(apart) / 2)  # two unlike pictures of unit contrast differ by √2
    near = np.array([distances[i, :i].min() < ALIKE if i else False for i in range(len(which))])
    exact = np.array([(distances[i, :i] == 0).any() if i else False for i in range(len(which))])
    neighbours, in_order = _order(distances)
    return Likeness(M - len(seen), int((near & ~exact).sum()), neighbours, in_order, distances)


def _fingerprint(fields: Mapping[str, np.ndarray], m: int) -> bytes:
    digest = hashlib.sha256()
    for values in fields.values():
        digest.update(np.ascontiguousarray(values[m]).data)
    return digest.digest()


def _squares(pictures: np.ndarray, noise: float) -> np.ndarray:
    """Mean squared differences of thumbnails, in units of their variance over cells."""
    small, block = _thumbnails(pictures)
    spread = max(float(small.var((1, 2)).mean()), 1e-300)
    flat = small.reshape(len(small), -1)
    flat = flat - flat.mean(0)
    square = (flat**2).sum(1)
    apart = (square[:, None] + square[None, :] - 2 * flat @ flat.T) / (flat.shape[1] * spread)
    apart = np.where(apart < 1e-12, 0.0, np.maximum(apart - 2 * noise**2 / (block * spread), 1e-12))
    np.fill_diagonal(apart, 0.0)
    return apart


def _thumbnails(pictures: np.ndarray) -> tuple[np.ndarray, int]:
    """Means over blocks of cells, and the cells of a block."""
    n = max(1, -(-max(pictures.shape[1:]) // _SIDE))
    H, W = (size // n * n for size in pictures.shape[1:])
    if not H or not W:
        return pictures, 1
    return pictures[:, :H, :W].reshape(len(pictures), H // n, n, W // n, n).mean((2, 4)), n * n


def _order(distances: np.ndarray) -> tuple[float | None, bool]:
    """The mean distance of neighbours over that of any two, and whether so little is no chance."""
    count = len(distances)
    middle = float(distances[np.triu_indices(count, 1)].mean()) if count >= _LEAST else 0.0
    if not middle > 0:
        return None, False
    found = float(np.diagonal(distances, 1).mean()) / middle
    rng = np.random.default_rng(0)
    shuffled = (rng.permutation(count) for _ in range(_SHUFFLES))
    chance = np.array([distances[order[1:], order[:-1]].mean() for order in shuffled]) / middle
    return found, bool(found < ALIKE_IN_ORDER and (chance <= found).mean() < _LEVEL)
