"""What a comparison returns."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._result import Result
from .._types import Status


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """M pictures measured against each other: one matrix a loss, with the loss of picture i against j in row i.

    `pictures` are what was compared, by field.
    """

    verb: ClassVar = "compare"
    formats: ClassVar = True

    losses: Mapping[str, Float[np.ndarray, "M M"]]
    pictures: Mapping[str, Float[np.ndarray, "M H W"]]
    seconds: float
    status: Status = Status.CONVERGED

    @property
    def count(self) -> int:
        """M, the number of pictures."""
        return len(next(iter(self.pictures.values())))

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return f"{self.count} pictures of {', '.join(self.pictures)}, each against each"

    def headline(self) -> str:
        return self.message

    def to_dict(self) -> dict[str, Any]:
        return {
            "losses": {name: summary(matrix) for name, matrix in self.losses.items()},
            "observed": list(self.pictures),
            "samples": self.count,
            "seconds": self.seconds,
        }

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        return {"losses.npz": {array_name(name): matrix for name, matrix in self.losses.items()}}

    def table(self) -> list[list[str]]:
        rows = [["loss", "mean", "median", "5 % to 95 %"]]
        for name, matrix in self.losses.items():
            s = summary(matrix)
            span = f"{s['percentile5']:.4g} to {s['percentile95']:.4g}"
            rows.append([name, f"{s['mean']:.4g}", f"{s['median']:.4g}", span])
        return rows


def array_name(loss: str) -> str:
    """The name of a loss as the name of an array: a file's path has no place inside an archive."""
    return loss.rpartition("/")[2]


def summary(losses: Float[np.ndarray, "M M"]) -> dict[str, float]:
    """Mean, median, 5th and 95th percentile, least and greatest value off the diagonal."""
    off = losses[~np.eye(len(losses), dtype=bool)]
    low, median, high = np.percentile(off, [5, 50, 95])
    return {
        "mean": float(off.mean()), "median": float(median),
        "percentile5": float(low), "percentile95": float(high),
        "min": float(off.min()), "max": float(off.max()),
    }  # fmt: skip
