"""Noisy pictures: the steady state nearest to them, and its parameters, by a penalty that is tightened step by step."""

import dataclasses

import numpy as np
import scipy.sparse as sp

from ..simulation.corrected import normal_solve, sparse_grid
from ..simulation.jacobian import drift_of, jacobian_pattern, kinetic_slopes
from ..simulation.multifrontal import SingularMatrix, elimination
from ..training import damped
from .hidden_problem import Problem, Scaling

LEVELS = (0.3, 0.1, 0.03, 0.01)
PER_LEVEL, WITH_BLUR = 24, 3  # iterations; times as many where a blur is sought: it and D are much alike
DIFFERENCE = 1e-4  # of q
LOOSE = 1e-7  # holds what no equation and no picture tells: hidden fields in the corner cells of a window, gaps
DAMPING = damped.Damping(1e-4, least=1e-8, most=2e7)
JUMP = 6.0  # per parameter, of the squared distance between levels in units of the coarser one's covariance


@dataclasses.dataclass(frozen=True)
class Refined:
    """The estimate: q, its covariance and the part of it due to noise, fields
    (M, C, H, W), χ² per cell, the penalty level reached, the drift left (M, C, H, W), the misfit (M, H, W),
    whether a descent ended at its largest number of iterations, whether it stopped early; of the last level that was
    tried, this one or the next, the part of the covariance due to noise and the misfit."""

    q: np.ndarray
    covariance: np.ndarray
    sampling: np.ndarray
    states: np.ndarray
    chi2: float
    level: float
    drift: np.ndarray
    misfit: np.ndarray
    exhausted: bool
    early: bool
    history: list[dict]
    tried_sampling: np.ndarray
    tried_misfit: np.ndarray


