"""`recover` with `laplacian="unknown"`: which Laplacian made the pictures, and what that is worth to the intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from .._errors import BadInput
from .._result import Estimate
from .._types import Status
from ..systems.grid import SCHEMES
from .result import Recovery
from .which_system import FITS, STRONG

_TWICE = 2.0  # what stays unexplained of pictures without noise: less than half of it decides


def best_laplacian(each: Callable[[str], Recovery]) -> Recovery:
    """The recovery under the Laplacian that explains the pictures best, from one recovery `each` scheme.

    Accepted fits come first, but before one that explains the pictures better and only has not come to its end: then
    that is the answer. With noise fits are compared by χ², which must differ by `STRONG`; without, by what stays
    unexplained of the contrast, or, where all fields are seen at rest, by the drift that is left, of which one must
    leave less than half. A spectral Laplacian is tried where the whole domain is seen, and sharp. Schemes that explain
    the pictures alike are not chosen between: the intervals are widened by the distances of their estimates, and what
    not all of them determine is dropped. Moving pictures of all fields tell nothing of the scheme, so that all that fit
    are alike. Ctrl-C ends it with the interrupted recovery.
    """
    found: dict[str, Recovery] = {}
    for scheme in SCHEMES:
        try:
            found[scheme] = each(scheme)
        except BadInput:  # a spectral Laplacian knows no windows, gaps and blurs
            if scheme != "spectral":
                raise
            continue
        if found[scheme].interrupted or found[scheme].status is Status.DEAD:
            return found[scheme]
    fits = {scheme: one for scheme, one in found.items() if one.status in FITS}
    nearest = sorted(found, key=lambda scheme: _unexplained(found[scheme])[0])
    best, *others = [scheme for scheme in nearest if scheme in fits] or nearest
    if _on_its_way(found[nearest[0]], found[best]):
        told = f"The {nearest[0]} Laplacian explains the pictures better than any that is fitted. "
        return dataclasses.replace(found[nearest[0]], message=told + found[nearest[0]].message)
    if not fits:
        told = f"No Laplacian of {', '.join(found)} explains the pictures; the nearest is {best}. "
        return dataclasses.replace(found[best], message=told + found[best].message)
    alike = [scheme for scheme in others if _alike(found[best], found[scheme])]
    chosen = _widened(found[best], [found[scheme] for scheme in alike])
    told = f"{best} Laplacian" + (f", or as well {' or '.join(alike)}: intervals hold each. " if alike else " found. ")
    lost = chosen.status is not found[best].status
    last = f"Not each of them determines every parameter; of {best}: " if lost else ""
    return dataclasses.replace(chosen, message=told + last + chosen.message)


def _unexplained(found: Recovery) -> tuple[float, bool]:
    """What the fit leaves, the less the better, and whether it is a χ²."""
    if found.goodness is not None and found.misfit is not None:
        return float((found.misfit**2).sum()), True
    if found.misfit is not None and found.misfit.size:
        return float(np.sqrt((found.misfit**2).mean())), False
    return (np.inf if found.drift_per_time is None else found.drift_per_time), False


def _on_its_way(nearest: Recovery, best: Recovery) -> bool:
    """Whether a fit that has not come to its end explains more than the best that has."""
    return nearest.status is Status.NOT_CONVERGED and best.status in FITS and not _alike(nearest, best)


def _alike(best: Recovery, other: Recovery) -> bool:
    if best.misfit is None and "ensemble" in best.method:
        return True
    (least, noisy), (left, also) = _unexplained(best), _unexplained(other)
    return left < least + STRONG if noisy and also else left < _TWICE * least


def _widened(best: Recovery, others: list[Recovery]) -> Recovery:
    if not others:
        return best
    parameters = {name: _hold(one, [o.parameters[name] for o in others]) for name, one in best.parameters.items()}
    shared = {name for name in best.combinations if all(name in other.combinations for other in others)}
    combinations = {name: _hold(best.combinations[name], [o.combinations[name] for o in others]) for name in shared}
    camera = {name: _hold(one, [o.camera[name] for o in others]) for name, one in best.camera.items()}
    free = any(each.value is None for each in parameters.values())
    return dataclasses.replace(
        best, parameters=parameters, combinations=combinations, camera=camera,
        status=Status.UNIDENTIFIABLE if free else best.status,
    )  # fmt: skip


def _hold(best: Estimate, others: list[Estimate]) -> Estimate:
    """An estimate whose standard deviation holds the others'; free where one of them is."""
    if best.value is None or any(other.value is None for other in others):
        return Estimate(None)
    if best.std == 0 or best.std is None:
        return best
    far = max(float(np.hypot(float(other.value or 0.0) - best.value, other.std or 0.0)) for other in others)
    return Estimate.normal(best.value, float(np.hypot(best.std, far)))
