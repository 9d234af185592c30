"""Kinds of arguments, defined once: what a public signature says, what a call may pass, what the command line reads.

A kind is a type with its rule, such as `Count = Annotated[int, Rule(low=1)]`. Verbs' signatures are written with
kinds; `checked` holds calls to them, and `cli/signatures.py` makes options of them. Needs no NumPy.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import numbers
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from ._errors import BadInput, nearest

P = ParamSpec("P")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Rule:
    """A finite number from `low` to `high`; `open`: the ends themselves are out; `whole`: without a fraction; `word`:
    what may be said instead."""

    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    whole: bool = False
    word: str = ""

    @property
    def text(self) -> str:
        """The rule in words, as errors say it."""
        if self.word:
            return f"{dataclasses.replace(self, word='').text}, or {self.word}"
        kind = "a whole number" if self.whole else "a number"
        if self.high < math.inf:
            return f"must be {kind} between {self.low:g} and {self.high:g}"
        if self.low == -math.inf:
            return f"must be {'whole' if self.whole else 'finite'}"
        return "must be positive" if self.open else f"must be {kind}, {self.low:g} or more"

    def check(self, argument: str, value: Any) -> Any:
        """The value, as an int where it must be whole; raises `BadInput`."""
        if self.word and value == self.word:
            return value
        if self.word and isinstance(value, str):
            raise BadInput(argument, self.text, repr(value))
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise BadInput(argument, "must be a whole number" if self.whole else "must be a number", repr(value))
        number = float(value)
        inside = self.low < number < self.high if self.open else self.low <= number <= self.high
        if not (math.isfinite(number) and inside and (not self.whole or number == int(number))):
            raise BadInput(argument, self.text, value)
        return int(number) if self.whole else value


Count = Annotated[int, Rule(low=1, whole=True)]
Whole = Annotated[int, Rule(low=0, whole=True)]
Number = Annotated[float, Rule()]
Positive = Annotated[float, Rule(low=0, open=True)]
NonNegative = Annotated[float, Rule(low=0)]
Share = Annotated[float, Rule(low=0, high=1, open=True)]
NumberOrUnknown = Annotated[float | str, Rule(word="unknown")]
PositiveOrUnknown = Annotated[float | str, Rule(low=0, open=True, word="unknown")]
Names = Sequence[str] | str  # "u,v" or ("u", "v")
Values = Mapping[str, float]  # by name
Boundary = Literal["periodic", "no-flux"]

RULES: dict[str, Rule] = {
    name: typing.get_args(kind)[1]
    for name, kind in {
        "Count": Count, "Whole": Whole, "Number": Number, "Positive": Positive, "NonNegative": NonNegative,
        "Share": Share, "NumberOrUnknown": NumberOrUnknown, "PositiveOrUnknown": PositiveOrUnknown,
    }.items()
}  # fmt: skip


def listed(names: Names | None) -> tuple[str, ...]:
    """`"u,v"` or `("u", "v")` as a tuple; none where nothing is given."""
    if names is None:
        return ()
    words = names.split(",") if isinstance(names, str) else names
    return tuple(word.strip() for word in words if word.strip())


def one_of(argument: str, value: Any, known: Sequence[str]) -> None:
    """Raise `BadInput` for a word that is not among the known ones."""
    if value not in known:
        rule = f"must be {' or '.join(part for part in (', '.join(known[:-1]), known[-1]) if part)}"
        raise BadInput(argument, rule, repr(value))


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, its arguments held to the rules of their kinds at every call; raises `BadInput`."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        bound.arguments.update(_held(function, bound.arguments))
        return function(*bound.args, **bound.kwargs)

    return call


def whole_call(function: Callable[..., Any], **given: Any) -> dict[str, Any]:
    """What a checked function would see in a call with these keywords, defaults included; raises `BadInput`."""
    parameters = inspect.signature(function).parameters
    unknown = [name for name in given if name not in parameters]
    if unknown:
        raise BadInput(unknown[0], f"must be an argument of {function.__name__}", None, nearest(unknown[0], parameters))
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    return {**defaults, **_held(inspect.unwrap(function), given)}


def _held(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments held to the rules of the function's signature; one that is absent by default may be."""
    rules, held = _rules(function), dict(given)
    for name in given.keys() & rules.keys():
        value, (rule, may_be_absent) = given[name], rules[name]
        if value is None and may_be_absent:
            continue
        if isinstance(rule, Rule):
            held[name] = rule.check(name, value)
        else:
            one_of(name, value, rule)
    return held


@functools.cache
def _rules(function: Callable[..., Any]) -> dict[str, tuple[Rule | tuple[str, ...], bool]]:
    """The rule of each argument that has one, and whether the argument may be `None`."""
    names, parameters = inspect.unwrap(function).__globals__, inspect.signature(function).parameters
    found = {name: (_rule(p.annotation, names), p.default is None) for name, p in parameters.items()}
    return {name: (rule, absent) for name, (rule, absent) in found.items() if rule is not None}


def _rule(annotation: Any, names: Mapping[str, Any]) -> Rule | tuple[str, ...] | None:
    """What a parameter's annotation asks for: a rule, one of a few words, or nothing that is checked here."""
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, dict(names))
        except (NameError, AttributeError, TypeError):  # a type that is imported for checkers only
            return None
    parts = [annotation, *typing.get_args(annotation)] if typing.get_origin(annotation) is not Annotated else []
    for part in parts or [annotation]:
        if typing.get_origin(part) is Annotated:
            return next((extra for extra in typing.get_args(part)[1:] if isinstance(extra, Rule)), None)
        if typing.get_origin(part) is Literal:
            return typing.get_args(part)
    return None
