"""`discover` for pictures of all fields: reaction–diffusion equations from patterns at rest, moving, or in order."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from .._numbers import real_numbers
from ..observations import Ordered
from ..observations.independence import distinct_pictures, effective_number
from ..observations.noise import denoise
from ..observations.steadiness import contrast, contrast_floor
from ..observations.task import Pictures
from ..simulation import Grid
from .at_rest import in_order, resting
from .field_library import FieldLibrary, known_coefficients
from .field_noise import noise_levels
from .field_problem import PictureProblem
from .hints import coefficients, known_signs
from .moving import LEAST_PICTURES, moving
from .result import Discovery
from .size import judge_pictures

_TRIED = 4
LEAST_ALONE = 8  # independent pictures that a moving ensemble must count for


def discover_pictures(
    pictures: Pictures | Mapping[str, np.ndarray],
    library: str | Mapping[str, Callable] = "poly3",
    *,
    grid: Grid | None = None,
    fix: Mapping[str, float] | None = None,
    sign: Mapping[str, float] | None = None,
    ordered: Ordered | np.ndarray | None = None,
    noise: Mapping[str, float] | str = "auto",
    cross: bool = False,
    seed: int = 0,
) -> Discovery:
    """The sparsest equations ∂c_a/∂t = Σ_j c_aj θ_j, θ reaction terms and Laplacians, behind pictures of all fields.

    At rest every field's balance vanishes cell by cell (`at_rest`): one picture is enough, and every equation has a
    pace of its own. Moving ensembles keep E[∇φ·f] = 0 for functionals φ only (`moving`): 16 pictures at least, far
    apart in time, and one common pace. `ordered` pictures (T, C, H, W), with or without their interval, give rates by
    differences, and are all that is then used. Which it is of the first two is told from the pictures. Arguments:

    - `pictures`: arrays (M, H, W) or (H, W) by field, or what `load` returns; `grid`: theirs, else periodic, dx = 1;
    - `library`: reaction terms, as for points; `cross` lets the Laplacian of every field stand in every equation;
    - `fix`, `sign`: known coefficients and signs, as "u:u v^2" or "v:lap v";
    - `noise`: white noise by field; by default it is told from the spectra, and its bias taken out.

    What nothing fixes is scaled to `lap` = 1: diffusion is positive, which settles the arrow of time. Among the
    combinations of terms that balance, the sparsest are shown: patterns at rest lie close to curves in the space of the
    fields, and polynomials that vanish on them can be added. Raises `BadInput`.
    """
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    names, states, grid = _checked(pictures, grid)
    kept = distinct_pictures(states)
    states, copies = states[kept], len(states) - len(kept)
    judge_pictures(library, len(names))
    terms = FieldLibrary.find(library, names, cross)
    known, free = known_coefficients(coefficients("fix", fix or {}, terms, names), terms)
    signs = known_signs(sign, terms, names)
    frames = None if ordered is None else _frames(ordered, states)
    levels = noise_levels(noise, names, grid, states if frames is None else frames.x)
    problem = PictureProblem(terms, grid, states, levels, known, free, fix or {}, signs, seed)
    with threadpool_limits(1):
        if frames is not None:
            found = in_order(problem, frames)
        else:
            some = dataclasses.replace(problem, states=states[:: max(1, len(states) // _TRIED)])
            found = resting(some)
            if found.nullity and len(states) > len(some.states):
                found = resting(problem)
            elif not found.nullity and len(states) >= LEAST_PICTURES:
                found = _moving(problem, found)
    fields = pictures.fields if isinstance(pictures, Pictures) else pictures
    shown = {str(name): np.asarray(values) for name, values in fields.items()}
    message = found.message if not copies else f"{copies} picture(s) that copy others left out; {found.message}"
    return dataclasses.replace(found, message=message, seconds=time.perf_counter() - began, source=shown)


def _moving(problem: PictureProblem, resting: Discovery) -> Discovery:
    """What a moving ensemble tells; what it told at rest, with the reason, where the pictures count for too few."""
    clean = [denoise(problem.grid, problem.states[:, a], float(s)) for a, s in enumerate(problem.levels)]
    alone = effective_number(np.stack(clean, 1))
    if round(alone) >= LEAST_ALONE:
        return moving(problem)
    count = len(problem.states)
    message = (
        f"moving, and these {count} pictures count for about {alone:.0f}: frames of one motion are alike; "
        "give pictures further apart in time or of more runs, or frames in order by `ordered`"
    )
    return dataclasses.replace(resting, message=message)


def _checked(pictures: Pictures | Mapping[str, np.ndarray], grid: Grid | None):
    """Fields' names, states (M, C, H, W) in an order that does not depend on theirs, and the grid."""
    fields = pictures.fields if isinstance(pictures, Pictures) else pictures
    arrays = {str(name): real_numbers(str(name), values) for name, values in fields.items()}
    if not arrays:
        raise BadInput("pictures", "must hold at least one field")
    for name, values in arrays.items():
        if values.ndim not in (2, 3) or values.size == 0:
            raise BadInput("pictures", "must be real arrays (H, W) or (M, H, W)", f"{name}: {values.shape}")
        if values.shape != next(iter(arrays.values())).shape:
            raise BadInput("pictures", "must all have one shape", {n: v.shape for n, v in arrays.items()})
        if not np.isfinite(values).all():
            raise BadInput("pictures", "must be finite", f"NaN or infinity in {name}", "Remove or mend them.")
        real = values.astype(float)
        if (contrast(real) <= contrast_floor(real)).any():
            raise BadInput("pictures", "must vary from cell to cell", f"{name} is uniform in one", "Leave it out.")
    _refuse_twins(arrays)
    states = np.stack([v.astype(float).reshape(-1, *v.shape[-2:]) for v in arrays.values()], 1)
    known = pictures.grid if isinstance(pictures, Pictures) else None
    grid = grid or known or Grid(states.shape[-2:])
    if tuple(grid.shape) != states.shape[-2:]:
        raise BadInput("grid", f"must have the pictures' shape {states.shape[-2:]}", grid.shape)
    marks = np.concatenate([states.mean((2, 3)), states.var((2, 3))], 1)
    return tuple(arrays), states[np.lexsort(marks.T)], grid


def _refuse_twins(arrays: Mapping[str, np.ndarray]) -> None:
    """Raises `BadInput` for two fields that are one but for gain and offset: every term would stand for another."""
    flat = {name: values.astype(float).ravel() for name, values in arrays.items()}
    unit = {name: (c - c.mean()) / max(float(c.std()), 1e-300) for name, c in flat.items()}
    for a, b in itertools.combinations(unit, 2):
        if min(np.abs(unit[a] - unit[b]).max(), np.abs(unit[a] + unit[b]).max()) < 1e-9:
            raise BadInput(
                "pictures", "must not hold a field twice, in another scale or not", f"{a} and {b}", "Leave one out."
            )


def _frames(ordered: Ordered | np.ndarray, states: Float[np.ndarray, "M C H W"]) -> Ordered:
    frames = ordered if isinstance(ordered, Ordered) else Ordered(np.asarray(ordered))
    if frames.x.shape[1:] != states.shape[1:]:
        raise BadInput("ordered", f"must be pictures (T, {', '.join(map(str, states.shape[1:]))})", frames.x.shape)
    return frames
