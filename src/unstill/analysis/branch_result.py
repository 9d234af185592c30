"""What `continue_branch` returns: a branch of patterns at rest, its folds, and what grows on it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from .._result import Result, plain
from .._types import Status
from ..systems import Grid, ReactionDiffusion, system_name
from .pattern_branch import Fold, PatternPoint
from .pattern_modes import Modes

_MOST_VALUES = 8_000_000  # of states in branch.npz: 64 MB
_EIGENVALUES = 6  # in result.json, of each point
ENDS = {
    "edge": "at the edge of the range",
    "uniform": "where the pattern has faded to a uniform state",
    "closed": "where it has come back to its start",
    "points": "because all points were used",
    "stuck": "where no shorter step converges",
    "stopped": "because it was stopped",
}


@dataclasses.dataclass(frozen=True)
class Change:
    """Modes that begin or cease to grow between two neighbours on the branch, where no fold explains it.

    `kind` is that of the eigenvalues whose number has changed. Another branch, or an oscillation, may begin there; none
    was looked for.
    """

    between: tuple[float, float]
    arclength: tuple[float, float]
    unstable: tuple[int, int]
    kind: Literal["real", "oscillating", "both"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PatternBranch(Result):
    """Patterns at rest along a parameter, in order along the branch, through its folds.

    `points[start]` is the pattern that was given, brought to rest: `given_drift` was its drift before, and `moved` how
    far that was, in units of its contrast. States whose drift is `calm` at most rest. `ends` says why the branch ends
    on either side. Status: `converged`; `not-converged` where the pattern could not be brought to rest, or no shorter
    step converges; `interrupted`.
    """

    verb: ClassVar = "continue"
    failures: ClassVar = (Status.NOT_CONVERGED,)

    system: ReactionDiffusion
    grid: Grid
    parameter: str
    range: tuple[float, float]
    points: Sequence[PatternPoint]
    start: int
    ends: tuple[str, str]
    given: np.ndarray
    given_drift: float
    moved: float | None
    calm: float
    status: Status
    message: str
    seconds: float

    @property
    def folds(self) -> tuple[Fold, ...]:
        """In order along the branch."""
        found = [point.fold for point in self.points if point.fold is not None]
        return tuple(sorted(found, key=lambda fold: fold.arclength))

    @property
    def values(self) -> np.ndarray:
        """The parameter at the points, (P,)."""
        return np.array([point.value for point in self.points])

    @property
    def changes(self) -> tuple[Change, ...]:
        """Where the number of modes that grow changes away from folds, by one or more on either side of them."""
        return tuple(
            change
            for a, b in itertools.pairwise(self.points)
            if (change := _change(a, b, self.folds_between(a, b))) is not None
        )

    def folds_between(self, a: PatternPoint, b: PatternPoint) -> int:
        """How many folds lie between two neighbours."""
        return sum(a.arclength <= fold.arclength <= b.arclength for fold in self.folds)

    def stretches(self) -> list[list[PatternPoint]]:
        """Neighbours of one verdict and one number of modes that grow, and on one side of every fold."""
        parts: list[list[PatternPoint]] = []
        for point in self.points:
            last = parts[-1][-1] if parts else None
            same = last is not None and _verdict(last.modes) == _verdict(point.modes)
            if last is not None and same and not self.folds_between(last, point):
                parts[-1].append(point)
            else:
                parts.append([point])
        return parts

    def measures(self, point: PatternPoint | Fold) -> dict[str, dict[str, float]]:
        """Mean, contrast (standard deviation over cells), least and largest value of each field."""
        return {
            name: {"mean": float(c.mean()), "contrast": float(c.std()), "low": float(c.min()), "high": float(c.max())}
            for name, c in zip(self.system.fields, point.state, strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        return plain({
            "system": system_name(self.system),
            "status": self.status,
            "message": self.message,
            "parameters": self.system.values(),
            "size": list(self.grid.shape),
            "dx": self.grid.dx,
            "boundary": self.grid.boundary,
            "parameter": self.parameter,
            "range": list(self.range),
            "given": {"drift_per_time": self.given_drift, "moved": self.moved, "point": self.start},
            "points": [self._told(point) for point in self.points],
            "folds": [
                {"value": fold.value, "error": fold.error, "arclength": fold.arclength, "crossing": fold.crossing,
                 "lattice": fold.lattice, "fields": self.measures(fold)}
                for fold in self.folds
            ],
            "changes": [dataclasses.asdict(change) for change in self.changes],
            "ends": list(self.ends),
            "seconds": self.seconds,
        })  # fmt: skip

    def _told(self, point: PatternPoint) -> dict[str, Any]:
        modes = point.modes
        return {
            "value": point.value,
            "arclength": point.arclength,
            "drift_per_time": point.drift,
            "pinned": point.pinned,
            "stable": modes.stable,
            "unstable": modes.unstable,
            "complete": modes.complete,
            "eigenvalues": [[each.real, each.imag] for each in modes.values[:_EIGENVALUES].tolist()],
            "translations": [[each.real, each.imag] for each in modes.translations.tolist()],
            "fields": self.measures(point),
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """`branch.npz`: the parameter at all points, and states at as many of them as 64 MB hold, ends among them; the
        states at the folds."""
        if not self.points:
            return {}
        most = max(_MOST_VALUES // self.points[0].state.size, 2)
        count = min(len(self.points), most)
        chosen = np.unique(np.linspace(0, len(self.points) - 1, count).round().astype(int))
        arrays = {
            "values": self.values,
            "arclength": np.array([point.arclength for point in self.points]),
            "growth": np.array([point.modes.growth for point in self.points]),
            "at": chosen,
            "states": np.stack([self.points[i].state for i in chosen]),
        }
        if self.folds:
            arrays["folds"] = np.array([fold.value for fold in self.folds])
            arrays["fold_states"] = np.stack([fold.state for fold in self.folds])
        return {"branch.npz": arrays}

    def letters(self) -> dict[str, str]:
        """Axes of the states."""
        return {"states": "MCYX"}

    def table(self) -> list[list[str]]:
        name = self.parameter
        folds = list(self.folds)
        rows = []
        for part in self.stretches():
            while folds and folds[0].arclength <= part[0].arclength:
                rows.append(_row_of(name, folds.pop(0)))
            a, b = part[0].value, part[-1].value
            where = f"{name} = {a:.6g}" + ("" if len(part) == 1 else f" to {b:.6g}")
            rows.append([where, verdict_of(part[0].modes), f"{len(part)} point{'s' * (len(part) > 1)}"])
        return [*rows, *(_row_of(name, fold) for fold in folds)]

    def notes(self) -> list[str]:
        if not self.points:
            return []
        lines = [f"it ends {ENDS[self.ends[0]]}, and {ENDS[self.ends[1]]}"]
        moves = [abs(each) for point in self.points for each in point.modes.translations]
        if moves:
            lines.append(f"eigenvalues of the translations, 0 in the continuum: at most {max(moves):.2g}")
        pull = max(point.drift for point in self.points)
        if pull > self.calm:
            lines.append(f"the lattice pulls at the pattern, which would drift by up to {pull:.2g} per unit time")
        if any(point.pinned for point in self.points):
            lines.append("the lattice holds the pattern: translations are no symmetry of it on these cells")
        for change in self.changes:
            a, b = change.unstable
            where = "{:.6g} and {:.6g}".format(*change.between)
            lines.append(f"between {self.parameter} = {where} growing modes change from {a} to {b} ({change.kind})")
        return lines


def _row_of(name: str, fold: Fold) -> list[str]:
    crossing = "no eigenvalue found" if fold.crossing is None else f"eigenvalue {fold.crossing:.1g}"
    kind = "fold of the lattice" if fold.lattice else "fold"
    return [f"{name} = {fold.value:.10g} ± {fold.error:.1g}", kind, crossing]


def _verdict(modes: Modes) -> tuple[bool | None, int]:
    return modes.stable, modes.unstable


def verdict_of(modes: Modes) -> str:
    """In words."""
    if modes.stable is None:
        return "not known whether stable"
    if modes.stable:
        return "stable within this box"
    least = "" if modes.complete else "at least "
    return f"unstable: {least}{modes.unstable} growing mode{'s' * (modes.unstable > 1)}"


def _change(a: PatternPoint, b: PatternPoint, folds: int) -> Change | None:
    """What has changed between neighbours beyond one real mode a fold."""
    if not (a.modes.complete and b.modes.complete):
        return None
    real, oscillating = (_growing(b.modes, kind) - _growing(a.modes, kind) for kind in (False, True))
    left = abs(real) - folds if folds else abs(real)
    if (left <= 0 and not oscillating) or abs(real + oscillating) <= folds:
        return None
    kind = "both" if left > 0 and oscillating else "oscillating" if oscillating else "real"
    return Change((a.value, b.value), (a.arclength, b.arclength), (a.modes.unstable, b.modes.unstable), kind)


def _growing(modes: Modes, oscillating: bool) -> int:
    turns = np.abs(np.imag(modes.values)) > modes.neutral
    return int(((np.real(modes.values) > modes.neutral) & (turns == oscillating)).sum())


def parameters_of(values: Mapping[str, Any]) -> str:
    """In one line."""
    return "  ".join(f"{name} = {float(value):.4g}" for name, value in values.items())
