"""Uniform states followed along one parameter, and the bifurcations that they meet.

A bifurcation is seen between two points of a branch by a change that cannot be overlooked: of the sign of det J, of the
sign of det J₂, or of the number of positive q² at which a growth rate is 0, which changes by two where a wave begins to
grow. It is then solved for by Newton's method on its own equations (`local`), to round-off.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from .continuation import Window, crossings, follow, solved, tangent
from .dispersion import MARGINAL, bands_of, pencil_roots, rates_at, reach, size_of
from .hopf_criticality import FirstLyapunov, imaginary_pair
from .local import BRANCH_POINT, HOPF, SADDLE_NODE, STATE, TURING, WAVE, WITH_WAVES, Evaluate, Local, on_pairs

_ONSET = 1e-6  # growth, as a share of the greatest entry of J, above which something else grows already
_NO_POLE = 0.1  # det J, by how much it must fall towards a point where it changes its sign
_HALVINGS = 8  # of a step in which something changes
_REACH = 6.0  # longest steps between the guess of a bifurcation and its place


@dataclasses.dataclass(frozen=True, eq=False)
class Bifurcation:
    """Where the stability of a uniform state changes.

    `parameters`: the values of those that were varied; `state` by field; `wavenumber` of a wave; `period` of an
    oscillation; `onset`: nothing else grows there, so that a stable state loses its stability; `first_lyapunov` of a
    Hopf bifurcation: negative where a stable oscillation is born.
    """

    kind: str
    parameters: Mapping[str, float]
    state: Mapping[str, float]
    wavenumber: float | None
    period: float | None
    onset: bool
    first_lyapunov: float | None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"parameters": dict(self.parameters), "state": dict(self.state)}


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """Uniform states along one parameter: its values, the states, and whether each is stable against all waves."""

    values: Float[np.ndarray, " T"]
    states: Float[np.ndarray, "T C"]
    stable: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """One parameter that varies: its place `axis` in y, and the values of the others that are held, by place."""

    local: Local
    axis: int
    window: Window
    held: Mapping[int, float] = dataclasses.field(default_factory=dict)

    def solve(self, kind: str, guess: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
        """The bifurcation near two neighbours of a branch, `None` where Newton's method leads elsewhere."""
        scale = np.append(self.window.scale, np.ones(len(guess) - len(a)))
        y = solved(self.local.equations(kind, self.held), guess, scale)
        if y is None:
            return None
        off = np.abs((y[: len(a)] - (a + b) / 2) / self.window.scale).max()
        return y if off < _REACH * self.window.step else None

    @property
    def states(self) -> Evaluate:
        """The equations of uniform states on this line."""
        return self.local.equations(STATE, self.held)


def trace_branches(line: Line, seeds: Float[np.ndarray, "S N"]) -> list[Float[np.ndarray, "T N"]]:
    """The branches R = 0 through states (N,), each followed once."""
    curves: list[np.ndarray] = []
    for seed in seeds:
        if not any(passes(line.states, curve, seed, line.axis, line.window.scale) for curve in curves):
            curves.append(follow(line.states, seed, line.window))
    return [curve for curve in curves if len(curve) > 1]


def passes(evaluate: Evaluate, curve: np.ndarray, y: np.ndarray, axis: int, scale: np.ndarray) -> bool:
    """Whether a curve goes through a point."""
    near = crossings(evaluate, curve, axis, float(y[axis]), scale)
    return any(np.abs((each - y) / scale).max() < 1e-5 for each in near)


def events(line: Line, curve: Float[np.ndarray, "T N"]) -> list[tuple[str, np.ndarray]]:
    """The bifurcations of a branch, as (kind, y); for waves y has ln q² behind it."""
    signs = [_signs(line.local, y) for y in curve]
    found = []
    for i in range(len(curve) - 1):
        found += _between(line, curve[i], curve[i + 1], signs[i], signs[i + 1], _HALVINGS)
    return found


def _between(
    line: Line, a: np.ndarray, b: np.ndarray, before: "_Signs", after: "_Signs", depth: int
) -> list[tuple[str, np.ndarray]]:
    """The bifurcations between two neighbours, which halving tells apart: a wave often begins close to a fold."""
    if before.same(after):
        return []
    ahead = (b - a) / line.window.scale
    long = float(np.linalg.norm(ahead))
    middle = solved(line.states, (a + b) / 2, line.window.scale, across=ahead / long) if depth and long > 0 else None
    if middle is not None and np.linalg.norm((middle - (a + b) / 2) / line.window.scale) < long:
        between = _signs(line.local, middle)
        return _between(line, a, middle, before, between, depth - 1) + _between(
            line, middle, b, between, after, depth - 1
        )
    found: list[tuple[str, np.ndarray] | None] = []
    if before.fold * after.fold < 0:
        found.append(_fold(line, a, b))
    if before.pair * after.pair < 0:
        found.append(_hopf(line, a, b))
    for kind, few, many in ((TURING, before.waves, after.waves), (WAVE, before.pairs, after.pairs)):
        if abs(len(many) - len(few)) >= 2:
            found.append(_wave(line, kind, a, b, max(few, many, key=len)))
    n = len(line.window.scale)
    return [each for each in found if each is not None and line.window.holds(each[1][:n])]


