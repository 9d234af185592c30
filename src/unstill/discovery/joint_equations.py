"""All fields at once: the sparsest equations that keep E[∇φ·f] at 0, from samples of its terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float

from .subsets import Selection, select

TERM_PRICE = 20.0  # of a term, in units of χ²
_RIDGES = (1e-1, 3e-2, 1e-2)
_ROUNDS = 4
_STARTS = 24  # a search may end early under the first weights, and not under the next
_DEVIATIONS = 6.0
_FEW = 1.5  # a covariance from few samples makes T so much too large


@dataclasses.dataclass(frozen=True)
class JointEquations:
    """Numbers e of the columns, their covariance, what the choice was made of, and the space.

    `spectrum` are the ratios tᵀNt/tᵀSt of generalised eigenvectors t, N = ĀᵀC⁻¹Ā against what it would be if the mean
    rows Ā were scatter only: about 1 for a stationary field. `tests` pairs (ratio, limit) to the first past the limit;
    `ratio` is that of the equations; `step` the time step in their units of time, with its standard deviation.
    """

    e: Float[np.ndarray, " p"]
    covariance: Float[np.ndarray, "p p"]
    selection: Selection
    ratio: float
    limit: float
    spectrum: Float[np.ndarray, " p"]
    tests: tuple[tuple[float, float], ...]
    step: tuple[float, float]
    functionals: int


class _Rows:
    """Samples (M pictures, T tiles, K, p) and their weights at a solution."""

    def __init__(self, samples: Float[np.ndarray, "M T K p"]):
        self.samples, self.mean = samples, samples.mean((0, 1))

    def weights(self, e: Float[np.ndarray, " p"], ridge: float) -> Float[np.ndarray, "K K"]:
        """H with HᵀH = Cov(mean rows)⁻¹. Correlations are those of tiles, of which there are many; variances those of
        pictures, within which tiles are not independent."""
        r = self.samples @ e
        M = len(r)
        tiles = r.reshape(-1, r.shape[-1])
        centred = tiles - tiles.mean(0)
        scale = np.maximum(centred.std(0), 1e-300)
        correlation = (centred / scale).T @ (centred / scale) / len(tiles)
        error = np.maximum(r.mean(1).std(0, ddof=1) / np.sqrt(M), 1e-12 * scale)
        L = np.linalg.cholesky(correlation + ridge * np.eye(len(scale)))
        return scipy.linalg.solve_triangular(L, np.diag(1 / error), lower=True)

    def normal(self, H: Float[np.ndarray, "K K"]) -> Float[np.ndarray, "p p"]:
        A = H @ self.mean
        return A.T @ A

    def scatter(self, H: Float[np.ndarray, "K K"]) -> Float[np.ndarray, "p p"]:
        """What `normal` would be in the mean if every mean row were scatter between pictures only."""
        per_picture = self.samples.mean(1) - self.mean
        M = len(per_picture)
        return sum((B.T @ B for B in (H @ A for A in per_picture)), np.zeros((len(self.mean.T),) * 2)) / (M * (M - 1))


def _ratios(normal: np.ndarray, scatter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All tᵀNt/tᵀSt that are stationary, the least first, and their t.

    S is singular to round-off where a few pictures make one term a combination of others: it is lifted by that much.
    """
    unit = np.sqrt(np.diag(scatter))
    N, S = (form / unit / unit[:, None] for form in (normal, scatter))
    round_off = len(S) * np.finfo(float).eps * np.linalg.norm(S, 2)
    values, vectors = scipy.linalg.eigh(N, S + round_off * np.eye(len(S)))
    return values, vectors / unit[:, None]


def _freest(normal: np.ndarray, scatter: np.ndarray) -> tuple[float, np.ndarray]:
    """The least tᵀNt/tᵀSt and its t: no normalisation of t is preferred (limited-information maximum likelihood)."""
    values, vectors = _ratios(normal, scatter)
    return max(float(values[0]), 0.0), vectors[:, 0]


