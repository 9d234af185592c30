"""What is odd about pictures beyond their values: single cells, dead lines, stripes, seams, enlargement, copies.

Every one is exact, or far beyond what a smooth pattern does, so that a pattern is not called odd.
"""

import numpy as np
from jaxtyping import Float

_MOST = 16  # pictures that are looked at, evenly taken
_HOT, _FEW = 6.0, 0.002  # times the 99th percentile of what cells differ from their neighbours; at most this share
# Squared jump over those near it, and its root over the contrast: patterns at rest have 16 and 0.2 at most, never both,
# and two columns cut out 13 and 0.3 at least, but where the pattern has its crests there.
_SEAM, _STEP = 12.0, 0.3
_EQUAL = 1e-9  # of the contrast: copies up to rounding
_FACTORS = (2, 3, 4)


def oddities(name: str, pictures: Float[np.ndarray, "M H W"]) -> list[str]:
    """In words, for the pictures of one field."""
    some = pictures[:: -(-len(pictures) // _MOST)]
    some = some[np.ptp(some, axis=(1, 2)) > 0]
    if not len(some):
        return []
    lines, cells = _lines(name, some), _single_cells(name, some)
    stripes = any("stripes" in each for each in lines)
    seams = [] if lines or cells else _seams(name, some)  # of which these are the steps
    return [*lines, *cells, *seams, *([] if stripes else _repeats(name, some))]


def _lines(name: str, pictures: np.ndarray) -> list[str]:
    """Rows and columns of one value each: all of them make stripes, a few are dead or a margin."""
    found = []
    for axis, word in ((1, "columns"), (2, "rows")):
        flat = (np.ptp(pictures, axis=axis) == 0).all(0)
        if flat.all():
            found.append(f"{name} does not vary along its {word}: stripes, which tell less than a pattern of the plane")
        elif flat.any():
            count = int(flat.sum())
            found.append(f"{name} has {count} {word if count > 1 else word[:-1]} of one value: dead, or a margin")
    return found


def _single_cells(name: str, pictures: np.ndarray) -> list[str]:
    """Cells that stand out from their four neighbours as no pattern does."""
    inner = pictures[:, 1:-1, 1:-1]
    beside = [pictures[:, 2:, 1:-1], pictures[:, :-2, 1:-1], pictures[:, 1:-1, 2:], pictures[:, 1:-1, :-2]]
    # The neighbour that is nearest in value: of a cell on an edge there is one, of a hot one none.
    apart = np.abs(np.stack([inner - other for other in beside])).min(0)
    usual = float(np.quantile(apart, 0.99))
    hot = apart > _HOT * max(usual, 0.02 * float(pictures.std()))
    count = int(hot.sum())
    if not 0 < count <= max(1, _FEW * hot.size):
        return []
    _, row, column = (int(i) for i in np.argwhere(hot)[0])
    cells = "a cell stands" if count == 1 else f"{count} cells stand"
    return [
        f"{name} may have hot or dead pixels: {cells} out from all neighbours, at row {row + 1}, column {column + 1}"
    ]


def _seams(name: str, pictures: np.ndarray) -> list[str]:
    """Where the step from one row or column to the next is out of line with the steps on either side of it."""
    found = []
    for axis, word in ((1, "rows"), (2, "columns")):
        steps = np.diff(np.moveaxis(pictures, axis, 1), axis=1)
        jump = ((steps[:, 1:-1] - (steps[:, 2:] + steps[:, :-2]) / 2) ** 2).mean((0, 2))
        wide = np.pad(jump, 3)  # a seam raises its neighbours, too: it is held against those two and three away
        around = np.max([wide[k : k + len(jump)] for k in (0, 1, 5, 6)], axis=0)
        times = jump / np.maximum(around, max(float(np.median(jump)), 1e-300))
        at = int(np.argmax(times))
        if times[at] > _SEAM and np.sqrt(jump[at]) > _STEP * float(pictures.std()):
            found.append(
                f"{name} may have a seam between its {word} {at + 1} and {at + 2}: parts put together, or cut out"
            )
    return found


def _repeats(name: str, pictures: np.ndarray) -> list[str]:
    """Pictures enlarged by repetition, and pictures put together from copies of a smaller one."""
    _, H, W = pictures.shape
    for n in _FACTORS[::-1]:
        if H % n == 0 and W % n == 0 and (np.repeat(np.repeat(pictures[:, ::n, ::n], n, 1), n, 2) == pictures).all():
            return [f"{name} is enlarged {n} times: every {n} × {n} cells are equal, and a Laplacian sees their steps"]
    found, limit = [], _EQUAL * float(pictures.std())
    for axis, size, word in ((1, H, "rows"), (2, W, "columns")):
        varies = np.ptp(pictures, axis=axis).any()
        if varies and size % 2 == 0 and np.abs(pictures - np.roll(pictures, size // 2, axis)).max() <= limit:
            found.append(f"{name} repeats itself after {size // 2} {word}: copies side by side tell nothing new")
    return found
