"""How far long work is, on stderr: a bar on a terminal, elsewhere a line from time to time."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .arguments import Given

EVERY = 10.0  # seconds between two lines
Tell = Callable[[int, int | None, Mapping[str, Any]], None]


@contextlib.contextmanager
def progress_bar(given: Given, label: str) -> Iterator[Tell]:
    """A progress of `label` (what is counted: "steps"), unless quiet."""
    if given.quiet:
        yield lambda done, total, entry: None
    elif sys.stderr.isatty():
        with _bar(label) as tell:
            yield tell
    else:
        yield _lines(label)


def _lines(label: str) -> Tell:
    """A line every `EVERY` seconds: for logs of schedulers."""
    begun = told = time.monotonic()

    def tell(done: int, total: int | None, entry: Mapping[str, Any]) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < EVERY:
            return
        told = now
        of = f" of {total:,} ({done / total:.0%})" if total else ""
        with contextlib.suppress(OSError):  # who read this has gone: no reason to end the work
            print(f"unstill: {done:,}{of} {label} in {now - begun:.0f} s", file=sys.stderr, flush=True)

    return tell


@contextlib.contextmanager
def _bar(label: str) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),  # bears a total that is not known yet
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total, entry: bar.update(task, completed=done, total=total)
