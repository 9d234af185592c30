"""The maximum-likelihood fit of noisy pictures: its level of noise, a blur that nobody stated, and its covariance."""

import dataclasses
from collections.abc import Callable

import numpy as np

from ..observations.noise import Noise
from .fine_detail import doubted
from .hidden_penalty import Penalty
from .hidden_problem import Problem, Scaling
from .hidden_refinement import LEVELS, Refined, refine, sharpened
from .hidden_search import Fitted
from .hidden_verdict import Goodness


@dataclasses.dataclass(frozen=True)
class Explained:
    """Where the refinement ended: the search's end and its null directions, with a blur where one was freed; `sharp`,
    q of the fit without blur; whether the noise was coloured."""

    best: Fitted
    null: np.ndarray
    at: Refined
    sharp: np.ndarray
    goodness: Goodness
    coloured: bool


class NoisyFit:
    """The refinement of noisy pictures. `problem`, `scaling` and `noise` are those of its end: with a blur that nobody
    stated as a number more, at a level of noise that the misfit may have raised."""

    def __init__(self, problem: Problem, scaling: Scaling, pictures: np.ndarray, noise: Noise, report: Callable):
        self.problem, self.scaling, self.pictures, self.noise, self.report = problem, scaling, pictures, noise, report

    def run(self, best: Fitted, null: np.ndarray) -> Explained:
        """From the search's end to the maximum likelihood."""
        at = self._refined(best.q, best.states, null)
        coloured = self._is_louder(at)  # told before a blur is sought, which would explain coloured noise by itself
        if coloured:
            at = self._refined(at.q, at.states, null)
        sharp = at.q
        best, at, null = self._unsure_of_blur(best, at, null)
        if self._is_louder(at):
            coloured, freed = True, len(at.q) > len(sharp)
            at = self._carried_on(at.q, at, null) if freed else self._refined(at.q, at.states, null)
        if not coloured:
            at = self._sharpened(at, null)
        return Explained(best, null, at, sharp, self._goodness(at.misfit), coloured)

    def covariance(self, found: Explained) -> tuple[np.ndarray, str]:
        """Of q, by noise and by what the pictures speak against; and that in words."""
        at, goodness = found.at, found.goodness
        spoken, told = doubted(self._penalty(at.q, at.states, found.null), at, goodness.chi2)
        # At worst what is coherent over the picture shifts q by its whole size.
        coherent = self._goodness(at.tried_misfit).excess * at.tried_sampling
        covariance = at.covariance * goodness.colour + coherent + spoken
        if found.coloured:  # compression takes noise from some wavelengths, and detail: a blur, or none
            moved = at.q - np.append(found.sharp, at.q[len(found.sharp) :])
            covariance = covariance + np.outer(moved, moved)
        causes = ", or ".join([*told, "it still relaxes"])
        return covariance, f" Its finest detail speaks for {causes}: the intervals allow for that." if told else ""

    def _is_louder(self, at: Refined) -> bool:
        """Whether the noise is coloured, and stronger than its corner of the spectrum told: then it has the misfit's
        level from here on."""
        goodness = self._goodness(at.misfit)
        if goodness.is_coloured:
            self.noise = dataclasses.replace(self.noise, std=self.noise.std * float(np.sqrt(goodness.chi2)))
        return goodness.is_coloured

    def _unsure_of_blur(self, best: Fitted, at: Refined, null: np.ndarray) -> tuple[Fitted, Refined, np.ndarray]:
        """From the sharp fit on, the blur of a picture that states none is a number like the others, with what is known
        of it before (`blur_std`). From further away, or under a looser penalty, the fit loses its way in it."""
        camera = self.problem.camera
        if not camera.blur_std or camera.blur is None or self.problem.grid.scheme == "spectral":
            return best, at, null

        def with_blur(q: np.ndarray) -> np.ndarray:
            return scaling.numbers(np.append(self.scaling.values(q), camera.blur))

        problem = dataclasses.replace(self.problem, camera=dataclasses.replace(camera, blur=None))
        scaling = Scaling.of(problem, self.pictures)
        best, q, null = dataclasses.replace(best, q=with_blur(best.q)), with_blur(at.q), np.pad(null, ((0, 1), (0, 0)))
        self.problem, self.scaling = problem, scaling
        return best, self._carried_on(q, at, null), null

    def _carried_on(self, q: np.ndarray, at: Refined, null: np.ndarray) -> Refined:
        """Once more at the level that was reached, with what the levels before it told of systematic error."""
        found = self._refined(q, at.states, null, (at.level,))
        more = (0, len(q) - len(at.q))
        systematic, beyond = (np.pad(part, (more, more)) for part in (at.covariance - at.sampling, at.beyond))
        return dataclasses.replace(found, covariance=found.covariance + systematic, beyond=beyond, early=at.early)

    def _refined(self, q: np.ndarray, states: np.ndarray, null: np.ndarray, levels=LEVELS) -> Refined:
        """The maximum likelihood at the present level of noise."""
        return refine(self._penalty(q, states, null), q, states, null, levels=levels, report=self.report)

    def _sharpened(self, at: Refined, null: np.ndarray) -> Refined:
        """At the limit of what the noise allows, where the picture is at rest."""
        if at.early or at.exhausted or self.problem.grid.scheme == "spectral" or self.scaling.at_bound(at.q).any():
            return at

        def is_noise(misfit: np.ndarray) -> bool:
            return self._goodness(misfit).excess == 0

        return sharpened(self._penalty(at.q, at.states, null), at, null, is_noise, self.report)

    def _penalty(self, q: np.ndarray, states: np.ndarray, null: np.ndarray) -> Penalty:
        return Penalty(self.problem, self.scaling, self.pictures, self.noise.std, states, q, null)

    def _goodness(self, misfit: np.ndarray) -> Goodness:
        """Of a fit's misfit, which is 0 where nothing is seen."""
        of_seen = misfit / np.sqrt(self.problem.pixels.mean())
        shown = self.pictures + misfit
        return Goodness.of(self.problem.grid, of_seen, self.noise, shown, self.problem.degrees)
