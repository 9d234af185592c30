"""`stability`: the uniform states of a system, what grows on them, and where that changes along parameters."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence

import numpy as np

from .._arguments import Count, Values, Whole, checked
from .._errors import BadInput
from .._jax import enable_x64
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from ..observations.task import system_class
from ..systems import AbstractSystem, ReactionDiffusion
from ..systems.contract import check_contract
from .bifurcation_search import Search, along_one, over_two
from .dispersion import UniformState, judge
from .local import Local
from .ranges import Range, ranges, ranges_of_parameters
from .stability_result import Stability
from .uniform_states import Box, box_of, find_uniform_states


@checked
def stability(
    system: str | AbstractSystem | type[AbstractSystem],
    *,
    preset: str | None = None,
    set: Values | None = None,
    over: Mapping[str, Sequence[float]] | None = None,
    box: Mapping[str, Sequence[float]] | None = None,
    starts: Count = 512,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Stability:
    """Find all uniform states of a reaction–diffusion system, and judge what grows on each: the linear theory.

    Of each state: eigenvalues and type, the dispersion relation σ(q) as eigenvalues of J − q² D (J. D. Murray,
    Mathematical Biology II (3rd ed.), eq. 2.21), the bands of wavenumbers that grow, the fastest wave. Over one
    parameter: the branches of states through their folds, and the values at which a state is born or lost
    (saddle-node), begins to oscillate (Hopf) or to form waves (Turing, or waves that oscillate), to round-off. Over
    two: the curves of these in the plane, with Takens–Bogdanov, Bautin and Turing–Hopf points (Y. A. Kuznetsov,
    Elements of Applied Bifurcation Theory (3rd ed.), chapters 5, 8 and 10).

    Says where a uniform state is lost, not where patterns exist: those that are born subcritically, as most of
    Gray–Scott's, live where it is stable. States that no start leads to, and branches that exist in less than 1/32 of a
    range, may be missed.

    Args:
        system: A system's name, file.py:NAME, a class, or a system with its values.
        preset: Parameters by a preset's name.
        set: Parameters by name, over those of the preset.
        over: The range (low, high) of one parameter, or of two, within which bifurcations are looked for.
        box: The range (low, high) of a field in which states are looked for (default: 100 times the state of rest and
            at least 100, without negative values where fields are amounts).
        starts: Starts of the search for states.
        seed: Seed of the starts.
        progress: Called after the states, and after each line on which bifurcations were looked for.
        resume: Keeps the log.

    Returns a `Stability` with status `converged`, or `not-converged` where no uniform state was found. Raises
    `BadInput`.
    """
    began, kept = clock.perf_counter(), Memory() if resume is None else resume
    one = _system(system, preset, set)
    ranges, edges = _over(type(one), over), _box(type(one), box)
    kept.write_log([])
    with enable_x64():
        states, continuum, where = _states(one, edges, starts, seed)
        entry = {"states": len(states), "verdicts": [each.verdict for each in states]}
        kept.append_log(entry)
        search = Search(one, ranges, edges, seed, kept, progress)
        progress(1, 1 + search.lines, entry)
        branches, found = along_one(search) if len(ranges) == 1 else ([], [])
        curves, points = over_two(search) if len(ranges) == 2 else ([], [])
    return Stability(
        one, states, continuum, where, ranges, branches, [*found, *points], curves, clock.perf_counter() - began
    )


def _states(one: ReactionDiffusion, edges: Mapping[str, Range], starts: int, seed: int):
    """The uniform states, judged; whether there is a continuum of them; the box."""
    local, box = Local(one), box_of([one], edges)
    (values,), continuum = find_uniform_states(local, np.zeros((1, 0)), box, starts=starts, seed=seed)
    states: list[UniformState] = []
    for c in values:
        named = dict(zip(one.fields, c.tolist(), strict=True))
        states.append(judge(named, *local.parts(c)))
    return states, continuum, _named(one, box)


def _named(one: ReactionDiffusion, box: Box) -> dict[str, Range]:
    pairs = zip(box.low.tolist(), box.high.tolist(), strict=True)
    return dict(zip(one.fields, pairs, strict=True))


def _system(system: str | AbstractSystem | type[AbstractSystem], preset: str | None, values: Values | None):
    """The system with its parameters, each one number; raises `BadInput`."""
    if isinstance(system, AbstractSystem):
        for name, given in (("preset", preset), ("set", values)):
            if given:
                raise BadInput(name, "must be left out where the system has its values", given)
        one = system
    else:
        one = system_class(system).make(preset or None, **dict(values or {}))
    if not isinstance(one, ReactionDiffusion):
        raise BadInput("system", "must be a reaction–diffusion system", getattr(one, "name", type(one).__name__))
    several = [name for name, value in one.values().items() if np.size(value) != 1]
    if several:
        raise BadInput(
            "system", "must have one value a parameter", f"{np.size(one.values()[several[0]])} of {several[0]}"
        )
    check_contract(type(one))
    return one.with_values(**{name: float(np.reshape(value, ())) for name, value in one.values().items()})


def _over(cls: type[ReactionDiffusion], over: Mapping[str, Sequence[float]] | None) -> dict[str, Range]:
    """The ranges of one parameter or two; raises `BadInput`."""
    found = ranges_of_parameters(cls, over)
    if len(found) > 2:
        raise BadInput("over", "must name one parameter, or two", ", ".join(found))
    return found


def _box(cls: type[ReactionDiffusion], box: Mapping[str, Sequence[float]] | None) -> dict[str, Range]:
    return ranges("box", f"a field of {cls.name}", dict.fromkeys(cls.fields), box)