class Penalty:
    """½ Σ |y(c_o) − y|²/s² + ½ Σ_i |drift_i|²/(κ_i ε s_i)² over fields c and numbers q.

    y(c_o) is what the camera makes of the observed field, where it is seen; κ_i is the rms slope of the kinetics of
    field i and s_i the noise s as a share of that field, both at the fields of the start but at the current q: else
    rates that fall to 0, or a gain that grows, would still every drift. At a window's border, and beside gaps, no drift
    counts. As ε → 0 the drift becomes a constraint and the estimate the maximum-likelihood one; a large ε forgives a
    bad start. Of a blur b that is known up to σ, ½ b²/σ² is added. The fields are eliminated from every Gauss–Newton
    step by a sparse Cholesky factor. Steps of q are taken across the directions `null` that no picture can determine:
    along them nothing but the penalty's own units changes.
    """

    def __init__(
        self, problem: Problem, scaling: Scaling, pictures: np.ndarray, noise: float, states: np.ndarray, q, null=None
    ):
        self.problem, self.scaling, self.pictures, self.noise = problem, scaling, pictures, noise
        self.pattern = jacobian_pattern(sparse_grid(problem.grid), states.shape[1])
        self.plan = elimination(sparse_grid(problem.grid), states.shape[1], 2)
        self.across = complement(np.zeros((len(q), 0)) if null is None else null)
        self.held = np.concatenate(states, 1)  # (C, M·H, W)
        self.share = noise / float(pictures.std((1, 2)).mean())
        self.size = states.std((2, 3)).mean(0)
        self.concentration_noise = self.share * self.size[problem.observed]
        self.seen = self._seen(scaling.values(q))
        self.counted = len(pictures) * problem.pixels.sum()

    @property
    def iterations(self) -> int:
        """Of one level, at most."""
        return PER_LEVEL * (WITH_BLUR if self.problem.camera.blur is None else 1)

    def _seen(self, values) -> float:
        """The camera's rms slope ∂y/∂c over the fields of the start."""
        camera, c = self.problem.camera, self.held[self.problem.observed]
        return float(np.sqrt((camera.picture(self.problem.camera_values(values), c)[1] ** 2).mean()))

    def unit(self, q) -> np.ndarray:
        """κ_i s_i, shape (C,)."""
        values = self.scaling.values(q)
        slopes = kinetic_slopes(self.problem.system(values), self.held)[1]
        rates = np.sqrt((np.einsum("iihw->ihw", slopes) ** 2).mean((1, 2)))
        size = self.size.copy()
        size[self.problem.observed] *= self.seen / self._seen(values)
        return np.maximum(rates, 1e-3 * rates.max()) * self.share * size

    def unit_slopes(self, q) -> np.ndarray:
        """∂ log(unit)/∂q, shape (C, P), by central differences."""
        steps = np.eye(len(q)) * DIFFERENCE
        return np.stack([np.log(self.unit(q + h) / self.unit(q - h)) / (2 * DIFFERENCE) for h in steps], 1)

    def parts(self, q, state, picture):
        """Drift (C, H, W), 0 where it does not count, and misfit (H, W), both unweighted."""
        values = self.scaling.values(q)
        drift = drift_of(self.problem.system(values), self.problem.grid, state) * self.problem.inside
        shown = self.problem.optics.picture(self.problem.camera_values(values), state[self.problem.observed])[0]
        return drift, (shown - picture) * self.problem.pixels

    def all_parts(self, q, states):
        """Those of every picture."""
        return zip(*(self.parts(q, c, y) for c, y in zip(states, self.pictures, strict=True)), strict=True)

    def cost(self, q, states, level) -> float:
        total, unit = 0.0, self.unit(q)[:, None, None]
        for state, picture in zip(states, self.pictures, strict=True):
            drift, misfit = self.parts(q, state, picture)
            total += ((drift / (level * unit)) ** 2).sum() + ((misfit / self.noise) ** 2).sum()
        return 0.5 * (float(total) + self._known_blur(q)[0] ** 2)

    def _known_blur(self, q) -> tuple[float, np.ndarray]:
        """b/σ of a blur with a known spread, and its derivative by q; noughts where there is none."""
        camera, slope = self.problem.camera, np.zeros(len(q))
        if camera.blur is not None or not camera.blur_std:
            return 0.0, slope
        values = self.scaling.values(q)
        slope[-1] = self.scaling.slope(values)[-1] / camera.blur_std
        return float(values[-1] / camera.blur_std), slope

    def step(self, q, states, level, damping):
        """A damped Gauss–Newton step: (dq, dstates, information of q with the fields free). Raises SingularMatrix."""
        P = len(q)
        S, h, solved = np.zeros((P, P)), np.zeros(P), []
        units = self.unit(q), self.unit_slopes(q)
        for state, picture in zip(states, self.pictures, strict=True):
            information, slope, X = self._eliminated(q, state, picture, level, damping, units)
            S, h, solved = S + information, h + slope, [*solved, X]
        away, slope = self._known_blur(q)
        S, h = S + np.outer(slope, slope), h + slope * away
        within = self.across.T @ S @ self.across
        ridge = 1e-12 * np.diag(within).max() * np.eye(len(within))
        dq = -self.across @ np.linalg.lstsq(within + ridge, self.across.T @ h, rcond=None)[0]
        dq *= min(1.0, 0.3 / max(np.abs(dq).max(), 1e-300))
        dstates = np.array([-(X[:, P] + X[:, :P] @ dq).reshape(states.shape[1:]) for X in solved])
        return dq, dstates, S

    def _eliminated(self, q, state, picture, level, damping, units):
        """One picture's information of q and slope of the cost in q, its fields eliminated, and their answers to each
        number of q and to the cost: (C·H·W, P + 1)."""
        problem, values, P, n = self.problem, self.scaling.values(q), len(q), self.pattern.n
        drift, misfit = (part.ravel() for part in self.parts(q, state, picture))
        system, o = problem.system(values), slice(problem.observed * n, (problem.observed + 1) * n)
        sparse, J = problem.jacobian(system, state)
        direct = problem.drift_slopes(values, state).reshape(P, -1).T * self.scaling.slope(values)
        direct -= drift[:, None] * np.repeat(units[1], n, axis=0)
        weights = (problem.inside / (level * units[0][:, None, None]) ** 2).ravel()
        shown, optical = self._shown(values, state)
        soft = np.full(state.size, (damping + LOOSE * problem.open) / self.concentration_noise**2)
        gradient, B = J.T @ (weights * drift), J.T @ (weights[:, None] * direct)
        certain = problem.pixels.ravel() / self.noise**2
        if isinstance(optical, np.ndarray):
            soft[o] += optical**2 * certain
            gradient[o] += optical * certain * misfit
            B[o] += (optical * certain)[:, None] * shown
            blurred = None
        else:
            padded = np.zeros(state.size)
            padded[o] = certain
            blurred = self.pattern.normal(optical, padded, np.zeros(state.size))
            gradient += optical[o].T @ (certain * misfit)
            B += optical[o].T @ (certain[:, None] * shown)
        X = normal_solve(self.plan, self.pattern, sparse, J, weights, soft, np.column_stack([B, gradient]), blurred)
        own = direct.T @ (weights[:, None] * direct) + shown.T @ shown / self.noise**2
        slope = direct.T @ (weights * drift) + shown.T @ misfit / self.noise**2
        return own - B.T @ X[:, :P], slope - B.T @ X[:, P], X

    def _shown(self, values, state) -> tuple[np.ndarray, np.ndarray | sp.csr_array]:
        """∂y/∂q of the seen pixels, (n, P), and ∂y/∂c: of each cell alone, (n,), or, blurred, a matrix, (C·n, C·n)."""
        problem, optics = self.problem, self.problem.optics
        camera, seen = problem.camera_values(values), state[problem.observed]
        _, slope, by_camera = optics.picture(camera, seen)
        shown = np.zeros((seen.size, len(values)))
        shown[:, len(problem.names) :] = by_camera.reshape(-1, seen.size).T
        shown *= self.scaling.slope(values) * problem.pixels.ravel()[:, None]
        if optics.is_sharp:
            return shown, slope.ravel()
        one = np.zeros((len(state), len(state), *seen.shape))
        one[problem.observed, problem.observed] = 1.0
        mixing = np.zeros(len(state))
        mixing[problem.observed] = problem.camera.share(camera) * problem.grid.dx**2
        blurred = self.pattern.matrix(mixing, one)
        blurred.data = blurred.data * np.tile(slope.ravel(), len(state))[blurred.indices]
        return shown, blurred


