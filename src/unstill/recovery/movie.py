"""Parameters and hidden fields of a moving pattern from a film of one of its fields."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._errors import BadInput
from .._types import Status
from ..observations.camera import ABSOLUTE, Camera
from ..observations.noise import Noise, denoise, estimate_noise
from ..observations.steadiness import ALL_NOISE
from ..observations.steadiness import contrast as contrast_of
from ..simulation.jacobian import drift_of, rms_drift
from ..simulation.rollout import default_dt
from ..systems import ReactionDiffusion
from ..systems.grid import Grid, OnGrid
from .hidden import COHERENT, UNSEEN
from .hidden_combinations import STRUCTURAL
from .hidden_problem import Problem, Scaling
from .hidden_result import HiddenResult, determined, empty, is_flat, numbers_of, out_of_range, told_of
from .hidden_verdict import Ended, Goodness, objection
from .movie_shooting import Effort, Film, Linearised, Point, Shooting, descend, ring_power
from .movie_start import SETTLING, search
from .ties import Tie

LEAST_FRAMES = 6
SHORTEST, LONGEST = 4, 16  # frames of a shot, at first and at last
# The follower knows the numbers better than the fields that it began with: these are mended first, by themselves. Short
# shots only have to be a good start of longer ones.
FIRST, SHORT, LAST = Effort(8, 80, 0.1, held=True), Effort(10, 80, 0.1), Effort(4, 120, 4e-3)
ROUNDS_OF_LAST, AHEAD = 8, 2.0  # of the longest shots, and the way of q to its end, in ways of the last round
STILL, CREEPS = 0.3, 1.0  # of a standard deviation, which that way may be: to rest, and to be told
UNFOLLOWED = 0.7  # rms residual of the best follower, relative to the film's change: half of its variance
MISSED = 0.3  # of the contrast, rms: what the shots of one length may leave open for longer ones to be tried
SEEN_TO_MOVE = 2.0  # times the noise, which the change between two frames must be
LOOSER = 10.0  # than the variance that the rough start claims: its errors are not only noise
FINE = 8  # steps in the place of one where the film is of a true flow
_FREE = 1.0  # of q, the standard deviation from which on a number is free


def recover_movie(
    system_class: type[ReactionDiffusion],
    grid: Grid,
    observed: str,
    frames: np.ndarray,
    interval: float,
    *,
    dt: float | None = None,
    start: Mapping[str, float] | None = None,
    fix: Mapping[str, float] | None = None,
    ties: tuple[Tie, ...] = (),
    noise: float | None = None,
    camera: Camera = ABSOLUTE,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> HiddenResult:
    """Parameters θ and hidden fields of ∂c/∂t = D∇²c + R(c; θ) from frames of one field in order, `interval` apart.

    The numbers are found roughly by hidden fields that follow the seen one (`movie_start.Follower`); then trajectories
    are shot through the film, over 4, 8 and at most 16 frames each, their starts and the numbers fitted together
    by Gauss–Newton (`movie_shooting.Shooting`). Longer shots tell more and are harder to hit: each length begins where
    the one before ended. The covariance of the numbers is that of the last length, the starts eliminated.

    Arguments as `recover_hidden`'s, with `frames` (T, H, W), T ≥ 6, the whole of a periodic or no-flux domain; `dt`,
    the Euler step of the simulation behind the film (default: the system's; the nearest that divides `interval`), or 0
    for a true flow, which eight steps in the place of one come near to.

    Returns a `HiddenResult` whose `fields` are the fitted states at every frame. Raises `BadInput`.

    Fails where a film changes by more than about half of its contrast between two frames; where the hidden fields' own
    equations do not contract (Gray–Scott with u seen, FitzHugh–Nagumo with v seen) the rough start may be missing,
    which the status says; over long chaotic films a shot's end depends on its start too sharply.
    """
    fix = dict(fix or {})
    if len(frames) < LEAST_FRAMES:
        raise BadInput("frames_dt", f"needs a film of at least {LEAST_FRAMES} frames", f"{len(frames)} frames")
    names = tuple(n for n in system_class.parameters() if n not in {*fix, *(tie.name for tie in ties)})
    problem = Problem(system_class, grid, system_class.fields.index(observed), names, fix, ties, camera)
    scaling = Scaling.of(problem, frames)
    level = Noise(noise, noise > 0, 0.0) if noise is not None else estimate_noise(grid, frames)
    contrast = float(contrast_of(frames).mean())
    if is_flat(problem, frames, contrast) or (level.detected and level.std > ALL_NOISE * contrast):
        message = "The film carries no pattern: nothing can be recovered."
        return empty(problem, scaling, level, Status.DEAD, message)
    usual = default_dt(OnGrid(system_class(**system_class.defaults()), grid))
    every = max(1, round(interval / (usual if dt is None else dt or usual / FINE)))
    held = level.std if level.detected else UNSEEN * contrast
    film = Film(np.asarray(frames, float), every, interval / every, held)
    return _Movie(problem, scaling, film, level, contrast, progress or (lambda entry: None)).run(start)


class _Movie:
    """One run of `recover_movie`, so that its stages need not pass everything along."""

    def __init__(self, problem: Problem, scaling: Scaling, film: Film, noise: Noise, contrast: float, progress):
        self.problem, self.scaling, self.film = problem, scaling, film
        self.noise, self.contrast, self.progress = noise, contrast, progress
        self.history: list[dict] = []

    def run(self, start: Mapping[str, float] | None) -> HiddenResult:
        problem, grid = self.problem, self.problem.grid
        begun = self.scaling.started(problem.sought, start)
        frames = self.film.frames
        clean = denoise(grid, frames, self.noise.std) if self.noise.detected else frames
        found = search(problem, self.scaling, dataclasses.replace(self.film, frames=clean), begun, self.progress)
        if found is None or found[2] > UNFOLLOWED:
            told = "" if found is None else f" (the best leaves {100 * found[2]:.0f} % of the film's change open)"
            return self._refused(f"hidden fields that follow the film{told}")
        return self._shot(*found[:2])

    def _stands(self) -> str:
        """What to say of a film that changes no more between two frames than its noise does."""
        change = float(np.diff(self.film.frames, axis=0).std())
        if not self.noise.detected or change > SEEN_TO_MOVE * np.sqrt(2) * self.noise.std:
            return ""
        return (
            " Most of what changes between two frames is noise: take frames further apart, or, where the pattern is at "
            "rest, one of them as a picture."
        )

    def _refused(self, what: str) -> HiddenResult:
        message = (
            f"{self.problem.system_class.name} was found to have no {what}: another system, a camera, frames in "
            f"another order, of another interval or too far apart, or hidden equations that do not forget their start."
        )
        return empty(self.problem, self.scaling, self.noise, Status.NO_FIT, message + self._stands())

    def _shot(self, q: np.ndarray, states: np.ndarray) -> HiddenResult:
        """From the follower's numbers and states to the estimate, by shots that get longer."""
        unsure, length, last = self._unsure(states), SHORTEST, min(LONGEST, len(self.film.frames))
        unmended = True
        while True:
            length = last if 2 * length > last else length
            shooting = Shooting(self.problem, self.scaling, self.film, states, unsure, length)
            at = shooting.point(q, np.zeros_like(shooting.about))
            for effort in (FIRST, SHORT) if unmended else (SHORT,):
                at = self._descend(shooting, at, effort)
            unmended = False
            open_still = np.sqrt(2 * at.cost / self.film.frames.size) * self.film.noise / self.contrast
            if not open_still <= MISSED:
                return self._refused("trajectories that hit the film")
            if length == last:
                return self._last(shooting, at)
            q, states = at.q, self._joined(shooting.states(at.q, at.z))
            length *= 2

    def _unsure(self, states: np.ndarray) -> np.ndarray:
        """The power that is not known of a shot's start, by modes, (C, H, W): a hidden field's own, and what a Wiener
        filter leaves of the seen one, whose values are not known at all behind an unknown camera."""
        grid, settled = self.problem.grid, max(1, int(SETTLING * len(states)))
        power = np.array([ring_power(grid, c) for c in np.moveaxis(states[settled:], 1, 0)])
        concentration_noise = self.film.noise / self.contrast * states[:, self.problem.observed].std((1, 2)).mean()
        seen, noise = power[self.problem.observed], concentration_noise**2
        if not self.problem.camera.unknown:
            power[self.problem.observed] = seen * noise / (seen + noise)
        return LOOSER * power

    def _joined(self, shots: np.ndarray) -> np.ndarray:
        """What shots hold, one entry a frame of the film."""
        return shots.reshape(-1, *shots.shape[2:])[: len(self.film.frames)]

    def _tell(self, shooting: Shooting, point: Point) -> None:
        values = dict(zip(self.problem.sought, self.scaling.values(point.q).tolist(), strict=True))
        chi2 = 2 * point.cost / self.film.frames.size
        self.history.append({"stage": "shoot", "frames": shooting.length, "chi2": chi2, "values": values})
        self.progress(self.history[-1])

    def _descend(self, shooting: Shooting, at: Point, effort: Effort) -> Point:
        return descend(shooting, at, effort, lambda point: self._tell(shooting, point))

    def _last(self, shooting: Shooting, at: Point) -> HiddenResult:
        """The longest shots, by rounds of two kinds of steps: of everything together, which creep where the starts can
        make up for q, and along the valley of q, which take the starts along; until q rests. What it may
        still creep, twice the way of the last round, enters the covariance."""
        made_up = None
        for _ in range(ROUNDS_OF_LAST):
            begun, at = at.q, self._descend(shooting, at, LAST)
            linear = shooting.linearised(at.q, at.z)
            null, covariance, dq, dz, made_up = self._profile(linear, made_up)
            on = shooting.point(self.scaling.clip(at.q + dq), at.z + dz)
            if on.cost < at.cost:
                at = on
                self._tell(shooting, at)
            moved = at.q - begun
            left = AHEAD * np.abs(moved - null @ (null.T @ moved))  # where nothing holds it q may go on
            std = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
            if np.all(left < STILL * std):
                break
        return self._result(shooting, at, null, covariance + np.diag(left**2), bool(np.any(left > CREEPS * std)))

    def _profile(self, linear: Linearised, earlier: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """Directions of q that the film does not tell, were even the starts known; across them, what `profile` says."""
        columns = linear.columns().reshape(len(linear.by_q.T), -1)
        sizes, directions = np.linalg.eigh(columns @ columns.T)
        told = sizes >= max(_FREE**-2, STRUCTURAL**2 * sizes.max())
        return directions[:, ~told], *linear.profile(directions[:, told], earlier)

    def _result(self, shooting: Shooting, at: Point, null, covariance: np.ndarray, exhausted: bool) -> HiddenResult:
        problem, scaling = self.problem, self.scaling
        shots = shooting.states(at.q, at.z)
        states, misfit = self._joined(shots), self._joined(shooting.misfit(at.q, at.z, shots))
        # The starts of the shots take a part of the misfit's degrees of freedom: one picture's each.
        degrees = 1 - len(shots) / len(states)
        absolute = misfit * self.film.noise
        goodness = None
        if self.noise.detected:
            goodness = Goodness.of(problem.grid, absolute, self.noise, self.film.frames + absolute, degrees)
        covariance = covariance * (1 + (0.0 if goodness is None else COHERENT**2 * goodness.excess))
        values, std, estimate = numbers_of(problem, scaling, at.q, covariance, null)
        free = [name for name, value in values.items() if value is None]
        system = problem.system(scaling.values(at.q))
        residual = float(np.sqrt((absolute**2).mean())) / self.contrast
        drift = max(rms_drift(drift_of(system, problem.grid, state)) for state in states)
        share = self.noise.std / self.contrast
        bounds = out_of_range(problem, scaling, at.q)
        end = Ended(problem.system_class.name, residual, float(drift), False, bounds, exhausted, self.noise, share,
                    goodness, film=True)  # fmt: skip
        status, message = objection(end) or determined(free, len(values), [], "The film is explained")
        return HiddenResult(
            **told_of(problem, scaling, self.noise), values=values, std=std, estimate=estimate, covariance=covariance,
            combinations=[], fields=states, drift=float(drift), residual=residual, status=status, message=message,
            history=self.history, misfit=misfit if goodness else absolute / self.contrast,
            goodness=goodness,
        )  # fmt: skip
