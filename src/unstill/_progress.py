"""The two protocols of long work: how it tells where it is, and where it keeps what is needed to go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

# progress(done, total, entry): `done` of `total` parts (None: not known); `entry` holds the facts of the last one, as a
# line of the log does. `progress=print` shows it.
Progress = Callable[[int, int | None, Mapping[str, Any]], None]


def silent(done: int, total: int | None, entry: Mapping[str, Any]) -> None:
    """The progress of those who do not ask for it."""


@runtime_checkable
class AbstractCheckpoint(Protocol):
    """Where unfinished work keeps its state: arrays by name, and a log. Where nothing is kept, work begins anew.

    `us.Checkpoint(folder)` is one, and so is a run folder. The same call with the same checkpoint goes on from there,
    to the same numbers as without a break.
    """

    def kept(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays under a name, or `None`."""
        ...

    def keep(self, name: str, **arrays: np.ndarray) -> None:
        """Keep arrays under a name, whole or not at all."""
        ...

    def drop(self, name: str) -> None:
        """Forget the arrays under a name, if there are any."""
        ...

    def log(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        ...

    def append_log(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the log."""
        ...

    def write_log(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace the log."""
        ...


class Memory:
    """A checkpoint that lasts as long as the process: what a call without `resume` uses."""

    def __init__(self):
        self._arrays: dict[str, dict[str, np.ndarray]] = {}
        self._log: list[dict[str, Any]] = []

    def kept(self, name: str) -> dict[str, np.ndarray] | None:
        return self._arrays.get(name)

    def keep(self, name: str, **arrays: np.ndarray) -> None:
        self._arrays[name] = arrays

    def drop(self, name: str) -> None:
        self._arrays.pop(name, None)

    def log(self) -> list[dict[str, Any]]:
        return list(self._log)

    def append_log(self, entry: Mapping[str, Any]) -> None:
        self._log.append(dict(entry))

    def write_log(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._log = [dict(entry) for entry in entries]
