"""The penalty that ties noisy pictures to a steady state, and its Gauss–Newton steps with their second-order part."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..simulation.corrected import normal_solver, sparse_grid
from ..simulation.jacobian import drift_of, jacobian_pattern, kinetic_slopes
from ..simulation.multifrontal import elimination
from .hidden_problem import Problem, Scaling

PER_LEVEL, WITH_BLUR = 40, 2  # iterations; times as many where a blur is sought: it and D are much alike
DIFFERENCE = 1e-4  # of q
LOOSE = 1e-9  # holds what no equation and no picture tells: hidden fields in the corner cells of a window, gaps
FARTHEST = 0.3  # that a step changes a number of q


def complement(null: np.ndarray) -> np.ndarray:
    """An orthonormal basis of what is orthogonal to the columns of `null`."""
    return np.linalg.qr(np.hstack([null, np.eye(len(null))]))[0][:, null.shape[1] : len(null)]


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
        self.seen = self._slope_seen(scaling.values(q))
        start = problem.camera_values(scaling.values(q))
        self.held_picture = problem.camera.picture(start, self.held[problem.observed])[0]
        self.counted = len(pictures) * problem.pixels.sum()

    @property
    def iterations(self) -> int:
        """Of one level, at most."""
        return PER_LEVEL * (WITH_BLUR if self.problem.camera.blur is None else 1)

    def _slope_seen(self, values) -> float:
        """The camera's rms slope ∂y/∂c over the fields of the start."""
        camera, c = self.problem.camera, self.held[self.problem.observed]
        return float(np.sqrt((camera.picture(self.problem.camera_values(values), c)[1] ** 2).mean()))

    def unit(self, q) -> np.ndarray:
        """κ_i s_i, shape (C,)."""
        values = self.scaling.values(q)
        slopes = kinetic_slopes(self.problem.system(values), self._held_at(values))[1]
        rates = np.sqrt((np.einsum("iihw->ihw", slopes) ** 2).mean((1, 2)))
        size = self.size.copy()
        size[self.problem.observed] *= self.seen / self._slope_seen(values)
        return np.maximum(rates, 1e-3 * rates.max()) * self.share * size

    def _held_at(self, values):
        """The fields of the start, the seen one as the camera at `values` reads its picture: with a gain that grows,
        concentrations fall and rates with them."""
        camera, o = self.problem.camera, self.problem.observed
        if not len(self.problem.camera_values(values)):
            return self.held
        held = self.held.copy()
        held[o] = camera.concentration(self.problem.camera_values(values), self.held_picture)[0]
        return held

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
        return 0.5 * (float(total) + self.known_blur(q)[0] ** 2)

    def known_blur(self, q) -> tuple[float, np.ndarray]:
        """b/σ of a blur with a known spread, and its derivative by q; noughts where there is none."""
        camera, slope = self.problem.camera, np.zeros(len(q))
        if camera.blur is not None or not camera.blur_std:
            return 0.0, slope
        values = self.scaling.values(q)
        slope[-1] = self.scaling.slope(values)[-1] / camera.blur_std
        return float(values[-1] / camera.blur_std), slope

    def shown(self, values, state) -> tuple[np.ndarray, np.ndarray | sp.csr_array]:
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

    def at(self, q, states, level, damping) -> "Linearised":
        """All residuals, linearised at a point. Raises SingularMatrix."""
        return Linearised(self, q, states, level, damping)


class Linearised:
    """The residuals of all pictures at (q, states), linearised, with the fields eliminated from the normal equations:
    `information` of q with the fields free, and the `slope` of the cost."""

    def __init__(self, penalty: Penalty, q, states, level, damping):
        self.penalty, self.q, self.states = penalty, q, states
        units = penalty.unit(q), penalty.unit_slopes(q)
        self._unit = units[0][:, None, None]
        self._pictures = [
            _Picture(penalty, q, state, picture, level, damping, units)
            for state, picture in zip(states, penalty.pictures, strict=True)
        ]
        away, slope = penalty.known_blur(q)
        self.slope = sum(one.slope for one in self._pictures) + slope * away
        self.information = sum(one.information for one in self._pictures) + np.outer(slope, slope)

    def step(self):
        """(dq, dstates) of the damped Gauss–Newton step."""
        dq = self._numbers(self.slope)
        return dq, np.array([one.followed(one.by_cost, dq) for one in self._pictures])

    def curved(self, dq, dstates):
        """What the residuals' curvature adds to a step: the same equations, solved for what the linearised residuals
        miss at its end. For small steps half the geodesic acceleration of M. K. Transtrum, B. B. Machta, J. P. Sethna,
        Phys. Rev. E 83, 036701 (2011), doi:10.1103/PhysRevE.83.036701: along a curved valley steps are longer by it."""
        q = self.q + dq
        scale = self._unit / self.penalty.unit(q)[:, None, None]
        missed = []
        for one, state, picture, dstate in zip(
            self._pictures, self.states, self.penalty.pictures, dstates, strict=True
        ):
            drift, misfit = self.penalty.parts(q, state + dstate, picture)
            missed.append(one.missed((drift * scale).ravel(), misfit.ravel(), dq, dstate.ravel()))
        more = self._numbers(sum(slope for slope, _ in missed))
        return more, np.array(
            [one.followed(answer, more) for one, (_, answer) in zip(self._pictures, missed, strict=True)]
        )

    def column(self, drifts, misfits) -> "Column":
        """Of one number more, which changes the residuals of each picture so: drifts (C, H, W), misfits (H, W)."""
        parts = zip(self._pictures, drifts, misfits, strict=True)
        own, mixed, slope = zip(*(one.column(d.ravel(), m.ravel()) for one, d, m in parts), strict=True)
        return Column(float(sum(own)), np.sum(mixed, 0), float(sum(slope)))

    def _numbers(self, slope):
        """The step of q down a slope, not too far."""
        dq = self.solved(slope)
        return dq * min(1.0, FARTHEST / max(np.abs(dq).max(), 1e-300))

    def solved(self, slope):
        """The step of q down a slope, across what no picture can determine."""
        across = self.penalty.across
        within = across.T @ self.information @ across
        ridge = 1e-12 * np.diag(within).max() * np.eye(len(within))
        return -across @ np.linalg.lstsq(within + ridge, across.T @ slope, rcond=None)[0]


