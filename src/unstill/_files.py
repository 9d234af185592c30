"""A user's own definitions from `file.py:NAME`: a system, a library, a loss. It runs the file, as `python` does."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._errors import BadInput, nearest


def from_file(argument: str, name: str, suits: Callable[[Any], bool], what: str) -> Any:
    """The object behind `file.py:NAME`, if it `suits`; `what` names its kind in errors. Raises `BadInput`."""
    place, _, attribute = name.rpartition(":")
    path = Path(place)
    if not path.is_file():
        raise BadInput(argument, "must name an existing file", place)
    return member(argument, _run(argument, path), attribute, suits, what, place)


def member(argument: str, module: Any, attribute: str, suits: Callable[[Any], bool], what: str, place: str) -> Any:
    """What a module calls `attribute`, if it `suits`; raises `BadInput` that names those that do."""
    value = getattr(module, attribute, None)
    if not suits(value):
        known = [n for n, v in vars(module).items() if not n.startswith("_") and suits(v)]
        raise BadInput(argument, f"must name {what} in {place}", repr(attribute), nearest(attribute, known))
    return value


def _run(argument: str, path: Path) -> Any:
    name = f"_unstill_user_{path.stem}"  # not the stem itself: a file called numpy.py must not become numpy
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script without a main guard may call sys.exit
        reason = str(error).rstrip(".") if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
        raise BadInput(argument, f"cannot be imported: {reason}", str(path)) from error
    return module
