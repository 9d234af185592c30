"""From arguments to a command line.

A verb's `ARGUMENTS` are its positional words, the options of its Python function (`signatures.options_of`) and a few
that only the shell needs. Built on argparse: it starts in milliseconds, and its error messages can be made into the one
line that every verb promises.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from .._arguments import RULES, Rule, listed
from .._errors import BadInput


@dataclasses.dataclass(frozen=True)
class Argument:
    """One word of a command line. `kind` is that of the Python signature; `repeated` collects lists of words."""

    name: str
    default: Any
    meaning: str
    kind: str = "str"
    choices: tuple[str, ...] | None = None
    metavar: str | None = None
    positional: bool = False
    repeated: bool = False

    @property
    def flag(self) -> str:
        """As it is typed."""
        return self.name if self.positional else "--" + self.name.replace("_", "-")

    @property
    def switch(self) -> bool:
        """Whether it takes no value."""
        return self.default is False

    @property
    def help(self) -> str:
        """Its meaning for a terminal, with the default."""
        shown = self.default[0] if isinstance(self.default, tuple) and self.default else self.default
        told = self.meaning.replace("`", "").rstrip(".")
        default = f" (default: {shown})" if self.default not in (..., None, (), False, "") else ""
        return (told + default).replace("%", "%%")


def option(name: str, default: Any, meaning: str, **more: Any) -> Argument:
    """An option `--name`; a `False` default makes it a switch."""
    return Argument(name, default, meaning, **more)


def positional(name: str, default: Any, meaning: str, **more: Any) -> Argument:
    """A positional word, optional where it has a default (`...` for none)."""
    return Argument(name, default, meaning, positional=True, **more)


def assignments(name: str, meaning: str, metavar: str = "NAME=VALUE") -> Argument:
    """NAME=VALUE tokens, separated by spaces or commas; given again, they add another set."""
    return Argument(name, (), meaning, metavar=metavar, repeated=True)


class Given:
    """What a command line gave: one attribute an argument."""

    def __init__(self, values: dict[str, Any]):
        self._values = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __iter__(self):
        return iter(self._values.items())

    def only(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of some arguments, as keywords for a function."""
        return {name: self._values[name] for name in names}

    def replaced(self, **values: Any) -> Given:
        """The same with other values."""
        return Given({**self._values, **values})


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        subject, _, rest = message.partition(": ")
        if subject.startswith("argument ") and rest:
            raise BadInput(subject.removeprefix("argument ").split("/")[0], rest, None, f"See {self.prog} --help.")
        raise BadInput("command line", self._nearest(message), None, f"See {self.prog} --help.")

    def _nearest(self, message: str) -> str:
        """The message with the nearest known option beside one that is not known."""
        import difflib

        _, unknown, words = message.partition("unrecognized arguments: ")
        typed = [word for word in words.split() if word.startswith("--")] if unknown else []
        close = difflib.get_close_matches(typed[0].split("=")[0], self._option_string_actions, 1, 0.7) if typed else []
        return f"{message} (did you mean {close[0]}?)" if close else message


def parse(arguments: Sequence[Argument], argv: Sequence[str], *, prog: str, about: str) -> Given:
    """What the words of a command line give; raises `BadInput`, or exits 0 after `--help`."""
    parser = _Parser(
        prog=prog, description=textwrap.dedent(about), formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    for each in arguments:
        _add(parser, each)
    values = vars(parser.parse_args(argv))
    known = {each.name: each.default if values[each.name] is None else values[each.name] for each in arguments}
    return Given({name: tuple(map(tuple, v)) if isinstance(v, list) else v for name, v in known.items()})


def _add(parser: _Parser, each: Argument) -> None:
    options: dict[str, Any] = {"help": each.help}
    if each.switch:
        parser.add_argument(each.flag, dest=each.name, action="store_true", help=each.help)
        return
    if each.choices:
        options["choices"] = each.choices
    elif each.repeated:
        options |= {"action": "append", "nargs": "+", "metavar": each.metavar}
    else:
        reader, metavar = _reader(each.kind)
        options |= {"type": reader, "metavar": each.metavar or metavar}
    if each.positional:
        if each.default is not ...:
            options["nargs"] = "?"
        options.pop("metavar", None)
        parser.add_argument(each.name, **options)
    else:
        parser.add_argument(each.flag, dest=each.name, **options)


def _reader(kind: str) -> tuple[Callable[[str], Any], str]:
    """How a kind is read from a word, and what stands for it in the help."""
    if kind in RULES:
        rule = RULES[kind]
        return (lambda text: number(text, rule)), "N" if rule.whole else "X"
    if kind not in _READERS:
        raise KeyError(f"no way to read {kind!r} from a command line")
    return _READERS[kind]


def number(text: str, rule: Rule) -> float | int | str:
    """A number that keeps a rule, for argparse; 1e5 is a whole number too."""
    if rule.word and text == rule.word:
        return text
    try:
        value = float(text)
    except ValueError:
        if rule.word:
            raise argparse.ArgumentTypeError(f"{rule.text}; got {text!r}") from None
        kind = "a whole number" if rule.whole else "a number"
        raise argparse.ArgumentTypeError(f"must be {kind}; got {text!r}") from None
    try:
        return rule.check("", value)
    except BadInput as error:
        raise argparse.ArgumentTypeError(f"{error.rule}; got {text!r}") from None


def size(text: str) -> tuple[int, int]:
    """`128` or `96x128` (rows x columns), for argparse."""
    parts = text.lower().split("x")
    if len(parts) > 2:
        raise argparse.ArgumentTypeError(f"must be N or ROWSxCOLUMNS; got {text!r}")
    rows, columns = (int(number(part, RULES["Count"])) for part in (parts * 2)[:2])
    return rows, columns


def widths(text: str) -> tuple[int, ...]:
    """`64,64`, for argparse."""
    return tuple(int(number(word, RULES["Count"])) for word in listed(text) or (text,))


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "str": (str, "NAME"),
    "Names": (listed, "NAME,NAME"),
    "Size": (size, "N"),
    "Widths": (widths, "N,N"),
}


def as_typed(verb: str, text: str) -> str:
    """The library's words in those of the shell: `warm_start` is typed as `--warm-start`, `force=True` as `--force`."""
    module = importlib.import_module(f".{verb}", __package__)
    flags = {each.name: each.flag for each in module.ARGUMENTS if not each.positional}
    known = {each.name for each in module.ARGUMENTS}

    def typed(match: re.Match) -> str:
        name, value = match[1], (match[3] or "").strip("\"'")
        # What the library reads from a path or by a system's name is one positional word of many verbs.
        if name in ("path", "system") and name not in known and "source" in known and not match[2]:
            return "`source`"
        if name not in flags:
            return match[0]
        return f"`{flags[name]}`" if not match[2] or value == "True" else f"`{flags[name]} {value}`"

    return re.sub(r"`(\w+)(=([^`]*))?`", typed, text)
