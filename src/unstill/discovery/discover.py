"""`discover`: points or pictures → the dynamics of a library that preserve them, and how far these determine them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from .._arguments import Count, Values, Whole, checked
from .._errors import BadInput, nearest
from .._types import Status
from ..observations import Ordered
from ..observations.points import Points
from ..simulation import Grid
from .hints import coefficients, known_signs
from .library import find_library
from .nullspace import NullSpace, Rows, null_space
from .pictures import Pictures, discover_pictures
from .point_noise import estimate_noise
from .point_problem import Problem
from .representatives import Member, members
from .result import Discovery, Equations

Heap = Points | np.ndarray
_OPEN, _CLEANER = 5.0, 0.2  # first statistic at which noise is suspected; what is left of it if it was noise


@checked
def discover(
    points: Heap | Sequence[Heap] | Pictures | Mapping[str, np.ndarray],
    library: str | Mapping[str, Callable] | None = None,
    *,
    fix: Values | None = None,
    sign: Values | None = None,
    ordered: Ordered | np.ndarray | None = None,
    noise: Values | str = "auto",
    stochastic: bool = False,
    covariance: Values | None = None,
    conditions: Sequence[Mapping[str, float]] = (),
    tests: Literal["fourier", "monomials", "gaussians"] = "fourier",
    functionals: Count | None = None,
    seed: Whole = 0,
    grid: Grid | None = None,
    cross: bool = False,
) -> Discovery:
    """The fields f = Σ_j c_j θ_j(x) that preserve the density of a heap of points: E[∇φ·f + ½ Σ:∇∇φ] = 0 for every φ.

    Points need no order, and reordering them changes nothing. They may be independent, or all points of a few
    trajectories; which of both is told from the scatter of the averages (`nullspace`). For pictures see
    `discover_pictures`.

    Args:
        points: `Points` or an array (M, D); several heaps under different `conditions`; or pictures: arrays (M, H, W)
            by field, or what `load` returns.
        library: Terms: poly1, poly2, poly3, trig, file.py:NAME, or a mapping from terms to functions of the variables
            (default: poly2, of pictures poly3).
        fix: Known coefficients, as "x:y=10" for the term y in dx/dt; one that is not 0 fixes pace and arrow of time.
        sign: Known signs, as "x:y=1" or "x:y=-1".
        ordered: Points (T, D) or pictures (T, C, H, W) in order of time, two or more, with or without their interval.
        noise: Measurement noise: standard deviation by variable, whose bias is taken out; estimate finds it as one
            share of every variable's; auto does so where the balances stay open and close with it; none.
        stochastic: The dynamics have a constant noise term, dx = f dt + σ dW with Σ = σσᵀ to be found.
        covariance: Known covariance Σ of the dynamics' noise per unit time, as "x:x=0.1".
        conditions: Known conditions, one mapping a heap; their names are variables of the library too.
        tests: Test functions φ.
        functionals: How many test functions (default: as many as the library and the points ask for).
        seed: Seed of the test functions.
        grid: Pictures: cell size and boundary (default: their own, else periodic with dx = 1).
        cross: Pictures: the Laplacian of every field may stand in every equation.

    Without `fix`, `covariance` or `ordered`, f is determined up to a factor only, of either sign where there is no
    noise either: it is scaled to one standard deviation per unit time. Returns a `Discovery` with status `converged`,
    `unidentifiable` (several fields fit) or `no-fit`. Raises `BadInput`.
    """
    if isinstance(points, (Pictures, Mapping)):
        if stochastic or covariance is not None or conditions or functionals is not None or tests != "fourier":
            raise BadInput("pictures", "are taken as deterministic, under one condition, with test functions of ours")
        return discover_pictures(
            points, library or "poly3", grid=grid, cross=cross, fix=fix, sign=sign, ordered=ordered, noise=noise,
            seed=seed,
        )  # fmt: skip
    if cross or grid is not None:
        raise BadInput("cross" if cross else "grid", "is for pictures only")
    return discover_points(
        points, library or "poly2", fix=fix, sign=sign, ordered=ordered, noise=noise, stochastic=stochastic,
        covariance=covariance, conditions=conditions, tests=tests, functionals=functionals, seed=seed,
    )  # fmt: skip


def discover_points(
    points: Heap | Sequence[Heap],
    library: str | Mapping[str, Callable] = "poly2",
    *,
    fix: Values | None,
    sign: Values | None,
    ordered: Ordered | np.ndarray | None,
    noise: Values | str,
    stochastic: bool,
    covariance: Values | None,
    conditions: Sequence[Mapping[str, float]],
    tests: str,
    functionals: int | None,
    seed: int,
) -> Discovery:
    """`discover` for points; arguments as there."""
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    if ordered is not None and not isinstance(ordered, Ordered):
        ordered = Ordered(np.asarray(ordered))
    if ordered is not None and (covariance is not None or any((fix or {}).values())):
        raise BadInput("ordered", "cannot be combined with what fixes the pace already: `fix` or `covariance`")
    with threadpool_limits(1):  # matrices of a few hundred rows: more threads only wait for one another
        heaps, names, held = _heaps(points, conditions, stochastic or covariance is not None)
        terms = find_library(library, (*names, *held))
        problem = Problem.build(
            heaps, held, terms, names=names, fixed=coefficients("fix", fix or {}, terms, names),
            covariance=_covariance(covariance, names), stochastic=stochastic or covariance is not None, tests=tests,
            functionals=functionals, seed=seed,
        )  # fmt: skip
        signs = known_signs(sign, problem.library, names)
        levels, rows, space = _cleaned(problem, noise)
        basis = members(problem, space, rows)
    found = _conclude(problem, space, basis, signs, ordered, levels, (fix, covariance), time.perf_counter() - began)
    return dataclasses.replace(found, source=_first(points))


def _first(points: Heap | Sequence[Heap]) -> Points:
    """The first heap, for figures."""
    one = points if isinstance(points, (Points, np.ndarray)) else points[0]
    return one if isinstance(one, Points) else Points(np.asarray(one))


def _cleaned(problem: Problem, noise: Values | str):
    """The levels of noise that are taken out, and what is left: rows and null space."""
    levels = _noise_levels(noise, problem)
    rows, space = _solved(problem, levels)
    if noise == "auto" and _worth_cleaning(problem, space):
        estimated = estimate_noise(problem.forms, problem.Q) * problem.scale
        cleaned = _solved(problem, estimated)
        if cleaned[1].verdicts[0].statistic < _CLEANER * space.verdicts[0].statistic:
            return estimated, *cleaned
    return levels, rows, space


def _heaps(points, conditions, stochastic: bool):
    """Heaps as sorted arrays (M, D + conditions), the variables' names, and those of the conditions."""
    several = isinstance(points, Sequence) and not isinstance(points, np.ndarray)
    heaps = [p if isinstance(p, Points) else Points(np.asarray(p)) for p in (points if several else [points])]
    if not heaps:
        raise BadInput("points", "must hold at least one heap")
    names = heaps[0].names
    for heap in heaps:
        if heap.names != names:
            raise BadInput("points", f"must all have the variables {', '.join(names)}", ", ".join(heap.names))
    if heaps[0].dimension == 1 and not stochastic:
        raise BadInput(
            "points", "must have two variables or more", "1",
            "In one dimension the only stationary flux is constant, so f = constant/density; pass stochastic=True.",
        )  # fmt: skip
    if conditions and len(conditions) != len(heaps):
        raise BadInput("conditions", f"must be given once for each of the {len(heaps)} heaps", len(conditions))
    held = tuple(conditions[0]) if conditions else ()
    for one in conditions:
        if tuple(one) != held:
            raise BadInput("conditions", f"must all name {', '.join(held)}", ", ".join(one))
        if not np.isfinite(list(one.values())).all():
            raise BadInput("conditions", "must be finite", dict(one))
    for name in held:
        if name in names:
            raise BadInput("conditions", "must not be named like a variable", name)
        if len({one[name] for one in conditions}) < 2:
            raise BadInput(
                "conditions", "must differ from heap to heap", f"{name} = {conditions[0][name]:g} throughout"
            )
    values = [list(one.values()) for one in conditions] or [[] for _ in heaps]
    arrays = [
        np.concatenate([heap.sorted(), np.broadcast_to(np.array(v, float), (heap.count, len(v)))], 1)
        for heap, v in zip(heaps, values, strict=True)
    ]
    return arrays, names, held


