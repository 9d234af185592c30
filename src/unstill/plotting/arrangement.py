"""Where panels stand: as few blanks as possible, on a page that is a little wider than high."""

from __future__ import annotations

import math

_PAGE = 1.5  # the aspect that a page aims at
_SHAPE = 0.3  # what a page e times too long costs, measured in blank places: a third of the page


def best_columns(count: int, aspect: float) -> int:
    """How many columns `count` panels of this aspect, width / height, take: three a row, five as three over two."""

    def cost(columns: int) -> float:
        rows = math.ceil(count / columns)
        return 1 - count / (rows * columns) + _SHAPE * abs(math.log(columns * aspect / rows / _PAGE))

    return min(range(1, count + 1), key=cost)


def places(count: int, columns: int) -> list[tuple[int, float]]:
    """Row and column of each panel, the last row in the middle."""
    blank = -count % columns
    last = count + blank - columns  # the first panel of the last row
    return [(i // columns, i % columns + (blank / 2 if i >= last else 0)) for i in range(count)]
