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

from .._arguments import RULES, Rule, listed, one_of
from .._errors import BadInput

_CLOSE = 0.75  # likeness of words above which one may be meant for the other: start and target are below


@dataclasses.dataclass(frozen=True)
class Argument:
    """One word of a command line. `kind` is that of the Python signature; `repeated` collects lists of words;
    `several`: one positional word or more, a tuple where there are more."""

    name: str
    default: Any
    meaning: str
    kind: str = "str"
    choices: tuple[str, ...] | None = None
    metavar: str | None = None
    positional: bool = False
    repeated: bool = False
    several: bool = False

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

    def told(self, name: str) -> str:
        """A value as it was typed, for messages: `--set F=.03 k=.06` as "F=.03 k=.06"."""
        value = self._values[name]
        if not isinstance(value, tuple):
            return str(value)
        if name == "size":
            return "x".join(map(str, value))
        lists = all(isinstance(words, tuple) for words in value)
        return " ".join(word for words in value for word in words) if lists else ",".join(map(str, value))

    def only(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of some arguments, as keywords for a function."""
        return {name: self._values[name] for name in names}

    def replaced(self, **values: Any) -> Given:
        """The same with other values."""
        return Given({**self._values, **values})


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        subject, _, rest = message.partition(": ")
        see = f"See {self.prog} --help."
        if subject.startswith("argument ") and rest:
            rule = "needs a value" if rest.startswith("expected") else rest
            raise BadInput(subject.removeprefix("argument ").split("/")[0], rule, None, see)
        if subject == "unrecognized arguments":
            raise self._unknown(rest.split())
        if subject == "the following arguments are required":
            raise BadInput(rest, "must be given", None, see)
        raise BadInput("command line", message, None, see)

    def _unknown(self, words: Sequence[str]) -> BadInput:
        """What is wrong with words that nothing takes, with what may have been meant."""
        import difflib

        see = f"See {self.prog} --help."
        at = next((i for i, word in enumerate(words) if re.match("--?[A-Za-z]", word)), None)
        if at is None:
            return BadInput("command line", "has more words than it takes", " ".join(words), see)
        flag, _, value = words[at].partition("=")
        value = value or next((word for word in words[at + 1 : at + 2] if not word.startswith("-")), "")
        name = flag.strip("-")
        known = {option.strip("-"): option for option in self._option_string_actions}
        close = difflib.get_close_matches(name, known, 1, _CLOSE)
        hint = f"Did you mean {known[close[0]]}? " if close else self._without_option(name, value)
        return BadInput(flag, f"is no option of {self.prog}", repr(value) if value else None, hint + see)

    def _without_option(self, name: str, value: str) -> str:
        """A hint for an option that is named as what a positional word means: `--target` for "the targets: …"."""
        for action in self._actions:
            told = f"{action.dest}, {action.help}"
            if not action.option_strings and re.search(rf"\b{re.escape(name)}s?\b", told):
                return f"Give the {name} without an option: {self.prog} {value or name.upper()} … "
        return ""


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
    return Given({name: _frozen(value) for name, value in known.items()})


def _frozen(value: Any) -> Any:
    """Lists of words, and lists of them, as tuples; a list of one word as that word."""
    if not isinstance(value, list):
        return value
    if len(value) == 1 and isinstance(value[0], str):
        return value[0]
    return tuple(tuple(each) if isinstance(each, list) else each for each in value)


def _add(parser: _Parser, each: Argument) -> None:
    options: dict[str, Any] = {"help": each.help}
    if each.switch:
        parser.add_argument(each.flag, dest=each.name, action="store_true", help=each.help)
        return
    if each.choices:
        options |= {"type": _word(each.choices), "metavar": f"{{{','.join(each.choices)}}}"}
    elif each.repeated:
        options |= {"action": "append", "nargs": "+", "metavar": each.metavar}
    else:
        reader, metavar = _reader(each.kind)
        options |= {"type": reader, "metavar": each.metavar or metavar}
    if each.positional:
        if each.several:
            options["nargs"] = "+"
        elif each.default is not ...:
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


def _word(choices: tuple[str, ...]) -> Callable[[str], str]:
    """One of a few words, for argparse."""

    def read(text: str) -> str:
        try:
            one_of("", text, choices)
        except BadInput as error:
            raise argparse.ArgumentTypeError(f"{error.rule}; got {text!r}") from None
        return text

    return read


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


_READ = ("path", "system", "pictures", "points", "state")


def as_typed(verb: str, text: str) -> str:
    """The library's words in those of the shell: `warm_start` is typed as `--warm-start`, `force=True` as `--force`."""
    module = importlib.import_module(f".{verb}", __package__)
    flags = {each.name: each.flag for each in module.ARGUMENTS if not each.positional}
    known = {each.name for each in module.ARGUMENTS}

    def typed(match: re.Match) -> str:
        name, value = match[1], (match[3] or "").strip("\"'")
        # What the library reads from a path, or by a system's name, or as data, is one word of many verbs.
        if name in _READ and name not in known and not match[2]:
            return "`source`" if "source" in known else "`--target`" if "target" in known else match[0]
        if name not in flags:
            # Of what Python takes as a list, the shell takes one at a time.
            name = name.removesuffix("s") if name.removesuffix("s") in flags else name
        if name not in flags:
            return match[0]
        return f"`{flags[name]}`" if not match[2] or value == "True" else f"`{flags[name]} {value}`"

    return re.sub(r"`(\w+)(=([^`]*))?`", typed, text)
