"""What verbs that train by epochs share: log, progress, and a state from which `--resume` goes on."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from .common import RunOptions, plain, progress_bar

STATE = "state.npz"


@contextlib.contextmanager
def training(config: RunOptions, folder, epochs: int) -> Iterator[dict[str, Any]]:
    """The arguments `record`, `keep` and `resume` of a training in this folder; its log is cut to the state there."""
    resume = None
    if folder.resumed:
        from ..files.runs import read_log

        resume = folder.read_arrays(STATE) if (folder / STATE).exists() else None
        done = 0 if resume is None else len(resume.get("training", ()))
        folder.write_log([row for row in read_log(folder.path) if row.get("epoch", 0) < done])
    with progress_bar(config, "epochs") as progress:

        def record(entry: dict[str, Any]) -> None:
            folder.append_log(plain(entry))
            progress(entry["epoch"] + 1, epochs)

        def keep(arrays: dict[str, Any]) -> None:
            folder.write_arrays(STATE, **arrays)

        yield {"record": record, "keep": keep, "resume": resume}


def ended(verb: str, interrupted: bool) -> int:
    """The exit code, with a word where the training was interrupted."""
    if interrupted:
        print(f"unstill {verb}: interrupted; the same command with --resume goes on from here", file=sys.stderr)
    return 130 if interrupted else 0
