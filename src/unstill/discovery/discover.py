"""`discover`: points or pictures → the dynamics of a library that preserve them, and how far these determine them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from .._arguments import Count, Values, Whole, checked
from .._errors import BadInput
from ..observations import Ordered
from ..observations.task import Pictures
from ..simulation import Grid
from .from_pictures import discover_pictures
from .from_points import Heap, Table, discover_points
from .result import Discovery


@checked
def discover(
    points: Heap | Table | Sequence[Heap] | Pictures | Mapping[str, np.ndarray],
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
    periodic: Values | None = None,
) -> Discovery:
    """The fields f = Σ_j c_j θ_j(x) that preserve the density of a heap of points: E[∇φ·f + ½ Σ:∇∇φ] = 0 for every φ.

    Points need no order, and reordering them changes nothing. They may be independent, or all points of a few
    trajectories; which of both is told from the scatter of the averages (`nullspace`). For pictures see
    `discover_pictures`.

    Args:
        points: `Points`, an array (M, D) or a data frame; several heaps under different `conditions`; or
            pictures: arrays (M, H, W) by field, or what `load` returns.
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
        periodic: Periods of the variables of points that are angles, as "x=6.2832": these are taken around the period,
            the test functions have whole waves along it, and the libraries sines and cosines in place of powers.

    Without `fix`, `covariance` or `ordered`, f is determined up to a factor only, of either sign where there is no
    noise either: it is scaled to one standard deviation per unit time. Returns a `Discovery` with status `converged`,
    `unidentifiable` (several fields fit), `not-converged` (of points: a field stands out, and its own goodness of fit
    is against it) or `no-fit`. Copies of points and pictures count once. Raises `BadInput`.
    """
    if isinstance(points, (Pictures, Mapping)):
        of_points = {"stochastic": stochastic, "covariance": covariance, "conditions": conditions,
                     "functionals": functionals, "tests": tests if tests != "fourier" else None,
                     "periodic": periodic}  # fmt: skip
        for name, value in of_points.items():
            if value:
                raise BadInput(name, "is for points only", value)
        return discover_pictures(
            points, library or "poly3", grid=grid, cross=cross, fix=fix, sign=sign, ordered=ordered, noise=noise,
            seed=seed,
        )  # fmt: skip
    if cross or grid is not None:
        raise BadInput("cross" if cross else "grid", "is for pictures only", cross or grid)
    return discover_points(
        points, library or "poly2", fix=fix, sign=sign, ordered=ordered, noise=noise, stochastic=stochastic,
        covariance=covariance, conditions=conditions, tests=tests, functionals=functionals, seed=seed,
        periodic=periodic,
    )  # fmt: skip
