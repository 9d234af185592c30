"""Parameters and hidden fields of a reaction–diffusion system from still pictures of one of its fields."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from .._errors import BadInput, nearest
from .._types import Status
from ..observations.camera import ABSOLUTE, BLURS, Camera
from ..observations.gaps import Filling
from ..observations.noise import Noise, denoise, estimate_noise
from ..observations.steadiness import ALL_NOISE, UNEXPLAINED, contrast_floor, is_steady
from ..observations.steadiness import contrast as contrast_of
from ..simulation.jacobian import drift_of, rms_drift
from ..simulation.multifrontal import SingularMatrix
from ..systems import ReactionDiffusion
from ..systems.grid import FIVE_POINT, Grid
from .causes import likeliest_cause
from .hidden_combinations import combinations, determined_products, null_directions
from .hidden_elimination import choose_route
from .hidden_noisy import NoisyFit
from .hidden_penalty import Penalty
from .hidden_problem import Problem, Scaling
from .hidden_refinement import covariance_of, refine
from .hidden_result import HiddenResult, determined, empty, is_flat, numbers_of, out_of_range, told_of
from .hidden_search import Balance, Fitted, busiest_part, descend, evaluate, search
from .hidden_verdict import COLOURED, FAINT, RELAXED, Ended, Goodness, objection
from .ties import Tie

PART, ENOUGH = 72, 100  # cells a side: of the part of a picture that is searched, where it has more than these
SEARCHED = 2  # pictures that the many starts of the search are tried on
LAST_DESCENT = 400  # iterations with all pictures
# Root mean square of (error / coherent bound), measured over 28 Gray–Scott pictures at 48² and 96² after 20,000 steps:
# below 0.15 in 26 of them, 0.3 and 0.9 in two nearly perfect stripe patterns.
COHERENT = 0.2
RESOLVED = 1e-9  # of q
UNSEEN = 3e-4  # of the contrast: what the pictures of a window, or with gaps, are held to without noise
STANDING_IN = 5  # times more may stay unexplained of what stands in for gaps, before a fit that does without it
FITS = (Status.CONVERGED, Status.UNIDENTIFIABLE)
BLOCK = 16  # cells; longer than a pattern's correlation, for the covariance of a noise-free fit


def recover_hidden(
    system_class: type[ReactionDiffusion],
    grid: Grid,
    observed: str,
    pictures: np.ndarray,
    *,
    start: Mapping[str, float] | None = None,
    fix: Mapping[str, float] | None = None,
    ties: tuple[Tie, ...] = (),
    noise: float | None = None,
    camera: Camera = ABSOLUTE,
    window: bool = False,
    seen: Bool[np.ndarray, "H W"] | None = None,
    explain: bool = True,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> HiddenResult:
    """Parameters θ and hidden fields of ∂c/∂t = D∇²c + R(c; θ) from pictures of one field of a steady pattern.

    Given the seen field, the hidden one solves an elliptic equation (`choose_route`); what is left is a fixed-point
    residual in θ alone, fitted from many starts (`search`). Noisy pictures are then refined to the maximum-likelihood
    estimate: the steady state nearest to the pictures (`refine`).

    Arguments: `observed`, the seen field's name; `pictures` (M, H, W) in the field's own unit, all of one parameter
    set; `start`, a guess that is tried besides the method's own starts; `fix`, parameters that are known; `ties`,
    products of powers that are; `noise`, the standard deviation of white noise in the pictures'
    unit where known (estimated otherwise); `camera`, what made grey values of concentrations; `window`, whether the
    pictures are cut from larger ones, on a no-flux grid then; `seen`, which pixels are (all by default), the values of
    the others do not matter; `explain`, whether to look for the likeliest cause of a
    misfit; `progress`, called with one dictionary an iteration.

    Returns a `HiddenResult`; status `CONVERGED` (no rule of `hidden_verdict` forbids it), `NOT_CONVERGED`, `MOVING`
    (the pattern is not steady: the numbers are then wrong), `DEAD` (no pattern), `NO_FIT`, `UNIDENTIFIABLE` (no
    parameter is determined). Raises `BadInput`.

    Fails where noise exceeds a third of the contrast, and where the pattern is not resolved by the grid.
    """
    fix, pictures = dict(fix or {}), np.asarray(pictures, float)
    _check(system_class, grid, observed, pictures, {**(start or {}), **fix}, noise)
    names = tuple(n for n in system_class.parameters() if n not in {*fix, *(tie.name for tie in ties)})
    problem = Problem(system_class, grid, system_class.fields.index(observed), names, fix, ties, camera, window, seen)
    filling = None if seen is None else Filling(grid, seen)
    pictures = pictures if filling is None else filling(pictures)
    scaling = Scaling.of(problem, pictures)
    level = Noise(noise, noise > 0, 0.0) if noise is not None else _estimated_noise(grid, pictures, filling)
    contrast = float(contrast_of(pictures).mean())
    faint = is_flat(problem, pictures, contrast) if camera.gain is not None else contrast <= contrast_floor(pictures)
    if faint or (level.detected and level.std > ALL_NOISE * contrast):
        return empty(problem, scaling, level, Status.DEAD, "The picture carries no pattern: nothing can be recovered.")

    def recovery(problem: Problem, explain: bool) -> "_Recovery":
        report = progress or (lambda entry: None)
        return _Recovery(problem, pictures, level, contrast, start, explain, report)

    if camera.blur is None and level.detected:  # found more safely from the sharp fit on, where there is one
        doubted = dataclasses.replace(camera, blur=0.0, blur_std=BLURS[1])
        sharp = recovery(dataclasses.replace(problem, camera=doubted), explain=False)
        found = sharp.run()
        if found.status in FITS and sharp.problem.camera.blur is None:
            return found
    return recovery(problem, explain).run()


def _estimated_noise(grid: Grid, pictures: np.ndarray, filling: Filling | None) -> Noise:
    """That of the seen pixels: gaps are filled smoothly, and what they keep of white noise is known."""
    level = estimate_noise(grid, pictures)
    kept = 1.0 if filling is None else estimate_noise(grid, filling.noise).std
    return dataclasses.replace(level, std=level.std / kept)


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

    def __init__(self, problem: Problem, pictures, noise: Noise, contrast: float, start, explain, progress):
        self.problem, self.pictures, self.noise, self.contrast = problem, pictures, noise, contrast
        self.route = choose_route(problem.system_class, problem.observed)
        self.scaling, self.explain, self.progress = Scaling.of(problem, pictures), explain, progress
        self.start = self.scaling.started(problem.sought, start)

    def run(self) -> HiddenResult:
        clean = self._without(self.noise)
        try:
            found = self._fitted(clean)
            if self.noise.doubtful and found.status in (Status.MOVING, Status.NO_FIT):
                found, clean = self._noisy_after_all(found, clean)
        except SingularMatrix as error:
            return empty(self.problem, self.scaling, self.noise, Status.NOT_CONVERGED, f"No refinement: {error}.")
        if self.explain and found.status in (Status.MOVING, Status.NO_FIT, Status.NOT_CONVERGED) and found.residual > 0:
            cause = likeliest_cause(self.problem, self.route, clean, found.residual)
            found = dataclasses.replace(found, message=found.message + cause)
        return found

    def _without(self, noise: Noise) -> np.ndarray:
        """The pictures, freed of noise for the search."""
        return denoise(self.problem.grid, self.pictures, noise.std) if noise.detected else self.pictures

    def _noisy_after_all(self, found: HiddenResult, clean: np.ndarray) -> tuple[HiddenResult, np.ndarray]:
        """A fit that fails where noise was not detected by chance, perhaps: once more with it."""
        before = self.noise, self.problem, self.scaling
        self.noise = dataclasses.replace(self.noise, detected=True, doubtful=False)
        denoised = self._without(self.noise)
        again = self._fitted(denoised)
        if again.status in FITS:
            return again, denoised
        self.noise, self.problem, self.scaling = before
        return found, clean

    def _fitted(self, clean: np.ndarray) -> HiddenResult:
        """The best fit of the pictures, freed of their noise for the search, and its verdict."""
        best = self._best(clean)
        if best is None:
            return empty(
                self.problem, self.scaling, self.noise, Status.NO_FIT, "No parameters give a finite hidden field."
            )
        null, share = null_directions(best.slopes), self.noise.std / self.contrast
        allowed = UNEXPLAINED * (1 if self.problem.seen is None else STANDING_IN)
        moving = not is_steady(np.sqrt(2 * best.cost), allowed, share if self.noise.detected else 0.0)
        # What seems to move may be noise that is weak in the corner of the spectrum alone: a fit will tell.
        if self.noise.detected and share > FAINT and (not moving or np.sqrt(2 * best.cost) < COLOURED):
            before, found = (self.noise, self.problem, self.scaling), self._noisy(best, null)
            if not moving or found.status in FITS:
                return found
            self.noise, self.problem, self.scaling = before
        if self.problem.open and not moving:
            return self._open(best, null)
        return self._clean(best, null, moving)

    def _clean(self, best: Fitted, null: np.ndarray, moving: bool) -> HiddenResult:
        """The search's end as it is."""
        system = self.problem.system(self.scaling.values(best.q))
        drift = max(rms_drift(drift_of(system, self.problem.grid, state)) for state in best.states)
        end = self._ended(best, drift, moving, best.exhausted, None)
        return self._result(best, best.q, _block_covariance(best, null), null, best.states, end, [], best.residual)

    def _open(self, best: Fitted, null: np.ndarray) -> HiddenResult:
        """A window, or a picture with gaps, without noise: the elimination has assumed what is there, the penalty does
        not. Data are held to `UNSEEN` of the contrast, so that the intervals are wide rather than sharp."""
        held = UNSEEN * self.contrast
        penalty = Penalty(self.problem, self.scaling, self.pictures, held, best.states, best.q, null)
        at = refine(penalty, best.q, best.states, null, report=self.progress)
        end = self._ended(best, rms_drift(at.drift), False, at.exhausted, None)
        left = float(np.sqrt((at.misfit**2).mean() / self.problem.pixels.mean()))
        end = dataclasses.replace(end, residual=left / self.contrast)
        return self._result(best, at.q, at.covariance, null, at.states, end, at.history, at.misfit / self.contrast)

    def _noisy(self, best: Fitted, null: np.ndarray) -> HiddenResult:
        """The search's end, refined to the maximum likelihood."""
        fit = NoisyFit(self.problem, self.scaling, self.pictures, self.noise, self.progress)
        found = fit.run(best, null)
        goodness, estimated = found.goodness, self.noise.relative_error > 0
        if goodness.is_less and estimated and self.problem.open:
            self.noise = dataclasses.replace(self.noise, detected=False)
            return self._open(best, null)
        self.problem, self.scaling, self.noise = fit.problem, fit.scaling, fit.noise
        best, at, null = found.best, found.at, found.null
        if not goodness.is_noise and estimated and (raw := self._without_noise(best)) is not None:
            return self._clean(raw, null_directions(raw.slopes), False)
        end = self._ended(best, rms_drift(at.drift), False, at.exhausted, goodness)
        covariance, told = fit.covariance(found)
        result = self._result(best, at.q, covariance, null, at.states, end, at.history, at.misfit / self.noise.std)
        return dataclasses.replace(result, message=result.message + told) if result.status in FITS else result

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
            system=f"{self.problem.system_class.name} at rest",
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
        """The best end of the search, carried on with all cells of all pictures and the grid's own Laplacian: the
        search does with five points, whose solves are direct."""
        rough = dataclasses.replace(self.problem, grid=self.problem.grid.five_point)
        few = Balance(rough, self.route, clean[:SEARCHED])
        if min(clean.shape[1:]) > ENOUGH:
            found = self._of_a_part(clean, few)
            if found is not None and np.sqrt(2 * found.cost) <= UNEXPLAINED:
                return self._with_all(clean, found)
        searched = search(few, self.scaling, self.start, report=self.progress)
        return self._with_all(clean, searched[0]) if searched else None

    def _of_a_part(self, clean: np.ndarray, few: Balance) -> Fitted | None:
        """The search on a part of large pictures, as a window, carried on with all cells of the first few."""
        place = busiest_part(clean[0], PART, self.problem.pixels)
        cut = self.problem.part(*place)
        found = search(
            Balance(cut, self.route, clean[:SEARCHED, *place]), self.scaling, self.start, report=self.progress
        )
        at = evaluate(few, self.scaling, found[0].q) if found else None
        return None if at is None else descend(few, self.scaling, at, LAST_DESCENT)

    def _with_all(self, clean: np.ndarray, found: Fitted) -> Fitted | None:
        """The search's end, carried on where it saw only the first few pictures or another Laplacian."""
        if len(clean) <= SEARCHED and self.problem.grid.scheme == FIVE_POINT:
            return found
        every = Balance(self.problem, self.route, clean)
        at = evaluate(every, self.scaling, found.q)
        return None if at is None else descend(every, self.scaling, at, LAST_DESCENT)

    def _result(self, search: Fitted, q, covariance, null, states, end: Ended, history, misfit) -> HiddenResult:
        problem, scaling = self.problem, self.scaling
        products = determined_products(null, problem, scaling, scaling.values(search.q))
        known = combinations(products, covariance, problem, scaling, scaling.values(q))
        end = dataclasses.replace(end, bounds=out_of_range(problem, scaling, q))
        values, std, estimate = numbers_of(problem, scaling, q, covariance, null)
        free = [name for name, value in values.items() if value is None]
        status, message = objection(end) or determined(free, len(values), known, "The pattern is steady")
        return HiddenResult(
            **told_of(problem, scaling, self.noise),
            values=values,
            std=std,
            estimate=estimate,
            covariance=covariance,
            combinations=known,
            fields=problem.completed(states),
            drift=end.drift,
            residual=end.residual,
            status=status,
            message=message,
            history=history,
            misfit=misfit,
            goodness=end.goodness,
        )


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
