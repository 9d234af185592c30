"""`viability`: when do gradients through a simulation find its parameters?"""

import time as clock
from collections.abc import Mapping
from typing import Any

from ..._arguments import Whole, checked
from ..._progress import AbstractCheckpoint, Memory, Progress, silent
from ..._result import plain
from ..._types import Status
from .checks import founding_at_its_size, verify_chaos
from .result import Viability
from .runner import run_study
from .study import study_of


@checked
def viability(
    *,
    quick: bool = False,
    seed: Whole = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Viability:
    """Study Gray–Scott: ways of fitting × regimes × distances of the start, and how each failure ended.

    It runs one process a core, so a script that calls it needs `if __name__ == "__main__":`.

    Args:
        quick: 10 starts a cell, 48², horizon 8,000, few iterations: within an hour on 2 cores, not a night.
        seed: Seed of all random numbers.
        progress: Called after each fit.
        resume: Keeps the fits that are done.

    Returns a `Viability`; its status is `converged`, or `interrupted`. Raises `BadInput`.
    """
    started, kept = clock.perf_counter(), Memory() if resume is None else resume
    study = study_of(quick=quick, seed=seed)
    lines, total = kept.log(), study.fits

    def record(line: Mapping[str, Any]) -> None:
        lines.append(plain(dict(line)))
        kept.append_log(lines[-1])
        progress(len(lines), total, lines[-1])

    chaos, founding, status = [], None, Status.CONVERGED
    try:
        run_study(study, list(lines), record)
        chaos = verify_chaos(study)
        founding = founding_at_its_size(pictures=16 if quick else 512, iterations=3 if quick else 200)
    except KeyboardInterrupt:
        if not lines:
            raise
        status = Status.INTERRUPTED
    return Viability(study, status, lines, chaos, founding, clock.perf_counter() - started)
