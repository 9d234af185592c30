"""From a pointwise jaxpr to lines of scalar code: Python, which Numba compiles, or C++, which NVRTC compiles.

A system's kinetics are traced on scalars; each equation of the jaxpr becomes one assignment. Control flow and array
operations have no pointwise meaning and raise `Untranslatable`, upon which the caller takes the XLA engine.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal as OneOf

import jax
import numpy as np

from .._jax import Literal, enable_x64


class Untranslatable(Exception):
    """The kinetics use a primitive that has no scalar form here."""


_BINARY = {"add": "+", "add_any": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"gt": ">", "lt": "<", "ge": ">=", "le": "<=", "eq": "==", "ne": "!="}
_LOGIC = {"and": "({} and {})", "or": "({} or {})", "not": "(not {})"}
_CALLS = ("exp", "log", "log1p", "expm1", "tanh", "sin", "cos", "tan", "atan2", "sqrt", "sinh", "cosh", "erf", "floor")
_TEMPLATES = {
    "neg": "(-{})",
    "abs": "abs({})",
    "square": "({0}*{0})",
    "one_minus_square": "(ONE-{0}*{0})",
    "rsqrt": "(ONE/math.sqrt({}))",
    "logistic": "(ONE/(ONE+math.exp(-{})))",
    "pow": "({}**{})",
    "sign": "(ONE if {0}>ZERO else (-ONE if {0}<ZERO else {0}))",
    # written with comparisons so that NaN is kept, as in JAX
    "max": "({0} if ({0}>{1} or {0}!={0}) else {1})",
    "min": "({0} if ({0}<{1} or {0}!={0}) else {1})",
    "select_n": "({2} if {0} else {1})",
    "copy": "{}",
    "copy_p": "{}",
    "stop_gradient": "{}",
    "convert_element_type": "{}",
    "broadcast_in_dim": "{}",
    "reshape": "{}",
    "squeeze": "{}",
    **{name: f"({{}}{sign}{{}})" for name, sign in (_BINARY | _COMPARE).items()},
    **{name: f"math.{name}({{}})" for name in _CALLS if name != "atan2"},
    "atan2": "math.atan2({},{})",
    **_LOGIC,
}
# C++ has `and`, `or`, `not` too, and overloads that compute in the argument's own precision.
_TEMPLATES_CXX = {
    **{name: template.replace("math.", "") for name, template in _TEMPLATES.items()},
    "abs": "fabs({})",
    "pow": "pow({},{})",
    "sign": "({0}>ZERO ? ONE : ({0}<ZERO ? -ONE : {0}))",
    "max": "(({0}>{1} or {0}!={0}) ? {0} : {1})",
    "min": "(({0}<{1} or {0}!={0}) ? {0} : {1})",
    "select_n": "({0} ? {2} : {1})",
}
Language = OneOf["python", "c++"]


def _literal(value, language: Language) -> str:
    value = np.asarray(value)
    if value.size != 1:
        raise Untranslatable(f"an array constant of shape {value.shape}")
    value = value.reshape(()).item()
    if isinstance(value, bool):
        return str(value).lower() if language == "c++" else str(value)
    if math.isfinite(value):
        return f"REAL({float(value)!r})"
    if language == "c++":
        return "(ZERO/ZERO)" if math.isnan(value) else f"({'-' if value < 0 else ''}ONE/ZERO)"
    return f"REAL(np.float64('{value!r}'))"


# Primitives that only call an inner jaxpr once; loops and branches hold one too, and mean something else.
_CALL_PRIMITIVES = {
    "pjit", "jit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
    "remat", "remat2", "checkpoint",
}  # fmt: skip


def inner_jaxpr(equation):
    """The jaxpr that an equation calls once, and its constants; None where it is no such call."""
    if equation.primitive.name not in _CALL_PRIMITIVES:
        return None
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if key in equation.params:
            inner = equation.params[key]
            return getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())
    return None


def _expression(equation, arguments: Sequence[str], templates: Mapping[str, str]) -> str:
    name = equation.primitive.name
    if name == "integer_pow":
        exponent = equation.params["y"]
        power = "(" + "*".join([arguments[0]] * abs(exponent)) + ")" if exponent else "ONE"
        return power if exponent >= 0 else f"(ONE/{power})"
    if name not in templates:
        raise Untranslatable(f"the primitive `{name}`")
    if any(v.aval.shape != () for v in equation.outvars):
        raise Untranslatable(f"the primitive `{name}` on arrays")
    return templates[name].format(*arguments)


def _emit(jaxpr, consts, arguments: Sequence[str], lines: list[tuple[str, str]], language: Language) -> list[str]:
    templates = _TEMPLATES_CXX if language == "c++" else _TEMPLATES
    names = dict(zip(jaxpr.invars, arguments, strict=True))
    names.update((var, _literal(value, language)) for var, value in zip(jaxpr.constvars, consts, strict=True))

    def read(atom) -> str:
        return _literal(atom.val, language) if isinstance(atom, Literal) else names[atom]

    for equation in jaxpr.eqns:
        values = [read(atom) for atom in equation.invars]
        if (inner := inner_jaxpr(equation)) is not None:
            results = _emit(*inner, values[: len(inner[0].invars)], lines, language)
            names.update(zip(equation.outvars, results, strict=True))
            continue
        target = f"t{len(lines)}"
        lines.append((target, _expression(equation, values, templates)))
        names[equation.outvars[0]] = target
    return [read(atom) for atom in jaxpr.outvars]


def _only_needed(lines: list[tuple[str, str]], outputs: Sequence[str]) -> list[str]:
    needed, kept = set(outputs), []
    for target, expression in reversed(lines):
        if target in needed:
            kept.append(f"{target} = {expression}")
            needed.update(_identifiers(expression))
    return kept[::-1]


def _identifiers(expression: str) -> set[str]:
    return set(re.findall(r"\bt\d+\b", expression))


def translate(
    function: Callable, arguments: Sequence[str], language: Language = "python"
) -> tuple[list[str], list[str]]:
    """Assignments, and the expression of each output, for a function of scalars named by `arguments`.

    In the source, REAL converts a literal to the array's dtype (a stray float64 would halve the float32 speed), ONE
    and ZERO are its constants. Raises `Untranslatable`.
    """
    scalar = jax.ShapeDtypeStruct((), np.float64)  # so that literals keep all their digits
    with enable_x64():
        closed = jax.make_jaxpr(function)(*[scalar] * len(arguments))
    lines: list[tuple[str, str]] = []
    outputs = _emit(closed.jaxpr, closed.consts, list(arguments), lines, language)
    return _only_needed(lines, outputs), outputs