class Column(NamedTuple):
    """One number more beside q, with the fields free: its information, what it shares with q, (P,), and its slope."""

    own: float
    mixed: np.ndarray
    slope: float


class _Picture:
    """One picture's residuals at a point: `drift` and `misfit`, their derivatives by q (`direct`, `shown`) and by the
    fields (`J`, `optical`: of each cell alone, or, blurred, a matrix); its part of the `information` and `slope` of q,
    and its fields' answer to the cost, `by_cost`."""

    def __init__(self, penalty: Penalty, q, state, picture, level, damping, units):
        problem, values, n = penalty.problem, penalty.scaling.values(q), penalty.pattern.n
        self.shape, self.noise = state.shape, penalty.noise
        self.seen = slice(problem.observed * n, (problem.observed + 1) * n)
        self.drift, self.misfit = (part.ravel() for part in penalty.parts(q, state, picture))
        sparse, self.J = problem.jacobian(problem.system(values), state)
        self.direct = problem.drift_slopes(values, state).reshape(len(q), -1).T * penalty.scaling.slope(values)
        self.direct -= self.drift[:, None] * np.repeat(units[1], n, axis=0)
        self.weights = (problem.inside / (level * units[0][:, None, None]) ** 2).ravel()
        self.certain = problem.pixels.ravel() / self.noise**2
        self.shown, self.optical = penalty.shown(values, state)
        self._factorise(penalty, sparse, damping)
        self.mixed = np.column_stack([self._pull(*column) for column in zip(self.direct.T, self.shown.T, strict=True)])
        pulled = self._pull(self.drift, self.misfit)
        answers = self.solve(np.column_stack([self.mixed, pulled]))
        self.by_numbers, self.by_cost = answers[:, :-1], answers[:, -1]
        own = self.direct.T @ (self.weights[:, None] * self.direct) + self.shown.T @ self.shown / self.noise**2
        self.information = own - self.mixed.T @ self.by_numbers
        self.slope = self._along(self.drift, self.misfit) - self.mixed.T @ self.by_cost

    def _factorise(self, penalty: Penalty, sparse: sp.csr_array, damping: float):
        """The normal equations of the fields."""
        open_ = penalty.problem.open
        soft = np.full(len(self.drift), (damping + LOOSE * open_) / penalty.concentration_noise**2)
        blurred = None
        if isinstance(self.optical, np.ndarray):
            soft[self.seen] += self.optical**2 * self.certain
        else:
            padded = np.zeros(len(soft))
            padded[self.seen] = self.certain
            blurred = penalty.pattern.normal(self.optical, padded, np.zeros(len(soft)))
        self.solve = normal_solver(penalty.plan, penalty.pattern, sparse, self.J, self.weights, soft, blurred)

    def _pull(self, drift, misfit):
        """The slope of ½ Σ w r² by the fields, (C·n,), for residuals r."""
        pulled = self.J.T @ (self.weights * drift)
        if isinstance(self.optical, np.ndarray):
            pulled[self.seen] += self.optical * self.certain * misfit
        else:
            pulled += self.optical[self.seen].T @ (self.certain * misfit)
        return pulled

    def _along(self, drift, misfit):
        """The same by q, (P,)."""
        return self.direct.T @ (self.weights * drift) + self.shown.T @ misfit / self.noise**2

    def column(self, drift, misfit):
        """Of one number more, which changes the residuals so, with the fields free: its information, that which it
        shares with q, and its slope."""
        pulled = self._pull(drift, misfit)
        answer = self.solve(pulled)
        own = self.weights @ drift**2 + misfit @ misfit / self.noise**2 - pulled @ answer
        slope = (self.weights * drift) @ self.drift + misfit @ self.misfit / self.noise**2 - pulled @ self.by_cost
        return own, self._along(drift, misfit) - self.mixed.T @ answer, slope

    def followed(self, answer, dq):
        """The step of the fields (C, H, W), from their answer to a slope and that of the numbers."""
        return -(answer + self.by_numbers @ dq).reshape(self.shape)

    def missed(self, drift, misfit, dq, dstate):
        """Of the residuals at the end of a step what the linear ones miss: its slope of q and the fields' answer."""
        optics = self.optical
        seen = optics * dstate[self.seen] if isinstance(optics, np.ndarray) else optics[self.seen] @ dstate
        drift = drift - self.drift - self.J @ dstate - self.direct @ dq
        misfit = misfit - self.misfit - seen - self.shown @ dq
        answer = self.solve(self._pull(drift, misfit))
        return self._along(drift, misfit) - self.mixed.T @ answer, answer