def _covariance(given: Mapping[str, float] | None, names: tuple[str, ...]):
    """`{"x:y": value}` → Σ (D, D) with 0 where nothing is said; raises `BadInput`."""
    if given is None:
        return None
    S = np.zeros((len(names),) * 2)
    for name, value in given.items():
        a, colon, b = (part.strip() for part in name.partition(":"))
        for variable in (a, b if colon else a):
            if variable not in names:
                raise BadInput("covariance", "must name variables, as x:x or x:y", repr(name), nearest(variable, names))
        i, j = names.index(a), names.index(b if colon else a)
        S[i, j] = S[j, i] = value
    if not np.isfinite(S).all() or np.linalg.eigvalsh(S).min() < -1e-12 * max(np.trace(S), 1e-300) or not S.any():
        raise BadInput("covariance", "must be a covariance: positive semidefinite and not zero", given)
    return S


def _solved(problem: Problem, levels: Float[np.ndarray, " D"]):
    rows = Rows(problem.forms, [form.clean_matrix(levels / problem.scale) for form in problem.forms], problem.Q)
    return rows, null_space(rows)


def _worth_cleaning(problem: Problem, space: NullSpace) -> bool:
    """Balances stay open, and the bias of noise is one that can be taken out."""
    polynomial = problem.library.exponents is not None
    return polynomial and problem.tests != "gaussians" and space.verdicts[0].statistic > _OPEN