def _without(form: np.ndarray, share: np.ndarray) -> np.ndarray:
    """A quadratic form of all columns but the last, from each of which `share` of the last is taken."""
    T = np.concatenate([np.eye(len(share)), -share[None]])
    return T.T @ form @ T


def joint_equations(
    samples: Float[np.ndarray, "M T K p"],
    second_order: Callable[[np.ndarray], np.ndarray],
    *,
    pinned: int,
    forced: Sequence[int],
    starts: Sequence[Sequence[int]],
) -> JointEquations:
    """The choice of columns, e = 1 at the pinned one, that keeps the mean rows at 0 at the least χ² + 20 a term; the
    search for it begins at `starts`.

    χ² = m eᵀNe/eᵀSe, with m its value for scatter at the weights' own solution. Weights are those of the last
    solution, at first on all columns, under a ridge that is lowered. `second_order` gives the rows (M, K) of a finite
    time step at a solution; their share takes what it can.
    """
    rows, p = _Rows(samples), samples.shape[-1]
    H = np.diag(1 / np.sqrt((samples**2).mean((0, 1)).sum(1)))
    for ridge in _RIDGES:
        _, e = _freest(rows.normal(H), rows.scatter(H))
        H = rows.weights(e, ridge)
    extended, share, step = rows, np.zeros(0), (0.0, np.inf)
    for turn in range(_ROUNDS):
        if turn:
            more = np.broadcast_to(second_order(e)[:, None, :, None], (*samples.shape[:3], 1))
            extended = _Rows(np.concatenate([samples, more], -1))
            H = extended.weights(np.append(e, step[0]), _RIDGES[-1])
        N, S = extended.normal(H), extended.scatter(H)
        if turn:
            share = N[p, :p] / N[p, p]
            N, S = _without(N, share), _without(S, share)
        degrees = float(e @ S @ e)

        def cost(e: np.ndarray, left: float, count: int, N=N, S=S, degrees=degrees) -> float:
            return degrees * float(e @ N @ e) / float(e @ S @ e) + TERM_PRICE * count

        found = select(N - _freest(N, S)[0] * S, pinned, forced, np.ones(p, bool), cost, starts)
        e, starts = found.best.e, [sorted(found.best.support), *starts[-_STARTS:]]
        if turn:
            step = (-float(share @ e), float(extended.normal(H)[p, p] ** -0.5))
    return _concluded(extended, H, N, S, found, step)


def _concluded(rows: _Rows, H: np.ndarray, N: np.ndarray, S: np.ndarray, found: Selection, step) -> JointEquations:
    e, chosen = found.best.e, sorted(found.best.support)
    share = rows.normal(H)[-1, : len(e)] / rows.normal(H)[-1, -1]
    A = H @ (rows.mean[:, : len(e)] - np.outer(rows.mean[:, -1], share))
    # Scores of the pictures: honest for independent pictures, whatever the weights.
    residuals = (rows.samples.mean(1) @ np.append(e, step[0])) @ H.T
    scores = (residuals - residuals.mean(0)) @ A[:, chosen]
    bread, M = np.linalg.inv((N - _freest(N, S)[0] * S)[np.ix_(chosen, chosen)]), len(scores)
    covariance = np.zeros_like(N)
    covariance[np.ix_(chosen, chosen)] = bread @ (scores.T @ scores) @ bread / (M * max(M - len(chosen), 1))
    ratio, degrees = float(e @ N @ e) / float(e @ S @ e), float(e @ S @ e)
    limit = _FEW * (1 + _DEVIATIONS * np.sqrt(2 / degrees))
    tests = [(ratio, float(max(limit, 2 * ratio)))]  # the equations themselves are the first
    spectrum, _ = _ratios(N, S)
    for value in spectrum[1:]:
        tests.append((max(float(value), 0.0), tests[0][1]))
        if tests[-1][0] > tests[-1][1]:
            break
    return JointEquations(e, covariance, found, ratio, float(limit), spectrum, tuple(tests), step, len(H))