def refine(
    penalty: Penalty, q: np.ndarray, states: np.ndarray, null: np.ndarray, *, levels=LEVELS, report=lambda entry: None
) -> Refined:
    """Tighten ε through `levels` until the numbers move by more than chance allows.

    A picture that still moves a little obeys the steady equations only up to its drift; below some ε the fit chases
    that drift and the numbers leave the range that the coarser level gave them (Hausman's test). Then the coarser
    level is kept. The distances between levels, from the second on and to the one that is not kept, enter the
    covariance as systematic error. (With the last alone, over four Gray–Scott patterns at 64², 1 and 5 % noise, four
    draws each, the largest |z| was 2.5, without 3.7.) A descent that runs out of iterations at any level creeps along a
    flat valley, as for straight stripes, whose curvature promises too much: `exhausted`.
    `states` (M, C, H, W) is where the fields start; `null` (P, N) spans what no picture can determine.
    """
    kept: Refined | None = None
    history: list[dict] = []
    systematic, exhausted = np.zeros((len(q), len(q))), False
    # The sharpest level takes a spectral Laplacian's conjugate gradients more steps than they have.
    levels = levels[:-1] if penalty.problem.grid.scheme == "spectral" else levels
    for level in levels:
        q, states, iterations = _descend(penalty, q, states, level)
        exhausted |= iterations >= penalty.iterations
        drift, misfit = (np.array(parts) for parts in penalty.all_parts(q, states))
        chi2 = float((misfit**2).sum()) / penalty.counted / penalty.noise**2
        try:
            covariance = covariance_of(penalty.step(q, states, level, 0.0)[2], null)
        except (
            SingularMatrix
        ):  # the iteration for a spectral Laplacian stalls: what a coarser level gave stands, unsure
            if kept is None:
                raise
            return dataclasses.replace(kept, exhausted=True)
        values = dict(zip(penalty.problem.sought, penalty.scaling.values(q).tolist(), strict=True))
        history.append({"stage": "refine", "level": level, "chi2": chi2, "iterations": iterations, "values": values})
        report(history[-1])
        shift = np.zeros_like(q) if kept is None else q - kept.q
        if kept is not None and kept.level < LEVELS[0]:
            systematic = systematic + np.outer(shift, shift)
            if _surprise(shift, kept.sampling) > JUMP:
                wider = kept.sampling + systematic
                return dataclasses.replace(kept, covariance=wider, exhausted=exhausted, early=True,
                                           tried_sampling=covariance, tried_misfit=misfit)  # fmt: skip
        kept = Refined(q, covariance + systematic, covariance, states, chi2, level, drift, misfit, exhausted,
                       False, history, covariance, misfit)  # fmt: skip
        if penalty.scaling.at_bound(q).any():
            break  # the verdict is spoken
    assert kept is not None
    return kept


def covariance_of(information: np.ndarray, null: np.ndarray) -> np.ndarray:
    """The inverse of an information matrix on the complement of `null`."""
    basis = complement(null)
    return basis @ np.linalg.inv(basis.T @ information @ basis) @ basis.T


def complement(null: np.ndarray) -> np.ndarray:
    """An orthonormal basis of what is orthogonal to the columns of `null`."""
    return np.linalg.qr(np.hstack([null, np.eye(len(null))]))[0][:, null.shape[1] : len(null)]


def _surprise(change: np.ndarray, covariance: np.ndarray) -> float:
    return float(change @ np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) @ change) / len(change)


@dataclasses.dataclass(frozen=True)
class _Point:
    q: np.ndarray
    states: np.ndarray
    cost: float


def _descend(penalty: Penalty, q, states, level):
    def attempt(at: _Point, damping: float) -> _Point | None:
        try:
            dq, dstates, _ = penalty.step(at.q, at.states, level, damping)
        except SingularMatrix:
            return None
        cost = penalty.cost(at.q + dq, at.states + dstates, level)
        return _Point(at.q + dq, at.states + dstates, cost) if cost < at.cost else None

    def settled(before: _Point, at: _Point) -> bool:
        return before.cost - at.cost < 1e-4 * at.cost

    start = _Point(q, states, penalty.cost(q, states, level))
    end, iterations = damped.descend(start, attempt, settled, DAMPING, penalty.iterations)
    return end.q, end.states, iterations
