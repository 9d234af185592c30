"""The small grammar of NAME=VALUE tokens: numbers, and ranges LOW:HIGH:COUNT."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .._arguments import RULES
from .._errors import BadInput


def _value(argument: str, token: str, text: str) -> list[float]:
    """A number, or a range LOW:HIGH:COUNT."""
    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise BadInput(argument, "must be NAME=NUMBER or NAME=LOW:HIGH:COUNT", repr(token)) from None
    if not all(map(math.isfinite, values)):
        raise BadInput(argument, "must be finite", repr(token))
    if len(values) == 1:
        return values
    if len(values) != 3 or values[2] != int(values[2]) or values[2] < 2:
        raise BadInput(argument, "a range must be LOW:HIGH:COUNT with COUNT of at least 2", repr(token))
    low, high, n = values[0], values[1], int(values[2])
    return [low + (high - low) * i / (n - 1) for i in range(n)]


def parameter_set(argument: str, tokens: Sequence[str]) -> dict[str, float]:
    """The numbers of one list of NAME=VALUE tokens, without ranges; raises `BadInput`."""
    sets = parameter_sets(argument, [tokens])
    if len(sets) > 1:
        raise BadInput(argument, "takes one value a name, not a range", " ".join(tokens))
    return sets[0] if sets else {}


def parameter_sets(argument: str, lists: Iterable[Iterable[str]]) -> list[dict[str, float]]:
    """One parameter set for each list of tokens; a range makes one set for each of its values."""
    sets = []
    for tokens in lists:
        expanded: list[dict[str, float]] = [{}]
        for token in (word for text in tokens for word in text.split(",") if word):
            name, equals, text = token.partition("=")
            if not equals or not name or not text:
                raise BadInput(argument, "must be NAME=VALUE", repr(token), f"For example --{argument} F=0.035 k=0.065")
            if name in expanded[0]:
                raise BadInput(argument, "must name each parameter once", repr(token))
            values = _value(argument, token, text)
            expanded = [{**one, name: value} for one in expanded for value in values]
        sets.extend(expanded)
    return sets


def ranges(argument: str, lists: Iterable[Iterable[str]]) -> dict[str, list[float]]:
    """The values of each NAME=LOW:HIGH:COUNT token by name, also in two words, NAME LOW:HIGH:COUNT; raises
    `BadInput`."""
    found: dict[str, list[float]] = {}
    joined = [["=".join(tokens)] if _is_pair(tokens) else tokens for tokens in map(list, lists)]
    for token in (word for tokens in joined for text in tokens for word in text.split(",") if word):
        values = parameter_sets(argument, [[token]])
        ((name, *_), *_) = values
        if len(values) < 2 or name in found:
            raise BadInput(argument, "must be NAME=LOW:HIGH:COUNT, each name once", repr(token))
        found[name] = [value[name] for value in values]
    return found


def _is_pair(tokens: Sequence[str]) -> bool:
    return len(tokens) == 2 and not any("=" in token or "," in token for token in tokens)


def spans(argument: str, lists: Iterable[Iterable[str]]) -> dict[str, tuple[float, float]]:
    """The ends of each NAME=LOW:HIGH token by name, also in two words, NAME LOW:HIGH; raises `BadInput`."""
    found: dict[str, tuple[float, float]] = {}
    joined = [["=".join(tokens)] if _is_pair(tokens) else tokens for tokens in map(list, lists)]
    for token in (word for tokens in joined for text in tokens for word in text.split(",") if word):
        name, equals, text = token.partition("=")
        try:
            numbers = [float(part) for part in text.split(":")]
        except ValueError:
            numbers = []
        if not (equals and name and len(numbers) == 2 and all(map(math.isfinite, numbers))) or name in found:
            raise BadInput(argument, "must be NAME=LOW:HIGH, each name once", repr(token))
        found[name] = numbers[0], numbers[1]
    return found


def values_of(given, *names: str) -> dict[str, dict[str, float]]:
    """Arguments of NAME=VALUE tokens as mappings, under their own names; raises `BadInput`."""
    return {name: parameter_set(name, [word for words in getattr(given, name) for word in words]) for name in names}


def share_or_levels(given) -> float | dict[str, float] | None:
    """Noise as one number, or as numbers by name; raises `BadInput`."""
    words = [word for words in given.noise for word in words]
    if len(words) == 1 and "=" not in words[0] and "," not in words[0]:
        try:
            share = float(words[0])
        except ValueError:
            raise BadInput("noise", "must be NAME=VALUE, or a number", repr(words[0])) from None
        return RULES["NonNegative"].check("noise", share)
    return parameter_set("noise", words) or None


def noise_of(given) -> Any:
    """`auto`, `estimate`, `none`, or numbers by name."""
    words = [word for words in given.noise for word in words]
    if not words:
        return "auto"
    return parameter_set("noise", words) if any("=" in word for word in words) else ",".join(words)
