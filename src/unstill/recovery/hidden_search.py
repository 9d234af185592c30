"""From pictures of one field to the parameters: many starts, then Gauss–Newton with the hidden field eliminated."""

import dataclasses

import numpy as np
from scipy.optimize import lsq_linear

from ..observations.spectrum import inverse, transform
from ..simulation.multifrontal import SingularMatrix
from ..training import damped
from .hidden_elimination import Route, Unsolvable, hidden_slopes, solve_hidden, test_residual
from .hidden_problem import Problem, Scaling

STARTS = 32
DAMPING = damped.Damping(1e-3)
ROUNDS = ((6, 3), (3, 5), (1, 400))  # (descents kept, iterations each)
ROUGH = (*ROUNDS[:-1], (1, 60))  # where a share of the contrast is asked for, not the parameters


class Balance:
    """The residual that is fitted: the equation that elimination leaves, as a relative change of the tested field.

    r = (test @ drift) / (D K + q) / std(c), with K the symbol of −∇², D the tested field's diffusion and q the rms
    slope of its kinetics. For Gray–Scott with v seen this is the fixed
    point form v = (g − Dv∇²)⁻¹[u v²]: noise is smoothed, not amplified; and since q → 0 with the rates, the false
    minimum "all parameters → 0" of the raw residual is gone.
    """

    def __init__(self, problem: Problem, route: Route, pictures: np.ndarray):
        self.problem, self.route, self.pictures = problem, route, pictures
        self.K = -problem.grid.symbol

    def residual(self, values: np.ndarray, starts=None):
        """Residuals (M, H, W) in proportion to the trust in a cell, their derivatives (P, M, H, W) along the values of
        the numbers sought, and the states (M, C, H, W)."""
        residuals, slopes, states = [], [], []
        problem, trust = self.problem, self.problem.trust
        for m, picture in enumerate(self.pictures):
            seen, seen_slopes = problem.optics.concentration(problem.camera_values(values), picture)
            start = None if starts is None or self.route.linear else starts[m][problem.hidden]
            hidden, factor = solve_hidden(problem, self.route, values, seen, start)
            state = problem.state(seen, hidden)
            tangents = self._following(values, state, factor, seen_slopes)
            (raw, scale), (draw, dscale) = test_residual(problem, self.route, values, state, tangents)
            weight = 1 / (scale[0] * self.K + scale[1])
            spectrum = weight * transform(problem.grid, raw)
            change = weight * (dscale[:, 0, None, None] * self.K + dscale[:, 1, None, None])
            smooth = inverse(problem.grid, weight * transform(problem.grid, draw) - change * spectrum)
            residuals.append(trust * inverse(problem.grid, spectrum))
            slopes.append(trust * smooth)
            states.append(state)
        return np.array(residuals), np.stack(slopes, 1), np.array(states)

    def _following(self, values, state, factor, seen_slopes) -> np.ndarray:
        """How the state (P, C, H, W) changes with each number: the seen field by the camera, the hidden by theirs."""
        problem = self.problem
        direct = problem.drift_slopes(values, state)
        tangents = np.zeros_like(direct)
        if len(seen_slopes):
            system, camera = problem.system(values), slice(len(problem.names), None)
            tangents[camera, problem.observed] = seen_slopes
            J = problem.jacobian(system, state)[1]
            direct[camera] += (J @ tangents[camera].reshape(len(seen_slopes), -1).T).T.reshape(-1, *state.shape)
        tangents[:, problem.hidden] = hidden_slopes(self.route, factor, direct)
        return tangents


def linear_parameters(problem: Problem, route: Route) -> list[int]:
    """Indices of free parameters that enter only the tested equation, and there linearly: solved, not searched."""
    grid, rng, C = problem.grid, np.random.default_rng(1), len(problem.system_class.fields)
    state = rng.uniform(0.3, 1.5, (C, *grid.shape))
    defaults, count = problem.system_class.defaults(), len(problem.names)
    values = np.array([defaults[n] for n in problem.names] + [1.0] * len(problem.camera.unknown)) * 1.3 + 0.05
    here = problem.drift_slopes(values, state)[:count]
    in_solved = np.abs(np.einsum("ec,pchw->pehw", np.array(route.solve), here)).max((1, 2, 3)) > 1e-12
    chosen = [p for p in range(count) if not in_solved[p]]
    for p in list(chosen):
        moved = values.copy()
        moved[chosen] *= 1.7
        there = problem.drift_slopes(moved, state)
        if np.abs(there[p] - here[p]).max() > 1e-9 * np.abs(here[p]).max():
            chosen.remove(p)
    return chosen


