"""Lyapunov exponents: how fast nearby states part, per unit of time, by tangent vectors in float64.

K tangent vectors move with the state under the derivative of the discrete step and are made orthonormal by QR every few
steps; the means of log|Rᵢᵢ| are the exponents. So they are those of the numbers that are computed: for explicit Euler
a rate −F shows as ln(1 − F·dt)/dt.

Sources: G. Benettin, L. Galgani, A. Giorgilli & J.-M. Strelcyn, Meccanica 15, 9 and 21 (1980), doi:10.1007/BF02128236;
I. Shimada & T. Nagashima, Prog. Theor. Phys. 61, 1605 (1979), doi:10.1143/PTP.61.1605.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from .._errors import BadInput, NumericalFailure
from .._jax import enable_x64
from .._types import Status
from ..simulation import Grid
from ..systems import Dynamics, ReactionDiffusion
from .tangents import advance, orthonormal_frames, place_orbits, plan

SEGMENTS, PIECES = 20, 16  # of a run, and of a segment
Bounds = tuple[Any, Any]  # least and greatest value, one number or one a variable


@dataclasses.dataclass(frozen=True)
class Exponent:
    """λ₁ per unit time, with the standard deviation of the estimate and a 95 % interval; `time` was counted, in
    `segments` whose own exponents are kept (averaged over orbits)."""

    value: float
    std: float
    interval95: tuple[float, float]
    time: float
    segments: Float[np.ndarray, " B"]
    lost: float


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """The K greatest Lyapunov exponents per unit time, in falling order, and what to judge them by.

    `sum` must equal `mean_divergence`, the time mean of ∇·f along the same orbits (`None` unless K is the number of
    variables); `per_arc_length` is λ/⟨|f|⟩ (`None` at rest), free of the flow's arbitrary pace; `kaplan_yorke` is the
    Lyapunov dimension (`None` if more exponents than K are needed to know it); `lost` is the share of orbits that left
    the bounds or the finite numbers and are not in the means; `orbits` are the exponents orbit by orbit; `history`
    holds the running estimates after each segment, at the counted times `ts`.
    """

    exponents: Float[np.ndarray, " K"]
    std: Float[np.ndarray, " K"]
    interval95: Float[np.ndarray, "K 2"]
    sum: float
    mean_divergence: float | None
    mean_speed: float
    per_arc_length: Float[np.ndarray, " K"] | None
    kaplan_yorke: float | None
    lost: float
    orbits: Float[np.ndarray, "M K"]
    segments: Float[np.ndarray, "B K"]
    ts: Float[np.ndarray, " B"]

    @property
    def history(self) -> Float[np.ndarray, "B K"]:
        return np.cumsum(self.segments, 0) / np.arange(1, len(self.segments) + 1)[:, None]


def leading_exponent(
    dynamics: Dynamics | ReactionDiffusion,
    state: np.ndarray,
    *,
    time: float,
    transient: float = 0.0,
    dt: float | None = None,
    grid: Grid | None = None,
    stepper: str | None = None,
    renormalise_every: int | None = None,
    segments: int = SEGMENTS,
    bounds: Bounds | None = None,
    dtype: str = "float64",
    seed: int = 0,
) -> Exponent:
    """λ₁ = lim ln(|δ(t)|/|δ(0)|)/t: `lyapunov_spectrum` with one tangent vector; arguments as there.

    On a grid each segment runs in the native tangent kernels. Raises `BadInput` and `NumericalFailure`.
    """
    found = lyapunov_spectrum(
        dynamics, state, time=time, count=1, transient=transient, dt=dt, grid=grid, stepper=stepper,
        renormalise_every=renormalise_every, segments=segments, bounds=bounds, dtype=dtype, seed=seed,
    )  # fmt: skip
    low, high = (float(end) for end in found.interval95[0])
    value, std = float(found.exponents[0]), float(found.std[0])
    return Exponent(value, std, (low, high), float(found.ts[-1]), found.segments[:, 0], found.lost)


def lyapunov_spectrum(
    dynamics: Dynamics | ReactionDiffusion,
    state: np.ndarray,
    *,
    time: float,
    count: int | None = None,
    transient: float = 0.0,
    dt: float | None = None,
    grid: Grid | None = None,
    stepper: str | None = None,
    renormalise_every: int | None = None,
    segments: int = SEGMENTS,
    bounds: Bounds | None = None,
    dtype: str = "float64",
    seed: int = 0,
) -> Spectrum:
    """The `count` greatest Lyapunov exponents (by default all), from one orbit or the mean of several.

    λᵢ = lim (1/t) Σ ln|Rᵢᵢ| over the QR decompositions (Shimada & Nagashima 1979; Benettin et al. 1980, part 2).

    Args:
        dynamics: A system, or anything with a drift.
        state: One state (D,), on a grid (C, H, W), or M of them with a leading axis.
        time: Over which exponents are taken, after `transient`.
        count: How many exponents (default: all).
        transient: Time first, in which state and tangent vectors settle (settle the state alone with `simulate`, which
            is cheaper).
        dt: Time step (default: the system's).
        grid: Cells, cell size and boundary, of a system in space.
        stepper: Time stepping (default: euler on a grid, else rk4).
        renormalise_every: Steps from one QR decomposition to the next (default: 100 on a grid, else 10).
        segments: Equal parts of the time. They give the standard deviation, by the variance of their means and the
            covariance of neighbours, or by the scatter of the orbits where that is greater: it is honest if a segment
            is longer than the motion's memory. Intervals are no narrower than `wandering` allows, as segments of a
            limit cycle may all err alike.
        bounds: Values (low, high), numbers or one a variable; an orbit that leaves them, or is not finite, is lost
            and counted in `lost` (default: none).
        dtype: Precision of states and tangent vectors, float64 or float32: to see whether round-off matters.
        seed: Seed of the first tangent vectors.

    Fails where the limit is not reached: in integrable systems estimates fall as ln(t)/t from above.
    Raises `BadInput`; `NumericalFailure` ("blow-up") where every orbit is lost.
    """
    placed, states = place_orbits(dynamics, grid, state, dtype)
    run = plan(placed, states, count, dt, stepper, renormalise_every)
    settling, each = intervals(time, transient, run.interval, segments)
    limits = _limits(bounds, states.shape[1:])
    frames = orthonormal_frames(run.count, states.shape, seed).astype(states.dtype)
    with enable_x64():
        carry = (jnp.asarray(states), jnp.asarray(frames), jnp.ones(len(states), bool))
        if settling:
            carry, _ = advance(run, settling, placed, limits, carry)
        pieces, parts = _pieces(each), []
        for count in pieces * segments:
            carry, integrals = advance(run, count, placed, limits, carry)
            parts.append([np.asarray(values) for values in integrals])
    growth, path, divergence = (np.cumsum(np.stack(values, 1), 1) for values in zip(*parts, strict=True))
    ts = run.interval * np.cumsum(pieces * segments)
    alive = np.asarray(carry[2]) & np.isfinite(growth).all((1, 2))
    if not alive.any():
        what = "left the bounds or the finite numbers; pass a smaller dt"
        raise NumericalFailure(str(Status.BLOW_UP), f"all {len(alive)} orbits {what}")
    mean_speed, mean_divergence = (float(sums[alive, -1].mean() / ts[-1]) for sums in (path, divergence))
    lost = 1 - float(alive.mean())
    return _spectrum(growth[alive], ts, len(pieces), mean_speed, mean_divergence if run.full else None, lost)


def _pieces(each: int) -> list[int]:
    """A segment's intervals in up to 16 parts, which grow evenly: no period is in step with all of them."""
    ends = np.unique(np.ceil(each * (np.arange(1, PIECES + 1) / PIECES) ** 2)).astype(int)
    return [int(count) for count in np.diff(ends, prepend=0)]


def intervals(time: float, transient: float, interval: float, segments: int = SEGMENTS) -> tuple[int, int]:
    """Intervals between two QR decompositions: how many in the transient, and in each segment. Raises `BadInput`."""
    if segments < 2:
        raise BadInput("segments", "must be at least 2", segments)
    if not (np.isfinite(transient) and transient >= 0):
        raise BadInput("transient", "must not be negative", transient)
    if not (np.isfinite(time) and time >= segments * interval * (1 - 1e-9)):
        rule = f"must be at least segments × renormalise_every × dt = {segments * interval:g}"
        raise BadInput("time", rule, time, "Pass a longer time or fewer segments.")
    return round(transient / interval), round(time / (segments * interval))


def _limits(bounds: Bounds | None, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    low, high = (-np.inf, np.inf) if bounds is None else bounds
    try:
        low, high = (np.broadcast_to(np.asarray(end, np.float64), shape) for end in (low, high))
    except ValueError:
        raise BadInput("bounds", f"must be numbers or arrays of shape {shape}", np.shape(low)) from None
    if not np.all(low < high):
        raise BadInput("bounds", "must be low and high, in this order", (low.min(), high.max()))
    return low, high


def _spectrum(growth, ts, pieces: int, mean_speed: float, mean_divergence: float | None, lost: float) -> Spectrum:
    growth = growth[:, :, np.argsort(-growth[:, -1].mean(0))]
    ends = ts[pieces - 1 :: pieces]
    logs = np.diff(growth[:, pieces - 1 :: pieces], axis=1, prepend=0) / ends[0]
    exponents, std, interval = batch_means(logs)
    edge = wandering(growth.mean(0), ts)
    half = np.maximum((interval[:, 1] - interval[:, 0]) / 2, edge)
    return Spectrum(
        exponents=exponents,
        std=np.maximum(std, edge / 2),
        interval95=np.stack([exponents - half, exponents + half], -1),
        sum=float(exponents.sum()),
        mean_divergence=mean_divergence,
        mean_speed=mean_speed,
        per_arc_length=exponents / mean_speed if mean_speed > 0 else None,
        kaplan_yorke=kaplan_yorke(exponents, complete=mean_divergence is not None),
        lost=lost,
        orbits=logs.mean(1),
        segments=logs.mean(0),
        ts=ends,
    )


def wandering(growth: Float[np.ndarray, "N K"], ts: Float[np.ndarray, " N"]) -> Float[np.ndarray, " K"]:
    """(max − min)/T of the growth S(t) about its straight line from (0, 0) to (T, S(T)): a bound on the error of S(T)/T
    in periodic motion.

    There S(t) = λt + g(t) with a periodic g, and S(T)/T is wrong by (g(T) − g(0))/T, in each segment alike where it is
    nearly a whole number of periods: the scatter of segments does not show it. Less by a share P/T at most than that
    error, P the period. Of a random walk it is more than twice the standard deviation of S(T)/T in 1 % of cases
    (N. H. Kuiper, Indag. Math. 63, 38 (1960)), so it hardly widens the intervals of chaos.
    """
    about = np.pad(growth - np.outer(ts / ts[-1], growth[-1]), ((1, 0), (0, 0)))  # 0 at the start
    return np.ptp(about, axis=0) / ts[-1]


def batch_means(
    local: Float[np.ndarray, "M B K"],
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"], Float[np.ndarray, "K 2"]]:
    """Mean, its standard deviation and Student's 95 % interval, from M orbits of B successive means each.

    var = (γ₀ + 2 max(γ₁, 0))/n with γ₁ the covariance of neighbours, or the orbits' own scatter where that is greater.
    """
    M, B, _ = local.shape
    mean = local.mean((0, 1))
    rest = local - mean[None, None]
    neighbours = np.maximum((rest[:, 1:] * rest[:, :-1]).mean((0, 1)), 0)
    variance, freedom = ((rest**2).mean((0, 1)) + 2 * neighbours) / (M * B - 1), M * B - 1
    width = student.ppf(0.975, freedom) * np.sqrt(variance)
    if M > 1:
        scatter = local.mean(1).var(0, ddof=1) / M
        width = np.maximum(width, student.ppf(0.975, M - 1) * np.sqrt(scatter))
        variance = np.maximum(variance, scatter)
    return mean, np.sqrt(variance), np.stack([mean - width, mean + width], -1)


def kaplan_yorke(exponents: Float[np.ndarray, " K"], *, complete: bool = True) -> float | None:
    """The Lyapunov dimension j + (λ₁ + … + λⱼ)/|λⱼ₊₁|, j the last with a sum ≥ 0; exponents in falling order.

    `None` where the sum is still ≥ 0 and the exponents are not `complete`. Source: J. L. Kaplan & J. A. Yorke, Lect.
    Notes Math. 730, 204 (1979).
    """
    sums = np.cumsum(exponents)
    j = int(np.sum(np.cumprod(sums >= 0)))
    if j == len(exponents):
        return float(j) if complete else None
    return j + (float(sums[j - 1]) / abs(float(exponents[j])) if j else 0.0)
