"""Options from signatures: a verb's function is read as text, so that `--help` needs no array library.

Name, kind and default of an argument stand in the signature of the Python function, its meaning in the docstring's
`Args`; `options_of` makes options of them. `tests/cli/test_signatures.py` holds the text against the function itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .arguments import Argument, assignments, option

ROOT = Path(__file__).parents[1]


EVERYWHERE = ("seed", "progress", "resume")  # arguments that the shell gives to every verb alike


def options_of(function: str, *, leave_out: tuple[str, ...] = ()) -> tuple[Argument, ...]:
    """The options of `"room.file:name"`; `leave_out` names arguments that the shell gives otherwise or not at all."""
    found = tuple(_options(function, leave_out))
    missing = set(leave_out) - {name for name, *_ in signature(function)}
    assert not missing, f"{function} has no {', '.join(sorted(missing))}"
    return found


def _options(function: str, leave_out: tuple[str, ...]) -> Iterator[Argument]:
    told = meanings(function)
    for name, kind, default in signature(function):
        if name in leave_out or name in EVERYWHERE:
            continue
        meaning = told[name]
        if kind.startswith("Values"):
            yield assignments(name, meaning)
        elif kind.startswith("Literal["):
            yield option(name, default, meaning, choices=ast.literal_eval(f"({kind[8:-1]},)"))
        else:
            yield option(name, () if kind == "Names" and default is None else default, meaning, kind=kind)


def signature(function: str) -> list[tuple[str, str, object]]:
    """Name, kind and default of every argument; `...` where it has none."""
    arguments = _definition(function).args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(plain, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return [(each.arg, _kind(each.annotation), _value(default)) for each, default in pairs]


def meanings(function: str) -> dict[str, str]:
    """What the docstring's `Args` says of each argument."""
    text = ast.get_docstring(_definition(function)) or ""
    block = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    entries = re.split(r"^    (?=\w+: )", block.group(1) if block else "", flags=re.MULTILINE)[1:]
    pairs = (entry.partition(": ") for entry in entries)
    return {name: " ".join(meaning.split()) for name, _, meaning in pairs}


def _definition(function: str) -> ast.FunctionDef:
    module, _, name = function.partition(":")
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)


def _kind(annotation: ast.expr | None) -> str:
    """`Count | None` as "Count"; every argument that may be absent has `None` for its default."""
    if annotation is None:
        return ""
    kind = ast.unparse(annotation).replace("'", '"').removesuffix(" | None")
    if kind.startswith("str | "):  # a name, or an object that only Python can pass
        return "str"
    return {"Boundary": 'Literal["periodic", "no-flux"]'}.get(kind, kind)


def _value(default: ast.expr | None) -> object:
    if default is None:
        return ...
    try:
        return ast.literal_eval(default)
    except ValueError:  # a name, such as `silent`: not for the shell
        return None
