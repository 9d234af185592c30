"""Libraries: the terms θ_j(x) that a right-hand side may be made of."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput, nearest
from .._files import from_file
from .._jax import enable_x64
from ..balance.point_functionals import Exponents, exponents_to, monomials


@dataclasses.dataclass(frozen=True)
class Term:
    """One term: its name in results, in LaTeX, and its value from one array a variable. `exponents` where it is a
    monomial."""

    name: str
    latex: str
    function: Callable[..., Array]
    exponents: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Library:
    """Terms in the variables (and known conditions) `variables`."""

    variables: tuple[str, ...]
    terms: tuple[Term, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(term.name for term in self.terms)

    @property
    def exponents(self) -> Exponents | None:
        """The exponents of all terms, where the library is polynomial."""
        found = tuple(term.exponents for term in self.terms if term.exponents is not None)
        return found if len(found) == len(self.terms) else None

    def __call__(self, x: Float[Array, "*M V"]) -> Float[Array, "*M L"]:
        """θ(x), in JAX."""
        columns = [x[..., i] for i in range(len(self.variables))]
        return jnp.stack([_values(term, columns, x.shape[:-1]) for term in self.terms], -1)

    def evaluate(self, x: Float[np.ndarray, "M V"]) -> Float[np.ndarray, "M L"]:
        """θ(x) in float64 on the host. Raises `BadInput` for a term that is not finite on the points."""
        exponents = self.exponents
        if exponents is not None:
            return monomials(x, exponents)
        with enable_x64():
            values = np.asarray(self(jnp.asarray(x)), dtype=np.float64)
        for name, column in zip(self.names, values.T, strict=True):
            if not np.isfinite(column).all():
                raise BadInput("library", "must be finite on the points", repr(name), "Leave the term out.")
        return values

    def index(self, argument: str, name: str) -> int:
        """The place of a term, however its factors are ordered or joined: `y x`, `x*y`; raises `BadInput`."""
        wanted = _canonical(name)
        for i, known in enumerate(self.names):
            if _canonical(known) == wanted:
                return i
        raise BadInput(argument, "must name a term of the library", repr(name), nearest(name, self.names))


def _values(term: Term, columns: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """One term on points; raises `BadInput` where a user's function fails or gives more than one number a point."""
    try:
        return jnp.broadcast_to(term.function(*columns), shape)
    except Exception as error:  # whatever the user's code raises
        rule = f"must hold functions of the {len(columns)} variables that give one number a point, in jax.numpy"
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise BadInput("library", rule, f"{term.name!r}, which ends in {reason}") from error


def _canonical(name: str) -> tuple[str, ...]:
    factors: list[str] = []
    for word in name.replace("*", " ").replace("²", "^2").replace("³", "^3").split():
        base, _, power = word.partition("^")
        factors += [base] * int(power) if power.isdigit() and int(power) < 100 else [word]
    return tuple(sorted(factors))


def latex_name(name: str) -> str:
    """x5 → x_{5}; a Greek name such as rho → \\rho."""
    match = re.fullmatch(r"([A-Za-z]+)_?(\d*)", name)
    if match is None:
        return rf"\mathrm{{{re.sub('[_%#&$]', lambda found: chr(92) + found[0], name)}}}"
    letters, digits = match.groups()
    greek = {
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "theta",
        "lambda",
        "mu",
        "nu",
        "rho",
        "sigma",
        "tau",
        "omega",
    }
    base = f"\\{letters}" if letters in greek else letters if len(letters) == 1 else rf"\mathrm{{{letters}}}"
    return f"{base}_{{{digits}}}" if digits else base


def _monomial(variables: Sequence[str], e: tuple[int, ...]) -> Term:
    powers = [(v, n) for v, n in zip(variables, e, strict=True) if n]
    name = " ".join(v if n == 1 else f"{v}^{n}" for v, n in powers) or "1"
    latex = r"\,".join(latex_name(v) if n == 1 else f"{latex_name(v)}^{{{n}}}" for v, n in powers) or "1"

    def value(*x):
        return math.prod((xi**n for xi, n in zip(x, e, strict=True) if n), start=jnp.ones_like(x[0]))

    return Term(name, latex, value, e)


def polynomials(variables: Sequence[str], degree: int) -> Library:
    """All monomials to `degree`."""
    exponents = exponents_to(degree, len(variables))
    return Library(tuple(variables), tuple(_monomial(variables, e) for e in exponents))


def trigonometric(variables: Sequence[str]) -> Library:
    """1, sin and cos of every variable (in radians, in the input's own units), and the products of two variables'."""
    waves = {
        v: [
            Term(f"sin({v})", rf"\sin {latex_name(v)}", lambda *x, i=i: jnp.sin(x[i])),
            Term(f"cos({v})", rf"\cos {latex_name(v)}", lambda *x, i=i: jnp.cos(x[i])),
        ]
        for i, v in enumerate(variables)
    }
    one = Term("1", "1", lambda *x: jnp.ones_like(x[0]))
    products = [
        Term(f"{p.name} {q.name}", rf"{p.latex}\,{q.latex}", lambda *x, p=p, q=q: p.function(*x) * q.function(*x))
        for v, w in itertools.combinations(variables, 2)
        for p in waves[v]
        for q in waves[w]
    ]
    return Library(tuple(variables), (one, *itertools.chain(*waves.values()), *products))


LIBRARIES: dict[str, Callable[[Sequence[str]], Library]] = {
    "poly1": lambda variables: polynomials(variables, 1),
    "poly2": lambda variables: polynomials(variables, 2),
    "poly3": lambda variables: polynomials(variables, 3),
    "trig": trigonometric,
}


def own_library(variables: Sequence[str], functions: Mapping[str, Callable[..., Array]]) -> Library:
    """A user's library: term name → function of the variables, in order, in `jax.numpy`."""
    if not functions or not all(isinstance(n, str) and n and callable(f) for n, f in functions.items()):
        raise BadInput("library", "must map names of terms to functions of the variables", repr(functions)[:80])
    return Library(tuple(variables), tuple(Term(n, rf"\mathrm{{{n}}}", f) for n, f in functions.items()))


def find_library(
    name: str | Mapping[str, Callable[..., Array]], variables: Sequence[str], periods: Mapping[str, float] = {}
) -> Library:
    """The library behind a name, a `file.py:NAME` that holds a mapping, or a mapping; raises `BadInput`. A known one
    has sines and cosines of the variables that have a period."""
    if not isinstance(name, str):
        return own_library(variables, name)
    if ".py:" in name:
        functions = from_file("library", name, lambda value: isinstance(value, Mapping), "a mapping")
        return own_library(variables, functions)
    if name not in LIBRARIES:
        raise BadInput("library", "must be a known library or file.py:NAME", repr(name), nearest(name, LIBRARIES))
    found = LIBRARIES[name](variables) if not periods else _of_angles(name, variables, periods)
    _check_told_apart(found)
    return found


def _check_told_apart(library: Library) -> None:
    """A variable called `x y` beside x and y would make an equation that reads two ways."""
    names = [_canonical(name) for name in library.names]
    for name, factors in zip(library.names, names, strict=True):
        if names.count(factors) > 1:
            rule = "must not be those of terms of the library"
            raise BadInput("names", rule, f"{name!r} twice among the terms", "Rename the variable.")


def _of_angles(name: str, variables: Sequence[str], periods: Mapping[str, float]) -> Library:
    from .periodic_library import periodic_polynomials, periodic_waves  # made of what stands here

    return (
        periodic_waves(variables, periods)
        if name == "trig"
        else periodic_polynomials(variables, int(name[-1]), periods)
    )