@dataclasses.dataclass(frozen=True, eq=False)
class _Signs:
    """What changes at a bifurcation: signs of det J and det J₂, and the positive q² at which either is 0."""

    fold: float
    pair: float
    waves: np.ndarray
    pairs: np.ndarray

    def same(self, other: "_Signs") -> bool:
        """Whether nothing has changed."""
        alike = self.fold * other.fold >= 0 and self.pair * other.pair >= 0
        return alike and len(self.waves) == len(other.waves) and len(self.pairs) == len(other.pairs)


def _signs(local: Local, y: np.ndarray) -> _Signs:
    J, D = local.parts(y)
    B = np.diag(D)
    J2, B2 = on_pairs(J), on_pairs(B)
    fold, pair = (float(np.linalg.slogdet(A)[0]) if len(A) else 1.0 for A in (J, J2))
    return _Signs(fold, pair, _positive(pencil_roots(J, B)), _positive(pencil_roots(J2, B2)))


def _positive(roots: np.ndarray) -> np.ndarray:
    real = np.abs(np.imag(roots)) <= 1e-12 * np.abs(roots)
    return np.sort(np.real(roots[real & (np.real(roots) > 0)]))


def _fold(line: Line, a: np.ndarray, b: np.ndarray) -> tuple[str, np.ndarray] | None:
    """A saddle-node where the branch turns; else the point where it crosses another one, by halving."""
    scale, axis = line.window.scale, line.axis
    ahead = (b - a) / scale
    first, last = (tangent(line.states, y, scale, ahead)[axis] for y in (a, b))
    if first * last < 0:
        y = line.solve(SADDLE_NODE, (a + b) / 2, a, b)
        return None if y is None else (SADDLE_NODE, y)
    at, there = (np.linalg.det(line.local.parts(y)[0]) for y in (a, b))
    least = _NO_POLE * max(abs(at), abs(there))
    for _ in range(60):
        y = solved(line.states, (a + b) / 2, scale, fixed=axis)
        value = np.nan if y is None else np.linalg.det(line.local.parts(y)[0])
        if y is None or value == 0 or not np.isfinite(value):
            break
        at, there, a, b = (value, there, y, b) if value * at > 0 else (at, value, a, y)
    return (BRANCH_POINT, (a + b) / 2) if max(abs(at), abs(there)) < least else None


def _hopf(line: Line, a: np.ndarray, b: np.ndarray) -> tuple[str, np.ndarray] | None:
    y = line.solve(HOPF, (a + b) / 2, a, b)
    pair = None if y is None else imaginary_pair(line.local.parts(y)[0])
    return (HOPF, y) if y is not None and pair is not None and pair > 0 else None


def _wave(line: Line, kind: str, a: np.ndarray, b: np.ndarray, roots: np.ndarray) -> tuple[str, np.ndarray] | None:
    """From the two q² that are about to meet."""
    logs = np.log(roots)
    k = int(np.argmin(np.diff(logs)))
    y = line.solve(kind, np.append((a + b) / 2, (logs[k] + logs[k + 1]) / 2), a, b)
    return None if y is None else (kind, y)


def described(local: Local, kind: str, y: np.ndarray, first: FirstLyapunov) -> Bifurcation:
    """A bifurcation with what is known of it."""
    q = float(np.exp(y[-1] / 2)) if kind in WITH_WAVES else None
    C, P = local.count, len(local.free)
    J, D = local.parts(y)
    period, l1 = None, None
    if kind == HOPF:
        pair, l1 = imaginary_pair(J), first(y)
        period = 2 * np.pi / np.sqrt(pair) if pair is not None and pair > 0 else None
    if kind == WAVE and q is not None:
        leading = rates_at(J, D, np.array([q]))[0]
        at = leading[np.argmin(np.abs(np.real(leading)) + (np.imag(leading) == 0) * size_of(J))]
        period = 2 * np.pi / abs(at.imag) if at.imag else None
    parameters = dict(zip(local.free, y[C : C + P].tolist(), strict=True))
    state = dict(zip(local.system.fields, y[:C].tolist(), strict=True))
    return Bifurcation(kind, parameters, state, q, period and float(period), is_onset(J, D), l1)


def is_onset(J: np.ndarray, D: np.ndarray) -> bool:
    """Whether nothing grows but what is just about to."""
    bands = bands_of(J, D)
    inside = [np.linspace(low, high if np.isfinite(high) else 2 * low + reach(J, D), 9) for low, high in bands]
    if not inside:
        return True
    return float(np.real(rates_at(J, D, np.concatenate(inside))).max()) <= _ONSET * size_of(J)


def is_stable(J: np.ndarray, D: np.ndarray) -> bool:
    """Whether small perturbations of every wavelength decay."""
    uniform = float(np.real(rates_at(J, D, np.zeros(1))).max())
    return uniform < -MARGINAL * size_of(J) and not bands_of(J, D)
