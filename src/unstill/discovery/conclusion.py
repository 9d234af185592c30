"""What a null space of points means: hints are applied, and all is put into words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .._errors import BadInput
from .._types import Status
from ..observations import Ordered
from .nullspace import NullSpace
from .point_problem import Problem
from .representatives import Member
from .result import Discovery, Equations


def conclude(problem: Problem, space: NullSpace, basis: list[Member], signs, ordered, levels, given, seconds):
    """Hints are applied, and all is put into words."""
    best, scale, sign = _settled(problem, space, basis, ordered, given)
    best, sign = _signed(problem, best, sign, signs)
    fits = space.dimension > 0 and best.closed
    status = _status(space, fits)
    # Points that count for fewer, as the best field's balances tell, have deviations that are larger by the root.
    wider = math.sqrt(max(1.0, space.verdicts[0].statistic))
    equations = Equations(
        best.coefficients, best.covariance, problem.library, tuple(float(v) for v in problem.conditions[0])
    )
    one = space.dimension == 1
    return Discovery(
        equations=equations,
        status=status,
        message=_message(problem, space, best, fits, scale, sign),
        nullity=space.dimension if fits else 0,
        spectrum=space.spectrum,
        tests=tuple((verdict.statistic, verdict.limit) for verdict in space.verdicts),
        scale=scale,
        sign=sign,
        representatives=np.stack([member.coefficients for member in basis]),
        representative_covariances=np.stack([m.covariance for m in basis]) if problem.stochastic else None,
        std=None if not one or best.std is None else best.std * wider,
        dispersion=space.dispersion,
        telescopes=space.telescopes,
        misfit=space.misfit,
        noise={name: float(level) for name, level in zip(problem.names, levels, strict=True) if level},
        count=sum(form.count for form in problem.forms),
        functionals=sum(form.functionals.count for form in problem.forms),
        seconds=seconds,
    )


def _status(space: NullSpace, fits: bool) -> Status:
    if not fits:
        return Status.NO_FIT
    if not space.preserves:
        return Status.NOT_CONVERGED
    return Status.CONVERGED if space.dimension == 1 else Status.UNIDENTIFIABLE


def _settled(problem: Problem, space: NullSpace, basis: list[Member], ordered, given) -> tuple[Member, str, str]:
    """The member that is shown, and what fixes its scale and its sign."""
    fix, covariance = given
    best = basis[0]
    if problem.has_known:
        known = [f"{n} = {v:g}" for n, v in (fix or {}).items() if v]
        what = ", ".join(known) or "the covariance"
        told = f"fixed by {what if covariance is None or not known else what + ' and the covariance'}"
        return best, told, told
    if ordered is not None:
        return _ordered(problem, space, basis, ordered)
    if best.covariance is not None and np.trace(best.covariance) != 0:  # variances are positive
        return best.times(np.sign(np.trace(best.covariance))), "free", "fixed by the noise"
    return best, "free", "free"


def _signed(problem: Problem, best: Member, sign: str, signs: Mapping[tuple[int, int], float]) -> tuple[Member, str]:
    """Known signs are taken over or, where the sign is fixed already, checked; without any, by custom."""
    for (i, j), wanted in signs.items():
        value = best.coefficients[i, j]
        label = f"{problem.names[i]}:{problem.library.names[j]}"
        if value == 0:
            raise BadInput("sign", "must name a coefficient that is not zero", label)
        if sign == "free":
            best, sign = best.times(np.sign(value * wanted)), f"fixed by the sign of {label}"
        elif np.sign(value) != np.sign(wanted):
            raise BadInput("sign", f"contradicts what is {sign}", f"{label} = {value:.5g}")
    if sign == "free":
        best = best.times(_customary(best.coefficients / problem.scale[:, None]))
    return best, sign


def _ordered(problem: Problem, space: NullSpace, basis: list[Member], ordered: Ordered):
    if ordered.x.shape[1] != len(problem.names):
        raise BadInput("ordered", f"must have {len(problem.names)} columns", ordered.x.shape)
    if ordered.x.shape[1] * (len(ordered.x) - 1) < len(basis):
        raise BadInput("ordered", f"must hold more points for {len(basis)} free directions", ordered.x.shape)
    theta = problem.terms_at(ordered.x)
    rates = np.stack([theta @ member.coefficients.T for member in basis])
    best = Member.combined(basis, ordered.combine(rates, problem.scale))
    timed = ordered.interval is not None
    what = f"fixed by {len(ordered.x)} ordered points"
    return best, (f"{what}, {ordered.interval:g} apart" if timed else "free"), what


def _customary(scaled: np.ndarray) -> float:
    """A free sign is set so that the first clearly non-zero coefficient is negative: most systems damp x."""
    flat = scaled.ravel()
    first = flat[np.abs(flat) > 0.01 * np.abs(flat).max()][0]
    return -1.0 if first > 0 else 1.0


_CAUSES = (
    "points that depend on one another, a heap that is not stationary (transients, short runs, phases sampled "
    "unevenly), measurement noise, angles that `periodic` does not "
    "name, terms that the library lacks, or too few points for so many terms"
)


def _message(problem: Problem, space: NullSpace, best: Member, fits: bool, scale: str, sign: str) -> str:
    first = space.verdicts[0]
    openly = (
        f"its balances stay open by {first.statistic:.2g} times what independent points explain, where "
        f"{first.limit:.2g} is the limit at the level 0.1 %"
    )
    if space.dimension == 0:
        return f"no field of this library preserves the points: of the best, {openly}; possible causes: {_CAUSES}"
    if not fits:
        return "the known coefficients have no significant share in a field that preserves these points"
    free = [word for word, state in (("pace", scale), ("arrow", sign)) if state == "free"]
    rest = (
        f"; the {' and the '.join(free)} of time {'is' if len(free) == 1 else 'are'} not in the points" if free else ""
    )
    if not space.preserves:
        count = "one field stands" if space.dimension == 1 else f"{space.dimension} fields stand"
        return (
            f"{count} out from the library, but do not take it as the law: {openly}; possible causes: {_CAUSES}{rest}"
        )
    if space.dimension > 1:
        known = " that balance what is known" if problem.has_known else ""
        seen = sum(form.functionals.count for form in problem.forms)
        kind = (
            f"{space.dimension} independent fields of this library{known} could not be told apart from fields that "
            f"preserve the points, by {seen} functionals: the equations shown are the sparsest of a family"
        )
        return f"{kind}; more points may rule some out{rest}"
    return f"one field of this library preserves the points{rest}"
