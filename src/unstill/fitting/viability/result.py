"""What the viability study returns."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..._result import Result, plain
from ..._types import Status
from .runner import table
from .study import Study


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Viability(Result):
    """How often each way of fitting found the parameters, by regime and distance of the start.

    `lines` hold one fit each; `rows` count them: success of how many starts, median cost, and how the others ended.
    `chaos` are exponents of the moving regimes at two time steps, `founding` is what founding system A's own
    configuration reached at its own size; neither is there after an interrupt.
    """

    verb: ClassVar = "viability"

    study: Study
    status: Status
    lines: Sequence[Mapping[str, Any]]
    chaos: Sequence[Mapping[str, Any]]
    founding: Mapping[str, Any] | None
    seconds: float

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One entry a way of fitting, regime and distance."""
        return table(self.lines)

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return f"{len(self.lines)} of {self.study.fits} fits"

    def to_dict(self) -> dict[str, Any]:
        return plain({
            "study": dataclasses.asdict(self.study), "fits": len(self.lines), "table": self.rows,
            "chaos": self.chaos, "founding": self.founding, "seconds": self.seconds,
        })  # fmt: skip

    def texts(self) -> dict[str, str]:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["strategy", "regime", "distance", "starts", "success", "median steps", "median s", "ends"])
        for row in self.rows:
            ends = ", ".join(f"{n} {end}" for end, n in row["ends"].items())
            counted = [row[key] for key in ("row", "regime", "distance", "starts", "success", "steps")]
            writer.writerow([*counted, round(row["seconds"], 2), ends])
        return {"table.csv": file.getvalue()}

    def table(self) -> list[list[str]]:
        """Success by way of fitting and regime, from the far starts."""
        regimes = [regime.name for regime in self.study.regimes]
        far = max(self.study.distances)
        found = {(row["row"], row["regime"]): f"{row['success']:.0%}" for row in self.rows if row["distance"] == far}
        shares = [[row.name, *(found.get((row.name, name), "—") for name in regimes)] for row in self.study.rows]
        return [[f"success from ±{100 * far:.0f} %", *regimes], *shares]
