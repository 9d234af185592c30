"""Parameters and hidden fields of a reaction–diffusion system from still pictures of one of its fields."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._errors import BadInput, nearest
from .._types import Status
from ..observations.noise import Noise, denoise, estimate_noise
from ..observations.steadiness import ALL_NOISE, FADING, UNEXPLAINED, contrast_floor, is_steady
from ..observations.steadiness import contrast as contrast_of
from ..simulation.jacobian import drift_of, rms_drift
from ..systems import ReactionDiffusion
from ..systems.grid import Grid
from .hidden_combinations import Combination, combinations, null_directions, undetermined
from .hidden_elimination import Problem, choose_route
from .hidden_refinement import Penalty, covariance_of, refine
from .hidden_search import Balance, Fitted, Scaling, descend, evaluate, search
from .hidden_verdict import FAINT, RELAXED, Ended, Goodness, objection

SEARCHED = 2  # pictures that the many starts of the search are tried on
LAST_DESCENT = 400  # iterations with all pictures
# Root mean square of (error / coherent bound), measured over 28 Gray–Scott pictures at 48² and 96² after 20,000 steps:
# below 0.15 in 26 of them, 0.3 and 0.9 in two nearly perfect stripe patterns.
COHERENT = 0.2
RESOLVED = 1e-9  # of q
BLOCK = 16  # cells; longer than a pattern's correlation, for the covariance of a noise-free fit


@dataclasses.dataclass(frozen=True)
class HiddenResult:
    """Outcome of `recover_hidden`.

    `values` and `std` hold None for a parameter that the picture does not determine; `estimate` holds the number
    used all the same (one point of the undetermined family), so that `system` can be set in motion.
    `covariance` is of the numbers q named by `free`: log θ where `logarithmic`, else θ/`scale`.
    `fields` are the fitted fields (M, C, H, W); `noise` the absolute standard deviation of the white noise;
    `drift` the rms of ∂c/∂t per time, largest of the fields, that the fit could not remove: for noisy pictures a
    lower bound. `residual` is the unexplained change of the seen field relative to its contrast.
    """

    system_class: type[ReactionDiffusion]
    observed: str
    hidden: tuple[str, ...]
    free: tuple[str, ...]
    fix: dict[str, float]
    values: dict[str, float | None]
    std: dict[str, float | None]
    estimate: dict[str, float]
    covariance: np.ndarray
    logarithmic: np.ndarray
    scale: np.ndarray
    combinations: list[Combination]
    fields: np.ndarray
    noise: float
    drift: float
    residual: float
    status: Status
    message: str
    history: list[dict]

    @property
    def system(self) -> ReactionDiffusion:
        """The system at the estimate."""
        base = self.system_class(**self.system_class.defaults())
        return base.with_values(**self.estimate)


def recover_hidden(
    system_class: type[ReactionDiffusion],
    grid: Grid,
    observed: str,
    pictures: np.ndarray,
    *,
    start: Mapping[str, float] | None = None,
    fix: Mapping[str, float] | None = None,
    noise: float | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> HiddenResult:
    """Parameters θ and hidden fields of ∂c/∂t = D∇²c + R(c; θ) from pictures of one field of a steady pattern.

    Given the seen field, the hidden one solves an elliptic equation (`choose_route`); what is left is a fixed-point
    residual in θ alone, fitted from many starts (`search`). Noisy pictures are then refined to the maximum-likelihood
    estimate: the steady state nearest to the pictures (`refine`).

    Arguments: `observed`, the seen field's name; `pictures` (M, H, W) in the field's own unit, all of one parameter
    set; `start`, a guess that is tried besides the method's own starts; `fix`, parameters that are known; `noise`,
    the standard deviation of white noise where known (estimated otherwise); `progress`, called with one dictionary
    an iteration.

    Returns a `HiddenResult`; status `CONVERGED` (no rule of `hidden_verdict` forbids it), `NOT_CONVERGED`, `MOVING`
    (the pattern is not steady: the numbers are then wrong), `DEAD` (no pattern), `NO_FIT`, `UNIDENTIFIABLE` (no
    parameter is determined). Raises `BadInput`.

    Fails where noise exceeds a few per cent of the contrast, and where the pattern is not resolved by the grid.
    """
    fix, pictures = dict(fix or {}), np.asarray(pictures, float)
    _check(system_class, grid, observed, pictures, {**(start or {}), **fix}, noise)
    names = tuple(n for n in system_class.parameters() if n not in fix)
    problem = Problem(system_class, grid, system_class.fields.index(observed), names, fix)
    level = Noise(noise, noise > 0, 0.0) if noise is not None else estimate_noise(grid, pictures)
    contrast = float(contrast_of(pictures).mean())
    if _is_flat(problem, pictures, contrast) or (level.detected and level.std > ALL_NOISE * contrast):
        return _empty(problem, level, Status.DEAD, "The picture carries no pattern: nothing can be recovered from it.")
    return _Recovery(problem, pictures, level, contrast, start, progress or (lambda entry: None)).run()


def _is_flat(problem: Problem, pictures: np.ndarray, contrast: float) -> bool:
    """No pattern: uniform to round-off, or far fainter than what sets the system's patterns going (a dying field)."""
    base = problem.system_class(**problem.system_class.defaults())
    rest, patch = (float(state[problem.observed]) for state in (base.rest(), base.patch()))
    return contrast <= max(contrast_floor(pictures), FADING * abs(patch - rest))


