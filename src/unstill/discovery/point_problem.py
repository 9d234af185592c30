"""A call of `discover` as matrices: heaps, library, test functions, and which coefficients are free."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float

from .._errors import BadInput, nearest
from ..balance.point_functionals import (
    AbstractPointFunctionals,
    FourierFunctionals,
    GaussianFunctionals,
    MonomialFunctionals,
)
from .library import Library
from .periodic_library import check_periodic_terms
from .size import least_functionals
from .weak_form import Basis, WeakForm, pairs

_POINTS_A_FUNCTIONAL = 5
_FUNCTIONALS = 300
TESTS = ("fourier", "monomials", "gaussians")


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """`reduction` (P, p) maps free numbers to raw coefficients: those of the terms variable by variable, then Σ_ab,
    a ≤ b. Where anything is known, its last column is that, and a solution is divided by its last number.

    `Q` (P, p) spans the same in the weak form's own coefficients W · raw, with orthonormal columns:
    Q · triangle = W · reduction.
    """

    library: Library
    names: tuple[str, ...]
    conditions: list[np.ndarray]
    scale: Float[np.ndarray, " D"]
    forms: list[WeakForm]
    reduction: Float[np.ndarray, "P p"]
    has_known: bool
    stochastic: bool
    tests: str
    periods: Mapping[str, float]
    Q: Float[np.ndarray, "P p"]
    triangle: Float[np.ndarray, "p p"]

    @classmethod
    def build(
        cls,
        heaps: Sequence[np.ndarray],
        held: tuple[str, ...],
        library: Library,
        *,
        names: tuple[str, ...],
        fixed: Mapping[tuple[int, int], float],
        covariance: np.ndarray | None,
        stochastic: bool,
        tests: str,
        functionals: int | None,
        seed: int,
        periods: Mapping[str, float] = {},
    ) -> Problem:
        """Raises `BadInput` for too few points, collinear terms, nothing left to find."""
        D = len(names)
        if periods:
            check_periodic_terms(library, np.concatenate(heaps), periods)
        basis = Basis.of(library, np.concatenate(heaps))
        scale = basis.scale[:D]
        reduction, has_known = _reduction(D, len(library.terms), fixed, covariance, stochastic)
        weak = scipy.linalg.block_diag(
            *(basis.R / s for s in scale),
            *([np.diag([1 / (scale[a] * scale[b]) for a, b in pairs(D)])] if stochastic else []),
        )
        Q, triangle = np.linalg.qr(weak @ reduction)
        forms = []
        for heap in heaps:
            z = (heap[:, :D] - basis.mean[:D]) / scale
            turns = np.array([2 * np.pi * s / periods.get(name, np.inf) for name, s in zip(names, scale, strict=True)])
            family = _functionals(tests, functionals, z, reduction.shape[1], len(heaps), seed, turns)
            forms.append(WeakForm(family, basis, heap, dimension=D, stochastic=stochastic))
        conditions = [heap[0, D:] for heap in heaps]
        return cls(
            library, names, conditions, scale, forms, reduction, has_known, stochastic, tests, periods, Q, triangle
        )

    @property
    def nearest_collinear(self) -> float:
        """How far from collinear the terms are: the least |Te| over unit vectors e in units that make all columns 1."""
        return float(np.linalg.svd(self.triangle / np.linalg.norm(self.triangle, axis=0), compute_uv=False)[-1])

    def terms_at(self, x: Float[np.ndarray, "T D"]) -> Float[np.ndarray, "T L"]:
        """θ(x) under the first heap's conditions."""
        held = np.broadcast_to(self.conditions[0], (len(x), len(self.conditions[0])))
        return self.library.evaluate(np.concatenate([x, held], 1))


def _reduction(D: int, L: int, fixed, covariance, stochastic: bool) -> tuple[np.ndarray, bool]:
    entries = pairs(D) if stochastic else []
    P = D * L + len(entries)
    known, free = np.zeros(P), np.ones(P, bool)
    for (i, j), value in fixed.items():
        known[i * L + j], free[i * L + j] = value, False
    if covariance is not None:
        known[D * L :], free[D * L :] = [covariance[a, b] for a, b in entries], False
    if not free.any():
        raise BadInput("fix", "must leave something to find", f"all {len(free)} coefficients")
    columns = [np.eye(P)[:, free], *([known[:, None]] if known.any() else [])]
    return np.concatenate(columns, 1), bool(known.any())


def _functionals(
    tests: str, wanted: int | None, z: np.ndarray, unknowns: int, heaps: int, seed: int, turns: np.ndarray
) -> AbstractPointFunctionals:
    M, D = z.shape
    if tests not in TESTS:
        raise BadInput("tests", "must be a known family of test functions", repr(tests), nearest(tests, TESTS))
    least = least_functionals(unknowns, heaps)
    if turns.any() and tests != "fourier":
        raise BadInput("tests", "must be fourier where a variable is periodic", repr(tests), "They are periodic, too.")
    if tests == "monomials":
        degree = next(d for d in range(2, 40) if MonomialFunctionals.make(d, D).count >= max(least, wanted or 0))
        family: AbstractPointFunctionals = MonomialFunctionals.make(degree, D)
    else:
        count = wanted or min(max(_FUNCTIONALS, 4 * unknowns), M // _POINTS_A_FUNCTIONAL)
        if wanted is not None and wanted < least:
            raise BadInput("functionals", f"must be at least {least} for {unknowns} unknowns", wanted)
        count = max(count, least) // 2 * 2
        if turns.any():
            family = FourierFunctionals.on_circles(count, turns, seed, least + least % 2)
        elif tests == "fourier":
            family = FourierFunctionals.make(count, D, seed)
        else:
            family = GaussianFunctionals.make(min(count, M), z, seed)
    if 2 * family.count > M:
        rule = f"must be at least twice the test functions, {2 * family.count} for {unknowns} unknowns"
        raise BadInput("points", rule, f"{M} points", "Take a smaller library, or more points.")
    return family