@dataclasses.dataclass
class Fitted:
    """Where a descent stands: q, the cost ½·mean r², residuals, derivatives along q, states; whether it came there
    with its last iteration."""

    q: np.ndarray
    cost: float
    residual: np.ndarray
    slopes: np.ndarray
    states: np.ndarray
    exhausted: bool = False


def evaluate(balance: Balance, scaling: Scaling, q: np.ndarray, starts=None) -> Fitted | None:
    """The fit at q, or None where the hidden field cannot be solved for."""
    values = scaling.values(q)
    try:
        residual, slopes, states = balance.residual(values, starts)
    except (Unsolvable, SingularMatrix):  # the latter of the iteration for a spectral Laplacian
        return None
    cost = 0.5 * float((residual**2).mean())
    if not np.isfinite(cost):
        return None
    return Fitted(q, cost, residual, slopes * scaling.slope(values)[:, None, None, None], states)


def descend(balance: Balance, scaling: Scaling, at: Fitted, iterations: int) -> Fitted:
    """Levenberg–Marquardt in q; stops when a step changes no number by more than 1e-10 or nothing is gained."""

    def attempt(at: Fitted, damping: float) -> Fitted | None:
        J = at.slopes.reshape(len(at.q), -1)
        H, g = J @ J.T / J.shape[1], J @ at.residual.ravel() / J.shape[1]
        step = -np.linalg.solve(H + damping * np.diag(np.diag(H) + 1e-14 * np.trace(H)), g)
        step *= min(1.0, 1.0 / max(np.abs(step).max(), 1e-300))
        trial = evaluate(balance, scaling, scaling.clip(at.q + step), at.states)
        return trial if trial is not None and trial.cost < at.cost else None

    def settled(before: Fitted, at: Fitted) -> bool:
        return bool(np.abs(at.q - before.q).max() < 1e-10 or before.cost - at.cost < 1e-10 * at.cost)

    end, done = damped.descend(at, attempt, settled, DAMPING, iterations)
    return dataclasses.replace(end, exhausted=done >= iterations)


def screen(balance: Balance, scaling: Scaling, q: np.ndarray, linear: list[int]) -> tuple[float, np.ndarray]:
    """(cost, q) at a start, after the parameters that enter linearly were set by bounded least squares."""
    at = evaluate(balance, scaling, q)
    if at is None:
        return np.inf, q
    if not linear:
        return at.cost, q
    values = scaling.values(q)
    J = (at.slopes[linear] / scaling.slope(values)[linear, None, None, None]).reshape(len(linear), -1).T
    solved = lsq_linear(J, J @ values[linear] - at.residual.ravel(), (scaling.low[linear], scaling.high[linear]))
    values[linear] = solved.x
    return float(solved.cost) / at.residual.size, scaling.clip(scaling.numbers(values))


def search(
    balance: Balance, scaling: Scaling, given: np.ndarray | None = None, *, rounds=ROUNDS, report=lambda entry: None
) -> list[Fitted]:
    """Descents from many starts and from `given`, best first; each round drops the worse half."""
    linear = linear_parameters(balance.problem, balance.route)
    ranked = sorted((screen(balance, scaling, q, linear) for q in scaling.starts(STARTS)), key=lambda pair: pair[0])
    chosen = [q for cost, q in ranked[: rounds[0][0]] if np.isfinite(cost)]
    if given is not None:
        chosen.insert(0, scaling.clip(scaling.numbers(given)))
    alive = [at for q in chosen if (at := evaluate(balance, scaling, q)) is not None]
    for keep, iterations in rounds:
        alive = [descend(balance, scaling, at, iterations) for at in alive[:keep]]
        alive.sort(key=lambda at: at.cost)
        if alive:
            best = alive[0]
            found = dict(zip(balance.problem.sought, scaling.values(best.q).tolist(), strict=True))
            report(
                {"stage": "search", "descents": len(alive), "residual": float(np.sqrt(2 * best.cost)), "values": found}
            )
    return alive


def busiest_part(picture: np.ndarray, side: int, pixels: np.ndarray) -> tuple[slice, slice]:
    """The square of this side with the greatest contrast in the pixels that are seen (1, else 0), among nine places."""
    tops, lefts = ((0, (n - side) // 2, n - side) for n in picture.shape)
    parts = [(slice(top, top + side), slice(left, left + side)) for top in tops for left in lefts]
    return max(parts, key=lambda part: float(picture[part].std() * pixels[part].mean()))
