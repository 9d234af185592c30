"""`recover` where every field is seen: the weak form of stationarity, in any regime, from one or many pictures.

Steady pictures (f = 0 at each cell): ⟨z f_a⟩ = 0 for every test field z and field a, one sample a tile of a picture.
Moving ensembles: ⟨∇φ·f⟩ = 0 for functionals φ only, one sample a picture. Both are linear in the drift, so each is a
generalised least squares for θ (Gauss–Newton where the drift is not linear in θ). Gray–Scott's mean balance
F = ⟨uv²⟩/(1 − ⟨u⟩) is one row of it.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from .._errors import BadInput, nearest
from .._types import Status
from ..simulation import Grid
from ..stationarity.functionals import TestSpace
from ..stationarity.moments import Model, drift_squares, field_moments, step_moments
from ..stationarity.regression import Regression, regress
from ..stationarity.spectrum import denoise, white_noise_levels
from ..systems import ReactionDiffusion
from .weak_freedom import Freedom, freedoms, is_linear

# Pictures count as steady while the rms drift is below this share of the rms of its terms. Maze and spots after 20,000
# steps are at 0.002 to 0.005, the slowest of the moving presets at 0.1.
STEADY_SHARE = 0.03
# Share of its terms by which the mean balance may stay open before the equation itself is in doubt.
MISFIT = 0.2
# Moving pictures that an ensemble needs at least.
ENSEMBLE = 8
_SAMPLES = 256
_TRIED = 4
_LEVEL_ERROR = 0.1  # of log s²: pattern in the corner of the spectrum, and its sampling error
_OUTER = 6


@dataclasses.dataclass(frozen=True)
class WeakResult:
    """What the weak form finds. Parameters that stay undetermined are `None` in `values` and `std`.

    `covariance` is that of `fitted` (all free parameters, in the order of `free`); `fitted` holds the values that were
    used, one of many that fit where parameters are undetermined. `combinations` maps the ratios that are determined
    nevertheless to (value, std). `noise` is the absolute standard deviation a field, `drift_per_time` the rms of ∂c/∂t
    (the larger of the fields), `time_step` the explicit Euler step that the moving ensemble shows, with its standard
    deviation (`None`: not asked, or known).
    """

    values: Mapping[str, float | None]
    std: Mapping[str, float | None]
    free: tuple[str, ...]
    fitted: Mapping[str, float]
    covariance: Float[np.ndarray, "P P"]
    identifiable: tuple[str, ...]
    combinations: Mapping[str, tuple[float, float]]
    noise: Mapping[str, float]
    drift_per_time: float | None
    steady: bool
    time_step: tuple[float, float] | None
    misfit: float
    status: Status
    message: str


@dataclasses.dataclass(frozen=True)
class _Fit:
    """A regression in parameter space: θ, its covariance, the misfit, and the freedoms that were kept out."""

    theta: np.ndarray
    covariance: np.ndarray
    misfit: float
    freedoms: list[Freedom]
    step: tuple[float, float] | None = None


def recover_weak(
    system_class: type[ReactionDiffusion],
    grid: Grid,
    states: Float[np.ndarray, "M C H W"],
    *,
    start: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
    noise: Mapping[str, float] | None = None,
    time_step: float | None = None,
) -> WeakResult:
    """Parameters of a system from unordered pictures of all its fields, steady or moving.

    `start` (default: the system's defaults) matters only where the drift is not linear in the parameters; `fixed`
    parameters are known. `noise` is the standard deviation of white noise a field, estimated from the spectra where it
    is not given. `time_step` is that of the explicit Euler scheme which made a moving ensemble, 0 for pictures of a
    true flow; `None` lets the ensemble tell it: such a scheme keeps E[φ(c + h f) − φ(c)] = 0, which differs from
    E[∇φ·f] = 0 by several per cent of the diffusion coefficients at h = 1.

    Raises `BadInput` for shapes, names or values that cannot be meant. When it fails: fewer than 8 moving pictures give
    rough values (status `moving`); uniform pictures none (`dead`); pictures of another system `no-fit`. Standard
    deviations suppose that the pictures are independent: pictures close in time make them too small.
    """
    states = _checked(system_class, grid, states)
    fixed = {**(fixed or {})}
    names = tuple(system_class.parameters())
    for argument, given in (("start", start or {}), ("fixed", fixed)):
        for name in given:
            if name not in names:
                raise BadInput(
                    argument, f"must name parameters of {system_class.name}", repr(name), nearest(name, names)
                )
    model = Model(system_class, grid, tuple(n for n in names if n not in fixed), tuple(sorted(fixed.items())))
    levels = _noise_levels(system_class, grid, states, noise)
    theta = np.array([{**system_class.defaults(), **(start or {})}[n] for n in model.free], float)
    clean = np.stack([denoise(grid, states[:, a], s) for a, s in enumerate(levels)], 1)
    if _is_dead(states, clean, levels):
        return _dead(model, levels)
    return _Search(model, states, clean, levels, time_step, tuple(noise or ())).run(theta)


def _checked(system_class, grid, states) -> np.ndarray:
    states = np.asarray(states, float)
    expected = (len(system_class.fields), *grid.shape)
    if states.ndim != 4 or states.shape[1:] != expected or not len(states):
        raise BadInput("states", f"must have shape (M, {', '.join(map(str, expected))})", states.shape)
    if not np.isfinite(states).all():
        raise BadInput("states", "must be finite", "NaN or infinity")
    return np.ascontiguousarray(states)


def _noise_levels(system_class, grid, states, noise) -> tuple[float, ...]:
    noise = dict(noise or {})
    for name, value in noise.items():
        if name not in system_class.fields:
            raise BadInput("noise", "must name fields", repr(name), nearest(name, system_class.fields))
        if not (np.isfinite(value) and value >= 0):
            raise BadInput("noise", "must be at least 0", value)
    levels = white_noise_levels(grid, states)
    return tuple(float(noise.get(f, level)) for f, level in zip(system_class.fields, levels, strict=True))


def _is_dead(states, clean, levels) -> bool:
    """Whether no field varies, over cells or pictures, beyond noise and round-off."""
    spread = clean.std((0, 2, 3))
    floor = 1e-5 * np.abs(states).max((0, 2, 3)).max() + 0.1 * np.array(levels)
    return bool(np.all(spread < floor))


def _dead(model: Model, levels) -> WeakResult:
    names = model.system_class.parameters()
    fixed = dict(model.fixed)
    return WeakResult(
        values={n: fixed.get(n) for n in names}, std={n: 0.0 if n in fixed else None for n in names}, free=model.free,
        fitted={}, covariance=np.full((len(model.free),) * 2, np.nan), identifiable=(), combinations={},
        noise=dict(zip(model.system_class.fields, levels, strict=True)), drift_per_time=None, steady=True,
        time_step=None, misfit=0.0, status=Status.DEAD,
        message="every picture is uniform: a dead state holds no information on the parameters",
    )  # fmt: skip


class _Search:
    """The steps of one recovery, and what they share."""

    def __init__(self, model: Model, states, clean, levels, time_step, known=()):
        self.model, self.states, self.clean, self.levels, self.time_step = model, states, clean, list(levels), time_step
        fields = model.system_class.fields
        self.guessed = [a for a, f in enumerate(fields) if levels[a] > 0 and f not in known]
        mean, scale = states.mean((0, 2, 3)), states.std((0, 2, 3))
        scale = np.where(scale > 0, scale, 1.0)
        self.space = TestSpace(model.grid, tuple(map(float, mean)), tuple(map(float, scale)))

    def run(self, theta) -> WeakResult:
        every = max(1, len(self.states) // _TRIED)
        fit = self.fit_steady(theta, self.states[::every])
        steady = self.drift(fit.theta, self.clean[::every])[1]
        if not steady:
            fit = self.fit_moving(fit.theta if self.is_plausible(fit.theta) else theta)
        elif every > 1:
            fit = self.fit_steady(fit.theta, self.states)
        return self.report(fit, self.drift(fit.theta, self.clean)[0], steady)

    def is_plausible(self, theta) -> bool:
        info = self.model.system_class.parameters()
        return all(info[n].low <= value <= info[n].high for n, value in zip(self.model.free, theta, strict=True))

    def fit_steady(self, theta, states) -> _Fit:
        """⟨z_i f_a⟩ = 0 for every test field and field, with tiles as samples."""
        tiles = _tile_count(self.model.grid.shape, len(states))

        def rows(theta, states=states, levels=None):
            moments = field_moments(
                self.model, self.space, states, theta, noise=levels or tuple(self.levels), tiles=tiles
            )
            return moments.reshape(len(moments), -1, moments.shape[-1])

        return self.gauss_newton(theta, rows, steady=True)

    def fit_moving(self, theta) -> _Fit:
        """⟨∇φ_i·f⟩ (+ h ½ f·∇²φ_i·f) = 0 for every functional, with pictures as samples."""
        table = self.space.gradients.reshape(len(self.space.labels), -1)

        def rows(theta, states=self.states, levels=None):
            moments = field_moments(self.model, self.space, states, theta, noise=levels or tuple(self.levels))
            flat = moments.reshape(len(moments), table.shape[1], -1)
            return table @ flat

        return self.gauss_newton(theta, rows, steady=False)

    def gauss_newton(self, theta, rows, *, steady: bool) -> _Fit:
        """Regress, relinearise, repeat.

        The step term, quadratic in f, is taken at the last θ. Noise levels that were estimated from the spectra are
        unknowns too, with that estimate as earlier knowledge: the functionals of short waves feel errors of a per cent.
        """
        linear = is_linear(self.model, theta, self.clean)
        stepping = not steady and self.time_step != 0
        base = None
        for _ in range(_OUTER):
            if base is None or not linear or self.guessed:
                base, table, leaks = theta, rows(theta), self.noise_columns(theta, rows)
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
        return _Fit(theta, covariance, result.misfit, freedoms(self.model, theta, self.clean, steady=steady), step)

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
            shifted = [tuple(s * (factor if b == a else 1) for b, s in enumerate(self.levels)) for factor in (0.95, 1.05)]
            low, high = (rows(theta, few, levels)[..., 0].mean(0) for levels in shifted)
            columns.append((high - low) / (2 * np.log(1.05 / 0.95)))
        return np.array(columns).T

    def correct_levels(self, changes) -> None:
        """Take over the changes of log s_a² that the regression found."""
        for a, change in zip(self.guessed, changes, strict=True):
            self.levels[a] *= float(np.exp(np.clip(change, -0.5, 0.5) / 2))

    def solve(self, rows, second, leaks, theta, basis) -> tuple[Regression, tuple[float, float] | None]:
        """One regression: the coordinates of `basis`, the log noise powers, and the time step h where it is not known."""
        r, J = rows[..., 0], rows[..., 1:]
        sizes = np.sqrt(((J * theta) ** 2).sum(-1) + (r - J @ theta) ** 2)
        A, scale = J @ basis, 1 / np.abs(basis / _scales(rows, theta)[:, None]).max(0)
        if self.guessed:
            A = np.concatenate([A, np.broadcast_to(leaks, (*r.shape, len(self.guessed)))], -1)
            scale = np.append(scale, [np.inf] * len(self.guessed))
        information = np.diag(np.where(np.isinf(scale), 1 / _LEVEL_ERROR**2, 0.0))
        if second is None:
            return regress(A, r, sizes, scale, information=information), None
        h, limit = self.time_step, _step_limit(self.model, theta)
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
        """The rms drift of denoised pictures (the larger of the fields), and whether it is small enough for steady ones.

        Denoising leaves some noise, which the drift amplifies. How much is measured by adding fresh noise to the
        denoised pictures and denoising again; its share is taken out, and steadiness is not judged finer than about half of it.
        """
        squares, terms = drift_squares(self.model, states, theta)
        floor = np.zeros_like(squares)
        if any(self.levels):
            floor = drift_squares(self.model, self.renoised(states), theta, minus=states)[0]
        excess = np.maximum(squares - floor, 0)
        steady = np.all(excess <= STEADY_SHARE**2 * terms + floor / 3)
        return float(np.sqrt(excess.max())), bool(steady)

    def report(self, fit: _Fit, drift: float, steady: bool) -> WeakResult:
        names, fixed = self.model.system_class.parameters(), dict(self.model.fixed)
        undetermined = {self.model.free[j] for w in fit.freedoms for j in np.flatnonzero(w.direction)}
        error = dict(zip(self.model.free, np.sqrt(np.maximum(np.diag(fit.covariance), 0)), strict=True))
        fitted = dict(zip(self.model.free, map(float, fit.theta), strict=True))
        known = {**{n: (v, 0.0) for n, v in fixed.items()}}
        known |= {n: (fitted[n], float(error[n])) for n in self.model.free if n not in undetermined}
        status, message = self.judge(fit, known, steady)
        return WeakResult(
            values={n: known[n][0] if n in known else None for n in names},
            std={n: known[n][1] if n in known else None for n in names},
            free=self.model.free, fitted=fitted, covariance=fit.covariance,
            identifiable=tuple(n for n in names if n in known),
            combinations=_combinations(self.model.free, fit),
            noise=dict(zip(self.model.system_class.fields, self.levels, strict=True)),
            drift_per_time=drift, steady=steady, time_step=fit.step, misfit=fit.misfit,
            status=status, message=message,
        )  # fmt: skip

    def judge(self, fit: _Fit, known, steady: bool) -> tuple[Status, str]:
        """The status, and one line on what it means."""
        info = self.model.system_class.parameters()
        for name, (value, std) in known.items():
            low, high = info[name].low, info[name].high
            if name in self.model.free and not (low - 4 * std - 1e-6 <= value <= high + 4 * std + 1e-6):
                return Status.NO_FIT, (
                    f"the best {name} is {value:.4g}, outside [{low:g}, {high:g}]: the pictures do not seem to come "
                    f"from {self.model.system_class.name}"
                )
        if fit.misfit > MISFIT:
            return Status.NO_FIT, (
                f"the balance equations of {self.model.system_class.name} stay open by {fit.misfit:.0%} of their terms: "
                "the pictures do not seem to come from it, or are too few to stand for its motion"
            )
        if not steady and len(self.states) < ENSEMBLE:
            return Status.MOVING, (
                f"{len(self.states)} moving picture(s) only: values are rough; give {ENSEMBLE} or more, far apart in time"
            )
        if not known.keys() & set(self.model.free):
            return Status.UNIDENTIFIABLE, "the pictures determine only combinations of the parameters"
        return Status.CONVERGED, "steady pictures" if steady else f"{len(self.states)} pictures of a moving ensemble"


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
    values = {**dict(model.fixed), **dict(zip(model.free, theta, strict=True))}
    largest = max(float(D) for D in model.system_class().with_values(**values).diffusivities())
    return model.grid.dx**2 / (4 * max(largest, 1e-12))


def _combinations(names: tuple[str, ...], fit: _Fit) -> dict[str, tuple[float, float]]:
    """Ratios of powers that each freedom leaves alone, as text → (value, std)."""
    found = {}
    for freedom in fit.freedoms:
        e = freedom.exponents(fit.theta)
        first, *others = np.flatnonzero(np.abs(e) > 1e-9)
        for j in others:
            power = e[first] / e[j]
            text = names[first] + "/" + names[j] + ("" if abs(power - 1) < 1e-4 else f"^{power:.4g}")
            value = fit.theta[first] / np.sign(fit.theta[j]) / np.abs(fit.theta[j]) ** power
            slope = np.zeros(len(names))
            slope[first], slope[j] = 1 / fit.theta[first], -power / fit.theta[j]
            found[text] = (float(value), float(abs(value) * np.sqrt(max(slope @ fit.covariance @ slope, 0))))
    return found