def _check(system_class, grid, observed, pictures, named, noise):
    if observed not in system_class.fields:
        raise BadInput(
            "observe",
            f"must name a field of {system_class.name}",
            repr(observed),
            nearest(observed, system_class.fields),
        )
    if pictures.ndim != 3 or pictures.shape[1:] != grid.shape:
        raise BadInput("pictures", f"must have shape (M, {grid.shape[0]}, {grid.shape[1]})", pictures.shape)
    if not np.isfinite(pictures).all():
        raise BadInput("pictures", "must be finite", "NaN or infinity")
    for name in named:
        if name not in system_class.parameters():
            known = system_class.parameters()
            raise BadInput(
                "fix or start", f"must name parameters of {system_class.name}", repr(name), nearest(name, known)
            )
    if noise is not None and not noise >= 0:
        raise BadInput("noise", "must not be negative", noise)


class _Recovery:
    """One run of `recover_hidden`, so that its stages need not pass everything along."""

    def __init__(self, problem: Problem, pictures, noise: Noise, contrast: float, start, progress):
        self.problem, self.pictures, self.noise, self.contrast = problem, pictures, noise, contrast
        self.route = choose_route(problem.system_class, problem.observed)
        self.scaling, self.progress = Scaling.of(problem), progress
        self.start = None
        if start is not None:
            self.start = np.array([start.get(n, problem.system_class.defaults()[n]) for n in problem.names])

    def run(self) -> HiddenResult:
        clean = denoise(self.problem.grid, self.pictures, self.noise.std) if self.noise.detected else self.pictures
        best = self._best(clean)
        if best is None:
            return _empty(self.problem, self.noise, Status.NO_FIT, "No parameters give a finite hidden field.")
        null, share = null_directions(best.slopes), self.noise.std / self.contrast
        moving = not is_steady(np.sqrt(2 * best.cost), UNEXPLAINED, share if self.noise.detected else 0.0)
        if self.noise.detected and not moving and share > FAINT:
            return self._noisy(best, null)
        return self._clean(best, null, moving)

    def _clean(self, best: Fitted, null: np.ndarray, moving: bool) -> HiddenResult:
        """The search's end as it is."""
        system = self.problem.system(self.scaling.values(best.q))
        drift = max(rms_drift(drift_of(system, self.problem.grid, state)) for state in best.states)
        end = self._ended(best, drift, moving, best.exhausted, None)
        return self._result(best.q, _block_covariance(best, null), null, best.states, end, [])

    def _noisy(self, best: Fitted, null: np.ndarray) -> HiddenResult:
        """The search's end, refined to the maximum likelihood."""
        penalty = Penalty(self.problem, self.scaling, self.pictures, self.noise.std, best.states, best.q)
        at = refine(penalty, best.q, best.states, null, report=self.progress)
        goodness = Goodness.of(self.problem.grid, at.misfit, self.noise)
        if not goodness.is_noise and self.noise.relative_error > 0 and (raw := self._without_noise(best)) is not None:
            return self._clean(raw, null_directions(raw.slopes), False)
        end = self._ended(best, rms_drift(at.drift), False, at.exhausted, goodness)
        return self._result(at.q, at.covariance, null, at.states, end, at.history)

    def _without_noise(self, best: Fitted) -> Fitted | None:
        """The fit of the pictures as they are, where it leaves no more than a pattern at rest does: then what was taken
        for noise is the pattern's own, which fills the corner of its spectrum where it has fine structure."""
        raw = Balance(self.problem, self.route, self.pictures)
        at = evaluate(raw, self.scaling, best.q)
        at = None if at is None else descend(raw, self.scaling, at, LAST_DESCENT)
        if at is None or np.sqrt(2 * at.cost) > RELAXED:
            return None
        self.noise = dataclasses.replace(self.noise, detected=False)
        return at

    def _ended(self, search: Fitted, drift: float, moving: bool, exhausted: bool, goodness: Goodness | None) -> Ended:
        """All but `bounds`, which `_result` knows."""
        return Ended(
            system=self.problem.system_class.name,
            residual=float(np.sqrt(2 * search.cost)),
            drift=float(drift),
            moving=moving,
            bounds=[],
            exhausted=exhausted,
            noise=self.noise,
            noise_share=self.noise.std / self.contrast,
            goodness=goodness,
        )

    def _best(self, clean: np.ndarray) -> Fitted | None:
        """The search, on the first few pictures where there are many, and its best end carried on with all."""
        few = Balance(self.problem, self.route, clean[:SEARCHED])
        found = search(few, self.scaling, self.start, report=self.progress)
        if not found or len(clean) <= SEARCHED:
            return found[0] if found else None
        every = Balance(self.problem, self.route, clean)
        at = evaluate(every, self.scaling, found[0].q)
        return None if at is None else descend(every, self.scaling, at, LAST_DESCENT)

    def _result(self, q, covariance, null, states, end: Ended, history) -> HiddenResult:
        problem, scaling, names = self.problem, self.scaling, self.problem.names
        values = scaling.values(q)
        free = undetermined(null, covariance, scaling, values)
        spread = np.sqrt(np.maximum(np.diag(covariance), 0)) * scaling.slope(values)
        known = combinations(null, covariance, names, scaling, values)
        end = dataclasses.replace(end, bounds=[n for n, at in zip(names, scaling.at_bound(q), strict=True) if at])
        status, message = objection(end) or _determined(names, free, known)
        return HiddenResult(
            **_told(problem, scaling, self.noise),
            values={n: None if f else float(v) for n, v, f in zip(names, values, free, strict=True)},
            std={n: None if f else float(s) for n, s, f in zip(names, spread, free, strict=True)},
            estimate={**{n: float(v) for n, v in zip(names, values, strict=True)}, **problem.fix},
            covariance=covariance,
            combinations=known,
            fields=states,
            drift=end.drift,
            residual=end.residual,
            status=status,
            message=message,
            history=history,
        )


