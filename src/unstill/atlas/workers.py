"""Tasks on the cores of this process, on local processes, or on a cluster: one call, the same results.

Processes and clusters are those of dask.distributed (the extra `cluster`): its scheduler gives tasks to workers, and a
task whose worker dies to another one. Results come back to this process, which alone writes.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from .._errors import BadInput
from .threads import in_threads

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Callable[[T], R], Sequence[T]], Iterator[tuple[int, R]]]

_PATIENCE = 10.0  # seconds, for a scheduler to answer
_DEATHS = 100  # of workers, that one task may see: a batch system may take them away again and again
_LOOK = 2.0  # seconds between two looks at whether the scheduler is there


class LostCluster(Exception):
    """The scheduler went away; its message says what was lost."""


@contextlib.contextmanager
def crew(workers: int | None, cluster: str) -> Iterator[Work]:
    """Who works: threads of this process, so many processes, or the workers of a scheduler. Raises `BadInput`."""
    if workers is None and not cluster:
        yield in_threads
        return
    if workers is not None and cluster:
        raise BadInput("workers", "must be left out: the cluster has its own", workers)
    distributed = _distributed("cluster" if workers is None else "workers")
    with contextlib.ExitStack() as closing:
        closing.enter_context(_quiet())
        address = cluster if workers is None else closing.enter_context(_processes(distributed, workers))
        client = _client(distributed, address)
        closing.callback(client.close, timeout=_LOOK)
        yield lambda function, items: _on_cluster(distributed, client, function, items)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What its log tells of workers and schedulers that go away is told by results here."""
    logs = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)


def _distributed(argument: str) -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        rule = "needs the package distributed"
        raise BadInput(argument, rule, None, "Install it: pip install 'unstill[cluster]'.") from error


def _processes(distributed: Any, workers: int) -> Any:
    """A scheduler and workers on this machine, each a process of one thread."""
    import dask

    dask.config.set({"distributed.scheduler.allowed-failures": _DEATHS, "distributed.admin.tick.limit": "1h"})
    environment = {"UNSTILL_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, env=environment,
        silence_logs=logging.CRITICAL, memory_limit=0,
    )  # fmt: skip


def _client(distributed: Any, address: Any) -> Any:
    try:
        return distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadInput("cluster", "must be the address of a scheduler that answers", repr(address)) from error


def _on_cluster(distributed: Any, client: Any, function: Callable, items: Sequence) -> Iterator[tuple[int, Any]]:
    """Place and result of each item as it is done; raises `LostCluster`."""
    futures = [client.submit(function, item, pure=False) for item in items]
    places = {future.key: place for place, future in enumerate(futures)}
    waiting = set(futures)
    try:
        while waiting:
            for future in _finished(distributed, client, waiting):
                rows = _result(distributed, client, future)
                if rows is None:  # it died with its worker, and is being done again
                    continue
                waiting.discard(future)
                yield places[future.key], rows
                future.release()
    except BaseException:
        with contextlib.suppress(Exception):
            client.cancel(list(waiting), force=True)
        raise


def _finished(distributed: Any, client: Any, waiting: set) -> set:
    """Tasks that are done, after a short wait at most."""
    try:
        with client.as_current(), contextlib.suppress(distributed.TimeoutError, TimeoutError):
            return set(distributed.wait(list(waiting), timeout=_LOOK, return_when="FIRST_COMPLETED").done)
    except distributed.CancelledError as error:
        raise LostCluster("the scheduler was lost") from error
    if client.status != "running":
        raise LostCluster(f"the scheduler was lost ({client.status})")
    return set()


def _result(distributed: Any, client: Any, future: Any) -> Any:
    """What a task came to; `None` where that was lost with its worker. Raises `LostCluster`."""
    if future.status == "cancelled":
        raise LostCluster("the scheduler was lost")
    if future.status in ("pending", "lost"):
        return None
    try:
        return future.result(timeout=_PATIENCE)
    except distributed.KilledWorker as error:
        raise LostCluster(f"a task saw {_DEATHS} workers die, or as many as the scheduler allows") from error
    except (TimeoutError, OSError, distributed.CancelledError) as error:
        if client.status == "running" and not isinstance(error, distributed.CancelledError):
            return None
        raise LostCluster(f"the scheduler was lost ({type(error).__name__})") from error
