"""The weak-form equations of a system, solved for its parameters by Gauss–Newton.

Steady pictures (f = 0 at each cell): ⟨z f_a⟩ = 0 for every test field z and field a, one sample a tile of a picture.
Moving ensembles: ⟨∇φ·f⟩ = 0 for functionals φ only, one sample a picture. Both are linear in the drift, so each is a
generalised least squares for θ (repeated where the drift is not linear in θ). Gray–Scott's mean balance
F = ⟨uv²⟩/(1 − ⟨u⟩) is one row of it.
"""

import dataclasses

import numpy as np

from ..balance.functionals import TestSpace
from ..balance.moments import Model, drift_squares, field_moments, step_moments
from ..balance.regression import Regression, regress
from ..observations.noise import denoise
from ..observations.steadiness import STEADY_SHARE, is_steady
from .weak_freedom import Freedom, freedoms, is_linear

_SAMPLES = 256
_TRIED = 4
_LEVEL_ERROR = 0.1  # of log s²: pattern in the corner of the spectrum, and its sampling error
_OUTER = 10


@dataclasses.dataclass(frozen=True)
class Fit:
    """A regression in parameter space: θ, its covariance, the misfit, and the freedoms that were kept out."""

    theta: np.ndarray
    covariance: np.ndarray
    misfit: float
    freedoms: list[Freedom]
    step: tuple[float, float] | None = None


