"""Noisy pictures: the steady state nearest to them, and its parameters, by a penalty that is tightened step by step."""

import dataclasses
from collections.abc import Callable

import numpy as np

from ..simulation.multifrontal import SingularMatrix
from ..training import damped
from .hidden_penalty import Penalty, complement

LEVELS = (0.3, 0.1, 0.03, 0.01)
SHARPER = (0.003, 0.001)  # of a picture at rest, whose soft modes the equations hold only then
# Of the cost, gained by the last iteration. With a hundredth of it numbers moved by a tenth of their errors at most
# (windows of 48² cells, 2 % noise): what still creeps are hidden fields near the border. The first level is a start.
SETTLED, ROUGH = 1e-4, 1e-3
DAMPING = damped.Damping(1e-4, least=1e-10, most=2e7)
LET_GO, AWAY = 0.05, 2.0  # χ² of a fit that has run to rates of 0, where noise is at rest as well; how far q ran
LEAST_CHANCE = 0.05  # of a variance: a shift of a fifth of a standard deviation is none
JUMP = 6.0  # per parameter, of the squared distance between levels in units of the coarser one's covariance


@dataclasses.dataclass(frozen=True)
class Refined:
    """The estimate: q, its covariance, the part of it due to noise, and what the distances between levels add to that
    beyond chance; fields (M, C, H, W), χ² per cell, the level reached, the drift left (M, C, H, W), misfit (M, H, W),
    whether a descent ended at its largest number of iterations, whether it stopped early; of the last level that was
    tried, this one or the next, the part of the covariance due to noise and the misfit."""

    q: np.ndarray
    covariance: np.ndarray
    sampling: np.ndarray
    beyond: np.ndarray
    states: np.ndarray
    chi2: float
    level: float
    drift: np.ndarray
    misfit: np.ndarray
    exhausted: bool
    early: bool
    history: list[dict]
    tried_sampling: np.ndarray
    tried_misfit: np.ndarray


def refine(
    penalty: Penalty, q: np.ndarray, states: np.ndarray, null: np.ndarray, *, levels=LEVELS, report=lambda entry: None
) -> Refined:
    """Tighten ε through `levels` until the numbers move by more than chance allows.

    A picture that still moves a little obeys the steady equations only up to its drift; below some ε the fit chases
    that drift and the numbers leave the range that the coarser level gave them (Hausman's test). Then the coarser
    level is kept. The distances between levels, from the second on and to the one that is not kept, enter the
    covariance as systematic error. (With the last alone, over four Gray–Scott patterns at 64², 1 and 5 % noise, four
    draws each, the largest |z| was 2.5, without 3.7.) A descent that runs out of iterations at any level creeps along a
    flat valley, as for straight stripes, whose curvature promises too much: `exhausted`. In strong noise a large ε may
    let go of the equations: with rates of 0, and no u, every v is at rest. Then the next ε begins at the start.
    `states` (M, C, H, W) is where the fields start; `null` (P, N) spans what no picture can determine.
    """
    kept: Refined | None = None
    # The sharpest level takes a spectral Laplacian's conjugate gradients more steps than they have.
    levels = levels[:-1] if penalty.problem.grid.scheme == "spectral" else levels
    start = q, states
    for level in levels:
        try:
            found = _fitted(penalty, q, states, null, level, kept, report)
        except SingularMatrix:  # a spectral Laplacian's iteration stalls: what a coarser level gave stands, unsure
            if kept is None:
                raise
            return dataclasses.replace(kept, exhausted=True)
        if kept is None and level != levels[-1] and found.chi2 < LET_GO and np.abs(found.q - q).max() > AWAY:
            q, states = start
            continue
        if kept is not None and kept.level < LEVELS[0] and _surprise(found.q - kept.q, kept.sampling) > JUMP:
            wider = kept.sampling + found.covariance - found.sampling
            return dataclasses.replace(kept, covariance=wider, exhausted=found.exhausted, early=True,
                                       tried_sampling=found.sampling, tried_misfit=found.misfit)  # fmt: skip
        kept, q, states = found, found.q, found.states
        if penalty.scaling.at_bound(q).any():
            break  # the verdict is spoken
    assert kept is not None
    return kept


