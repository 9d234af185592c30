"""Files appear whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from .._errors import BadInput


@contextlib.contextmanager
def replacing(path: str | os.PathLike, argument: str = "path") -> Iterator[Path]:
    """Yields a temporary name beside `path` (same suffix) that takes its place when the block ends well.

    Makes missing parent folders. On any failure, Ctrl-C included, the old file stays as it was. What the operating
    system refuses becomes `BadInput` naming `argument`.
    """
    path = Path(path).expanduser()
    part = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        if path.is_dir():
            raise BadInput(argument, "must name a file, not a folder", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise BadInput(argument, f"must be writable ({error.strerror or error})", path) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
