"""Why a picture of one field was not explained: the likeliest cause, by trying."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from ..systems.grid import FIVE_POINT
from .hidden_elimination import Route
from .hidden_problem import Problem, Scaling
from .hidden_search import ROUGH, Balance, search

_SIDE = 64  # cells of the middle that is tried: a few seconds for each cause
_EXPLAINS = 0.5  # of what stayed unexplained: a cause that leaves less is named


def likeliest_cause(problem: Problem, route: Route, pictures: Float[np.ndarray, "M H W"], left: float) -> str:
    """A sentence that names what would explain the pictures much better, or nothing; `left` is what stays unexplained,
    as a share of the contrast.

    The search is repeated on the middle of the first picture, with nine points in place of five, with a blur, as a
    window, and with more of the camera unknown: more freedom always leaves less, hence the factor `_EXPLAINS`.
    """
    place = _middle(pictures.shape[1:])
    middle = pictures[:1, *place]
    best, words = _EXPLAINS * left, ""
    for told, changed in _changed(problem, place):
        found = search(Balance(changed, route, middle), Scaling.of(changed, middle), rounds=ROUGH)
        remains = float(np.sqrt(2 * found[0].cost)) if found else np.inf
        if remains < best:
            words = f" With {told}, {100 * remains:.2g} % would stay instead of {100 * left:.2g} %."
            best = _EXPLAINS * remains
    return words


def _middle(shape: tuple[int, ...]) -> tuple[slice, slice]:
    rows, columns = (slice((n - min(n, _SIDE)) // 2, (n + min(n, _SIDE)) // 2) for n in shape)
    return rows, columns


def _changed(problem: Problem, place: tuple[slice, slice]) -> Iterator[tuple[str, Problem]]:
    """What could be assumed besides, in words and as a problem of this part of the pictures; the simplest first."""
    cut = problem.part(*place)
    if problem.grid.scheme == FIVE_POINT:
        # Of a picture that is tried as it is; else of a window, whose freedom comes on top.
        tried = problem if cut.grid.shape == problem.grid.shape else cut
        yield "`laplacian=unknown`", dataclasses.replace(tried, grid=tried.grid.restated(scheme="nine-point"))
        if problem.camera.blur == 0:
            yield "`blur=unknown`", dataclasses.replace(tried, camera=dataclasses.replace(problem.camera, blur=None))
    if not problem.window:
        yield "`window=True`", cut
    unknown, known = problem.camera.unknown, "" if problem.window else "`window=True`, "
    if "gain" not in unknown or "offset" not in unknown:
        camera = dataclasses.replace(problem.camera, gain=None, offset=None)
        yield f"{known}`gain=unknown` and `offset=unknown`", dataclasses.replace(cut, camera=camera)
    if "gamma" not in unknown:
        told = f"{known}`gain=unknown`, `offset=unknown` and `gamma=unknown`"
        camera = dataclasses.replace(problem.camera, gain=None, offset=None, gamma=None)
        yield told, dataclasses.replace(cut, camera=camera)
