"""Curves of bifurcations in the plane of two parameters, and the points of codimension two on them.

Each curve is a curve of solutions of a bifurcation's own equations (`local`), followed through the plane from where a
line across the plane meets it. So it passes through its own turning points, and its points are exact.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from .branches import Bifurcation, Line, described, is_onset, passes
from .continuation import Window, follow, solved
from .dispersion import reach
from .hopf_criticality import FirstLyapunov, imaginary_pair
from .local import (
    BAUTIN,
    HOPF,
    SADDLE_NODE,
    TAKENS_BOGDANOV,
    TURING,
    TURING_HOPF,
    WITH_WAVES,
    Evaluate,
    Local,
    on_pairs,
)

_LONG = 16.0  # ln q² at which a wave is as good as uniform, below that of the system's own length
_ZERO = 1e-4  # a second eigenvalue this small, as a share of the Jacobian's, is 0 at a Takens–Bogdanov point
_HALVINGS = 45


@dataclasses.dataclass(frozen=True, eq=False)
class BifurcationCurve:
    """A curve of one kind: the two parameters (T, 2), the states (T, C), the wavenumbers (T,) of waves (else NaN), and
    where nothing else grows (`onset`), so that a stable state loses its stability there."""

    kind: str
    parameters: Float[np.ndarray, "T 2"]
    states: Float[np.ndarray, "T C"]
    wavenumbers: Float[np.ndarray, " T"]
    onset: Bool[np.ndarray, " T"]

    def to_dict(self) -> dict[str, Any]:
        """As `result.json` has it: the points themselves are arrays."""
        return {"kind": self.kind, "points": len(self.parameters), "onset": float(self.onset.mean())}


def trace_curves(
    local: Local, met: Sequence[tuple[Line, str, np.ndarray]], window: Window
) -> list[tuple[str, Float[np.ndarray, "T N"]]]:
    """The curves through the bifurcations that lines have met, each followed once."""
    curves: list[tuple[str, np.ndarray]] = []
    for line, kind, y in met:
        if kind not in (SADDLE_NODE, HOPF) and kind not in WITH_WAVES:
            continue
        evaluate, (across,) = local.equations(kind), line.held
        wide = with_waves(local, window, y) if kind in WITH_WAVES else window
        known = [curve for other, curve in curves if other == kind]
        if not any(passes(evaluate, curve, y, across, wide.scale) for curve in known):
            curves.append((kind, follow(evaluate, y, wide)))
    return [(kind, curve) for kind, curve in curves if len(curve) > 1]


def with_waves(local: Local, window: Window, y: np.ndarray) -> Window:
    """The window with room for ln q² behind the other unknowns."""
    middle = 2 * np.log(reach(*local.parts(y)))
    low, high, scale = (
        np.append(part, more)
        for part, more in ((window.low, middle - _LONG), (window.high, middle + _LONG), (window.scale, 1.0))
    )
    return dataclasses.replace(window, low=low, high=high, scale=scale)


def special_points(
    local: Local, curves: Sequence[tuple[str, np.ndarray]], window: Window, first: FirstLyapunov
) -> list[Bifurcation]:
    """The points of codimension two on curves: Takens–Bogdanov, Bautin and Turing–Hopf, each once."""
    found: list[tuple[str, np.ndarray]] = []
    for kind, curve in curves:
        wide = with_waves(local, window, curve[0]) if kind in WITH_WAVES else window
        if kind in (SADDLE_NODE, TURING):
            other = TAKENS_BOGDANOV if kind == SADDLE_NODE else TURING_HOPF
            signs = np.array([_pair_sign(local, y) for y in curve])
            for i in np.flatnonzero(signs[:-1] * signs[1:] < 0):
                y = solved(local.equations(other), (curve[i] + curve[i + 1]) / 2, wide.scale)
                if y is not None and _close(y, curve[i], wide) and _is(other, local, y):
                    found.append((other, y))
        if kind == HOPF:
            found += [(BAUTIN, y) for y in _bautin(local, curve, wide, first)]
    return [described(local, kind, y, first) for kind, y in _once(found, window) if window.holds(y[: len(window.low)])]


def _pair_sign(local: Local, y: np.ndarray) -> float:
    J2 = on_pairs(local.parts(y)[0])
    return float(np.linalg.slogdet(J2)[0]) if len(J2) else 1.0


def _close(y: np.ndarray, near: np.ndarray, window: Window) -> bool:
    return bool(np.abs((y - near) / window.scale).max() < 6 * window.step)


def _is(kind: str, local: Local, y: np.ndarray) -> bool:
    """Whether two eigenvalues are 0, or the pair that sums to 0 is imaginary."""
    J, _ = local.parts(y)
    if kind == TAKENS_BOGDANOV:
        return bool(np.sort(np.abs(np.linalg.eigvals(J)))[1] < _ZERO * np.abs(J).max())
    pair = imaginary_pair(J)
    return pair is not None and pair > 0


def _bautin(local: Local, curve: np.ndarray, window: Window, first: FirstLyapunov) -> list[np.ndarray]:
    """Where the first Lyapunov coefficient is 0 on a Hopf curve, by halving."""
    evaluate, values, found = local.equations(HOPF), [first(y) for y in curve], []
    for i in range(len(curve) - 1):
        a, b, at, there = curve[i], curve[i + 1], values[i], values[i + 1]
        if at is None or there is None or at * there >= 0:
            continue
        y = _halved(evaluate, a, b, at, window, first)
        if y is not None:
            found.append(y)
    return found


def _halved(
    evaluate: Evaluate, a: np.ndarray, b: np.ndarray, at: float, window: Window, first: FirstLyapunov
) -> np.ndarray | None:
    ahead = (b - a) / window.scale
    ahead = ahead / np.linalg.norm(ahead)
    for _ in range(_HALVINGS):
        y = solved(evaluate, (a + b) / 2, window.scale, across=ahead)
        value = None if y is None else first(y)
        if y is None or value is None:
            return None
        a, b = (y, b) if value * at > 0 else (a, y)
    return (a + b) / 2


def _once(found: Sequence[tuple[str, np.ndarray]], window: Window) -> list[tuple[str, np.ndarray]]:
    kept: list[tuple[str, np.ndarray]] = []
    n = len(window.scale)
    for kind, y in found:
        known = [other for k, other in kept if k == kind]
        if not any(np.abs((y[:n] - other[:n]) / window.scale).max() < 1e-6 for other in known):
            kept.append((kind, y))
    return kept


def as_curves(local: Local, kind: str, curve: np.ndarray, ends: Sequence[np.ndarray]) -> list[BifurcationCurve]:
    """A followed curve with what is known of it; of a Hopf curve the pieces on which the pair is imaginary, up to the
    Takens–Bogdanov points `ends` (N,)."""
    pieces = [curve]
    if kind == HOPF:
        pairs = np.array([imaginary_pair(local.parts(y)[0]) or 0.0 for y in curve])
        pieces = _pieces(curve, pairs > 0, ends)
    return [_described(local, kind, piece) for piece in pieces if len(piece) > 1]


def _pieces(curve: np.ndarray, keep: np.ndarray, ends: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs of points that are kept, each closed by the end that lies within its next step, where there is one."""
    borders = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(int)))
    pieces = []
    for low, high in zip(borders[::2], borders[1::2], strict=True):
        before = _nearest(ends, curve[low - 1], curve[low]) if low > 0 else []
        after = _nearest(ends, curve[high - 1], curve[high]) if high < len(curve) else []
        pieces.append(np.array([*before, *curve[low:high], *after]))
    return pieces


def _nearest(ends: Sequence[np.ndarray], a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    room = 2 * np.linalg.norm(b - a)
    return [y for y in ends if np.linalg.norm(y - (a + b) / 2) < room][:1]


def _described(local: Local, kind: str, curve: np.ndarray) -> BifurcationCurve:
    C = local.count
    waves = np.exp(curve[:, -1] / 2) if kind in WITH_WAVES else np.full(len(curve), np.nan)
    onset = np.array([is_onset(*local.parts(y)) for y in curve], bool)
    return BifurcationCurve(kind, curve[:, C : C + 2], curve[:, :C], waves, onset)
