"""Equations of moving ensembles: the fields have one pace, and only functionals of all of them stand still."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from .._types import Status
from ..observations.noise import denoise
from .ensembles import FieldFunctionals, samples
from .field_noise import without_noise
from .field_problem import PictureProblem
from .joint_equations import TERM_PRICE, JointEquations, joint_equations
from .result import Discovery

LEAST_PICTURES = 16


def moving(problem: PictureProblem) -> Discovery:
    """The sparsest right-hand sides that preserve a moving ensemble; `nullity` 0 and status `no-fit` for none."""
    joint, reduction = _joint(problem)
    allowed = problem.library.allowed
    C, std = np.zeros(allowed.shape), np.zeros(allowed.shape)
    C[allowed] = reduction @ joint.e
    std[allowed] = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", reduction, joint.covariance, reduction), 0))
    pins = max(1, int(np.count_nonzero(problem.known)))
    reason = joint.selection.sparsity(lambda choice: choice.cost - TERM_PRICE * len(choice.support), pins)
    nullity = sum(statistic <= limit for statistic, limit in joint.tests) if joint.ratio <= joint.limit else 0
    return problem.discovery(
        C,
        status={0: Status.NO_FIT, 1: Status.CONVERGED}.get(nullity, Status.UNIDENTIFIABLE),
        message=_told(problem, joint, nullity),
        nullity=nullity,
        scale=f"fixed by {problem.pace}" if problem.known.any() else "free",
        sign=f"fixed by {problem.pace or 'diffusion > 0'}",
        members=C[None],
        std=std,
        spectrum=joint.spectrum,
        tests=joint.tests,
        dispersion=max(1.0, joint.ratio),
        misfit=math.sqrt(max(joint.ratio - 1, 0.0) / len(problem.states)),
        functionals=joint.functionals,
        sparsity={", ".join(problem.fields): reason},
    )


def _joint(problem: PictureProblem) -> tuple[JointEquations, Float[np.ndarray, "P p"]]:
    """The solution, and the matrix from its numbers to the coefficients that may stand in an equation."""
    library, grid, states, levels = problem.library, problem.grid, problem.states, problem.levels
    allowed, rng = library.allowed, np.random.default_rng(problem.seed)
    places = np.argwhere(allowed).tolist()
    known, free = problem.known[allowed], np.flatnonzero(problem.free[allowed])
    reduction = np.eye(len(places))[:, free]
    if known.any():
        reduction = np.concatenate([reduction, known[:, None]], 1)
    spread = np.sqrt(np.maximum(states.var((0, 2, 3)) - levels**2, 1e-300))
    functionals = FieldFunctionals.make(grid, states, spread)
    clean = np.stack([denoise(grid, states[:, a], float(s)) for a, s in enumerate(levels)], 1)

    def rows(c: np.ndarray) -> np.ndarray:
        return samples(library, functionals, c)

    def second_order(e: np.ndarray) -> np.ndarray:
        C = np.zeros(allowed.shape)
        C[allowed] = reduction @ e
        return np.stack([functionals.second_order(c, np.tensordot(C, library.columns(grid, c), 1)) for c in clean])

    laplacians = [i for i, j in enumerate(free) if places[j][1] == library.laplacian_of(places[j][0])]
    alike = [[i for i, j in enumerate(free) if places[j][1] == term] for term in range(len(library.terms))]
    table = np.stack([without_noise(rows, c, levels, rng)[0] for c in states]) @ reduction
    pinned = len(free) if known.any() else laplacians[0] if laplacians else 0
    starts = [[], list(range(len(free))), *alike]
    return joint_equations(table, second_order, pinned=pinned, forced=laplacians, starts=starts), reduction


def _told(problem: PictureProblem, joint: JointEquations, nullity: int) -> str:
    if not nullity:
        return (
            f"moving: no sparse field of this library preserves the ensemble (χ² is {joint.ratio:.2g} times what "
            "chance leaves); take a larger library, or pictures further apart in time"
        )
    told = f"{len(problem.states)} pictures of a moving ensemble"
    best, second = joint.selection.best, joint.selection.second
    if second is not None:
        told += f"; the next best equations of as many terms are worse by {second.cost - best.cost:.3g} in χ²"
        if second.cost - best.cost < TERM_PRICE:
            told += ", too little to tell them apart"
    if nullity > 1:
        told += f"; {nullity} independent fields of the whole library preserve them, the sparsest is shown"
    return told if problem.known.any() else told + "; the pace of time is not in the pictures"
