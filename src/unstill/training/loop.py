"""The one optimisation loop: steps, records, stops, and a state that can be kept and taken up again."""

import dataclasses
import time as clock
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .._jax import enable_x64
from .._types import Status
from .optimisers import AbstractOptimiser, Variables


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Where a minimisation ended. `iterations` counts from the run's very beginning, resumed or not."""

    x: Variables
    state: Any
    iterations: int
    loss: float
    status: Status
    message: str


def minimise(
    optimiser: AbstractOptimiser,
    objective: Callable[[int], Any],
    x: Variables,
    *,
    iterations: int,
    state: Any = None,
    first: int = 0,
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
    keep: Callable[[Outcome], None] = lambda outcome: None,
    describe: Callable[[Any, Variables], dict[str, Any]] = lambda objective, x: {},
    halt: Callable[[Any], tuple[Status, str] | None] = lambda objective: None,
) -> Outcome:
    """Step until the optimiser says stop or `iterations` are done.

    `objective(i)` is what iteration i minimises (a new batch, a longer window); `describe(objective, x)` is added to
    the record of the iteration that started at x; `keep` is called with every outcome reached, so that it can be
    saved; `halt(objective)` may end the run for what an iteration has seen. Ctrl-C ends with status `interrupted`
    after the last whole step.
    """
    with enable_x64():
        return _minimise(optimiser, objective, x, iterations, state, first, record, keep, describe, halt)


def _minimise(optimiser, objective, x, iterations, state, first, record, keep, describe, halt) -> Outcome:
    state = optimiser.init(x) if state is None else state
    reached = Outcome(x, state, first, np.nan, Status.NOT_CONVERGED, f"{iterations} iterations are done")
    for i in range(first, iterations):
        started = clock.perf_counter()
        try:
            at = objective(i)
            step = optimiser.step(at, x, state)
            seen = describe(at, x)
        except (KeyboardInterrupt, ValueError, jax.errors.JaxRuntimeError) as error:
            if not _is_interrupt(error):
                raise
            return dataclasses.replace(reached, status=Status.INTERRUPTED, message="interrupted")
        seconds = clock.perf_counter() - started
        stop = halt(at)
        if stop is not None:
            step = dataclasses.replace(step, status=stop[0], message=stop[1])
        record({"iteration": i, "loss": step.loss, **seen, **step.record, "seconds": seconds, "status": step.status})
        x, state = step.x, step.state
        done = i + 1
        reached = dataclasses.replace(reached, x=x, state=state, iterations=done, loss=step.loss)
        if step.status is not None:
            reached = dataclasses.replace(reached, status=step.status, message=step.message)
        keep(reached)
        if step.status is not None:
            break
    return reached


def _is_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C is behind it: one that meets a host callback comes back as JAX's own error, with its traceback."""
    return isinstance(error, KeyboardInterrupt) or "KeyboardInterrupt" in str(error)
