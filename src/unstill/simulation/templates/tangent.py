"""Steps of tangents along with the state."""

from .forward import drop_clipped, step
from .header import FAST, njit
from .slots import cell, close_edges, read_parameter_tangents, read_parameters, take_rows


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def tangent_step(x, dx, out, p, dp, q, dq, h, area):
    """One step of one tangent at the state x."""
    H = x.shape[1]
    W = x.shape[2] - 2
    read_parameters(p)
    read_parameter_tangents(dp)
    for i in range(H):
        n = (i - 1) % H  # if periodic
        s = (i + 1) % H  # if periodic
        n = max(i - 1, 0)  # if no-flux
        s = min(i + 1, H - 1)  # if no-flux
        take_rows(x, dx, out, q, dq, n, i, s)
        for j in range(1, W + 1):
            cell(j, h, area)
        close_edges(W)


@njit(nogil=True, cache=True, error_model="numpy")
def roll_tangents(x, y, dx, dy, p, dp, q, dq, h, area, steps):
    """`steps` steps of x and of each of its K tangents dx (K, C, H, W + 2); returns the buffers, the results first."""
    for _ in range(steps):
        step(x, y, p, q, h, area)
        for k in range(dx.shape[0]):
            tangent_step(x, dx[k], dy[k], p, dp[k], q, dq[k], h, area)
            drop_clipped(dy[k], y)  # if clip
        x, y, dx, dy = y, x, dy, dx
    return x, y, dx, dy