def _determined(names, free, known) -> tuple[Status, str]:
    """What a steady pattern determines."""
    if not free.any():
        return Status.CONVERGED, "The pattern is steady and determines all parameters."
    loose = ", ".join(n for n, f in zip(names, free, strict=True) if f)
    message = f"The pattern is steady; it leaves {loose} free"
    message += f" and determines {', '.join(map(str, known))}." if known else "."
    if free.all():
        return Status.UNIDENTIFIABLE, message + " Fix one of them to find the others."
    return Status.CONVERGED, message


def _told(problem: Problem, scaling: Scaling, noise: Noise) -> dict[str, Any]:
    """The parts of a result that no search changes."""
    return {
        "system_class": problem.system_class,
        "observed": problem.system_class.fields[problem.observed],
        "hidden": tuple(problem.system_class.fields[i] for i in problem.hidden),
        "free": problem.names,
        "fix": dict(problem.fix),
        "logarithmic": scaling.logarithmic,
        "scale": scaling.scale,
        "noise": noise.std if noise.detected else 0.0,
    }


def _block_covariance(fit: Fitted, null: np.ndarray) -> np.ndarray:
    """Covariance of q from the residual itself: H⁻¹ (Σ_b g_b g_bᵀ) H⁻¹ over blocks b of cells, g = Σ_block r ∂r/∂q.

    What remains of a noise-free fit is the pattern's own drift, correlated over a wavelength: blocks longer than that
    are nearly independent (a spatial "sandwich": T. G. Conley, J. Econometrics 92, 1 (1999),
    doi:10.1016/S0304-4076(98)00084-0). But regular patterns relax all over at once, and a drift that is coherent over
    the picture hides in θ: at worst it shifts q by its whole size, covariance N⟨r²⟩ H⁻¹. A share of that, `COHERENT`,
    is added; and `RESOLVED`², the square of what the descent resolves.
    """
    scores = fit.slopes * fit.residual
    for axis in (2, 3):
        count = max(3, scores.shape[axis] // BLOCK)
        edges = np.linspace(0, scores.shape[axis], count + 1).astype(int)[:-1]
        scores = np.add.reduceat(scores, edges, axis)
    g = scores.reshape(len(scores), -1)
    J = fit.slopes.reshape(len(g), -1)
    inverse = covariance_of(J @ J.T, null)
    independent = inverse @ (g @ g.T) @ inverse * g.shape[1] / max(g.shape[1] - len(g), 1)
    coherent = fit.residual.size * float((fit.residual**2).mean()) * inverse
    return independent + COHERENT**2 * coherent + RESOLVED**2 * np.eye(len(g))


def _empty(problem: Problem, noise: Noise, status: Status, message: str) -> HiddenResult:
    names = problem.names
    return HiddenResult(
        **_told(problem, Scaling.of(problem), noise),
        values=dict.fromkeys(names),
        std=dict.fromkeys(names),
        estimate=dict(problem.fix),
        covariance=np.full((len(names), len(names)), np.inf),
        combinations=[],
        fields=np.zeros((0, len(problem.system_class.fields), *problem.grid.shape)),
        drift=0.0,
        residual=0.0,
        status=status,
        message=message,
        history=[],
    )
