"""What the finest detail of noisy pictures says of what was assumed: that they are sharp, and pixels a code's cells."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..observations.camera import BLURS
from ..observations.gaps import stencils
from ..systems.grid import FIVE_POINT, Grid
from .hidden_penalty import Linearised, Penalty
from .hidden_refinement import Refined

SPEAKS = 2.5  # standard deviations that a number lies from 0 which was assumed to be 0
# Less is not told: a pattern that still relaxes speaks for as much (spots after 16,000 time units, 1 % noise: .02 and
# .13, five standard deviations). Blurs over .37 pixels have more; of a Laplacian's terms others have 0 or 2.
LEAST_BLUR, LEAST_TERM = 0.02, 0.4
DOUBTED = 1.5  # standard deviations that the blur of a fit lies from 0
WIDER = 1.0  # times the five-point Laplacian's own error: the cells of a picture that was enlarged by up to √2


class Doubt(NamedTuple):
    """A number that was assumed to be 0: what it is, in words; by how much it changes the drifts (M, C, H, W) and the
    misfits (M, H, W); from what size on it is told, and the range that it may have."""

    words: str
    drifts: np.ndarray
    misfits: np.ndarray
    least: float
    low: float
    high: float


def doubted(penalty: Penalty, at: Refined, variance: float) -> tuple[np.ndarray, list[str]]:
    """The covariance of q by what the pictures speak against, and what that is, in words; `variance` is that of the
    misfit in units of the noise's.

    Rao's score test: of one number more, one Gauss–Newton step from the fit against its own standard deviation (C. R.
    Rao, Proc. Camb. Phil. Soc. 44, 50 (1948), doi:10.1017/S0305004100023987). The linear answer of q to such a step is
    taken as a systematic error. Fails for pictures that still move, which may speak against anything. Under a spectral
    Laplacian nothing is asked: its iteration stalls at the sharpest levels.
    """
    covariance, told = np.zeros((len(at.q), len(at.q))), []
    if penalty.problem.grid.scheme == "spectral":
        return covariance, told
    here = penalty.at(at.q, at.states, at.level, 0.0)
    for doubt in _doubts(penalty, at):
        value, std, answer = _tested(here, doubt)
        if abs(value) > SPEAKS * std * np.sqrt(max(variance, 1.0)):
            shift = answer * np.clip(value, doubt.low, doubt.high)
            covariance = covariance + np.outer(shift, shift)
            told += [doubt.words] if abs(value) >= doubt.least else []
    if penalty.problem.camera.blur is None:
        shift = _by_cells(penalty, at, here)
        covariance = covariance + np.outer(shift, shift)
    return covariance, told


def _tested(here: Linearised, doubt: Doubt) -> tuple[float, float, np.ndarray]:
    """The number in one step, its standard deviation, and what q changes with it."""
    column = here.column(doubt.drifts, doubt.misfits)
    answer = here.solved(column.mixed)
    own = max(column.own + column.mixed @ answer, 1e-300)
    return -(column.slope + answer @ here.slope) / own, own**-0.5, answer


def _doubts(penalty: Penalty, at: Refined) -> Iterator[Doubt]:
    """Blur where the pictures are taken as sharp; the error of five points, which is 1 as it stands; the cross terms of
    nine points."""
    problem, grid = penalty.problem, penalty.problem.grid
    if problem.camera.taken_as_sharp:
        still = np.zeros_like(at.states)
        shown = penalty.pictures + at.misfit
        blurred = sum(_second(grid, shown, axis) for axis in (-2, -1)) * problem.pixels * problem.inside
        yield Doubt("a blur (`blur=unknown`)", still, blurred, LEAST_BLUR, *BLURS)
    if grid.scheme == FIVE_POINT:
        none, remedy = np.zeros_like(at.misfit), "(`laplacian=unknown`)"
        yield Doubt(f"cells of another size {remedy}", _by(penalty, at, _along), none, LEAST_TERM, -1.0, WIDER)
        yield Doubt(f"another Laplacian {remedy}", _by(penalty, at, _across), none, LEAST_TERM, 0.0, 1.0)


def _by_cells(penalty: Penalty, at: Refined, here: Linearised) -> np.ndarray:
    """How far q may be off because cells are not pixels; noughts where the blur that was found does not speak for it.

    The five-point Laplacian of cells of width h is ∇² + (h²/12)(∂_x⁴ + ∂_y⁴) + …, of an enlarged picture with h > 1
    pixel, of one that was reduced, or of nature, with h < 1 or none (any book on finite differences). To the fit this
    looks like a blur of about (1 − h²)/12: a negative one, which no lens makes, is best explained by wide cells,
    and a positive one as well by small cells as by a lens. The shift is the linear answer of q to that term. Twelve
    Gray–Scott windows, scaled by 1.37 by cubic splines, 5 % noise: `benchmarks/test_photos.py`. The blur's own interval
    stays that under pixels as cells. Fails for patterns of few cells a wavelength, which need a longer series.
    """
    blur = float(at.q[-1])
    if abs(blur) < DOUBTED * np.sqrt(at.covariance[-1, -1]):
        return np.zeros_like(at.q)
    shift = here.solved(here.column(_by(penalty, at, _along), np.zeros_like(at.misfit)).mixed)
    shift = shift * (WIDER if blur < 0 else min(blur / max(shift[-1], 1e-300), 1.0))
    return np.append(shift[:-1], 0.0)


def _by(penalty: Penalty, at: Refined, term) -> np.ndarray:
    """What D times this term of fourth order adds to the drifts, where its stencil is known."""
    problem, grid = penalty.problem, penalty.problem.grid
    D = np.array(problem.system(penalty.scaling.values(at.q)).diffusivities(), float)
    known = problem.inside * stencils(grid, problem.inside > 0)
    return D[:, None, None] * term(grid, at.states) * known


def _along(grid: Grid, c: np.ndarray) -> np.ndarray:
    """(dx²/12)(∂_x⁴ + ∂_y⁴)c."""
    rows, columns = (_second(grid, _second(grid, c, axis), axis) for axis in (-2, -1))
    return (rows + columns) / (12 * grid.dx**2)


def _across(grid: Grid, c: np.ndarray) -> np.ndarray:
    """(dx²/6)∂_x²∂_y²c, by which nine points differ from five."""
    return _second(grid, _second(grid, c, -2), -1) / (6 * grid.dx**2)


def _second(grid: Grid, c: np.ndarray, axis: int) -> np.ndarray:
    """dx²∂²c along an axis."""
    mode = "wrap" if grid.boundary == "periodic" else "symmetric"
    width = [(0, 0)] * c.ndim
    width[axis] = (1, 1)
    return np.diff(np.pad(c, width, mode=mode), 2, axis=axis)
