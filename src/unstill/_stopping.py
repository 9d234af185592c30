"""Stopping long work as Ctrl-C does, so that every verb keeps what it has reached: after a time, or on SIGTERM."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from ._errors import BadInput

_SOON = 0.01  # seconds
_NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _repeated() -> Iterator[None]:
    """Interrupt again where Python drops the first one: it only reports what finalisers and callbacks of weak
    references and of the garbage collector raise, and JAX has one that runs at each collection."""
    before = sys.unraisablehook

    def report(dropped: Any) -> None:
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, _interrupt)
            signal.setitimer(signal.ITIMER_REAL, _SOON)
        else:
            before(dropped)

    sys.unraisablehook = report
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Stop what runs inside `with us.time_limit(3600):` after so many seconds, as Ctrl-C does.

    Verbs return what they have reached, `interrupted`; the same call goes on from a checkpoint (`resume`) later. Work
    that is inside a compiled program ends when that does.

    Args:
        seconds: Wall time (default `None`: no limit).

    Raises `BadInput` for a limit that is no positive number, outside the main thread, and where the system has no
    alarms (Windows). What cannot be interrupted raises `KeyboardInterrupt`.
    """
    if seconds is None:
        yield
        return
    if not 0 < seconds < float("inf"):
        raise BadInput("time_limit", "must be a positive number of seconds", repr(seconds))
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        raise BadInput("time_limit", "needs the main thread of a system with alarms, such as Linux or macOS")
    before, begun = signal.signal(signal.SIGALRM, _interrupt), time.monotonic()
    outer = signal.getitimer(signal.ITIMER_REAL)[0]
    signal.setitimer(signal.ITIMER_REAL, min(seconds, outer) if outer else seconds)
    try:
        with _repeated():
            yield
    finally:
        left = max(outer - (time.monotonic() - begun), _SOON) if outer else 0.0
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left)


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """What runs inside is done whole: Ctrl-C, SIGTERM and time limits come at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    heard = [number for number in _NUMBERS if callable(signal.getsignal(number))]
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C, and SIGTERM, by which schedulers announce the end, stop what runs inside, wherever they find it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    if before[signal.SIGINT] is signal.default_int_handler:  # not where a shell told us to ignore it
        signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _repeated():
            yield
    finally:
        if not callable(before[signal.SIGALRM]):  # nobody else waits for an alarm
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            if handler is not None:  # not one that was set outside Python
                signal.signal(number, handler)
