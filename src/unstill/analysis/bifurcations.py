"""Where Gray–Scott's uniform states are born, begin to oscillate, and begin to form patterns: closed forms in (k, F).

Uniform states besides (1, 0) satisfy u v = g and F(1 − u) = g v, with g = F + k. In w = v/√F they are

    g = √F w/(1 + w²),   v = √F w,   u = 1/(1 + w²),   det J = g(v² − F),   tr J = k − v²,

so that w > 1 is the branch that patterns live on, w < 1 a saddle, and each curve below is explicit in w. The equations
are those of J. E. Pearson, Science 261, 189 (1993), eq. 2; every curve is tested against eigenvalues of the Jacobian.
Linear theory says where the uniform state is lost, not where patterns exist: most of Gray–Scott's are subcritical.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from .._errors import BadInput
from ..systems import AbstractSystem, GrayScott

Curve = tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]
# (k, F) where saddle-node and Hopf meet, and where the Hopf bifurcation changes from sub- to supercritical.
TAKENS_BOGDANOV = (1 / 16, 1 / 16)
BAUTIN = (9 / 256, 3 / 256)


def uniform_states(F: float, k: float) -> list[tuple[float, float]]:
    """All uniform steady states (u, v): (1, 0), and u± = ½(1 ∓ √(1 − 4g²/F)), v = F(1 − u)/g where F ≥ 4g².

    The patterned branch (the larger v) comes second, the saddle last. Raises `BadInput` unless F > 0 and k ≥ 0.
    """
    if not (F > 0 and k >= 0):
        raise BadInput("F", "must be positive, and `k` not negative", f"F = {F}, k = {k}")
    g = F + k
    room = 1 - 4 * g**2 / F
    if room < 0:
        return [(1.0, 0.0)]
    root = float(np.sqrt(room))
    return [(1.0, 0.0)] + [(u, F * (1 - u) / g) for u in ((1 - root) / 2, (1 + root) / 2)]


def saddle_node(k: Any) -> tuple[np.ndarray, np.ndarray]:
    """F = [1 − 8k ∓ √(1 − 16k)]/8, the roots of F = 4(F + k)²: between them patterned states exist.

    The lower and the upper F, of k's shape; they meet at k = 1/16, beyond which they are NaN.
    """
    k = np.asarray(k, np.float64)
    root = _root(1 - 16 * k)
    return np.asarray((1 - 8 * k - root) / 8), np.asarray((1 - 8 * k + root) / 8)


def hopf(k: Any) -> np.ndarray:
    """F = [√k − 2k − √(k − 4k√k)]/2, the smaller root of (F + k)² = F√k: below it the patterned state oscillates.

    There tr J = 0 with det J > 0. Of k's shape; NaN beyond k = 1/16.
    """
    k = np.asarray(k, np.float64)
    return np.asarray((np.sqrt(k) - 2 * k - _root(k - 4 * k * np.sqrt(k))) / 2)


def neutral_saddle(k: Any) -> np.ndarray:
    """F = [√k − 2k + √(k − 4k√k)]/2, the larger root of (F + k)² = F√k, where the saddle's trace vanishes.

    No bifurcation: det J < 0. It continues the Hopf curve beyond the Takens–Bogdanov point. Of k's shape.
    """
    k = np.asarray(k, np.float64)
    return np.asarray((np.sqrt(k) - 2 * k + _root(k - 4 * k * np.sqrt(k))) / 2)


def turing(sigma: float, F: Any) -> np.ndarray:
    """k at which the patterned uniform state loses stability to waves, σ = Du/Dv: σg − (F + v²) = 2√(σg(v² − F)).

    In w: √F = σw/((1 + w²)(√(w² − 1) + √2·w)²). At larger k waves grow. Of F's shape; NaN for F > σ²/16, where the
    curve has ended on the saddle-node. It is the onset of patterns only where the state is stable without diffusion,
    above the Hopf curve. Raises `BadInput` unless σ > 0.
    """
    if not sigma > 0:
        raise BadInput("sigma", "must be positive", sigma)
    k = [_turing(sigma, float(f)) for f in np.ravel(F)]
    return np.reshape(np.asarray(k, np.float64), np.shape(F))


def _turing(sigma: float, F: float) -> float:
    if not 0 < F <= sigma**2 / 16:
        return float("nan")
    far = 2.0
    while _turing_F(sigma, far) > F:  # F falls with w
        far *= 2
    w = brentq(lambda w: _turing_F(sigma, w) - F, 1.0, far, xtol=1e-14)
    return _k(F, w)


def _turing_F(sigma: float, w: Any) -> Any:
    return (sigma * w / ((1 + w**2) * (np.sqrt(w**2 - 1) + np.sqrt(2) * w) ** 2)) ** 2


def _k(F: Any, w: Any) -> Any:
    return np.sqrt(F) * w / (1 + w**2) - F


def _root(x: Any) -> Any:
    """√x, NaN for negative x, without a warning; round-off below 0 is 0."""
    return np.sqrt(np.where(x >= 0, x, np.where(x > -1e-15, 0, np.nan)))


def _within(x: np.ndarray, low: float, high: float) -> np.ndarray:
    return (x >= low) & (x <= high)


def curves(
    sigma: float,
    *,
    k_range: tuple[float, float] = (0.0, 0.08),
    F_range: tuple[float, float] = (0.0, 0.1),
    points: int = 400,
) -> dict[str, Curve]:
    """The curves that cross a window of the (k, F) plane, name → (k, F), to draw over a landscape or an atlas.

    NaN stands between two pieces of one curve; neighbours are about 1/`points` of the window's diagonal apart.
    saddle-node: (√F/2 − F, F);  Hopf: F = w²/(1 + w²)⁴, k = F w², w ≥ 1;  Turing: as in `turing`. Raises `BadInput`.
    """
    if not sigma > 0:
        raise BadInput("sigma", "must be positive", sigma)
    for name, (low, high) in (("k_range", k_range), ("F_range", F_range)):
        if not low < high:
            raise BadInput(name, "must be (low, high) with low < high", (low, high))
    w = np.cosh(np.linspace(0, 4, 20 * points))  # even steps in F near w = 1, where the curves begin
    hopf_F = w**2 / (1 + w**2) ** 4
    turing_F = _turing_F(sigma, w)
    node_F = np.linspace(0, 0.5, 20 * points) ** 2
    found = {
        "saddle-node": (_k(node_F, 1.0), node_F),
        "Hopf": (hopf_F * w**2, hopf_F),
        "Turing": (_k(turing_F, w), turing_F),
    }
    span = np.hypot(k_range[1] - k_range[0], F_range[1] - F_range[0])
    cut = {name: _cut(curve, k_range, F_range, span / points) for name, curve in found.items()}
    return {name: curve for name, curve in cut.items() if len(curve[0]) > 1}


def _gray_scott(window: Mapping[str, tuple[float, float]], values: Mapping[str, float]) -> dict[str, Curve]:
    return curves(values["Du"] / max(values["Dv"], 1e-12), k_range=window["k"], F_range=window["F"])


# System → the plane in which closed forms of it are known, and what draws them in a window of it.
PLANES: dict[type[AbstractSystem], tuple[tuple[str, str], Callable[..., dict[str, Curve]]]] = {
    GrayScott: (("k", "F"), _gray_scott),
}


def closed_curves(
    system: type[AbstractSystem], axes: Mapping[str, np.ndarray], values: Mapping[str, float]
) -> dict[str, Curve] | None:
    """The curves of a system in the window of two axes, in their order, at `values` of the other parameters.

    `None` where no closed form is known in that plane.
    """
    plane, curves_in = PLANES.get(system, ((), None))
    if curves_in is None or sorted(axes) != sorted(plane):
        return None
    window = {name: (float(min(along)), float(max(along))) for name, along in axes.items()}
    order = [plane.index(name) for name in axes]
    return {name: (pair[order[0]], pair[order[1]]) for name, pair in curves_in(window, values).items()}


def _cut(curve, k_range, F_range, step: float) -> Curve:
    """The pieces of a curve within the window, thinned to one point a `step`, with a NaN after each but the last."""
    k, F = curve
    inside = _within(k, *k_range) & _within(F, *F_range)
    k, F = np.where(inside, k, np.nan), np.where(inside, F, np.nan)
    length = np.concatenate([[0], np.cumsum(np.nan_to_num(np.hypot(np.diff(k), np.diff(F))))])
    moved = np.concatenate([[True], np.diff(np.floor(length / step)) > 0])
    ends = inside & (np.roll(inside, 1) != np.roll(inside, -1))
    gaps = ~inside & np.roll(inside, 1)
    keep = np.flatnonzero(inside & moved | ends | gaps)
    while len(keep) and not inside[keep[-1]]:
        keep = keep[:-1]
    while len(keep) and not inside[keep[0]]:
        keep = keep[1:]
    return k[keep], F[keep]
