"""What `calibrate` returns: how often intervals held the truth."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .._result import Result, plain
from .._types import Status
from ..systems import ReactionDiffusion, system_name

_Z = 1.959964
_FEWEST = 5  # recoveries that coverage is told of


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Of one number: its truth, how many intervals there were and the share that held it with Wilson's 95 % interval;
    mean and rms of the error, mean standard deviation, rms of z, and the factor that makes 95 % of |z| fall below
    1.96, at least 1."""

    truth: float
    count: int
    share: float
    interval95: tuple[float, float]
    bias: float
    rms_error: float
    mean_std: float
    rms_z: float
    correction: float

    @classmethod
    def of(cls, truth: float, values: np.ndarray, std: np.ndarray) -> Coverage:
        """Of the values and standard deviations of repeats."""
        z = (values - truth) / std
        n, share = len(z), float((np.abs(z) <= _Z).mean())
        middle, half = share + _Z**2 / (2 * n), _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        ends = float((middle - half) / (1 + _Z**2 / n)), float((middle + half) / (1 + _Z**2 / n))
        error = values - truth
        return cls(
            truth, n, share, ends, float(error.mean()), float(np.sqrt((error**2).mean())), float(std.mean()),
            float(np.sqrt((z**2).mean())), max(1.0, float(np.quantile(np.abs(z), 0.95)) / _Z),
        )  # fmt: skip


def coverage_of(truth: Mapping[str, float], rows: Sequence[Mapping[str, Any]]) -> dict[str, Coverage]:
    """Coverage by name, over the repeats that gave the number an interval; none of fewer than five."""
    found = {}
    for name, value in truth.items():
        pairs = [(row["values"][name], row["std"][name]) for row in rows if row["std"].get(name)]
        if len(pairs) >= _FEWEST:
            values, std = np.array(pairs).T
            found[name] = Coverage.of(float(value), values, std)
    return found


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration(Result):
    """Coverage of the intervals of `recover` on simulated pictures of one parameter set.

    `coverage` is by parameter, `rows` hold each repeat's status, values and standard deviations; `noise` is a share of
    the field's standard deviation.
    """

    verb: ClassVar = "calibrate"
    failures: ClassVar = (Status.NOT_CONVERGED,)

    system: ReactionDiffusion
    observed: str
    noise: float
    size: int
    window: bool
    status: Status
    coverage: Mapping[str, Coverage]
    rows: tuple[Mapping[str, Any], ...]
    seconds: float

    @property
    def statuses(self) -> dict[str, int]:
        """How many repeats ended how."""
        return dict(collections.Counter(row["status"] for row in self.rows))

    @property
    def message(self) -> str:
        ends = ", ".join(f"{status} {count}" for status, count in self.statuses.items())
        if not self.coverage:
            return f"of {len(self.rows)} repeats fewer than {_FEWEST} gave intervals ({ends})"
        inside = sum(each.share * each.count for each in self.coverage.values())
        count = sum(each.count for each in self.coverage.values())
        worst = max(each.correction for each in self.coverage.values())
        advice = f"; standard deviations would have to be {worst:.2g} times as large" if worst > 1.1 else ""
        return f"{inside / count:.0%} of the {count} intervals of 95 % hold the truth{advice} ({ends})"

    def to_dict(self) -> dict[str, Any]:
        return {
            "system": system_name(self.system),
            "parameters": plain(self.system.values()),
            "observed": self.observed,
            "noise": self.noise,
            "size": self.size,
            "window": self.window,
            "status": str(self.status),
            "message": self.message,
            "repeats": len(self.rows),
            "statuses": self.statuses,
            "coverage": plain({name: dataclasses.asdict(each) for name, each in self.coverage.items()}),
            "seconds": self.seconds,
        }

    def table(self) -> list[list[str]]:
        rows = [["", "truth", "held by", "of", "rms error", "mean std", "rms z"]]
        for name, c in self.coverage.items():
            numbers = (f"{c.rms_error:.2g}", f"{c.mean_std:.2g}", f"{c.rms_z:.2f}")
            rows.append([name, f"{c.truth:.6g}", f"{c.share:.0%}", str(c.count), *numbers])
        return rows

    def notes(self) -> list[str]:
        side = f"{self.size} × {self.size} cells" + (", windows" if self.window else "")
        return [f"{self.observed} of {self.system.name}, {side}, noise {self.noise:.1%} of the field's deviation"]
