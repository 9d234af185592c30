"""`recover` where every field is seen: the weak form of stationarity, in any regime, from one or many pictures."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from .._errors import BadInput, nearest
from .._types import Status
from ..balance.moments import Model
from ..observations.independence import effective_number
from ..observations.noise import denoise, known_noise, white_noise_levels
from ..observations.steadiness import contrast, contrast_floor
from ..simulation import Grid
from ..systems import ReactionDiffusion
from .weak_fit import Fit, Search

# Share of its terms by which the mean balance may stay open before the equation itself is in doubt.
MISFIT = 0.2
# Moving pictures that an ensemble needs at least.
ENSEMBLE = 8
ALIKE = 0.9  # share of the pictures that count, below which it is told


@dataclasses.dataclass(frozen=True)
class WeakResult:
    """What the weak form finds. Parameters that stay undetermined are `None` in `values` and `std`.

    `covariance` is that of `fitted` (all free parameters, in the order of `free`); `fitted` holds the values that were
    used, one of many that fit where parameters are undetermined. `combinations` maps the ratios that are determined
    nevertheless to (value, std). `noise` is the absolute standard deviation a field, `drift_per_time` the rms of ∂c/∂t
    (the larger of the fields), `dt` the explicit Euler step that the moving ensemble shows, with its standard
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
    dt: tuple[float, float] | None
    misfit: float
    status: Status
    message: str


def recover_weak(
    system_class: type[ReactionDiffusion],
    grid: Grid,
    states: Float[np.ndarray, "M C H W"],
    *,
    start: Mapping[str, float] | None = None,
    fix: Mapping[str, float] | None = None,
    noise: Mapping[str, float] | None = None,
    dt: float | None = None,
) -> WeakResult:
    """Parameters of a system from unordered pictures of all its fields, steady or moving.

    `start` (default: the system's defaults) matters only where the drift is not linear in the parameters; `fix`
    parameters are known. `noise` is the standard deviation of white noise a field, estimated from the spectra where it
    is not given. `dt` is that of the explicit Euler scheme which made a moving ensemble, 0 for pictures of a
    true flow; `None` lets the ensemble tell it: such a scheme keeps E[φ(c + h f) − φ(c)] = 0, which differs from
    E[∇φ·f] = 0 by several per cent of the diffusion coefficients at h = 1.

    Raises `BadInput` for shapes, names or values that cannot be meant. When it fails: fewer than 8 moving pictures give
    rough values (status `moving`); uniform pictures none (`dead`); pictures of another system `no-fit`. Moving
    pictures that are alike count for fewer (`independence`): intervals are widened by √(M/M_eff), or the status is
    `moving`.
    """
    states = _checked(system_class, grid, states)
    fix = {**(fix or {})}
    names = tuple(system_class.parameters())
    for argument, given in (("start", start or {}), ("fix", fix)):
        for name in given:
            if name not in names:
                raise BadInput(
                    argument, f"must name parameters of {system_class.name}", repr(name), nearest(name, names)
                )
    model = Model(system_class, grid, tuple(n for n in names if n not in fix), tuple(sorted(fix.items())))
    known_noise(noise, system_class.fields)
    none = (0.0,) * len(system_class.fields)
    if _is_dead(states, states, none):  # also of what is too faint to have a spectrum
        return _dead(model, none)
    levels = _noise_levels(system_class, grid, states, noise)
    theta = np.array([{**system_class.defaults(), **(start or {})}[n] for n in model.free], float)
    clean = np.stack([denoise(grid, states[:, a], s) for a, s in enumerate(levels)], 1)
    if _is_dead(states, clean, levels):
        return _dead(model, levels)
    patterned = _patterned(states, clean, levels)
    search = Search(model, states[patterned], clean[patterned], levels, dt, known=tuple(noise or ()))
    fit, steady = search.run(theta)
    alone = len(search.states) if steady else effective_number(search.clean)
    fit = dataclasses.replace(fit, covariance=fit.covariance * (len(search.states) / alone))
    result = _report(search, fit, search.drift(fit.theta, clean[patterned])[0], steady, alone)
    left_out = int((~patterned).sum())
    told = f"{result.message}; {left_out} uniform picture(s) left out" if left_out else result.message
    return dataclasses.replace(result, message=told)


def _checked(system_class, grid, states) -> np.ndarray:
    states = np.asarray(states, float)
    expected = (len(system_class.fields), *grid.shape)
    if states.ndim != 4 or states.shape[1:] != expected or not len(states):
        raise BadInput("states", f"must have shape (M, {', '.join(map(str, expected))})", states.shape)
    if not np.isfinite(states).all():
        raise BadInput("states", "must be finite", "NaN or infinity")
    return np.ascontiguousarray(states)


