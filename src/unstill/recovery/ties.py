"""Ratios and products of parameters that are known, such as Du/Dv = 2: each takes one parameter out of the search."""

import dataclasses
import math
import re
from collections.abc import Mapping

from .._errors import BadInput, nearest
from ..observations.task import known_parameters
from ..systems import ReactionDiffusion

_FACTOR = re.compile(r"\s*([*/·]?)\s*([^\W\d]\w*)(?:\s*\^\s*([+-]?\d+(?:\.\d+)?))?\s*")


@dataclasses.dataclass(frozen=True)
class Tie:
    """θ_name = `factor` · ∏ θ_other^exponent."""

    name: str
    factor: float
    exponents: tuple[tuple[str, float], ...]

    def value(self, known: Mapping[str, float]) -> float:
        """Of the tied parameter, where the others are known."""
        return self.factor * math.prod(known[other] ** power for other, power in self.exponents)


def is_product(text: str) -> bool:
    """Whether this is more than one name."""
    return not text.isidentifier()


def powers(text: str) -> dict[str, float]:
    """The exponents of a product such as `Du/Dv` or `F^2*k`; raises `BadInput`."""
    found: dict[str, float] = {}
    place = 0
    while place < len(text):
        factor = _FACTOR.match(text, place)
        if factor is None or (place == 0) == bool(factor[1]):
            raise BadInput("fix", "must be a parameter, or a product or ratio such as Du/Dv or F^2/k", repr(text))
        sign = -1.0 if factor[1] == "/" else 1.0
        found[factor[2]] = found.get(factor[2], 0.0) + sign * float(factor[3] or 1)
        place = factor.end()
    return {name: power for name, power in found.items() if power != 0}


def known_of(cls: type[ReactionDiffusion], fix: Mapping[str, float]) -> tuple[dict[str, float], tuple[Tie, ...]]:
    """What is known, as single parameters and as ties; raises `BadInput`, also where nothing is left to be found."""
    products = {text: value for text, value in fix.items() if is_product(text)}
    single = known_parameters(cls, "fix", {name: value for name, value in fix.items() if name not in products})
    ties = ties_of(cls, products, single)
    if len(single) + len(ties) == len(cls.parameters()):
        raise BadInput("fix", "must leave a parameter to be found", ", ".join(fix))
    return single, ties


def ties_of(cls: type[ReactionDiffusion], products: Mapping[str, float], fix: Mapping[str, float]) -> tuple[Tie, ...]:
    """One tie for each product, each written by parameters that are neither fixed nor tied; raises `BadInput`."""
    found: dict[str, Tie] = {}
    for text, value in products.items():
        _check(cls, text, value)
        exponents, rest = {}, math.log(value)
        for name, power in powers(text).items():
            if name in fix:
                rest -= power * math.log(fix[name])
            elif name in found:
                rest -= power * math.log(found[name].factor)
                for other, e in found[name].exponents:
                    exponents[other] = exponents.get(other, 0.0) + power * e
            else:
                exponents[name] = exponents.get(name, 0.0) + power
        exponents = {name: power for name, power in exponents.items() if abs(power) > 1e-12}
        if not exponents:
            raise BadInput("fix", "must not say the same parameter twice", f"{text}={value:g}")
        tied = max(exponents, key=list(cls.parameters()).index)
        power = exponents.pop(tied)
        tie = Tie(tied, math.exp(rest / power), tuple((other, -e / power) for other, e in exponents.items()))
        found = {name: _without(old, tie) for name, old in found.items()} | {tied: tie}
    return tuple(found.values())


def _without(tie: Tie, known: Tie) -> Tie:
    """A tie in which another's parameter is replaced by what that says."""
    exponents = dict(tie.exponents)
    power = exponents.pop(known.name, 0.0)
    for other, e in known.exponents:
        exponents[other] = exponents.get(other, 0.0) + power * e
    return Tie(tie.name, tie.factor * known.factor**power, tuple(exponents.items()))


def _check(cls: type[ReactionDiffusion], text: str, value: float) -> None:
    infos = cls.parameters()
    for name in powers(text):
        if name not in infos:
            raise BadInput("fix", f"must name parameters of {cls.name}", repr(name), nearest(name, infos))
        if infos[name].low < 0:
            raise BadInput("fix", "must be a product of parameters that are positive", repr(text))
    if not (math.isfinite(value) and value > 0):
        raise BadInput("fix", "must be positive for a product or ratio", f"{text}={value:g}")
