"""The log of a fit and the state of its starts, in a checkpoint from which the same call goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import BadInput
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import plain
from .._types import Status
from ..training import Outcome, as_arrays, from_arrays
from .plan import Plan
from .roads import Road


class Journal:
    """One line of the log an iteration, and `state-N`: variables and optimiser of start N, counted over all roads.

    `reached` are the outcomes of an earlier call and `before` its lines; `take_up` reads them.
    """

    def __init__(self, kept: AbstractCheckpoint | None = None, progress: Progress = silent):
        self.before: list[dict[str, Any]] = []
        self.reached: dict[int, Outcome] = {}
        self._kept, self._progress, self._lines = Memory() if kept is None else kept, progress, 0

    def take_up(self, roads: Sequence[Road], plan: Plan) -> None:
        """Go on where every start of an earlier call stood, or from the line `plan.from_iteration`: the log is cut to
        there. Raises `BadInput`."""
        rows = self._kept.log()
        for number in range(len(roads) * plan.count):
            arrays = self._kept.kept(_name(number))
            if arrays is not None:
                self.reached[number] = _outcome_of(roads[number // plan.count], plan, arrays)
        if plan.from_iteration is not None:
            self._go_back(_chosen(rows, roads, plan), roads)
        done = {number: outcome.iterations for number, outcome in self.reached.items()}
        self.before = [row for row in rows if row["iteration"] < done.get(row["start"], 0)]
        if len(self.before) < len(rows):
            self._kept.write_log(self.before)
        self._lines = len(self.before)

    def _go_back(self, row: Mapping[str, Any], roads: Sequence[Road]) -> None:
        """To the parameters of a line, with an optimiser that has no memory yet; what came after is dropped."""
        for number in [number for number in self.reached if number >= row["start"]]:
            self._kept.drop(_name(number))
            del self.reached[number]
        x = roads[row["road"]].coordinates.numbers(row["parameters"])
        self.reached[row["start"]] = Outcome(x, None, row["iteration"], row["loss"], Status.INTERRUPTED, "")

    def record(self, row: Mapping[str, Any]) -> None:
        """Add a line to the log, and tell it."""
        line, self._lines = plain(dict(row)), self._lines + 1
        self._kept.append_log(line)
        self._progress(self._lines, None, line)

    def keep(self, number: int, road: Road, outcome: Outcome) -> None:
        """Keep what a start has reached."""
        self._kept.keep(_name(number), **as_arrays(road.optimiser, outcome))


def _name(number: int) -> str:
    return f"state-{number}"


def _outcome_of(road: Road, plan: Plan, arrays: dict[str, Any]) -> Outcome:
    defaults = road.problem.system_class.defaults()
    like = road.variables(plan, {name: defaults[name] for name in road.coordinates.free})
    return from_arrays(road.optimiser, like, arrays)


def _chosen(rows: Sequence[Mapping[str, Any]], roads: Sequence[Road], plan: Plan) -> Mapping[str, Any]:
    """The line of the log that `from_iteration` names; raises `BadInput`."""
    chosen = [row for row in rows if row["iteration"] == plan.from_iteration]
    if not chosen:
        rule = "must be an iteration of the log"
        raise BadInput("from_iteration", rule, plan.from_iteration, f"It has {len(rows)} lines.")
    if plan.cellwise or roads[chosen[-1]["road"]].coordinates.states:
        raise BadInput("from_iteration", "must be left out: the log holds no fields or states", plan.from_iteration)
    return chosen[-1]
