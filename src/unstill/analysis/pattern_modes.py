"""The leading eigenvalues of a pattern at rest: what grows on it in its box, and how near zero its translations are."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from ..simulation.multifrontal import one_thread
from .block_arnoldi import largest
from .pattern_problem import Problem
from .pattern_steps import Place

DENSE = 400  # unknowns up to which all eigenvalues are computed
_POLE = 1 - np.sqrt(0.5)  # γ: R(z) = (1 + (1 − 2γ) z) / (1 − γ z)² is A-stable, and 0 at infinity
_FREQUENCY, _GROWTH = 1.5, 2.0  # |Im hμ| and Re hμ at most, where |R| rises with Re μ
_SLOW, _SHOWN = 16, 8  # eigenvalues near zero that are looked for first; of largest |R|, that are found at least
_NEAR = 2e-3  # of the largest slope of the kinetics: the shift near zero
_BLOCK = 16  # vectors that a solve takes at once: four times the time of one
_TURNS = 0.05  # sine of the angle of R(hμ), above which μ counts as oscillating
_SEEN, _VAGUE = 4, 0.02  # leading eigenvalues that oscillate and decay that are looked at; their residuals, of them
_ROUNDS = 9  # of blocks at least, in which what grows and is not near zero shows up
_CLOSE, _CLEAR = 1e-10, 1e-8  # residuals of eigenpairs of the two operators, of their eigenvalue: near zero, elsewhere
_SLOWEST = 0.02  # frequency that is looked for at least, of the largest slope
_RIGHT = 1e-6  # residual of an eigenpair, of the largest slope of the kinetics
_NEUTRAL = 1e-9  # of the largest slope: growth rates below are neither growth nor decay
_MOVED = 0.5  # share of a mode's square that lies in the translations, for it to be one


@dataclasses.dataclass(frozen=True, eq=False)
class Modes:
    """Eigenvalues of a pattern's Jacobian by falling real part, without the `translations`, which stand by themselves.

    `complete`: all that grow are among them, as far as the method of `leading_modes` sees; else there may be more.
    """

    values: Complex[np.ndarray, " K"]
    translations: Complex[np.ndarray, " T"]
    neutral: float
    complete: bool

    @property
    def unstable(self) -> int:
        """How many grow, at least."""
        return int((np.real(self.values) > self.neutral).sum())

    @property
    def stable(self) -> bool | None:
        """Whether nothing grows in this box; `None` where that is not known."""
        return False if self.unstable else True if self.complete else None

    @property
    def growth(self) -> float:
        """The largest growth rate; NaN where none is known."""
        return float(self.values[0].real) if len(self.values) else float("nan")


def leading_modes(problem: Problem, at: Place, seed: int = 0) -> Modes:
    """The rightmost eigenvalues of J at a pattern at rest, translations apart.

    Arnoldi's method with blocks (`block_arnoldi.largest`), twice. Shift and invert finds those nearest to zero, which
    crowd there where spots lie far apart. Then on R(hJ), beginning with these, with R the stability function of the
    two-stage SDIRK method of order 2 (E. Hairer, G. Wanner, Solving Ordinary Differential Equations II (2nd ed.), table
    6.3): near e^{hμ}, so that the eigenvalues of largest modulus are those that grow fastest, oscillating ones among
    them. Every μ that grows and oscillates no faster than ω has |R(hμ)| ≥ |R(ihω)|; `complete` says that all of these
    were found, and that the next ones that oscillate were seen to be less. ω is the fastest that any cell would
    oscillate by itself, h = 1.5/ω. Up to 400 unknowns all are computed instead.

    Two ways to miss one: oscillations faster than those of every cell by itself, and more than 16 copies of an
    eigenvalue, as of a lattice of many equal spots.
    """
    top = max(float(np.abs(at.slopes).max()), 1e-12)
    if problem.size <= DENSE:
        with one_thread():
            values, vectors = np.linalg.eig(at.jacobian.toarray())
        return _sorted(problem, at, values.astype(complex), vectors.astype(complex), _NEUTRAL * top, True)
    with one_thread():
        values, vectors, complete = _rightmost(problem, at, np.random.default_rng(seed), top)
    return _sorted(problem, at, values, vectors, _NEUTRAL * top, complete)


def _slow(problem: Problem, at: Place, rng: np.random.Generator, top: float) -> Float[np.ndarray, "N K"]:
    """Vectors that span the eigenvectors of the eigenvalues nearest to zero, by shift and invert."""
    factor = problem.shifted(at.jacobian, _NEAR * top)
    begin = rng.standard_normal((problem.size, _BLOCK))
    _, vectors, _ = largest(factor.solve, begin, _BLOCK, lambda values, sizes: _SLOW, _CLOSE)
    turning = np.imag(vectors)
    return np.hstack([np.real(vectors), turning[:, np.abs(turning).max(0) > 0]])


def _rightmost(problem: Problem, at: Place, rng: np.random.Generator, top: float) -> tuple[Any, Any, bool]:
    """Eigenvalues and vectors of the largest |R(hμ)|, and whether all that could grow are there."""
    growth, frequency = _reach(at.slopes)
    h = 1 / max(frequency / _FREQUENCY, growth / _GROWTH, _SLOWEST * top)
    factor = problem.shifted(at.jacobian, 1 / (_POLE * h))
    h = 1 / (_POLE * float((at.jacobian.diagonal() - factor.matrix.diagonal()).max()))  # of the shift that was taken
    least = abs(_response(1j * h * frequency))

    def times(x: np.ndarray) -> np.ndarray:
        first = factor.solve(x + (1 - 2 * _POLE) * h * (at.jacobian @ x))
        return factor.solve(first) / (_POLE * h) ** 2

    def enough(values: np.ndarray, sizes: np.ndarray) -> int | None:
        """All of modulus `least` and above, and `_SHOWN`, once the leading ones that oscillate are known to be less."""
        size, turning = np.abs(values), np.flatnonzero(np.abs(np.imag(values)) > _TURNS * np.abs(values))
        needed, first = max(int((size >= least).sum()), _SHOWN), turning[size[turning] < least][:_SEEN]
        vague = (sizes[first] > _VAGUE * size[first]).any() or (size[first] + sizes[first] >= least).any()
        return None if vague or len(size) <= needed else needed

    begin = np.hstack([_slow(problem, at, rng, top), rng.standard_normal((problem.size, _BLOCK))])
    _, vectors, whole = largest(times, begin, _BLOCK, enough, _CLEAR, _ROUNDS)
    image = at.jacobian @ vectors
    values = (vectors.conj() * image).sum(0) / (np.abs(vectors) ** 2).sum(0)
    right = np.linalg.norm(image - values * vectors, axis=0) <= _RIGHT * top * np.linalg.norm(vectors, axis=0)
    return values[right], vectors[:, right], whole and bool(right.all())


def _response(z: Any) -> Any:
    """R(z)."""
    return (1 + (1 - 2 * _POLE) * z) / (1 - _POLE * z) ** 2


def _reach(slopes: Float[np.ndarray, "C C H W"]) -> tuple[float, float]:
    """The largest growth rate and the largest frequency of cells by themselves."""
    local = np.linalg.eigvals(np.moveaxis(slopes, (0, 1), (-2, -1)))
    return max(float(np.real(local).max()), 0.0), float(np.abs(np.imag(local)).max())


def _sorted(problem: Problem, at: Place, values, vectors, neutral: float, complete: bool) -> Modes:
    """Eigenvalues by falling real part, translations apart."""
    root = np.sqrt(problem.weights)[:, None]
    scaled = vectors * root
    share = (np.abs((at.moves * root).T @ scaled) ** 2).sum(0) / (np.abs(scaled) ** 2).sum(0)
    order = np.argsort(-values.real, kind="stable")
    values, share = values[order], share[order]
    many = at.moves.shape[1]
    moving = np.argsort(-share, kind="stable")[:many]
    moving = np.sort(moving[share[moving] > _MOVED])
    return Modes(np.delete(values, moving), values[moving], neutral, complete)
