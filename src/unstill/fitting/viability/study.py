"""The viability study: ways of fitting × regimes × distances of the start, and its size."""

import dataclasses
from collections.abc import Container, Mapping, Sequence
from typing import Any

DISTANCES = (0.2, 0.6)  # starts differ from the truth by factors of 1 ± this, uniformly, parameter by parameter


@dataclasses.dataclass(frozen=True)
class Regime:
    """A place in parameter space, and what is seen of it: v alone of patterns at rest, else an ensemble of u and v."""

    name: str
    parameters: Mapping[str, float]
    steady: bool
    about: str


def _set(Du: float, Dv: float, F: float, k: float) -> dict[str, float]:
    return {"Du": Du, "Dv": Dv, "F": F, "k": k}


REGIMES = (
    Regime("uniform", _set(0.16, 0.08, 0.05, 0.045), True, "the uniform state: two numbers for four parameters"),
    Regime("spots", _set(0.16, 0.08, 0.035, 0.065), True, "steady spots, founding system A's target"),
    Regime("labyrinth", _set(0.16, 0.08, 0.029, 0.057), True, "a steady labyrinth"),
    Regime("bifurcation", _set(0.16, 0.08, 0.05, 0.06103), True, "on the Turing curve, between pattern and uniformity"),
    Regime("oscillatory", _set(0.16, 0.08, 0.018, 0.049), False, "waves"),
    Regime("chaotic", _set(0.10, 0.05, 0.026, 0.051), False, "spatio-temporal chaos"),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One way of fitting: a name for the table and the arguments of `fit`."""

    name: str
    options: Mapping[str, Any]


def _row(name: str, **options: Any) -> Row:
    return Row(name, options)


ROWS = (
    _row("founding (A)", strategy="tbptt", window=1000, loss="founding-spectrum", optimiser="adaptive", rate=1.2e-2,
         constraint="founding", pair="each"),
    _row("bptt, power spectrum, adam", strategy="bptt", loss="power-spectrum", optimiser="adam"),
    _row("tbptt, radial spectrum, adam", strategy="tbptt", window=500, loss="radial-spectrum", optimiser="adam"),
    _row("forward, radial spectrum, LM", strategy="forward", loss="radial-spectrum", optimiser="levenberg-marquardt",
         batch=1),
    _row("implicit, radial spectrum, LM", strategy="implicit", loss="radial-spectrum", optimiser="levenberg-marquardt",
         batch=1),
    _row("CMA-ES, moments", strategy="bptt", loss="moments", optimiser="cma-es"),
    _row("CMA-ES then LM, radial spectrum", strategy="forward", loss="radial-spectrum", optimiser="hybrid", batch=1),
    _row("observed start, 8 steps, pixel", strategy="observed-start", window=8, loss="pixel"),
    _row("observed start, 256 steps, pixel", strategy="observed-start", window=256, loss="pixel"),
    _row("observed start, 8 steps, pixel, adam", strategy="observed-start", window=8, loss="pixel", optimiser="adam"),
    _row("curriculum to 256 steps, pixel", strategy="curriculum", window=256, loss="pixel"),
    _row("EM, pixel", strategy="em", loss="pixel"),
    _row("multiple shooting, pixel, adam", strategy="shooting", loss="pixel", batch=64),
    _row("observed start, 1 step, stationarity", strategy="observed-start", window=1, loss="stationarity"),
    _row("warm start from recover, pixel", strategy="observed-start", window=8, loss="pixel", warm_start="recover"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Study:
    """The size of a study. `iterations` by optimiser: a first-order step, a Gauss–Newton one, a generation."""

    size: int
    starts: int
    horizon: int
    pictures: int
    iterations: Mapping[str, int]
    rows: Sequence[Row] = ROWS
    regimes: Sequence[Regime] = REGIMES
    distances: Sequence[float] = DISTANCES
    seed: int = 0

    @property
    def fits(self) -> int:
        return sum(len(block) for block in self.blocks())

    def blocks(self, known: Container[tuple] = ()):
        """The open fits (row, regime, distance, start) in blocks of one row and regime, five starts at a time: an early
        end leaves a thinner table rather than one with holes. A warm start does not look at the start: one will do."""
        for first in range(0, self.starts, 5):
            for regime in self.regimes:
                for row in self.rows:
                    last = min(first + 5, 1 if "warm_start" in row.options else self.starts)
                    cells = [(row, regime, d, start) for d in self.distances for start in range(first, last)]
                    open_ = [c for c in cells if (c[0].name, c[1].name, c[2], c[3]) not in known]
                    if open_:
                        yield open_


_FEW = {"adaptive": 30, "adam": 30, "levenberg-marquardt": 20, "cma-es": 10, "hybrid": 16}
_MANY = {"adaptive": 300, "adam": 300, "levenberg-marquardt": 60, "cma-es": 80, "hybrid": 60}
QUICK = Study(48, 10, 8_000, 2, _FEW)
FULL = Study(64, 20, 20_000, 4, _MANY)
RATE = 0.05  # of Adam, in log θ: 30 steps reach from −60 % to the truth and beyond
FOUNDING_START = _set(0.127, 0.127, 0.05, 0.05)


def study_of(*, quick: bool, seed: int) -> Study:
    """The study that the verb runs."""
    return dataclasses.replace(QUICK if quick else FULL, seed=seed)
