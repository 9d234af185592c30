"""What the verbs share: options of every run, progress, and the last lines that a run prints."""

import contextlib
import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

from .._errors import BadInput
from .configs import option, whole


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every verb that computes."""

    seed: int = option(0, "seed of all random numbers", type=whole, metavar="N")
    quiet: bool = option(False, "print nothing but errors")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions(Options):
    """Options of every verb that makes a run folder."""

    out: str = option("", "the run folder to make", metavar="DIR")
    force: bool = option(False, "replace an existing run folder")
    resume: bool = option(False, "go on from an interrupted run of the same command")
    json: bool = option(False, "print result.json on stdout")


def say(config: Options, *lines: str) -> None:
    """Print for a person, unless told to be quiet or to print JSON."""
    if not config.quiet and not getattr(config, "json", False):
        for line in lines:
            print(line)


def plain(value: Any) -> Any:
    """Numbers for JSON: arrays as lists, and `None` for what is not finite, since NaN is no JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def claim_folder(config: RunOptions):
    """The run folder of `--out`, checked but not yet touched; raises `BadInput`."""
    from ..files.runs import RunFolder

    if not config.out:
        raise BadInput("out", "must name a folder", None, "For example --out runs/x")
    return RunFolder.create(config.out, force=config.force, resume=config.resume)


def _described(config: RunOptions, more: dict[str, Any]) -> dict[str, Any]:
    """What `run.json` keeps of a configuration: all that the computation depends on."""
    ours = {field.name for field in dataclasses.fields(RunOptions)}  # of this call, not of the computation
    described = {**dataclasses.asdict(config), **more}
    return plain({name: value for name, value in described.items() if name not in ours})


def begin(folder, verb: str, config: RunOptions, **more: Any) -> None:
    """Write `run.json`; from here on an older run in the folder is replaced."""
    folder.write_run(_described(config, more), config.seed, verb=verb)


def finished(config: RunOptions, verb: str, **more: Any) -> dict[str, Any] | None:
    """The result in the folder of `--out`, where this very command has finished there; else `None`."""
    from pathlib import Path

    from ..files.runs import read_result, read_run

    path = Path(config.out or " ")
    if not (path / "run.json").exists() or not (path / "result.json").exists():
        return None
    run, result = read_run(path), read_result(path)
    same = json.loads(json.dumps(_described(config, more)))
    known = (run.get("verb"), run.get("seed"), run.get("config")) == (verb, config.seed, same)
    return result if known and "interrupted" not in str(result.get("status")) else None


def finish(config: RunOptions, result: dict[str, Any]) -> None:
    if config.json:
        print(json.dumps(result, indent=2, allow_nan=False))


@contextlib.contextmanager
def progress_bar(config: Options, label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; nothing where stderr is not a terminal."""
    if config.quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
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
        yield lambda done, total: bar.update(task, completed=done, total=total)
