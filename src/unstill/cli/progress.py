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
    """A line every `EVERY` seconds, and where something else is done (`doing`): for logs of schedulers."""
    begun = told = time.monotonic()
    last = None

    def tell(done: int, total: int | None, entry: Mapping[str, Any]) -> None:
        nonlocal told, last
        now, doing = time.monotonic(), entry.get("doing")
        if now - told < EVERY and doing in (None, last):
            return
        told, last = now, doing
        of = f" of {total:,} ({done / total:.0%})" if total else ""
        seconds = f"{now - begun:.0f} s"
        line = f"{doing}, after {seconds}" if doing else f"{done:,}{of} {label} in {seconds}"
        with contextlib.suppress(OSError):  # who read this has gone: no reason to end the work
            print(f"unstill: {line}", file=sys.stderr, flush=True)

    return tell


@contextlib.contextmanager
def _bar(label: str) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),  # bears a total that is not known yet
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total, entry: bar.update(
            task, completed=done, total=total, description=entry.get("doing", label)
        )
