"""Independent tasks on all cores of this process: kernels run outside Python's lock, one thread a task."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from ..simulation import native

T = TypeVar("T")
R = TypeVar("R")


def in_threads(function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
    """Place and result of each item as it is done. Ctrl-C, or leaving the loop, ends what is under way."""
    if native.threads() == 1 or len(items) < 2:
        yield from ((place, function(item)) for place, item in enumerate(items))
        return
    pool = concurrent.futures.ThreadPoolExecutor(native.threads(), thread_name_prefix="unstill-task")
    places = {pool.submit(function, item): place for place, item in enumerate(items)}
    try:
        for future in concurrent.futures.as_completed(list(places)):
            yield places.pop(future), future.result()
    except BaseException:
        with native.interrupting():
            pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
