"""Euler steps: of a whole grid, of many, and of a strip of rows as a wavefront."""
# pyright: reportCallIssue=false

from .header import FAST, ONE, ZERO, njit
from .slots import cell, cellwise, close_edges, from_ring, from_x, read_parameters, take_rows, to_ring, to_y


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def step(x, y, p, q, h, area):
    """One step from x to y."""
    H = x.shape[1]
    W = x.shape[2] - 2
    read_parameters(p)
    for i in range(H):
        n = (i - 1) % H  # if periodic
        s = (i + 1) % H  # if periodic
        n = max(i - 1, 0)  # if no-flux
        s = min(i + 1, H - 1)  # if no-flux
        take_rows(x, y, q, n, i, s)
        for j in range(1, W + 1):
            cell(j, h, area)
        close_edges(W)


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def roll(x, y, p, q, h, area, steps):
    """`steps` steps with two buffers: from x to x where their number is even, to y where it is odd."""
    for _ in range(steps):
        step(x, y, p, q, h, area)
        x, y = y, x


@njit(nogil=True, cache=True, error_model="numpy")
def drop_clipped(derivative, x):
    """The derivative of clipping: 1 strictly inside (0, 1), and 0 where the state x sits on a bound."""
    for f in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                if not ZERO < x[f, i, j] < ONE:
                    derivative[f, i, j] *= ZERO  # NaN stays NaN


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def line(*rows, p, h, area, W):
    """One row of one step."""
    read_parameters(p)
    for j in range(1, W + 1):
        cell(rows, j, h, area)
    close_edges(W)


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def advance(x, y, ring, p, q, h, area, start, stop, depth):
    """`depth` steps from x to the rows start…stop of y, as a wavefront over rows; the rest of y is untouched."""
    H = x.shape[1]
    W = x.shape[2] - 2
    far = 3 * (depth + 1)
    for front in range(start - depth + 2, stop + depth):
        for level in range(1, depth + 1):
            i = front - level
            reach = depth - level
            below = level - 2
            # Rows of an intermediate level wrap only when the input is read: on a periodic grid i may leave 0…H.
            outside = i < start - reach or i >= stop + reach  # if periodic
            outside = i < max(start - reach, 0) or i >= min(stop + reach, H)  # if no-flux
            if outside:
                continue
            m = i % H  # if periodic
            up = i - 1  # if periodic
            down = i + 1  # if periodic
            m = i  # if no-flux
            up = max(i - 1, 0)  # if no-flux
            down = min(i + 1, H - 1)  # if no-flux
            # Numba is slow where views of two arrays meet in one name, so each branch hands its own views to `line`.
            if level == 1 and depth == 1:
                line(*from_x(x, up, m, down, H), *to_y(y, m), *cellwise(q, m), p, h, area, W)
            elif level == 1:
                line(*from_x(x, up, m, down, H), *to_ring(ring, level, i, far), *cellwise(q, m), p, h, area, W)
            elif level == depth:
                line(*from_ring(ring, below, up, i, down, far), *to_y(y, m), *cellwise(q, m), p, h, area, W)
            else:
                line(*from_ring(ring, below, up, i, down), *to_ring(ring, level, i), *cellwise(q, m), p, h, area, W)
