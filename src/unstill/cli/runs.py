"""What verbs that make a run folder share: their options, the folder, and the last lines that they print."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._errors import BadInput
from .._result import Result, plain
from .._stopping import shielded
from .arguments import Argument, Given, as_typed, option

PRINT = (option("quiet", False, "Print nothing but errors."), option("json", False, "Print result.json on stdout."))
SEED = option("seed", 0, "Seed of all random numbers.", kind="Whole")
FOLDER = (
    option("out", "", "The run folder to make (default: runs/VERB-1, or the next free number).", metavar="DIR"),
    option("force", False, "Replace an existing run folder."),
    option("resume", False, "Go on from an interrupted run of the same command."),
    option("time_limit", None, "Stop after so long, as Ctrl-C does: what was reached is kept.", kind="Positive",
           metavar="SECONDS"),
)  # fmt: skip
RUN = (SEED, *FOLDER, *PRINT)
ARRAYS = (
    option("format", "npz", "How arrays are written.", choices=("npz", "zarr", "netcdf")),
    *RUN,
)  # of a verb whose results hold arrays
# Of this call, not of the computation: who computes changes no number.
_OURS = {each.name for each in RUN} | {"workers", "cluster"}
# They may name files.
_INPUTS = ("source", "target", "init", "ordered", "score", "flows", "points", "known", "path", "icon", "mask")


def describe(given: Given, more: Mapping[str, Any] = {}) -> dict[str, Any]:
    """What `run.json` keeps of a command: all that the computation depends on."""
    told = {name: value for name, value in {**dict(given), **more}.items() if name not in _OURS}
    if told.get("format") == "npz":  # as if it were not there: older runs do not name it
        del told["format"]
    return plain(told)


def _inputs(given: Given) -> list[str]:
    """Words of the call that may name files; the run folder keeps the digests of those that do."""
    words = [getattr(given, name, None) for name in _INPUTS]
    several = [word if isinstance(word, tuple) else (word,) for word in words]
    return [word for each in several for word in each if isinstance(word, str) and word]


class Run:
    """One command with a run folder, which is claimed (checked, not touched), begun, and at the end written.

    It is the checkpoint of the verb's function, and begins with the first thing that the function asks of it or keeps:
    a call that turns out to be wrong before that leaves an older run as it is.
    """

    def __init__(self, verb: str, given: Given, **more: Any):
        self.verb, self.given, self._more, self._begun = verb, given, more, False
        self._dropped: set[str] = set()
        self.stopped = False  # by Ctrl-C or a limit, while the result was written

    def claim(self) -> None:
        """The run folder of `--out`, checked; raises `BadInput`."""
        from ..files import RunFolder

        path = self.given.out or _next(self.verb, self.given.resume)
        source = getattr(self.given, "source", None)
        if isinstance(source, str) and Path(source).resolve() == Path(path).resolve():
            raise BadInput("out", "must not be the source", path)
        way = getattr(self.given, "format", "npz")
        self.folder = RunFolder.create(path, force=self.given.force, resume=self.given.resume, format=way)

    def begin(self) -> None:
        """Write `run.json`, once; from here on an older run in the folder is replaced."""
        if not self._begun:
            config = describe(self.given, self._more)
            self.folder.write_run(config, self.given.seed, verb=self.verb, inputs=_inputs(self.given))
            self._begun = True

    def kept(self, name: str) -> Any:
        self.begin()
        return None if name in self._dropped else self.folder.kept(name)

    def keep(self, name: str, **arrays: Any) -> None:
        self.begin()
        self.folder.keep(name, **arrays)
        self._dropped.discard(name)

    def drop(self, name: str) -> None:
        """Once the result is written: until then a process may be killed."""
        self._dropped.add(name)

    def log(self) -> list[dict[str, Any]]:
        self.begin()
        return self.folder.log()

    def append_log(self, entry: Mapping[str, Any]) -> None:
        self.begin()
        self.folder.append_log(entry)

    def write_log(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self.begin()
        self.folder.write_log(entries)

    def finished(self) -> dict[str, Any] | None:
        """The result in the folder, where this very command has finished there; else `None`."""
        from ..files import read_result, read_run

        path = Path(self.given.out or " ")
        if not (path / "run.json").exists() or not (path / "result.json").exists():
            return None
        run, result = read_run(path), read_result(path)
        same = json.loads(json.dumps(describe(self.given, self._more)))
        known = (run.get("verb"), run.get("seed"), run.get("config")) == (self.verb, self.given.seed, same)
        return result if known and "interrupted" not in str(result.get("status")) else None

    def conclude(self, found: Result) -> int:
        """Write what was found, print it, say what went wrong; returns the exit code."""
        try:
            with shielded():
                self.begin()
                found.write(self.folder)
                for name in self._dropped:
                    self.folder.drop(name)
        except KeyboardInterrupt:
            self.stopped = True
        say(self.given, as_typed(self.verb, found.summary()), f"{self.folder.path}: {found.seconds:.1f} s")
        show(self.given, found.to_dict())
        return exit_code(self.verb, found)


def exit_code(verb: str, found: Result) -> int:
    """0, or 3 for a failure, or 130 for an interrupt, with a line on stderr."""
    if found.interrupted:
        print(f"unstill {verb}: interrupted; the same command with --resume goes on from here", file=sys.stderr)
        return 130
    if found.failed:
        told = as_typed(verb, found.headline()).rstrip(".")
        print(f"unstill {verb}: {told}; what was reached is kept", file=sys.stderr)
        return 3
    return 0


def _next(verb: str, resume: bool) -> str:
    """`runs/VERB-N`: the next one, or the last one to be resumed."""
    folders = Path("runs").glob(f"{verb}-*")
    numbers = [int(tail) for folder in folders if (tail := folder.name.removeprefix(f"{verb}-")).isdigit()]
    last = max(numbers, default=0)
    return f"runs/{verb}-{max(last, 1) if resume else last + 1}"


def say(given: Given, *lines: str) -> None:
    """Print for a person, unless told to be quiet or to print JSON."""
    if not given.quiet and not getattr(given, "json", False):
        for line in lines:
            print(line)


def show(given: Given, result: Mapping[str, Any]) -> None:
    """Print `result.json` where it is asked for."""
    if given.json:
        print(json.dumps(result, indent=2, allow_nan=False))


def known_arguments(*groups: tuple[Argument, ...]) -> tuple[Argument, ...]:
    """Groups of arguments as one; each name once."""
    names = [each.name for group in groups for each in group]
    assert len(set(names)) == len(names), names
    return tuple(each for group in groups for each in group)


def refuse_of(given: Given, arguments: tuple[Argument, ...], kind: str) -> None:
    """Raise `BadInput` for an argument that was given though it is for another kind of source."""
    for each in arguments:
        if getattr(given, each.name) != each.default:
            raise BadInput(each.name, f"is for {kind} only", given.told(each.name))
