"""The run folder: what every verb writes, and what other verbs read. Needs no JAX."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .._result import Result
from .array_files import SUFFIXES, arrays_path, check_format, drop_others, read_arrays, write_labelled
from .arrays import read_npz, write_npz
from .atomic import replacing
from .zarr_stores import is_store

RUN, RESULT, LOG = "run.json", "result.json", "log.jsonl"
_PACKAGES = ("unstill", "jax", "numba", "numpy", "scipy")


class Checkpoint:
    """Where unfinished work keeps its state: `.npz` arrays and `log.jsonl` in a folder, made when it is first written.

    Pass one as `resume`: what is there is gone on from, and the work is kept there as it goes on.

    Args:
        folder: Where; another call's state in it is refused by that call's own checks.
    """

    def __init__(self, folder: str | os.PathLike):
        self.path = Path(folder).expanduser()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def kept(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays that are kept under a name, or `None`; raises `BadInput` for a damaged file."""
        path = arrays_path(self.path, name)
        return None if path is None else read_arrays(path)

    def keep(self, name: str, **arrays: np.ndarray) -> None:
        """Keep arrays under a name, whole or not at all."""
        self.write_arrays(f"{name}.npz", **arrays)

    def drop(self, name: str) -> None:
        """Forget what is kept under a name."""
        (self.path / f"{name}.npz").unlink(missing_ok=True)

    def log(self) -> list[dict[str, Any]]:
        """The lines of `log.jsonl`."""
        return read_log(self.path)

    def append_log(self, entry: Mapping[str, Any]) -> None:
        """Add one line to `log.jsonl`."""
        line = _dumps(entry, indent=None) + "\n"
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / LOG, "a", encoding="utf-8") as log:
            log.write(line)

    def write_log(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace `log.jsonl` by these entries, whole or not at all."""
        text = "".join(_dumps(entry, indent=None) + "\n" for entry in entries)
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing(self.path / LOG, "out") as part:
            part.write_text(text, encoding="utf-8")

    def write_arrays(self, name: str, **arrays: np.ndarray) -> None:
        """Write `name` (such as "states.npz") whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing(self.path / name, "out") as part:
            write_npz(part, arrays)

    def read_arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of `name` with their own dtypes; raises `BadInput` if it is missing or corrupt."""
        return read_npz(self.path / name)


class RunFolder(Checkpoint):
    """A folder with `run.json` (how), `result.json` (what), `log.jsonl` (on the way), arrays and figures."""

    def __init__(self, path: Path, *, resumed: bool = False, stale: bool = False, format: str = "npz"):
        super().__init__(path)
        self.resumed, self._stale, self.format = resumed, stale, format
        self._began = time.perf_counter()
        self._run: dict[str, Any] = {}

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @classmethod
    def create(
        cls,
        out: str | os.PathLike,
        *,
        force: bool = False,
        resume: bool = False,
        argument: str = "out",
        format: str = "npz",
    ) -> RunFolder:
        """A folder that can be made, or an existing one: an empty one always; a run folder's contents are kept by
        `resume` and deleted with `force`. It is made, or emptied, only when `write_run` begins the new run: a call that
        turns out to be wrong leaves and loses nothing. `format` is how arrays of results are written. Raises `BadInput`
        for any other folder, which it calls `argument`."""
        check_format(format)
        path = Path(out).expanduser()
        if path.exists() and not path.is_dir():
            raise BadInput(argument, "must be a folder", path)
        resumed = stale = False
        try:
            if path.is_dir() and any(path.iterdir()):
                if not (force or resume):
                    raise BadInput(argument, "must not exist yet", path, "Pass `force=True` to replace it.")
                if not _is_run(path):
                    why = "must be a run folder to be replaced or resumed"
                    raise BadInput(argument, why, path, "It holds no run.json of Unstill; choose another folder.")
                resumed, stale = resume, not resume
            new = [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
            writable = os.access(path, os.W_OK | os.X_OK)
            for folder in new:  # it could be made: that is all that was to be known
                folder.rmdir()
        except OSError as error:
            raise BadInput(argument, f"must be writable ({error.strerror or error})", path) from error
        if not writable:
            raise BadInput(argument, "must be writable", path)
        return cls(path, resumed=resumed, stale=stale, format=format)

    def write_arrays_of(self, found: Result) -> None:
        """The arrays of a result, each file whole or not at all, in the folder's format."""
        if self.format == "npz" or not found.formats:
            for name, arrays in found.arrays().items():
                self.write_arrays(name, **arrays)
                drop_others(self.path / name)
            return
        from .labelled import files_of

        for name, (arrays, coordinates) in files_of(found).items():
            path = (self.path / name).with_suffix(SUFFIXES[self.format])
            write_labelled(path, arrays, coordinates)
            drop_others(path)

    def write_run(
        self, config: Mapping[str, Any], seed: int | None = None, *, verb: str = "", inputs: Sequence[str] = ()
    ) -> None:
        """Write `run.json`: verb, configuration, seed, versions, platform, start, and the SHA-256 of each of the files
        and folders that are `inputs`; `write_result` adds the seconds.

        A resumed run keeps its first start and adds up its seconds; raises `BadInput` if its configuration differs.
        """
        run = {
            "verb": verb,
            "config": config,
            "seed": seed,
            "inputs": {path: digest for path in inputs if (digest := digest_of(path))},
            "versions": _versions(),
            "platform": {"system": platform.platform(), "machine": platform.machine(), "cpus": os.cpu_count()},
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": None,
            # Where paths of the call begin, seen from the folder: runs that move together keep finding one another.
            "called_from": os.path.relpath(Path.cwd(), self.path),
        }
        if self.resumed:
            before = read_run(self.path)
            _check_same(before, json.loads(_dumps(run)))
            run |= {key: before[key] for key in ("started", "seconds") if key in before}
        if self._stale:
            _empty(self.path)
            self._stale = False
        self._run = run
        self._write_json(RUN, run)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write `result.json` and the seconds so far into `run.json`. NaN and infinities raise `ValueError`: a number
        that is not determined is `None`."""
        self._write_json(RESULT, result)
        if self._run:
            spent = time.perf_counter() - self._began + (self._run["seconds"] or 0.0)
            self._write_json(RUN, {**self._run, "seconds": round(spent, 3)})

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        text = _dumps(content) + "\n"
        with replacing(self.path / name, "out") as part:
            part.write_text(text, encoding="utf-8")


def digest_of(path: str | os.PathLike) -> str | None:
    """The SHA-256 of a file's bytes; of a folder that of a line `DIGEST  NAME` for each file in it (and below it in
    Zarr stores), in order of their names, as `sha256sum` prints them; None for what does not exist or is unreadable."""
    place = Path(path).expanduser()
    try:
        if place.is_file():
            with open(place, "rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        if not place.is_dir():
            return None
        stores = [place] if is_store(place) else [each for each in place.iterdir() if each.is_dir() and is_store(each)]
        every = {*place.iterdir(), *(each for store in stores for each in store.rglob("*"))}
        files = sorted(each.relative_to(place).as_posix() for each in every if each.is_file())
        lines = "".join(f"{digest_of(place / name)}  {name}\n" for name in files)
        return hashlib.sha256(lines.encode()).hexdigest()
    except OSError:
        return None


def read_run(path: str | os.PathLike) -> dict[str, Any]:
    """`run.json` of a run folder; raises `BadInput`."""
    return _read_json(Path(path) / RUN)


def asked_path(folder: str | os.PathLike, path: str) -> str:
    """A path of the call that made a run, as it is reached from here; as it was given where that leads nowhere."""
    begin = read_run(folder).get("called_from")
    there = Path(folder).expanduser() / begin / Path(path).expanduser() if isinstance(begin, str) else Path(path)
    return os.path.relpath(there) if there.exists() else path


def read_result(path: str | os.PathLike) -> dict[str, Any]:
    """`result.json` of a run folder; raises `BadInput`."""
    return _read_json(Path(path) / RESULT)


def read_log(path: str | os.PathLike) -> list[dict[str, Any]]:
    """The entries of `log.jsonl`, none where there is no log; a last line cut short is left out. Raises `BadInput`."""
    log = Path(path) / LOG
    if not log.exists():
        return []
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                break
            raise BadInput("path", f"must hold whole lines in {LOG}", f"line {number} of {log}") from error
        if not isinstance(entry, dict):
            raise BadInput("path", f"must hold objects in {LOG}", f"line {number} of {log}")
        entries.append(entry)
    return entries


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput("path", f"must be a run folder with {path.name}", path.parent) from error
    except (ValueError, RecursionError) as error:
        raise BadInput("path", f"must hold a whole {path.name}", path, "The file is damaged.") from error
    if not isinstance(content, dict):
        raise BadInput("path", f"must hold a {path.name} with an object", path)
    return content


def _is_run(path: Path) -> bool:
    try:
        return "unstill" in read_run(path).get("versions", {})
    except (BadInput, TypeError):
        return False


def _empty(path: Path) -> None:
    # The contents go and the folder stays: it may be a link, a mount or somebody's working directory.
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _check_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    old, new = before.get("config", {}), now["config"]
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    differing += [key for key in ("verb", "seed") if before.get(key) != now[key]]
    if differing:
        raise BadInput(
            "resume",
            "must repeat the first command",
            f"other {', '.join(differing)}",
            "Pass `force=True` to start anew.",
        )


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def _dumps(content: Any, indent: int | None = 2) -> str:
    return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
