"""Steps back of the discrete adjoint, and the recording of states that they walk back over."""

from .forward import drop_clipped, roll, step
from .header import FAST, njit
from .slots import add_slopes, cell, close_edges, read_parameters, take_rows


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def roll_to(x, y, z, p, q, h, area, steps):
    """`steps` ≥ 1 steps from x, which stays, to y, with z as a spare buffer."""
    if steps % 2:
        step(x, y, p, q, h, area)
    else:
        step(x, z, p, q, h, area)
        step(z, y, p, q, h, area)
    roll(y, z, p, q, h, area, (steps - 1) // 2 * 2)


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def record(states, p, q, h, area, steps):
    """Fill states[1:] from states[0]: the segment that the adjoint walks back over."""
    for t in range(steps):
        step(states[t], states[t + 1], p, q, h, area)


@njit(nogil=True, cache=True, fastmath=FAST | {"reassoc"}, error_model="numpy")
def adjoint_step(x, lam, out, p, q, gp, gq, h, area):
    """One step back: out = λ + h ∂H/∂c, with h ∂H/∂θ added to gp (float64) and gq."""
    H = x.shape[1]
    W = x.shape[2] - 2
    read_parameters(p)
    for i in range(H):
        n = (i - 1) % H  # if periodic
        s = (i + 1) % H  # if periodic
        n = max(i - 1, 0)  # if no-flux
        s = min(i + 1, H - 1)  # if no-flux
        take_rows(x, lam, out, q, gq, n, i, s)
        for j in range(1, W + 1):
            cell(j, h, area)
        add_slopes(gp, h)
        close_edges(W)


@njit(nogil=True, cache=True, error_model="numpy")
def add_cotangent(lam, bar):
    """Add the cotangent of a saved frame, which has no ghost columns, and set those of the sum."""
    W = bar.shape[2]
    for f in range(lam.shape[0]):
        for i in range(lam.shape[1]):
            row = lam[f, i]
            for j in range(W):
                row[j + 1] += bar[f, i, j]
            row[0] = row[W]  # if periodic
            row[W + 1] = row[1]  # if periodic
            row[0] = row[1]  # if no-flux
            row[W + 1] = row[W]  # if no-flux


@njit(nogil=True, cache=True, error_model="numpy")
def reverse(states, lam, out, bars, p, q, gp, gq, h, area, first, steps, every):
    """Walk back over a recorded segment of the absolute steps first…first + steps; returns (λ, the spare buffer).

    bars[m] is the cotangent of the frame saved after step every·(m + 1). The derivative of clipping is 1 strictly
    inside (0, 1), and 0 where the new state sits on a bound.
    """
    for t in range(steps - 1, -1, -1):
        after = first + t + 1
        if after % every == 0:
            add_cotangent(lam, bars[after // every - 1])
        drop_clipped(lam, states[t + 1])  # if clip
        adjoint_step(states[t], lam, out, p, q, gp, gq, h, area)
        lam, out = out, lam
    return lam, out
