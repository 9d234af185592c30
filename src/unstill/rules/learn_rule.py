"""`learn_rule`: the local rule behind an unordered heap of pictures, without times, library or hints."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Bool

from .._arguments import Count, Names, Values, Whole, checked
from .._errors import BadInput
from .._progress import Progress, silent
from .._types import Status
from ..discovery.field_noise import noise_levels
from ..observations import Ordered, Snapshots
from ..simulation import Grid
from .equation import thinned
from .functionals import Functionals, tiles_for
from .levels import Level, chosen, larger, smallest
from .neighbourhood import Neighbourhood
from .pace import pace, stable_step
from .result import LearntRule
from .rule import Rule
from .terms import AbstractTerms, Polynomials, spread, visited_splines
from .weak_form import WeakForm, weak_form

RULES = ("rule", "kinetics")
LEAST_PICTURES = 8
_FUNCTIONALS = 240
_SAMPLES_A_FUNCTIONAL = 3  # to know how functionals scatter together
_FREEDOM = 15  # functionals more than numbers
_AT_REST = 1e-8  # E|f|² of a field in units of its terms': no moving system is as slow
_ERROR = 0.35  # of the field, relative: more is no field
_MOST_NOISE = 0.5  # of a field's standard deviation
_DEAD = 1e-3  # of a field's standard deviation in the heap: less in one picture is uniform


@checked
def learn_rule(
    pictures: Snapshots | Mapping[str, np.ndarray],
    family: Literal["rule", "kinetics"] = "rule",
    *,
    degree: Count = 3,
    neighbourhood: Names = ("laplacian",),
    grid: Grid | None = None,
    fix: Values | None = None,
    ordered: Ordered | None = None,
    noise: Mapping[str, float] | str = "auto",
    most: Count = 256,
    seed: Whole = 0,
    progress: Progress = silent,
) -> LearntRule:
    """Learn the isotropic rule of a cell and its neighbours that preserves a heap of moving pictures.

    The weak form E[⟨∇φ·f⟩] = 0 for functionals φ of the pictures is linear in the coefficients of any family of local
    rules f (see `functionals` and `solving` for the equations and their sources). Nested families are solved, the
    smaller first, and the smallest that suffices is taken (`levels`).

    Args:
        pictures: All fields of at least 8 pictures far apart in time: arrays (M, H, W) by field name, or what `load`
            returns.
        family: rule, any polynomial of the fields and their neighbourhood; or kinetics, D∇²c + R(c) with R on splines.
        degree: Of the polynomials.
        neighbourhood: What a cell sees of its neighbours: laplacian, biharmonic, gradient.
        grid: Cell size `dx` and boundary (default: the pictures' own, else periodic with dx = 1).
        fix: Known coefficients, which fix the pace, as "u:lap u": 0.16.
        ordered: Frames (T, C, H, W) in order of time, which fix the arrow, and with their interval the pace.
        noise: Standard deviation of white noise by field, or auto (told from the spectra), or none.
        most: Pictures that are used at most, evenly spread over the heap.
        seed: Seed of all random numbers.
        progress: Called with the pictures done and in all.

    Returns a `LearntRule` with status `converged`, `no-fit` (no rule of the family preserves the pictures),
    `unidentifiable` (several do) or `not-converged`. Fails, and says so, where pictures are too near in time, hold
    several dynamics, lack a field, or where the rule sees further than its neighbourhood. Raises `BadInput`, also for
    pictures at rest and for noise.
    """
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    heap, given, dead = _checked(pictures, grid, most)
    states, where = heap.states(tuple(heap.fields)), Neighbourhood.make(tuple(heap.fields), neighbourhood, heap.grid)
    levels = noise_levels(noise, where.fields, heap.grid, states)  # pyright: ignore[reportArgumentType]
    _refuse_noise(where.fields, levels, states)
    families = _families(family, where, states, degree)
    functionals = Functionals.make(heap.grid, states, levels, _count(heap, families), seed)  # pyright: ignore[reportArgumentType]
    with threadpool_limits(1):  # threads that wait for each other on a busy machine cost ten times what they gain
        tried = _solved(families, states, functionals, levels, seed, progress)
        found = _concluded(chosen(tried), tried, family, heap, fix or {}, ordered)
    if dead:
        found = dataclasses.replace(
            found, message=f"{found.message}; {dead} uniform picture{'s' * (dead > 1)} left out"
        )
    if left := given - dead - heap.count:
        found = dataclasses.replace(found, message=f"{found.message}; {left} not used: `most` takes more")
    noisy = {name: float(s) for name, s in zip(where.fields, levels, strict=True) if s}
    return dataclasses.replace(found, noise=noisy, seconds=time.perf_counter() - began)


def _checked(
    pictures: Snapshots | Mapping[str, np.ndarray], grid: Grid | None, most: int
) -> tuple[Snapshots, int, int]:
    """The pictures that are used, in an order that does not depend on theirs; how many were given, and are uniform."""
    heap = pictures if isinstance(pictures, Snapshots) else Snapshots(dict(pictures))
    heap = dataclasses.replace(heap, grid=grid or heap.known_grid())
    states = heap.states(tuple(heap.fields))
    scale = np.maximum(states.std((0, 2, 3)), 1e-300)
    alive = (states.std((2, 3)) > _DEAD * scale).any(1)
    if alive.sum() < LEAST_PICTURES:
        dead = f", {np.sum(~alive)} of them uniform" if not alive.all() else ""
        raise BadInput("pictures", f"must hold at least {LEAST_PICTURES} pictures", f"{len(states)}{dead}")
    for name, s in zip(heap.fields, states[alive].std((0, 2, 3)), strict=True):
        if s <= 1e-9 * np.abs(states).max():
            raise BadInput("pictures", "must vary from cell to cell", f"{name} is uniform", "Leave it out.")
    marks = np.concatenate([states.mean((2, 3)), states.var((2, 3))], 1)
    order = np.lexsort(marks.T)
    order = order[alive[order]]
    order = order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))]
    fields = {name: values[order] for name, values in heap.fields.items()}
    return dataclasses.replace(heap, fields=fields), len(states), int(np.sum(~alive))


def _refuse_noise(fields: tuple[str, ...], levels: np.ndarray, states: np.ndarray) -> None:
    """Raise `BadInput` where a field is mostly white noise: what is left after it scatters without bound."""
    share = levels / states.std((0, 2, 3))
    worst = int(np.argmax(share))
    if share[worst] > _MOST_NOISE:
        value = f"{share[worst]:.0%} of the standard deviation of {fields[worst]}"
        raise BadInput("noise", f"must be below {_MOST_NOISE:.0%} of every field's standard deviation", value)


@dataclasses.dataclass(frozen=True, eq=False)
class _Family:
    """One of nested families: its words, the terms, and which of them may stand in which equation."""

    name: str
    terms: AbstractTerms
    allowed: Bool[np.ndarray, "C J"]


def _families(family: str, where: Neighbourhood, states: np.ndarray, degree: int) -> list[_Family]:
    """The nested families, the smallest first."""
    terms = Polynomials(where, **spread(where, states), degree=degree)
    first = _Family(f"polynomial kinetics of degree {degree}", terms, terms.kinetics)
    if family == "rule":
        return [first, _Family(f"rule of degree {degree}", terms, np.ones_like(terms.kinetics))]
    if len(where.fields) > 2:
        return [first]  # tensor products of three fields and more are too many
    splines = visited_splines(where, states)
    return [first, _Family("kinetics on splines", splines, splines.kinetics)]


def _count(heap: Snapshots, families: list[_Family]) -> int:
    """How many functionals: enough for the largest family, and no more than the pictures allow. Raises `BadInput`."""
    assert heap.grid is not None
    samples = heap.count * tiles_for(heap.grid, heap.count) ** 2
    needed = int(max(each.allowed.sum() for each in families)) + _FREEDOM
    allowed = samples // _SAMPLES_A_FUNCTIONAL
    if allowed < needed:
        pictures = -(-needed * _SAMPLES_A_FUNCTIONAL * heap.count // samples)
        cells = f"{heap.shape[0]} × {heap.shape[1]} cells"
        rule = f"must hold about {pictures} pictures or more for {needed - _FREEDOM} numbers on {cells}"
        raise BadInput("pictures", rule, heap.count, "Take more, larger ones, or a smaller `degree`.")
    return min(allowed, max(_FUNCTIONALS, 2 * needed))


def _solved(
    families: list[_Family],
    states: np.ndarray,
    functionals: Functionals,
    noise: np.ndarray,
    seed: int,
    progress: Progress,
) -> list[Level]:
    """Each family at its best, begun from the one before; raises `BadInput` for pictures at rest."""
    forms: dict[int, WeakForm] = {}
    total, solved = len(states) * len({id(each.terms) for each in families}), []
    for each in families:
        done = len(forms) * len(states)
        if id(each.terms) not in forms:
            forms[id(each.terms)] = weak_form(
                states, each.terms, functionals, noise, seed, lambda n, _, done=done: progress(done + n, total, {})
            )
        form = forms[id(each.terms)]
        if not solved:
            _refuse_rest(form, each.allowed)
            solved.append(smallest(each.name, form, states, each.allowed))
        else:
            solved.append(larger(each.name, form, solved[-1], each.allowed, states))
    return solved


def _refuse_rest(form: WeakForm, allowed: np.ndarray) -> None:
    """Raise `BadInput` where a balance of a field's terms vanishes cell by cell: there nothing moves."""
    for row in allowed:
        products = form.products[np.ix_(row, row)]
        size = np.sqrt(np.diag(products))
        if np.linalg.eigvalsh(products / size / size[:, None])[0] <= _AT_REST:
            raise BadInput(
                "pictures", "must move: at rest only the balance of a rule's terms is determined, not the rule",
                "pictures at rest", "`discover` finds the balance.",
            )  # fmt: skip


def _concluded(
    level: Level, tried: list[Level], family: str, heap: Snapshots, fix: Mapping[str, float], ordered: Ordered | None
) -> LearntRule:
    """The result of the level that was chosen, at its pace."""
    states, found = heap.states(tuple(heap.fields)), level.solution
    time_scale = pace(level.rule, states, fix, ordered)
    nullity, error = level.admissible() if level.fits else (0, np.inf)
    rule = Rule(time_scale.factor * level.coefficients, level.form.terms, 1.0)
    rule = Rule(rule.coefficients, rule.terms, stable_step(rule, states))
    std = np.zeros(rule.coefficients.shape)
    std[level.problem.allowed] = abs(time_scale.factor) * level.deviations()
    sparse = thinned(level) if level.fits and nullity == 1 else None
    status = _status(level, nullity, error)
    return LearntRule(
        rule=rule,
        family=family,
        level=level.name,
        levels={each.name: (each.solution.chi2, each.solution.dof, len(each.solution.theta)) for each in tried},
        pictures=heap,
        status=status,
        message=_told(status, level, nullity, error, heap.count),
        chi2=found.chi2,
        dof=found.dof,
        dispersion=found.dispersion,
        nullity=nullity,
        error=error,
        scale=time_scale.scale,
        sign=time_scale.sign,
        std=std,
        diffusivities=rule.diffusivities(states[:: max(1, len(states) // 16)]),
        sparse=None if sparse is None else time_scale.factor * sparse,
        noise={},
        functionals=len(level.form.functionals.weights),
        seconds=0.0,
    )


def _status(level: Level, nullity: int, error: float) -> Status:
    if not level.fits:
        return Status.NO_FIT
    if nullity > 1 or error > _ERROR:
        return Status.UNIDENTIFIABLE
    return Status.CONVERGED if level.solution.settled else Status.NOT_CONVERGED


def _told(status: Status, level: Level, nullity: int, error: float, pictures: int) -> str:
    """What was found, or why not."""
    if status is Status.NO_FIT:
        return (
            f"not one rule of this family: χ² is {level.solution.chi2:.0f} where chance leaves {level.limit:.0f} at "
            "most; the pictures may hold several dynamics, be too near in time, or see further than the neighbourhood"
        )
    if nullity > 1:
        return "more than one field of the family preserves these pictures: take more of them"
    if error > _ERROR:
        return f"the field is known to a relative error of {error:.2g} only: take more pictures"
    settled = "" if status is Status.CONVERGED else ", but its weights had not settled after the last round"
    return f"{level.name} preserves {pictures} pictures{settled}"
