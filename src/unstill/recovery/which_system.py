"""`recover` with `system="all"`: which of the built-in systems made a picture of one field?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._arguments import Names, listed
from .._errors import BadInput
from .._progress import AbstractCheckpoint
from .._types import Status
from ..observations.snapshots import Snapshots
from ..systems import SYSTEMS, ReactionDiffusion
from .result import Recovery

FITS = (Status.CONVERGED, Status.UNIDENTIFIABLE)
# Differences of BIC above 10 are "very strong": R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90, 773 (1995),
# doi:10.1080/01621459.1995.10476572.
STRONG = 10.0


def one_picture_set(pictures: Any, observe: Names | None, gaps: bool) -> Snapshots:
    """The pictures of one field, whatever its name; raises `BadInput` for several fields."""
    if isinstance(pictures, Snapshots):
        held = pictures
    else:
        fields = pictures if isinstance(pictures, Mapping) else {(listed(observe) or ("v",))[0]: np.asarray(pictures)}
        whole = any(np.asarray(values).dtype.kind in "iu" for values in fields.values())
        held = Snapshots(fields, absolute=not whole, gaps=gaps)
    names = listed(observe) or tuple(held.fields)
    if len(names) != 1:
        raise BadInput("observe", "must name one field where every system is tried", ",".join(names))
    return held.select(names)


def best_of_all(
    pictures: Snapshots, each: Callable[[type[ReactionDiffusion], Snapshots], Recovery], kept: AbstractCheckpoint
) -> Recovery:
    """The best fit of a picture by the fields of all built-in systems of two fields, with the `ranking` of all.

    Fits are ranked, those that are accepted first, by BIC = n log(share of the contrast left)² + P log n with n cells
    and P numbers sought (G. Schwarz, Ann. Stat. 6, 461 (1978), doi:10.1214/aos/1176344136). Where none is accepted the
    status is `no-fit`, with the best of them. Fails where two systems share a normal form: then both are named. Ctrl-C
    ends it with the interrupted fit and the ranking of those that were done; a line of each is logged.
    """
    (values,) = pictures.fields.values()
    trials: list[tuple[dict[str, Any], Recovery]] = []
    for cls in SYSTEMS.values():
        if not (issubclass(cls, ReactionDiffusion) and len(cls.fields) == 2):
            continue
        for field in cls.fields:
            found = each(cls, dataclasses.replace(pictures, fields={field: values}))
            if found.interrupted:
                return dataclasses.replace(found, ranking=tuple(entry for entry, _ in _ranked(trials)))
            trials.append((_entry(found, field), found))
            kept.append_log(trials[-1][0])
    trials = _ranked(trials)
    ranking = tuple(entry for entry, _ in trials)
    status, message = _verdict(trials)
    return dataclasses.replace(trials[0][1], ranking=ranking, status=status, message=message)


def _ranked(trials):
    """Accepted fits first, then by BIC."""
    return sorted(trials, key=lambda trial: (trial[1].status not in FITS, trial[0]["bic"]))


def _entry(found: Recovery, field: str) -> dict[str, Any]:
    """A row of the ranking; pixels that are not seen are NaN in the recovery's pictures."""
    left, values = 1.0, found.pictures[field]
    cells = int(np.isfinite(values).sum())
    if found.misfit is not None and len(found.misfit):
        unit = found.noise[field] / float(np.nanstd(values, (1, 2)).mean()) if found.goodness else 1.0
        left = max(float(np.sqrt((found.misfit**2).sum() / cells)) * unit, 1e-15)
    sought = sum(each.std != 0 for each in {**found.parameters, **found.camera}.values())
    bic = cells * 2 * np.log(left) + sought * np.log(cells)
    row = {"system": found.system.name, "field": field, "status": str(found.status), "unexplained": left}
    return {**row, "bic": float(bic)}


def _verdict(trials) -> tuple[Status, str]:
    (first, best), *others = trials
    if best.status not in FITS:
        return Status.NO_FIT, (
            f"None of {len(trials)} fields of the built-in systems fits; the nearest is {first['field']} of "
            f"{first['system']}: {best.message}"
        )
    rivals = [entry for entry, found in others if found.status in FITS and entry["bic"] < first["bic"] + STRONG]
    also = "".join(f", as well as {entry['field']} of {entry['system']}" for entry in rivals)
    return best.status, f"{first['field']} of {first['system']} fits{also}. {best.message}"
