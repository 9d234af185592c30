"""All fits of the study, in several processes, and the table that they come to."""

import concurrent.futures
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...simulation import native
from .bench import ENDS, Bench
from .study import Study


def run_study(
    study: Study,
    done: Sequence[Mapping[str, Any]] = (),
    record: Callable[[dict[str, Any]], None] = lambda line: None,
    *,
    workers: int | None = None,
) -> list[dict[str, Any]]:
    """Every fit of the study that is not among the lines `done`; returns all lines.

    Blocks of fits that share what is compiled go to `workers` processes of one thread each (by default one a core).
    """
    lines = [dict(line) for line in done]
    known = {(line["row"], line["regime"], line["distance"], line["start"]) for line in lines}
    blocks = study.blocks(known)
    if (workers or native.threads()) == 1:
        bench = Bench(study)
        for line in (bench.fit(*cell) for block in blocks for cell in block):
            lines.append(line)
            record(line)
        return lines
    with contextlib.closing(_in_processes(study, blocks, workers or native.threads())) as done_blocks:
        for finished in done_blocks:
            for line in finished:
                lines.append(line)
                record(line)
    return lines


def _in_processes(study: Study, blocks, workers: int):
    """The lines of each block as it is finished."""
    context, others = multiprocessing.get_context("spawn"), multiprocessing.active_children()  # JAX survives no fork
    with concurrent.futures.ProcessPoolExecutor(workers, context, _begin_worker, (study,)) as pool:
        try:
            for future in concurrent.futures.as_completed([pool.submit(_fit_block, block) for block in blocks]):
                yield future.result()
        except BaseException:
            # What they are at takes minutes and is computed anew by the next call: nobody waits for it.
            for worker in multiprocessing.active_children():
                if worker not in others:
                    worker.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_bench: Bench | None = None


def _begin_worker(study: Study) -> None:
    global _bench
    os.environ["UNSTILL_THREADS"] = "1"
    _bench = Bench(study)


def _fit_block(block) -> list[dict[str, Any]]:
    assert _bench is not None
    return [_bench.fit(*cell) for cell in block]


def table(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a row, regime and distance: successes of how many starts, median cost, and the other ends counted."""
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["row"], line["regime"], line["distance"]), []).append(line)
    return [
        {
            "row": row, "regime": regime, "distance": distance, "starts": len(group),
            "success": sum(line["end"] == "success" for line in group) / len(group),
            "steps": float(np.median([line["steps"] for line in group])),
            "seconds": float(np.median([line["seconds"] for line in group])),
            "ends": {end: n for end in ENDS if (n := sum(line["end"] == end for line in group))},
        }
        for (row, regime, distance), group in groups.items()
    ]  # fmt: skip
