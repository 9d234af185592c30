"""Noisy pictures: the steady state nearest to them, and its parameters, by a penalty that is tightened step by step."""

import dataclasses

import numpy as np

from ..simulation.jacobian import drift_of, jacobian_pattern, kinetic_slopes, parameter_slopes
from ..simulation.multifrontal import Factorisation, SingularMatrix, elimination
from ..training import damped
from .hidden_elimination import Problem
from .hidden_search import Scaling

LEVELS = (0.3, 0.1, 0.03, 0.01)
PER_LEVEL = 24
DAMPING = damped.Damping(1e-4, least=1e-8, most=2e7)
JUMP = 6.0  # per parameter, of the squared distance between levels in units of the coarser one's covariance


@dataclasses.dataclass(frozen=True)
class Refined:
    """The estimate: q, its covariance and the part of it due to noise, the shift from the coarser level, fields
    (M, C, H, W), χ² per cell, the penalty level reached, the drift left (M, C, H, W), the misfit (M, H, W),
    whether a descent ended at its largest number of iterations, whether it stopped early."""

    q: np.ndarray
    covariance: np.ndarray
    sampling: np.ndarray
    shift: np.ndarray
    states: np.ndarray
    chi2: float
    level: float
    drift: np.ndarray
    misfit: np.ndarray
    exhausted: bool
    early: bool
    history: list[dict]


class Penalty:
    """½ Σ |c_o − y|²/s² + ½ Σ_i |drift_i|²/(κ_i ε s_i)² over fields c and numbers q.

    κ_i is the rms slope of the kinetics of field i, held at its value at the start; s_i the noise s scaled by
    std(c_i)/std(y). As ε → 0 the drift becomes a constraint and the estimate the maximum-likelihood one; a large ε
    forgives a bad start. The fields are eliminated from every Gauss–Newton step by a sparse Cholesky factor.
    """

    def __init__(self, problem: Problem, scaling: Scaling, pictures: np.ndarray, noise: float, states: np.ndarray, q):
        self.problem, self.scaling, self.pictures, self.noise = problem, scaling, pictures, noise
        self.pattern = jacobian_pattern(problem.grid, states.shape[1])
        self.plan = elimination(problem.grid, states.shape[1], 2)
        system = problem.system(scaling.values(q))
        slopes = np.array([kinetic_slopes(system, c)[1] for c in states])
        rates = np.sqrt((np.einsum("miihw->mihw", slopes) ** 2).mean((0, 2, 3)))
        size = states.std((2, 3)).mean(0)
        self.unit = np.maximum(rates, 1e-3 * rates.max()) * noise * size / size[problem.observed]

    def parts(self, q, state, picture):
        """Drift (C, H, W) and misfit (H, W), both unweighted."""
        system = self.problem.system(self.scaling.values(q))
        return drift_of(system, self.problem.grid, state), state[self.problem.observed] - picture

    def cost(self, q, states, level) -> float:
        total = 0.0
        for state, picture in zip(states, self.pictures, strict=True):
            drift, misfit = self.parts(q, state, picture)
            total += ((drift / (level * self.unit[:, None, None])) ** 2).sum() + ((misfit / self.noise) ** 2).sum()
        return 0.5 * float(total)

    def step(self, q, states, level, damping):
        """A damped Gauss–Newton step: (dq, dstates, information of q with the fields free). Raises SingularMatrix."""
        values = self.scaling.values(q)
        system, P, o = self.problem.system(values), len(q), self.problem.observed
        S, h, solved = np.zeros((P, P)), np.zeros(P), []
        n = self.pattern.n
        weights = np.repeat(1 / (level * self.unit) ** 2, n)
        soft = np.full(n * states.shape[1], damping / self.noise**2)
        soft[o * n : (o + 1) * n] += 1 / self.noise**2
        for state, picture in zip(states, self.pictures, strict=True):
            drift, misfit = self.parts(q, state, picture)
            J = self.pattern.matrix([float(D) for D in system.diffusivities()], kinetic_slopes(system, state)[1])
            direct = parameter_slopes(system, self.problem.grid, self.problem.names, state).reshape(P, -1).T
            direct = direct * self.scaling.slope(values)
            gradient = J.T @ (weights * drift.ravel())
            gradient[o * n : (o + 1) * n] += misfit.ravel() / self.noise**2
            B = J.T @ (weights[:, None] * direct)
            X = Factorisation(self.plan, self.pattern.normal(J, weights, soft), symmetric=True).solve(
                np.column_stack([B, gradient])
            )
            S += direct.T @ (weights[:, None] * direct) - B.T @ X[:, :P]
            h += direct.T @ (weights * drift.ravel()) - B.T @ X[:, P]
            solved.append(X)
        scale = np.diag(S).max()
        dq = -np.linalg.lstsq(S + 1e-12 * scale * np.eye(P), h, rcond=None)[0]
        dq *= min(1.0, 0.3 / max(np.abs(dq).max(), 1e-300))
        dstates = np.array([-(X[:, P] + X[:, :P] @ dq).reshape(states.shape[1:]) for X in solved])
        return dq, dstates, S


def refine(
    penalty: Penalty, q: np.ndarray, states: np.ndarray, null: np.ndarray, *, report=lambda entry: None
) -> Refined:
    """Tighten ε through `LEVELS` until the numbers move by more than chance allows.

    A picture that still moves a little obeys the steady equations only up to its drift; below some ε the fit chases
    that drift and the numbers leave the range that the coarser level gave them (Hausman's test). Then the coarser
    level is kept. The distance between the last two good levels always enters the covariance as systematic error: over
    four Gray–Scott patterns at 64², 1 and 5 % noise, four draws each, the largest |z| was 3.7 without and 2.5 with it.
    `states` (M, C, H, W) is where the fields start; `null` (P, N) spans what no picture can determine.
    """
    kept: Refined | None = None
    history: list[dict] = []
    for level in LEVELS:
        q, states, iterations = _descend(penalty, q, states, level)
        drifts, misfits = zip(
            *(penalty.parts(q, c, y) for c, y in zip(states, penalty.pictures, strict=True)), strict=True
        )
        chi2 = float((np.array(misfits) ** 2).mean()) / penalty.noise**2
        covariance = covariance_of(penalty.step(q, states, level, 0.0)[2], null)
        values = dict(zip(penalty.problem.names, penalty.scaling.values(q).tolist(), strict=True))
        history.append({"stage": "refine", "level": level, "chi2": chi2, "iterations": iterations, "values": values})
        report(history[-1])
        if kept is not None and kept.level < LEVELS[0] and _surprise(q - kept.q, kept.sampling) > JUMP:
            return dataclasses.replace(kept, early=True)
        shift = np.zeros_like(q) if kept is None else q - kept.q
        wider = covariance + np.outer(shift, shift)
        kept = Refined(q, wider, covariance, shift, states, chi2, level, np.array(drifts), np.array(misfits),
                       iterations >= PER_LEVEL, False, history)  # fmt: skip
    assert kept is not None
    return kept


def covariance_of(information: np.ndarray, null: np.ndarray) -> np.ndarray:
    """The inverse of an information matrix on the complement of `null`."""
    basis = np.linalg.qr(np.hstack([null, np.eye(len(information))]))[0][:, null.shape[1] : len(information)]
    return basis @ np.linalg.inv(basis.T @ information @ basis) @ basis.T


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
    end, iterations = damped.descend(start, attempt, settled, DAMPING, PER_LEVEL)
    return end.q, end.states, iterations