def sharpened(
    penalty: Penalty, at: Refined, null: np.ndarray, is_noise: Callable[[np.ndarray], bool], report=lambda entry: None
) -> Refined:
    """Tighten ε further, while the numbers stay where chance allows and the misfit (M, H, W) `is_noise`.

    At ε = .01 the softest modes of a pattern, slow shifts of its spots, say, still move freely, and standard deviations
    are up to twice the Cramér–Rao bound; at .001 they are on it. Where the sharpest level holds, the picture is at rest
    within chance, and distances between levels count beyond chance only; elsewhere in full, as in `refine`.
    """
    sharper = at
    for level in SHARPER:
        try:
            found = _fitted(penalty, sharper.q, sharper.states, null, level, sharper, report)
        except SingularMatrix:
            return sharper
        jumps = _surprise(found.q - sharper.q, sharper.sampling) > JUMP
        if jumps or found.exhausted or penalty.scaling.at_bound(found.q).any() or not is_noise(found.misfit):
            return sharper
        sharper = found
    return dataclasses.replace(sharper, covariance=sharper.sampling + sharper.beyond)


def _fitted(penalty: Penalty, q, states, null, level: float, before: Refined | None, report) -> Refined:
    """The fit at one level, with the distances up to it."""
    q, states, iterations = _descend(penalty, q, states, level)
    drift, misfit = (np.array(parts) for parts in penalty.all_parts(q, states))
    chi2 = float((misfit**2).sum()) / penalty.counted / penalty.noise**2
    sampling = covariance_of(penalty.at(q, states, level, 0.0).information, null)
    values = dict(zip(penalty.problem.sought, penalty.scaling.values(q).tolist(), strict=True))
    entry = {"stage": "refine", "level": level, "chi2": chi2, "iterations": iterations, "values": values}
    report(entry)
    systematic, beyond, exhausted, history = np.zeros_like(sampling), np.zeros_like(sampling), False, []
    if before is not None:
        systematic, beyond = before.covariance - before.sampling, before.beyond
        exhausted, history = before.exhausted, before.history
    if before is not None and before.level < LEVELS[0]:  # the first level is a start
        shift = np.outer(q - before.q, q - before.q)
        systematic = systematic + shift
        beyond = beyond + _beyond_chance(q - before.q, before.sampling, sampling) * shift
    return Refined(
        q, sampling + systematic, sampling, beyond, states, chi2, level, drift, misfit,
        exhausted or iterations >= penalty.iterations, False, [*history, entry], sampling, misfit,
    )  # fmt: skip


def covariance_of(information: np.ndarray, null: np.ndarray) -> np.ndarray:
    """The inverse of an information matrix on the complement of `null`."""
    basis = complement(null)
    return basis @ np.linalg.inv(basis.T @ information @ basis) @ basis.T


def _beyond_chance(shift: np.ndarray, coarse: np.ndarray, fine: np.ndarray) -> float:
    """The share of a squared distance between levels that chance does not explain: (1 − P/χ²)⁺, in the manner of James
    and Stein. By chance, its covariance is the difference of the levels' (J. A. Hausman, Econometrica 46, 1251 (1978),
    doi:10.2307/1913827, corollary 2.6), of which `LEAST_CHANCE` of the coarser level's is granted in every direction;
    where the finer level knows no more than the coarser, larger distances are not chance."""
    values, directions = np.linalg.eigh(coarse)
    known = values > 1e-10 * values.max()
    units = directions[:, known] / np.sqrt(values[known])  # in which the coarser covariance is 1
    chance, axes = np.linalg.eigh(units.T @ (coarse - fine) @ units)
    squared = float(((axes.T @ (units.T @ shift)) ** 2 / np.maximum(chance, LEAST_CHANCE)).sum())
    return max(0.0, 1 - known.sum() / squared) if squared else 0.0


def _surprise(change: np.ndarray, covariance: np.ndarray) -> float:
    return float(change @ np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) @ change) / len(change)


@dataclasses.dataclass(frozen=True)
class _Point:
    q: np.ndarray
    states: np.ndarray
    cost: float


def _descend(penalty: Penalty, q, states, level):
    enough = ROUGH if level == LEVELS[0] else SETTLED

    def point(q, states) -> _Point:
        return _Point(q, states, penalty.cost(q, states, level))

    def attempt(at: _Point, damping: float) -> _Point | None:
        try:
            here = penalty.at(at.q, at.states, level, damping)
            straight = here.step()
            curved = here.curved(*straight)
        except SingularMatrix:
            return None
        first = point(at.q + straight[0], at.states + straight[1])
        end = min(first, point(first.q + curved[0], first.states + curved[1]), key=lambda end: end.cost)
        return end if end.cost < at.cost else None

    def settled(before: _Point, at: _Point) -> bool:
        return before.cost - at.cost < enough * at.cost

    end, iterations = damped.descend(point(q, states), attempt, settled, DAMPING, penalty.iterations)
    return end.q, end.states, iterations