class Search:
    """The steps of one recovery, and what they share."""

    def __init__(self, model: Model, states, clean, levels, dt, known=()):
        self.model, self.states, self.clean, self.levels, self.dt = model, states, clean, list(levels), dt
        fields = model.system_class.fields
        self.guessed = [a for a, f in enumerate(fields) if levels[a] > 0 and f not in known]
        mean, scale = states.mean((0, 2, 3)), states.std((0, 2, 3))
        scale = np.where(scale > 0, scale, 1.0)
        self.space = TestSpace(model.grid, tuple(map(float, mean)), tuple(map(float, scale)))

    def run(self, theta) -> tuple[Fit, bool]:
        """The fit, and whether the pictures are steady: tried on a few of them first."""
        every = max(1, len(self.states) // _TRIED)
        fit = self.fit_steady(theta, self.states[::every])
        steady = self.drift(fit.theta, self.clean[::every])[1]
        if not steady:
            fit = self.fit_moving(fit.theta if self.is_plausible(fit.theta) else theta)
        elif every > 1:
            fit = self.fit_steady(fit.theta, self.states)
        return fit, steady

    def is_plausible(self, theta) -> bool:
        info = self.model.system_class.parameters()
        return all(info[n].low <= value <= info[n].high for n, value in zip(self.model.free, theta, strict=True))

    def fit_steady(self, theta, states) -> Fit:
        """⟨z_i f_a⟩ = 0 for every test field and field, with tiles as samples."""
        tiles = _tile_count(self.model.grid.shape, len(states))

        def rows(theta, states=states, levels=None):
            moments = field_moments(
                self.model, self.space, states, theta, noise=levels or tuple(self.levels), tiles=tiles
            )
            return moments.reshape(len(moments), -1, moments.shape[-1])

        return self.gauss_newton(theta, rows, steady=True)

    def fit_moving(self, theta) -> Fit:
        """⟨∇φ_i·f⟩ (+ h ½ f·∇²φ_i·f) = 0 for every functional, with pictures as samples."""
        table = self.space.gradients.reshape(len(self.space.labels), -1)

        def rows(theta, states=self.states, levels=None):
            moments = field_moments(self.model, self.space, states, theta, noise=levels or tuple(self.levels))
            flat = moments.reshape(len(moments), table.shape[1], -1)
            return table @ flat

        return self.gauss_newton(theta, rows, steady=False)

    def gauss_newton(self, theta, rows, *, steady: bool) -> Fit:
        """Regress, relinearise, repeat.

        The step term, quadratic in f, is taken at the last θ. Noise levels that were estimated from the spectra are
        unknowns too, with that estimate as earlier knowledge: the functionals of short waves feel errors of a per cent.
        """
        linear = is_linear(self.model, theta, self.clean)
        stepping = not steady and self.dt != 0
        base, leaks = None, None
        for _ in range(_OUTER):
            if base is None or not linear or self.guessed:
                base, table = theta, rows(theta)
            leaks = self.noise_columns(theta, rows) if leaks is None else leaks
            here = np.concatenate([(table[..., 0] + table[..., 1:] @ (theta - base))[..., None], table[..., 1:]], -1)
            second = self.step_term(theta) if stepping else None
            basis = _complement(freedoms(self.model, theta, self.clean, steady=steady), theta)
            result, step = self.solve(here, second, leaks, theta, basis)
            kept = basis.shape[1]
            change = basis @ result.solution[:kept]
            covariance = basis @ result.covariance[:kept, :kept] @ basis.T
            theta = theta + change
            self.correct_levels(result.solution[kept : kept + len(self.guessed)])
            close = np.abs(change) <= 0.05 * np.sqrt(np.maximum(np.diag(covariance), 0)) + 1e-7 * _scales(here, theta)
            if np.all(close) or (linear and not stepping and not self.guessed):
                break
        return Fit(theta, covariance, result.misfit, freedoms(self.model, theta, self.clean, steady=steady), step)

    def step_term(self, theta) -> np.ndarray:
        """½ f·∇²φ·f of the denoised pictures, less what the noise left in them adds (measured as in `drift`)."""
        second = step_moments(self.model, self.space, self.clean, theta)
        if not any(self.levels):
            return second
        few = self.clean[:: max(1, len(self.states) // _TRIED)]
        return second - step_moments(self.model, self.space, self.renoised(few), theta, minus=few).mean(0)

    def renoised(self, states) -> np.ndarray:
        """Fresh noise on denoised pictures, and denoised again: differs from `states` as these do from the truth."""
        rng, grid = np.random.default_rng(7919), self.model.grid
        fields = [states[:, a] + s * rng.standard_normal(states[:, a].shape) for a, s in enumerate(self.levels)]
        return np.stack([denoise(grid, c, s) for c, s in zip(fields, self.levels, strict=True)], 1)

    def noise_columns(self, theta, rows) -> np.ndarray:
        """∂ rows/∂ log s_a² for each field whose noise level was estimated: the same for all samples, (N, fields)."""
        few = self.states[:: max(1, len(self.states) // _TRIED)]
        columns = []
        for a in self.guessed:
            shifted = [
                tuple(s * (factor if b == a else 1) for b, s in enumerate(self.levels)) for factor in (0.95, 1.05)
            ]
            low, high = (rows(theta, few, levels)[..., 0].mean(0) for levels in shifted)
            columns.append((high - low) / (2 * np.log(1.05 / 0.95)))
        return np.array(columns).T

    def correct_levels(self, changes) -> None:
        """Take over the changes of log s_a² that the regression found."""
        for a, change in zip(self.guessed, changes, strict=True):
            self.levels[a] *= float(np.exp(np.clip(change, -0.5, 0.5) / 2))

    def solve(self, rows, second, leaks, theta, basis) -> tuple[Regression, tuple[float, float] | None]:
        """One regression: the coordinates of `basis`, the log noise powers, and the time step h if it is not known."""
        r, J = rows[..., 0], rows[..., 1:]
        sizes = np.sqrt(((J * theta) ** 2).sum(-1) + (r - J @ theta) ** 2)
        A, scale = J @ basis, 1 / np.abs(basis / _scales(rows, theta)[:, None]).max(0)
        if self.guessed:
            A = np.concatenate([A, np.broadcast_to(leaks, (*r.shape, len(self.guessed)))], -1)
            scale = np.append(scale, [np.inf] * len(self.guessed))
        information = np.diag(np.where(np.isinf(scale), 1 / _LEVEL_ERROR**2, 0.0))
        if second is None:
            return regress(A, r, sizes, scale, information=information), None
        h, limit = self.dt, _step_limit(self.model, theta)
        if h is None:
            joint = regress(
                np.concatenate([A, second[..., None]], -1), r, sizes, np.append(scale, np.inf),
                information=np.pad(information, (0, 1)),
            )  # fmt: skip
            h, error = joint.solution[-1], float(np.sqrt(joint.covariance[-1, -1]))
            if 0 <= h <= limit:
                return joint, (float(h), error)
            h = float(np.clip(h, 0, limit))
            return regress(A, r + h * second, sizes, scale, information=information), (h, error)
        return regress(A, r + h * second, sizes, scale, information=information), None

    def drift(self, theta, states) -> tuple[float, bool]:
        """The rms drift of denoised pictures (the larger of the fields), and whether steady ones could show it.

        Denoising leaves some noise, which the drift amplifies. How much is measured by adding fresh noise to the
        denoised pictures and denoising again; its share is taken out, and steadiness is not judged finer than about
        half of it.
        """
        squares, terms = drift_squares(self.model, states, theta)
        floor = np.zeros_like(squares)
        if any(self.levels):
            floor = drift_squares(self.model, self.renoised(states), theta, minus=states)[0]
        excess = np.maximum(squares - floor, 0)
        steady = is_steady(np.sqrt(excess), STEADY_SHARE * np.sqrt(terms), np.sqrt(floor / 3))
        return float(np.sqrt(excess.max())), steady


def _tile_count(shape, pictures: int) -> int:
    """Tiles a side, so that there are samples enough for a covariance and no tile is below 8 cells a side."""
    wanted = int(np.ceil(np.sqrt(_SAMPLES / pictures)))
    return max(1, min(wanted, min(shape) // 8))


def _scales(rows, theta) -> np.ndarray:
    """A natural unit a parameter: its own size, or the value at which its terms are 1e-3 of all terms."""
    J = np.sqrt((rows[..., 1:] ** 2).mean((0, 1)))
    total = np.sqrt(((rows[..., 1:] * theta) ** 2).sum(-1).mean())
    return np.maximum(np.abs(theta), 1e-3 * total / np.where(J > 0, J, np.inf) + 1e-300)


def _complement(free: list[Freedom], theta) -> np.ndarray:
    """Columns that span the directions in which θ may move: all but the freedoms (P, P − number of freedoms)."""
    if not free:
        return np.eye(len(theta))
    unit = np.maximum(np.abs(theta), 1e-3)
    directions = np.array([w.direction / unit for w in free])
    return np.linalg.svd(directions)[2][len(free) :].T * unit[:, None]


def _step_limit(model: Model, theta) -> float:
    """The largest time step at which explicit Euler is stable for the diffusion alone."""
    values = {**dict(model.fix), **dict(zip(model.free, theta, strict=True))}
    largest = max(float(D) for D in model.system_class().with_values(**values).diffusivities())
    return model.grid.dx**2 / (4 * max(largest, 1e-12))
