"""What the end of a minimisation means: whether the pictures are explained, or nothing is left to be pulled."""

import dataclasses

import numpy as np

from .._types import Status
from ..observations.noise import estimate_noise
from ..observations.steadiness import contrast, is_steady
from ..training import Outcome
from .objective import FitObjective, is_lost, is_uniform_set
from .roads import Road

MISFIT = 0.02  # of the contrast: pictures at rest under the right system differ by less, beyond their noise
CHI_SQUARE = 3.0  # of the stationarity loss, which is about 1 for the right system
NOTHING = 1e-12  # a gradient
_DEAD = "the prediction carries no pattern: nothing pulls it towards one"


def halt(objective: FitObjective) -> tuple[Status, str] | None:
    """Without pattern and without gradient no optimiser comes back; a small gradient may still lead out."""
    slopes = objective.first.get("gradients", {}).values()
    nothing = all(abs(slope) <= NOTHING for slope in slopes)
    return (Status.DEAD, _DEAD) if objective.first.get("dead") and nothing else None


def judge(road: Road, outcome: Outcome, states: np.ndarray) -> Outcome:
    """The outcome with the status and the message that its last prediction asks for: a small gradient is no fit yet."""
    if outcome.status is Status.NO_GRADIENT:
        return outcome
    if outcome.status is not Status.BLOW_UP and not np.isfinite(outcome.loss):
        message = "the loss is not finite where the iterations ended"
        return dataclasses.replace(outcome, status=Status.BLOW_UP, message=message)
    if outcome.status is not Status.BLOW_UP and is_lost(road.problem, states):
        return dataclasses.replace(outcome, status=Status.DEAD, message=_DEAD)
    if outcome.status is not Status.CONVERGED:
        return outcome
    if is_uniform_set(road.problem):
        message = "the targets are uniform: they do not determine the parameters"
        return dataclasses.replace(outcome, status=Status.UNIDENTIFIABLE, message=message)
    message, fits = _explained(road, outcome)
    return dataclasses.replace(outcome, status=Status.CONVERGED if fits else Status.NO_FIT, message=message)


def _explained(road: Road, outcome: Outcome) -> tuple[str, bool]:
    """Whether the pictures are, in words and as far as the loss has a scale to judge by."""
    if road.loss_name == "stationarity":
        change = np.sqrt(outcome.loss)
        return f"the statistics change by {change:.1f} standard errors", outcome.loss <= CHI_SQUARE
    if road.loss_name == "pixel" and road.strategy.at_target:
        return _misfit(road, outcome.loss)
    return outcome.message or "no step makes the loss smaller", True


def _misfit(road: Road, loss: float) -> tuple[str, bool]:
    """What pictures at rest leave unexplained, in words, and whether that is little beyond their noise."""
    seen = road.problem.targets
    known = float(contrast(seen).mean())
    levels = [estimate_noise(road.problem.grid, seen[:, j]) for j in range(seen.shape[1])]
    noise = max((level.std for level in levels if level.detected), default=0.0)
    misfit = float(np.sqrt(loss)) / known
    fits = is_steady(misfit, MISFIT, 2 * noise / known)
    why = "" if fits else ": not at rest, or not of this system"
    return f"{100 * misfit:.2g} % of the contrast stays unexplained{why}", fits
