"""Laps and races: contestants take turns round by round, so that what else the machine does falls on all of them."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True)
class Lap:
    """Wall seconds and processor seconds (all threads of the process) of one run."""

    wall: float
    cpu: float

    def per(self, work: float) -> "Lap":
        return Lap(self.wall / work, self.cpu / work)


Contestant = Callable[[], Lap]


def lap(function: Callable) -> Lap:
    """One run; `function` must not return before its result is ready."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return Lap(time.perf_counter() - wall, time.process_time() - cpu)


def contestant(function: Callable, work: float = 1.0) -> Contestant:
    """Laps in seconds per unit of work."""
    return lambda: lap(function).per(work)


def race(benchmark, contestants: Mapping[str, Contestant], rounds: int = 5) -> dict[str, list[Lap]]:
    """Laps by name. The first contestant is ours, and what pytest-benchmark times; all have one lap to warm up."""
    ours, *rivals = contestants
    laps: dict[str, list[Lap]] = {name: [] for name in contestants}
    for run in contestants.values():
        run()

    def rivals_first():
        for name in rivals:
            laps[name].append(contestants[name]())

    benchmark.pedantic(lambda: laps[ours].append(contestants[ours]()), setup=rivals_first, rounds=rounds)
    return laps


def median(laps: list[Lap]) -> Lap:
    return Lap(statistics.median(x.wall for x in laps), statistics.median(x.cpu for x in laps))


def ratio(laps: Mapping[str, list[Lap]], above: str, below: str) -> Lap:
    """The median over rounds of above/below, each round's two laps having run one after the other."""
    pairs = list(zip(laps[above], laps[below], strict=True))
    return Lap(statistics.median(a.wall / b.wall for a, b in pairs), statistics.median(a.cpu / b.cpu for a, b in pairs))
