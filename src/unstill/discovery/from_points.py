"""`discover` for points: heaps of them, under one or more conditions, with or without noise."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from .._arguments import Values
from .._errors import BadInput, nearest
from .._numbers import real_numbers
from ..observations import Ordered
from ..observations.independence import distinct_points
from ..observations.noise import known_noise
from ..observations.periodic import known_periods, unwrapped, wrapped
from ..observations.points import Points
from .conclusion import conclude
from .hints import coefficients, known_signs
from .library import find_library
from .nullspace import NullSpace, Rows, null_space
from .point_noise import estimate_noise
from .point_problem import Problem
from .representatives import members
from .result import Discovery
from .size import judge_points

Heap = Points | np.ndarray


@runtime_checkable
class Table(Protocol):
    """What NumPy can take: an array of JAX, a data frame, whose columns then have names."""

    def __array__(self) -> np.ndarray: ...


_COLLINEAR = 1e-11  # of a unit: nearer terms leave their coefficients fewer than five digits
_OPEN, _CLEANER = 5.0, 0.2  # first statistic at which noise is suspected; what is left of it if it was noise


def discover_points(
    points: Heap | Table | Sequence[Heap],
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
    periodic: Values | None = None,
) -> Discovery:
    """`discover` for points; arguments as there."""
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    if ordered is not None and not isinstance(ordered, Ordered):
        ordered = Ordered(ordered)
    if ordered is not None and (covariance is not None or any((fix or {}).values())):
        rule, pace = "cannot be combined with what fixes the pace already: `fix` or `covariance`", covariance or fix
        raise BadInput("ordered", rule, ", ".join(f"{term}={value}" for term, value in dict(pace or {}).items()))
    with threadpool_limits(1):  # matrices of a few hundred rows: more threads only wait for one another
        points, periods = _around(points, periodic)
        heaps, names, held = _heaps(points, conditions, stochastic or covariance is not None or bool(periods))
        noisy, sigma = stochastic or covariance is not None, _covariance(covariance, names)
        known = len(fix or {})
        judge_points(library, [(len(heap), len(names)) for heap in heaps], len(held), known, noisy, len(periods))
        terms = find_library(library, (*names, *held), periods)
        problem = Problem.build(
            heaps, held, terms, names=names, fixed=coefficients("fix", fix or {}, terms, names),
            covariance=sigma, stochastic=noisy, tests=tests,
            functionals=functionals, seed=seed, periods=periods,
        )  # fmt: skip
        if ordered is not None and periods and ordered.x.shape[1:] == (len(names),):
            ordered = Ordered(unwrapped(ordered.x, names, periods), ordered.interval)
        signs = known_signs(sign, problem.library, names)
        if problem.nearest_collinear < _COLLINEAR:
            raise _too_far(heaps[0], names)
        levels, rows, space = _cleaned(problem, noise)
        basis = members(problem, space, rows)
    found = conclude(problem, space, basis, signs, ordered, levels, (fix, covariance), time.perf_counter() - began)
    given = sum(np.shape(getattr(p, "x", p))[0] for p in _listed(points))
    copies = given - found.count
    told = f"{copies} of {given} points are copies of others and were left out; " if copies else ""
    return dataclasses.replace(found, message=told + found.message, source=_first(points), periodic=periods)


def _too_far(x: np.ndarray, names: Sequence[str]) -> BadInput:
    """Points so far from the origin, seen from their spread, that powers of a variable and 1 are one term in floats."""
    away = np.abs(x.mean(0)) / np.maximum(x.std(0), 1e-300)
    i = int(np.argmax(away[: len(names)]))
    rule = "must be nearer to the origin: terms of the library cannot be told apart there in double precision"
    told = f"{names[i]} around {x[:, i].mean():g}, with a spread of {x[:, i].std():g}"
    return BadInput("points", rule, told, "Subtract its mean, or leave it out where it hardly varies.")


def _around(points: Heap | Table | Sequence[Heap], periodic: Values | None) -> tuple[Sequence[Heap], dict[str, float]]:
    """The heaps with their periodic variables within one period, and the periods."""
    heaps = [each if isinstance(each, Points) else Points(real_numbers("points", each)) for each in _listed(points)]
    if not periodic or not heaps:
        return heaps, {}
    periods = known_periods(periodic, heaps[0].names)
    return [dataclasses.replace(each, x=wrapped(each.x, each.names, periods)) for each in heaps], periods


def _listed(points: Heap | Table | Sequence[Heap]) -> Sequence[Heap]:
    """Heaps as a sequence; one table alone, whatever library it comes from, is one heap."""
    if isinstance(points, Points):
        return [points]
    if isinstance(points, Table):
        x, columns = real_numbers("points", points), getattr(points, "columns", None)  # of a data frame
        return [x if columns is None else Points(x, tuple(map(str, columns)))]
    rows = [np.ndim(row) == 1 and not isinstance(row, Points) for row in points]
    return [real_numbers("points", points)] if rows and all(rows) else points


def _first(points: Heap | Table | Sequence[Heap]) -> Points:
    """The first heap, for figures."""
    one = _listed(points)[0]
    return one if isinstance(one, Points) else Points(one)


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
    heaps = [p if isinstance(p, Points) else Points(real_numbers("points", p)) for p in _listed(points)]
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
    alone = [distinct_points(heap.sorted()) for heap in heaps]
    arrays = [
        np.concatenate([x, np.broadcast_to(np.array(v, float), (len(x), len(v)))], 1)
        for x, v in zip(alone, values, strict=True)
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
    known = known_noise(noise, names, "variables")
    levels = np.array([float(known.get(name, 0.0)) for name in names])
    if (levels >= problem.scale).any():
        worst = names[int(np.argmax(levels / problem.scale))]
        raise BadInput("noise", "must be below the standard deviation of the points", f"{worst}={noise[worst]}")
    return levels
