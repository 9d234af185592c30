"""Nested families of rules, the smaller first, each the start of the larger; the smallest that suffices is taken.

    rule       D ∇²c + R(c) with polynomial R   →   every polynomial of the cell's features
    kinetics   D ∇²c + R(c) with polynomial R   →   R on splines

A larger family is taken where the smaller one does not pass, or where the larger is determined by itself and lowers
χ² by more than chance: by Δ + 4 √(2 Δ) for Δ numbers more. It begins at the projection of the smaller one's field. By
itself it has minima with fields that have nothing to do with the pictures; from there it does not reach them.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float

from .rule import Rule
from .solving import Problem, Solution
from .weak_form import WeakForm

_STARTS = 5
_SURE = 4.0  # standard deviations of χ²
_LIMIT = 4.5  # the same, of a χ² that passes
_FREE = 6.0  # the same, of a field that may be added
_SAME = 0.9  # cosine of two fields that are taken as one
_NONE = 1e-300


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """A family at its best: its words, the matrix of coefficients of the form's terms, and how it fits.

    `rivals` is how many other starts ended in another field that passes as well.
    """

    name: str
    form: WeakForm
    problem: Problem
    solution: Solution
    rivals: int = 0

    @property
    def coefficients(self) -> Float[np.ndarray, "C J"]:
        table = np.zeros(self.problem.allowed.shape)
        table[self.problem.allowed] = self.solution.theta
        return table

    @property
    def rule(self) -> Rule:
        """The field at unit speed."""
        return Rule(self.coefficients, self.form.terms, 1.0)

    @property
    def limit(self) -> float:
        """The largest χ² that chance explains."""
        return self.solution.dof + _LIMIT * math.sqrt(2 * self.solution.dof)

    @property
    def fits(self) -> bool:
        return self.solution.chi2 <= self.limit

    def deviations(self) -> Float[np.ndarray, " P"]:
        """Standard deviations of θ at unit speed, given that this is the family."""
        found, G = self.solution, self.problem.G
        along = np.outer(found.theta, G @ found.theta)  # the pace is not in the pictures
        project = np.eye(len(along)) - along
        covariance = project @ np.linalg.pinv(found.normal, rcond=1e-12, hermitian=True) @ project.T
        return np.sqrt(np.maximum(np.diag(covariance), 0))

    def admissible(self) -> tuple[int, float]:
        """(how many independent fields of the family pass, the relative error of the field in the mean).

        The error is the larger of what the scatter of the rows predicts, and of half the difference of two fields, each
        from every other picture.

        Eigenvectors t of (N, G) are fields of unit size in falling freedom. tᵀNt is in the mean its signal and the
        scatter tᵀSt of its mean rows: where the signal does not stand out, t may be added in any amount.
        """
        found = self.solution
        values, vectors = scipy.linalg.eigh(found.normal, self.problem.G)
        scatter = np.einsum("ip,ij,jp->p", vectors, found.scatter, vectors)
        own = int(np.argmax(np.abs(vectors.T @ self.problem.G @ found.theta)))
        chance = 1 + _FREE * math.sqrt(2 / found.dof)
        others = [i for i in range(len(values)) if i != own]
        free = sum(bool(values[i] <= chance * scatter[i]) for i in others)
        error = math.sqrt(sum(1 / max(values[i] - scatter[i], _NONE) for i in others if values[i] > scatter[i]))
        return 1 + free + self.rivals, max(error, self._halves())

    def _halves(self) -> float:
        """Half the difference of the fields of the even and the odd pictures, both at unit speed."""
        problem, found = self.problem, self.solution
        ends = [problem.part(slice(first, None, 2)).solve(found.theta).theta for first in (0, 1)]
        apart = ends[0] - ends[1] * np.sign(ends[0] @ problem.G @ ends[1])
        return 0.5 * math.sqrt(apart @ problem.G @ apart)


def smallest(name: str, form: WeakForm, pictures: Float[np.ndarray, "M C H W"], allowed: np.ndarray) -> Level:
    """The smallest family, from several starts, and then with the rows of a finite time step."""
    problem = Problem(form, allowed)
    found = sorted((problem.solve(start) for start in problem.starts(_STARTS)), key=lambda each: each.chi2)
    level = Level(name, form, problem, found[0])
    if level.fits:
        others = [s for s in found[1:] if s.settled and s.chi2 <= level.limit]
        alike = [abs(s.theta @ problem.G @ found[0].theta) for s in others]
        level = dataclasses.replace(level, rivals=sum(bool(c < _SAME) for c in alike))
    more = [form.functionals.second_order(c, level.rule.on_host(c)) for c in pictures]
    stepped = problem.solve(found[0].theta, np.array(more, np.float64))
    return dataclasses.replace(level, solution=stepped) if stepped.chi2 < found[0].chi2 else level


def larger(name: str, form: WeakForm, smaller: Level, allowed: np.ndarray, pictures: np.ndarray) -> Level:
    """A larger family, from the projection of the smaller one's field."""
    problem = Problem(form, allowed)
    return Level(name, form, problem, problem.solve(_projected(problem, form, smaller, pictures)))


def chosen(levels: Sequence[Level]) -> Level:
    """The smallest level that suffices."""
    for smaller, more in itertools.pairwise(levels):
        gained, numbers = smaller.solution.chi2 - more.solution.chi2, smaller.solution.dof - more.solution.dof
        better = gained > numbers + _SURE * math.sqrt(2 * max(numbers, 1))
        if smaller.fits and not (better and more.admissible()[0] == 1):
            return smaller
    return levels[-1]


def _projected(problem: Problem, form: WeakForm, smaller: Level, pictures: np.ndarray) -> np.ndarray:
    """θ of the field nearest to that of the smaller family, over some of the pictures."""
    J, C = len(form.products), len(problem.allowed)
    normal, right = np.zeros((J, J)), np.zeros((J, C))
    for c in pictures[:: max(1, len(pictures) // 16)]:
        B, f = form.terms(c)[:, ::2, ::2].reshape(J, -1), smaller.rule.on_host(c)[:, ::2, ::2]
        normal, right = normal + B @ B.T, right + B @ f.reshape(C, -1).T
    parts = []
    for a, allowed in enumerate(problem.allowed):
        inner = normal[np.ix_(allowed, allowed)]
        inner = inner + 1e-9 * np.trace(inner) / len(inner) * np.eye(len(inner))
        parts.append(np.linalg.solve(inner, right[allowed, a]))
    return np.concatenate(parts)
