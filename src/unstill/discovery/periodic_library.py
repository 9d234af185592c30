"""Libraries on a torus, or on a cylinder: a periodic variable stands in sines and cosines of 2πx/P, not in powers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from ..balance.point_functionals import exponents_to
from .library import Library, Term, latex_name

_RADIANS = 1e-4  # relative: a period this close to 2π is one of radians, as it is typed
_SAME = 1e-6  # of a term's size: what may differ one period on


def periodic_polynomials(variables: Sequence[str], degree: int, periods: Mapping[str, float]) -> Library:
    """Products of powers of the other variables and, of the periodic ones, of sin and cos of n · 2πx/P; the powers and
    the n add up to `degree` at most."""
    terms = []
    for exponents in exponents_to(degree, len(variables)):
        factors = [_factors(i, v, n, periods.get(v)) for i, (v, n) in enumerate(zip(variables, exponents, strict=True))]
        terms += [_product(chosen) for chosen in itertools.product(*(each for each in factors if each))]
    return Library(tuple(variables), tuple(terms))


def periodic_waves(variables: Sequence[str], periods: Mapping[str, float]) -> Library:
    """1, sin and cos of every variable once around its period (of others in radians), and products of two."""
    every = {v: periods.get(v, 2 * math.pi) for v in variables}
    waves = [_factors(i, v, 1, every[v]) for i, v in enumerate(variables)]
    pairs = [list(itertools.product(p, q)) for p, q in itertools.combinations(waves, 2)]
    single = [(each,) for each in itertools.chain(*waves)]
    return Library(tuple(variables), tuple(_product(each) for each in [(), *single, *itertools.chain(*pairs)]))


def count_periodic(degree: int, variables: int, periodic: int) -> int:
    """How many terms `periodic_polynomials` has, with so many periodic ones among the variables."""
    others = variables - periodic
    waves = (
        math.comb(periodic, j) * 2**j * math.comb(total - 1, j - 1) * math.comb(degree - total + others, others)
        for j in range(1, periodic + 1)
        for total in range(j, degree + 1)
    )
    return math.comb(degree + others, others) + sum(waves)


def check_periodic_terms(library: Library, x: Float[np.ndarray, "M V"], periods: Mapping[str, float]) -> None:
    """Raise `BadInput` for a term that is another one period on."""
    some = x[:: max(1, len(x) // 200)]
    here = library.evaluate(some)
    for name, period in periods.items():
        moved = some.copy()
        moved[:, library.variables.index(name)] += period
        apart = np.abs(library.evaluate(moved) - here).max(0)
        bad = apart > _SAME * (1 + np.abs(here).max(0))
        if bad.any():
            term = library.names[int(np.argmax(bad))]
            rule = f"must hold terms that are the same one period of {name} on"
            raise BadInput("library", rule, repr(term), "Take sines and cosines of it, or poly1 to poly3, which do.")


def _factors(i: int, name: str, n: int, period: float | None) -> list[Term]:
    """A variable's power, or its sine and cosine n times around the period; none for n = 0."""
    if n == 0:
        return []
    if period is None:
        text, tex = (name, latex_name(name)) if n == 1 else (f"{name}^{n}", f"{latex_name(name)}^{{{n}}}")
        return [Term(text, tex, lambda *x: x[i] ** n)]
    rate, inside, tex = 2 * math.pi * n / period, _inside(name, n, period), latex_name(name)
    around = f"{'' if n == 1 else n}{tex}" if inside.endswith(name) else rf"\frac{{{2 * n}\pi {tex}}}{{{period:.6g}}}"
    waves = (("sin", jnp.sin), ("cos", jnp.cos))
    return [
        Term(f"{word}({inside})", rf"\{word}({around})", lambda *x, wave=wave: wave(rate * x[i]))
        for word, wave in waves
    ]


def _inside(name: str, n: int, period: float) -> str:
    """What stands in the brackets: 2x, or 4πx/24 where the period is not that of radians."""
    if abs(period - 2 * math.pi) <= _RADIANS * period:
        return f"{'' if n == 1 else n}{name}"
    return f"{2 * n}π{name}/{period:.6g}"


def _product(factors: Sequence[Term]) -> Term:
    name, latex = " ".join(f.name for f in factors) or "1", r"\,".join(f.latex for f in factors) or "1"
    return Term(name, latex, lambda *x: math.prod((f.function(*x) for f in factors), start=jnp.ones_like(x[0])))
