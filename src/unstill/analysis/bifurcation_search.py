"""Where the bifurcations of a system lie: along one parameter, and over the plane of two."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float

from .._progress import AbstractCheckpoint, Progress
from ..systems import ReactionDiffusion
from .branches import Bifurcation, Branch, Line, described, events, is_stable, trace_branches
from .continuation import Window
from .hopf_criticality import FirstLyapunov
from .local import HOPF, TAKENS_BOGDANOV, Local
from .planes import BifurcationCurve, as_curves, special_points, trace_curves
from .uniform_states import Box, box_of, find_uniform_states

_VALUES, _STARTS = 33, 128  # values of a parameter at which states are looked for, and starts at each
_ACROSS, _VALUES_ACROSS = (0.02, 0.26, 0.5, 0.74, 0.98), 17  # lines over a plane, as shares of the other range


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """What is asked: the system, the ranges of one parameter or two, the box of the fields, and who is told."""

    system: ReactionDiffusion
    ranges: Mapping[str, tuple[float, float]]
    box: Mapping[str, tuple[float, float]]
    seed: int
    kept: AbstractCheckpoint
    progress: Progress

    @property
    def lines(self) -> int:
        """How many lines are looked along."""
        return (0, 1, 2 * len(_ACROSS))[len(self.ranges)]

    def corners(self) -> list[ReactionDiffusion]:
        """The system itself, and at the ends of all ranges."""
        grids = np.meshgrid(*(np.array(ends) for ends in self.ranges.values()))
        values = np.stack([grid.ravel() for grid in grids], 1)
        named = (dict(zip(self.ranges, row.tolist(), strict=True)) for row in values)
        return [self.system, *(self.system.with_values(**each) for each in named)]


def along_one(search: Search) -> tuple[list[Branch], list[Bifurcation]]:
    """The branches along one parameter, and their bifurcations by its value."""
    local, box = Local(search.system, tuple(search.ranges)), box_of(search.corners(), search.box)
    ((low, high),) = search.ranges.values()
    seeds = np.concatenate(_seeds(local, np.linspace(low, high, _VALUES)[:, None], box, search.seed))
    if not len(seeds):
        return [], []
    line = Line(local, local.count, _window(search, box, seeds))
    curves, first = trace_branches(line, seeds), FirstLyapunov(local)
    found = [described(local, kind, y, first) for kind, y in _met(line, curves)]
    _tell(search, 1, {"over": list(search.ranges), "bifurcations": len(found)})
    name = next(iter(search.ranges))
    branches = [Branch(c[:, -1], c[:, :-1], np.array([is_stable(*local.parts(y)) for y in c], bool)) for c in curves]
    return branches, sorted(found, key=lambda each: each.parameters[name])


def over_two(search: Search) -> tuple[list[BifurcationCurve], list[Bifurcation]]:
    """The curves of bifurcations over the plane of two parameters, and their points of codimension two."""
    local, box = Local(search.system, tuple(search.ranges)), box_of(search.corners(), search.box)
    across = [_values(search, which, share) for which in (0, 1) for share in _ACROSS]
    found = _seeds(local, np.concatenate([points for _, points in across]), box, search.seed)
    seeds = [found[i : i + _VALUES_ACROSS] for i in range(0, len(found), _VALUES_ACROSS)]
    together = np.concatenate(found)
    if not len(together):
        return [], []
    window, met, first = _window(search, box, together), [], FirstLyapunov(local)
    for number, ((which, points), states) in enumerate(zip(across, seeds, strict=True)):
        held = local.count + 1 - which
        line = Line(local, local.count + which, window, {held: float(points[0, 1 - which])})
        met += [(line, kind, y) for kind, y in _met(line, trace_branches(line, np.concatenate(states)))]
        _tell(search, number + 1, {"over": list(search.ranges), "bifurcations": len(met)})
    traced = trace_curves(local, met, window)
    points = special_points(local, traced, window, first)
    ends = [_place(each) for each in points if each.kind == TAKENS_BOGDANOV]
    curves = [part for kind, curve in traced for part in as_curves(local, kind, curve, ends if kind == HOPF else [])]
    return curves, points


def _place(point: Bifurcation) -> np.ndarray:
    return np.array([*point.state.values(), *point.parameters.values()])


def _values(search: Search, which: int, share: float) -> tuple[int, Float[np.ndarray, "N 2"]]:
    """Both parameters on a line across the plane: `which` varies, the other stands at a share of its range."""
    ends = list(search.ranges.values())
    points = np.empty((_VALUES_ACROSS, 2))
    points[:, which] = np.linspace(*ends[which], _VALUES_ACROSS)
    low, high = ends[1 - which]
    points[:, 1 - which] = low + share * (high - low)
    return which, points


def _seeds(local: Local, points: np.ndarray, box: Box, seed: int) -> list[Float[np.ndarray, "S N"]]:
    """All states at each row of values of the free parameters, as y."""
    found, _ = find_uniform_states(local, points, box, starts=_STARTS, seed=seed)
    pairs = zip(points, found, strict=True)
    return [np.column_stack([states, np.broadcast_to(p, (len(states), len(p)))]) for p, states in pairs]


def _window(search: Search, box: Box, seeds: np.ndarray) -> Window:
    """The box and the ranges; fields are measured by the span of the states that were found."""
    C = len(box.low)
    ends = np.array(list(search.ranges.values()))
    size = np.maximum(np.ptp(seeds[:, :C], axis=0), 0.1 * np.abs(seeds[:, :C]).max(0))
    return Window(
        np.concatenate([box.low, ends[:, 0]]), np.concatenate([box.high, ends[:, 1]]),
        np.concatenate([np.maximum(size, 1e-6 * box.scale), np.ptp(ends, axis=1)]),
    )  # fmt: skip


def _met(line: Line, curves: list[np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """The bifurcations of all branches, each once."""
    known: list[tuple[str, np.ndarray]] = []
    for kind, y in (each for curve in curves for each in events(line, curve)):
        n = len(line.window.scale)
        apart = [np.abs((y[:n] - other[:n]) / line.window.scale).max() > 1e-6 for k, other in known if k == kind]
        if all(apart):
            known.append((kind, y))
            yield kind, y


def _tell(search: Search, done: int, entry: Mapping[str, object]) -> None:
    search.kept.append_log(entry)
    search.progress(1 + done, 1 + search.lines, entry)