def _noise_levels(system_class, grid, states, noise) -> tuple[float, ...]:
    known, levels = known_noise(noise, system_class.fields), white_noise_levels(grid, states)
    return tuple(known[f] if f in known else float(level) for f, level in zip(system_class.fields, levels, strict=True))


def _is_dead(states, clean, levels) -> bool:
    """Whether no field varies, over cells or pictures, beyond noise and round-off."""
    return bool(np.all(clean.std((0, 2, 3)) < contrast_floor(states, levels)))


def _patterned(states, clean, levels) -> np.ndarray:
    """Which pictures of a heap vary over their cells; all of them where none does (a uniform oscillation).

    A dead picture among living ones satisfies every equation without a word on θ; counted as a sample, it would feign
    a precision that the others do not have.
    """
    varies = (contrast(clean) >= contrast_floor(states, levels)).any(1)
    return varies if varies.any() else np.ones(len(states), bool)


def _dead(model: Model, levels) -> WeakResult:
    names = model.system_class.parameters()
    fix = dict(model.fix)
    return WeakResult(
        values={n: fix.get(n) for n in names}, std={n: 0.0 if n in fix else None for n in names}, free=model.free,
        fitted={}, covariance=np.full((len(model.free),) * 2, np.nan), identifiable=(), combinations={},
        noise=dict(zip(model.system_class.fields, levels, strict=True)), drift_per_time=None, steady=True,
        dt=None, misfit=0.0, status=Status.DEAD,
        message="every picture is uniform: a dead state holds no information on the parameters",
    )  # fmt: skip


def _report(search: Search, fit: Fit, drift: float, steady: bool, alone: float) -> WeakResult:
    model = search.model
    names, fix = model.system_class.parameters(), dict(model.fix)
    undetermined = {model.free[j] for w in fit.freedoms for j in np.flatnonzero(w.direction)}
    error = dict(zip(model.free, np.sqrt(np.maximum(np.diag(fit.covariance), 0)), strict=True))
    fitted = dict(zip(model.free, map(float, fit.theta), strict=True))
    known = {n: (v, 0.0) for n, v in fix.items()}
    known |= {n: (fitted[n], float(error[n])) for n in model.free if n not in undetermined}
    status, message = _judge(search, fit, known, steady, alone)
    return WeakResult(
        values={n: known[n][0] if n in known else None for n in names},
        std={n: known[n][1] if n in known else None for n in names},
        free=model.free, fitted=fitted, covariance=fit.covariance,
        identifiable=tuple(n for n in names if n in known),
        combinations=_combinations(model.free, fit),
        noise=dict(zip(model.system_class.fields, map(float, search.levels), strict=True)),
        drift_per_time=drift, steady=steady, dt=fit.step, misfit=fit.misfit,
        status=status, message=message,
    )  # fmt: skip


def _judge(search: Search, fit: Fit, known, steady: bool, alone: float) -> tuple[Status, str]:
    """The status, and one line on what it means; the pictures count for `alone` independent ones."""
    info = search.model.system_class.parameters()
    for name, (value, std) in known.items():
        low, high = info[name].low, info[name].high
        if name in search.model.free and not (low - 4 * std - 1e-6 <= value <= high + 4 * std + 1e-6):
            return Status.NO_FIT, (
                f"the best {name} is {value:.4g}, outside [{low:g}, {high:g}]: the pictures do not seem to come "
                f"from {search.model.system_class.name}"
            )
    if fit.misfit > MISFIT:
        return Status.NO_FIT, (
            f"the balance equations of {search.model.system_class.name} stay open by {fit.misfit:.0%} of their terms: "
            "the pictures do not seem to come from it, or are too few to stand for its motion"
        )
    if not steady and len(search.states) < ENSEMBLE:
        return Status.MOVING, (
            f"{len(search.states)} moving picture(s) only: values are rough; give {ENSEMBLE} or more, far apart in time"
        )
    counted = "" if alone > ALIKE * len(search.states) else f", which count for about {max(alone, 1):.0f}"
    if not steady and round(alone) < ENSEMBLE:
        return Status.MOVING, (
            f"these {len(search.states)} pictures count for about {alone:.0f}: frames of one motion are alike; values "
            f"are rough; give pictures further apart in time, or of {ENSEMBLE} runs or more"
        )
    if not known.keys() & set(search.model.free):
        return Status.UNIDENTIFIABLE, "the pictures determine only combinations of the parameters"
    told = "steady pictures" if steady else f"{len(search.states)} pictures of a moving ensemble{counted}"
    return Status.CONVERGED, told


def _combinations(names: tuple[str, ...], fit: Fit) -> dict[str, tuple[float, float]]:
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
