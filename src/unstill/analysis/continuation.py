"""Newton's method, and curves of solutions by pseudo-arclength: through folds, to the edges of a window.

H. B. Keller, in P. H. Rabinowitz (ed.), Applications of Bifurcation Theory, Academic Press (1977), p. 359. All lengths
are in units of `scale`, one number an unknown.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

from .local import Evaluate

_ITERATIONS, _CLOSE = 25, 1e-10  # Newton steps at most; the last one's length, after which one more is taken
_TURN = 0.95  # cosine of the angle between neighbouring tangents at least
_SHORTEST = 1e-5  # steps, in units of the longest one


@dataclasses.dataclass(frozen=True, eq=False)
class Window:
    """Where solutions are looked for: low and high of each unknown (N,), its scale, and the longest step."""

    low: Float[np.ndarray, " N"]
    high: Float[np.ndarray, " N"]
    scale: Float[np.ndarray, " N"]
    step: float = 0.02
    most: int = 4000  # points of a curve

    def holds(self, y: np.ndarray) -> bool:
        room = 1e-9 * self.scale
        return bool(np.all((y >= self.low - room) & (y <= self.high + room)))


def solved(
    evaluate: Evaluate,
    start: np.ndarray,
    scale: np.ndarray,
    *,
    fixed: int | None = None,
    across: np.ndarray | None = None,
) -> np.ndarray | None:
    """The solution near a start, by Newton's method; `None` where that does not converge.

    Args:
        evaluate: y (N,) → equations (E,) and their derivatives (E, N).
        start: Where to begin, (N,).
        scale: The unknowns' scales, (N,).
        fixed: The number of an unknown that stays as it is.
        across: A direction (N,), in units of `scale`, along which y does not move.
    """
    y = np.array(start, np.float64)
    free = np.arange(len(y)) if fixed is None else np.delete(np.arange(len(y)), fixed)
    last = False
    for _ in range(_ITERATIONS):
        f, J = evaluate(y)
        A, b = _even(J[:, free] * scale[free], -f)
        if across is not None:
            A, b = np.vstack([A, across[free]]), np.append(b, 0.0)
        if not (np.isfinite(A).all() and np.isfinite(b).all()):
            return None
        try:
            step = np.linalg.solve(A, b)
        except np.linalg.LinAlgError:
            return None
        length = float(np.abs(step).max())
        if not length < 1e3:
            return None
        y[free] += step * scale[free]
        if last:
            return y
        last = length < _CLOSE
    return None


def _even(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equations divided by the size of their derivatives."""
    size = np.abs(A).max(1)
    size = np.where(size > 0, size, 1.0)
    return A / size[:, None], b / size


def tangent(evaluate: Evaluate, y: np.ndarray, scale: np.ndarray, along: np.ndarray | None = None) -> np.ndarray:
    """The unit direction (N,) of a curve at a point, in units of `scale`, on the side of `along`."""
    J = evaluate(y)[1]
    A, _ = _even(J * scale, np.zeros(len(J)))
    if not np.isfinite(A).all():
        return np.full(len(y), np.nan)
    t = np.linalg.svd(A)[2][-1]
    return -t if along is not None and t @ along < 0 else t


def follow(evaluate: Evaluate, start: np.ndarray, window: Window) -> Float[np.ndarray, "T N"]:
    """The curve of solutions through a solution, in both directions to the edges of the window, in order.

    It ends at an edge (with a point on it where that is the edge of a parameter), where Newton's method fails at the
    shortest step, or where it has come back to its start.
    """
    t = tangent(evaluate, start, window.scale)
    if not np.isfinite(t).all():
        return np.array([start])
    ahead, closed = _half(evaluate, start, t, window)
    back = [] if closed else _half(evaluate, start, -t, window)[0]
    return np.array([*back[::-1], start, *ahead])


def _half(evaluate: Evaluate, start: np.ndarray, t: np.ndarray, window: Window) -> tuple[list[np.ndarray], bool]:
    points, y, h, scale = [], start, window.step / 4, window.scale
    while len(points) < window.most and h > _SHORTEST * window.step:
        new = solved(evaluate, y + h * scale * t, scale, across=t)
        if new is None or np.linalg.norm((new - y) / scale) > 2 * h:
            h /= 2
            continue
        turned = tangent(evaluate, new, scale, t)
        if not turned @ t > _TURN and h > 0.01 * window.step:
            h /= 2
            continue
        if not np.isfinite(turned).all():
            break
        if not window.holds(new):
            edge = _edge(evaluate, y, new, window)
            return (points if edge is None else [*points, edge]), False
        points.append(new)
        if len(points) > 8 and np.linalg.norm((new - start) / scale) < h:
            return [*points, start], True
        y, t, h = new, turned, min(window.step, 1.5 * h)
    return points, False


def _edge(evaluate: Evaluate, inside: np.ndarray, outside: np.ndarray, window: Window) -> np.ndarray | None:
    """The solution on the edge that was crossed first between two points, `None` where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = np.where(outside > window.high, window.high, np.where(outside < window.low, window.low, np.nan))
        share = (bound - inside) / (outside - inside)
    if not np.isfinite(share).any():
        return None
    at = int(np.nanargmin(share))
    guess = inside + float(np.clip(share[at], 0, 1)) * (outside - inside)
    guess[at] = bound[at]
    found = solved(evaluate, guess, window.scale, fixed=at)
    near = found is not None and np.abs((found - inside) / window.scale).max() < 3 * window.step
    return found if near else None


def crossings(
    evaluate: Evaluate, curve: Float[np.ndarray, "T N"], axis: int, value: float, scale: np.ndarray
) -> list[np.ndarray]:
    """The points of a curve at which one unknown has a value."""
    d = curve[:, axis] - value
    found = [curve[i] for i in np.flatnonzero(d == 0)]
    for i in np.flatnonzero(d[:-1] * d[1:] < 0):
        guess = curve[i] + d[i] / (d[i] - d[i + 1]) * (curve[i + 1] - curve[i])
        guess[axis] = value
        point = solved(evaluate, guess, scale, fixed=axis)
        found.append(guess if point is None else point)
    return found