def _noise_levels(noise, problem: Problem) -> Float[np.ndarray, " D"]:
    names = problem.names
    if isinstance(noise, str):
        if noise not in ("auto", "estimate", "none"):
            raise BadInput("noise", "must be a number for each variable, or auto, estimate or none", repr(noise))
        share = estimate_noise(problem.forms, problem.Q) if noise == "estimate" else 0.0
        return share * problem.scale
    for name, value in noise.items():
        if name not in names:
            raise BadInput("noise", "must name variables", repr(name), nearest(name, names))
        if not (value >= 0 and np.isfinite(value)):
            raise BadInput("noise", "must be 0 or positive", f"{name}={value}")
    levels = np.array([float(noise.get(name, 0.0)) for name in names])
    if (levels >= problem.scale).any():
        worst = names[int(np.argmax(levels / problem.scale))]
        raise BadInput("noise", "must be below the standard deviation of the points", f"{worst}={noise[worst]}")
    return levels


def _conclude(problem: Problem, space: NullSpace, basis: list[Member], signs, ordered, levels, given, seconds):
    """Hints are applied, and all is put into words."""
    best, scale, sign = _settled(problem, space, basis, ordered, given)
    best, sign = _signed(problem, best, sign, signs)
    fits = space.dimension > 0 and best.closed
    status = Status.NO_FIT if not fits else Status.CONVERGED if space.dimension == 1 else Status.UNIDENTIFIABLE
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
        std=best.std if one else None,
        dispersion=space.dispersion,
        telescopes=space.telescopes,
        misfit=space.misfit,
        noise={name: float(level) for name, level in zip(problem.names, levels, strict=True) if level},
        count=sum(form.count for form in problem.forms),
        functionals=sum(form.functionals.count for form in problem.forms),
        seconds=seconds,
    )


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


def _message(problem: Problem, space: NullSpace, best: Member, fits: bool, scale: str, sign: str) -> str:
    if space.dimension == 0:
        return (
            f"no field of this library preserves the points: the mean of ∇φ·f stays at {space.misfit:.2g} of its "
            "standard deviation, 0.03 is the limit; take a larger library, or say how much noise the points carry"
        )
    if not fits:
        return "the known coefficients have no significant share in a field that preserves these points"
    free = [word for word, state in (("pace", scale), ("arrow", sign)) if state == "free"]
    rest = (
        f"; the {' and the '.join(free)} of time {'is' if len(free) == 1 else 'are'} not in the points" if free else ""
    )
    if space.dimension > 1:
        known = " that balance what is known" if problem.has_known else ""
        kind = f"{space.dimension} independent fields of this library preserve the points{known}"
        return f"{kind}: the equations shown are the sparsest of a family{rest}"
    excess = space.dispersion > 3 and not space.telescopes
    doubt = (
        f"; averages scatter {space.dispersion:.2g} times more than those of independent points at rest"
        if excess
        else ""
    )
    return f"one field of this library preserves the points{rest}{doubt}"
