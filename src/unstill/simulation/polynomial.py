"""Kinetics as polynomials in the fields, where they are: c + h R(c) then takes the fewest multiplications.

Most of the field's kinetics are polynomials (Gray–Scott: u' = F + u (−F − v²)), though they are written for reading.
Here their jaxpr is run on polynomials instead of numbers, so that the coefficients of each monomial are found as
functions of the parameters, and written in Horner's form for several variables (M. Ceberio, V. Kreinovich, "Greedy
algorithms for optimizing multivariate Horner schemes", SIGSAM Bulletin 38(1), 8 (2004)): the variable in the most terms
is taken out first. This changes the order of roundings and nothing else.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._jax import Literal
from .translate import inner_jaxpr

Powers = tuple[int, ...]  # of each variable
Polynomial = dict[Powers, Any]  # the coefficient of each monomial


class NotPolynomial(Exception):
    """A function is not a polynomial of its variables, as far as its primitives show."""


def polynomials(function: Callable, variables: int, theta: Sequence) -> list[Polynomial]:
    """Each output of `function(*variables, *theta)` as a polynomial of its scalar variables.

    Coefficients are numbers where they do not depend on θ, else whatever `theta` is: tracers, say. Raises
    `NotPolynomial`.
    """
    scalar = jax.ShapeDtypeStruct((), np.float64)
    closed = jax.make_jaxpr(function)(*[scalar] * (variables + len(theta)))
    one = np.eye(variables, dtype=int)
    arguments = [{tuple(map(int, powers)): 1.0} for powers in one] + [_constant(value, variables) for value in theta]
    return _run(closed.jaxpr, closed.consts, arguments, variables)


def horner(terms: Mapping[Powers, str], names: Sequence[str]) -> str:
    """The greedy Horner form of a polynomial whose coefficients and variables are expressions."""
    if not terms:
        return "ZERO"
    found = Counter(i for powers in terms for i, power in enumerate(powers) if power)
    if not found:
        return next(iter(terms.values()))
    i = max(found, key=lambda i: found[i])
    inside = {(*p[:i], p[i] - 1, *p[i + 1 :]): value for p, value in terms.items() if p[i]}
    product = f"{names[i]}*({horner(inside, names)})"
    outside = {p: value for p, value in terms.items() if not p[i]}
    return f"{horner(outside, names)} + {product}" if outside else product


def _constant(value, variables: int) -> Polynomial:
    return {(0,) * variables: value}


def _run(jaxpr, consts, arguments: Sequence[Polynomial], variables: int) -> list[Polynomial]:
    held = dict(zip(jaxpr.invars, arguments, strict=True))
    held.update((var, _constant(value, variables)) for var, value in zip(jaxpr.constvars, consts, strict=True))

    def read(atom) -> Polynomial:
        if not isinstance(atom, Literal):
            return held[atom]
        return {} if np.all(atom.val == 0) else _constant(float(atom.val), variables)

    for equation in jaxpr.eqns:
        values = [read(atom) for atom in equation.invars]
        if (inner := inner_jaxpr(equation)) is not None:
            results = _run(*inner, values[: len(inner[0].invars)], variables)
            held.update(zip(equation.outvars, results, strict=True))
        else:
            held[equation.outvars[0]] = _apply(equation, values, variables)
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation, values: list[Polynomial], variables: int) -> Polynomial:
    name = equation.primitive.name
    if name in ("add", "add_any"):
        return _sum(*values)
    if name == "sub":
        return _sum(values[0], _scaled(values[1], -1.0))
    if name == "neg":
        return _scaled(values[0], -1.0)
    if name == "mul":
        return _product(*values)
    if name == "square" or (name == "integer_pow" and equation.params["y"] >= 0):
        power, result = equation.params.get("y", 2), _constant(1.0, variables)
        for _ in range(power):
            result = _product(result, values[0])
        return result
    if name in ("copy", "convert_element_type"):
        return values[0]
    return _of_constants(equation, values, variables)


def _of_constants(equation, values: list[Polynomial], variables: int) -> Polynomial:
    """What has no form of its own: anything of constants, and a division by one."""
    none = (0,) * variables
    constant = [not set(value) - {none} for value in values]
    numbers = [value.get(none, 0.0) for value in values]
    if all(constant):
        return _constant(equation.primitive.bind(*map(jnp.asarray, numbers), **equation.params), variables)
    if equation.primitive.name == "div" and constant[1]:
        return _scaled(values[0], 1.0 / numbers[1])
    raise NotPolynomial(f"the primitive `{equation.primitive.name}`")


def _sum(a: Polynomial, b: Polynomial) -> Polynomial:
    both = {powers: a[powers] + b[powers] if powers in a and powers in b else (a | b)[powers] for powers in a | b}
    return {powers: value for powers, value in both.items() if not (isinstance(value, float) and value == 0)}


def _scaled(a: Polynomial, by) -> Polynomial:
    return {powers: by * value for powers, value in a.items()}


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    result: Polynomial = {}
    for p, x in a.items():
        for q, y in b.items():
            result = _sum(result, {tuple(i + j for i, j in zip(p, q, strict=True)): x * y})
    return result
