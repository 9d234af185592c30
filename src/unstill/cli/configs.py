"""From a frozen dataclass to a command line, and the small grammar of NAME=VALUE tokens.

A configuration is a dataclass whose fields are made by `option` or `positional`; its defaults are the command line's
defaults, and the same object configures benchmarks and run folders. Built on argparse: it starts in milliseconds, and
its error messages can be made into the one line that every verb promises.
"""

import argparse
import dataclasses
import math
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from .._errors import BadInput

T = TypeVar("T")


def option(default: Any, help: str, **argparse_options: Any) -> Any:
    """A field that becomes `--name`; a `False` default makes it a switch."""
    return dataclasses.field(default=default, metadata={"help": help, "argparse": argparse_options})


def positional(default: Any, help: str, **argparse_options: Any) -> Any:
    """A field that becomes a positional argument, optional where it has a default (`...` for none)."""
    options = {"nargs": "?", **argparse_options} if default is not ... else argparse_options
    value = dataclasses.MISSING if default is ... else default
    return dataclasses.field(
        **({} if value is dataclasses.MISSING else {"default": value}),
        metadata={"help": help, "argparse": options, "positional": True},
    )


def assignments(help: str) -> Any:
    """A field of NAME=VALUE tokens, separated by spaces or commas; given again, it adds another set."""
    return option((), help, action="append", nargs="+", metavar="NAME=VALUE")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        subject, _, rest = message.partition(": ")
        if subject.startswith("argument ") and rest:
            raise BadInput(subject.removeprefix("argument ").split("/")[0], rest, None, f"See {self.prog} --help.")
        raise BadInput("command line", message, None, f"See {self.prog} --help.")


def parse(config: type[T], argv: Sequence[str], *, prog: str, about: str) -> T:
    """A configuration from the words of a command line; raises `BadInput`, or exits 0 after `--help`."""
    parser = _Parser(
        prog=prog, description=textwrap.dedent(about), formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    for field in dataclasses.fields(config):  # pyright: ignore[reportArgumentType]
        options = {"help": field.metadata["help"], **field.metadata["argparse"]}
        if field.default is not dataclasses.MISSING and field.default not in (None, (), False, ""):
            shown = field.default[0] if isinstance(field.default, tuple) else field.default  # (128, 128) is typed 128
            options["help"] += f" (default: {shown})"
        if field.metadata.get("positional"):
            parser.add_argument(field.name, default=field.default, **options)
        elif field.default is False:
            parser.add_argument(_flag(field.name), dest=field.name, action="store_true", help=options["help"])
        else:
            repeated = options.get("action") == "append"  # argparse appends to the default, so it must be its own None
            default = None if repeated else field.default
            parser.add_argument(_flag(field.name), dest=field.name, default=default, **options)
    values = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    return config(**{name: tuple(map(tuple, v)) if isinstance(v, list) else v for name, v in values.items()})


def _flag(name: str) -> str:
    return "--" + name.strip("_").replace("_", "-")


def number(text: str) -> float:
    """A finite number, for argparse."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number; got {text!r}") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be finite; got {text!r}")
    return value


def positive(text: str) -> float:
    """A finite number above 0, for argparse."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"must be positive; got {text!r}")
    return value


def count(text: str) -> int:
    """A positive whole number, for argparse; 1e5 is one too."""
    value = number(text)
    if value != int(value) or value < 1:
        raise argparse.ArgumentTypeError(f"must be a positive whole number; got {text!r}")
    return int(value)


def whole(text: str) -> int:
    """A whole number ≥ 0, for argparse: a seed."""
    value = number(text)
    if value != int(value) or value < 0:
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more; got {text!r}")
    return int(value)


def size(text: str) -> tuple[int, int]:
    """`128` or `96x128` (rows x columns), for argparse."""
    parts = text.lower().split("x")
    if len(parts) > 2:
        raise argparse.ArgumentTypeError(f"must be N or ROWSxCOLUMNS; got {text!r}")
    rows, columns = (count(part) for part in (parts * 2)[:2])
    return rows, columns


def names(text: str) -> tuple[str, ...]:
    """`u,v`, for argparse."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
