"""Equations from balances that hold for every field by itself: pictures at rest, or frames in order of time."""

from __future__ import annotations

import dataclasses

import numpy as np

from .._errors import BadInput
from .._types import Status
from ..observations import Ordered
from ..observations.steadiness import AT_REST
from .balances import Balances
from .field_equation import FieldEquation, field_equation
from .field_problem import PictureProblem
from .moving import LEAST_PICTURES
from .result import Discovery

_OPEN_RATES = 0.3
_MOST_OPEN = 0.5  # however much of it noise could explain: what is left is no balance
_LATER = (0.5, 0.375, 0.25, 0.0)  # a true flow; four, two, one steps of explicit Euler


def _equations(
    problem: PictureProblem, pictures: np.ndarray, interval: float = 1.0, later: float = 0.5
) -> tuple[list[FieldEquation], int]:
    """The equation of every field from pictures (M, F, C, H, W), and the number of modes."""
    balances = Balances(problem.library, problem.grid, pictures, problem.levels, interval, later)
    forms = balances.forms(problem.seed)
    every = range(len(problem.fields))
    return [field_equation(balances, forms, a, problem.known[a], problem.free[a]) for a in every], round(forms[2])


def resting(problem: PictureProblem) -> Discovery:
    """The sparsest balances of pictures at rest; `nullity` 0 and status `no-fit` where they do not close."""
    equations, modes = _equations(problem, problem.states[:, None])
    fits = all(e.open <= min(AT_REST + e.floor, _MOST_OPEN) for e in equations)  # a bound, not a deviation: it adds
    pace = {name: problem.given(name) for name in problem.fields}
    settled = all(pace.values()) and all(e.nullity == 1 for e in equations)
    C = np.stack([e.coefficients for e in equations])
    alone = np.eye(len(C))[:, :, None]
    return problem.discovery(
        C,
        status=Status.NO_FIT if not fits else Status.CONVERGED if settled else Status.UNIDENTIFIABLE,
        message=_told(problem, equations) if fits else _refused(problem, equations),
        nullity=sum(e.nullity for e in equations) if fits else 0,
        scale="; ".join(f"{name}: {f'fixed by {told}' if told else 'free'}" for name, told in pace.items()),
        sign="; ".join(f"{name}: fixed by {told or 'diffusion > 0'}" for name, told in pace.items()),
        members=alone * C,
        **_numbers(problem, equations, modes),
    )


def in_order(problem: PictureProblem, frames: Ordered) -> Discovery:
    """The sparsest right-hand sides for the differences of pictures in order of time: a weak-form regression."""
    if problem.pace:
        raise BadInput("ordered", "cannot be combined with what fixes the pace already", problem.pace)
    problem = dataclasses.replace(problem, states=frames.x)
    pairs = np.stack([frames.x[:-1], frames.x[1:]], 1)
    tried = [_equations(problem, pairs, frames.interval or 1.0, later) for later in _LATER]
    equations, modes = min(tried, key=lambda one: sum(e.cost for e in one[0]))
    worst = max(e.open for e in equations)
    fits = all(e.open <= _OPEN_RATES + e.floor for e in equations)
    freedoms = 1 + sum(e.nullity - 1 for e in equations)
    told = f"{len(frames.x)} pictures in order of time: {worst:.2g} of the rates stays open"
    if freedoms > 1:
        told += f"; {freedoms} independent fields of the whole library fit, the sparsest is shown"
    timed = frames.interval is not None
    if not timed:
        told += "; coefficients are per interval between the pictures"
    C = np.stack([e.coefficients for e in equations])
    what = f"fixed by {len(frames.x)} ordered pictures"
    return problem.discovery(
        C,
        status=Status.NO_FIT if not fits else Status.CONVERGED if freedoms == 1 else Status.UNIDENTIFIABLE,
        message=told if fits else told + ": take a larger library, or pictures that follow closer",
        nullity=freedoms if fits else 0,
        scale=f"{what}, {frames.interval:g} apart" if timed else "free",
        sign=what,
        members=C[None],
        **_numbers(problem, equations, modes),
    )


def _numbers(problem: PictureProblem, equations: list[FieldEquation], modes: int) -> dict:
    tests = tuple(test for e in equations for test in e.tests)
    return {
        "std": np.stack([e.std for e in equations]),
        "spectrum": np.array([statistic for statistic, _ in tests]),
        "tests": tests,
        "dispersion": 1.0,
        "misfit": max(e.open for e in equations),
        "functionals": modes,
        "sparsity": {name: e.sparsity for name, e in zip(problem.fields, equations, strict=True)},
    }


def _told(problem: PictureProblem, equations: list[FieldEquation]) -> str:
    told = f"at rest: the sparsest balances leave {max(e.open for e in equations):.2g} of the diffusion open"
    rivals = [e for e in equations if e.second is not None]
    if rivals:
        told += f", the next best of as many terms {min(e.second or 0.0 for e in rivals):.2g}"
    if any((e.second or 0.0) <= 2 * (e.open + e.floor) for e in rivals):
        told += ", which noise could explain as well"
    free = [name for name in problem.fields if not problem.given(name)]
    if free:
        told += f"; the pace of {' and that of '.join(free)} {'is' if len(free) == 1 else 'are'} not in the pictures"
    return told


def _refused(problem: PictureProblem, equations: list[FieldEquation]) -> str:
    told = f"no sparse balance closes: {max(e.open for e in equations):.0%} of the diffusion stays open"
    if len(problem.states) < LEAST_PICTURES:
        told += f"; if the pictures move, give {LEAST_PICTURES} far apart in time, or two in order of time"
    return f"{told}; or take another library"
