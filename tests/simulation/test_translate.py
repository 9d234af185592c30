"""The translator against JAX, function by function: the emitted source is run as plain Python, without Numba."""

import ctypes
import itertools
import math
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gpu_on_cpu import COMPILER

from unstill.simulation.translate import _TEMPLATES, Untranslatable, translate

UNARY = {
    "neg": lambda x: -x,
    "abs": jnp.abs,
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "inverse square": lambda x: x**-2,
    "to the zero": lambda x: x**0,
    "power": lambda x: jnp.abs(x) ** 1.7,
    "exp": jnp.exp,
    "log": lambda x: jnp.log(jnp.abs(x)),
    "log1p": lambda x: jnp.log1p(x * x),
    "expm1": jnp.expm1,
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "sqrt": lambda x: jnp.sqrt(jnp.abs(x)),
    "rsqrt": lambda x: jax.lax.rsqrt(jnp.abs(x)),
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "erf": jax.scipy.special.erf,
    "floor": jnp.floor,
    "sign": jnp.sign,
    "clip": lambda x: jnp.clip(x, -0.5, 0.5),
    "constant": lambda x: 0.1 + 0 * x,
    "hill": lambda x: x**2 / (0.25 + x**2),
    "stopped": lambda x: jax.lax.stop_gradient(x) * x,
    "jitted": jax.jit(lambda x: x * x + 1),
}
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "max": jnp.maximum,
    "min": jnp.minimum,
    "atan2": jnp.arctan2,
    "where": lambda x, y: jnp.where(x > y, x, 2 * y),
    "and": lambda x, y: jnp.where((x > 0) & (y < 0.5), x, y),
    "or": lambda x, y: jnp.where((x > 0) | ~(y < 0.5), x, y),
    "compare": lambda x, y: jnp.where(x >= y, 1.0, 0.0) + jnp.where(x <= y, 2.0, 0.0) + jnp.where(x != y, 4.0, 0.0),
}
POINTS = [-1.7, -0.3, 0.2, 0.5, 1.9]


def run(function, *values: float) -> float:
    """The translated function at a point, in plain Python."""
    names = [f"x{i}" for i in range(len(values))]
    lines, outputs = translate(lambda *a: [jnp.asarray(function(*a), jnp.float64)], names)
    space = {"math": math, "np": np, "REAL": float, "ONE": 1.0, "ZERO": 0.0, **dict(zip(names, values, strict=True))}
    exec("\n".join(lines), space)
    return eval(outputs[0], space)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("x", POINTS)
def test_functions_of_one_number(name, x):
    assert run(UNARY[name], x) == pytest.approx(float(UNARY[name](jnp.asarray(x))), rel=1e-14, abs=1e-300)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("y", [-0.3, 0.5])
def test_functions_of_two_numbers(name, x, y):
    expected = float(BINARY[name](jnp.asarray(x), jnp.asarray(y)))
    assert run(BINARY[name], x, y) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", ["exp", "tanh", "hill", "sigmoid", "softplus", "cube", "power", "sqrt", "clip"])
@pytest.mark.parametrize("x", POINTS)
def test_derivatives_translate_too(name, x):
    """The adjoint kernels are translations of gradients."""
    gradient = jax.grad(UNARY[name])
    assert run(gradient, x) == pytest.approx(float(gradient(jnp.asarray(x))), rel=1e-13, abs=1e-300)


def test_literals_keep_all_their_digits():
    assert run(lambda x: x * 0.1, 1.0) == 0.1
    assert run(lambda x: x + 1 / 3, 0.0) == 1 / 3


@pytest.mark.parametrize("name", ["max", "min"])
def test_nan_is_kept_by_comparisons(name):
    assert math.isnan(run(BINARY[name], float("nan"), 1.0))


def test_what_is_not_needed_is_not_written():
    lines, _ = translate(lambda x: [jnp.exp(x) * 0 + x] and [x + 1], ["x"])
    assert not any("exp" in line for line in lines)


def test_every_template_is_a_format_string():
    for template in _TEMPLATES.values():
        assert template.format("a", "b", "c")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.sum(jnp.stack([x, x])),
        lambda x: jax.lax.fori_loop(0, 3, lambda i, c: c * x, x),
        lambda x: jnp.interp(x, jnp.array([0.0, 1.0]), jnp.array([0.0, 2.0])),
        lambda x: x * jnp.array([1.0, 2.0])[0],
    ],
)
def test_arrays_and_loops_are_refused_or_right(function):
    try:
        value = run(function, 0.7)
    except Untranslatable:
        return
    assert value == pytest.approx(float(function(jnp.asarray(0.7))))


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
def test_cxx_against_jax(tmp_path):
    """Every function in C++, compiled together, at the same points."""
    functions, cases = [], {**{n: (f, 1) for n, f in UNARY.items()}, **{n: (f, 2) for n, f in BINARY.items()}}
    for i, (function, arity) in enumerate(cases.values()):
        lines, (result,) = translate(function, ["x", "y"][:arity], "c++")
        body = " ".join(f"const auto {line};" for line in lines)
        functions.append(f'extern "C" double f{i}(double x, double y) {{ {body} return {result}; }}')
    head = "#include <cmath>\nusing namespace std; typedef double REAL; constexpr REAL ONE = 1, ZERO = 0;\n"
    code, library = tmp_path / "all.cpp", tmp_path / "all.so"
    code.write_text(head + "\n".join(functions))
    subprocess.run([COMPILER, "-std=c++17", "-shared", "-fPIC", str(code), "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    for i, (name, (function, arity)) in enumerate(cases.items()):
        compiled = getattr(loaded, f"f{i}")
        compiled.restype, compiled.argtypes = ctypes.c_double, [ctypes.c_double] * 2
        for x, y in itertools.product(POINTS, POINTS):
            expected = float(function(*map(jnp.asarray, (x, y)[:arity])))
            np.testing.assert_allclose(compiled(x, y), expected, rtol=1e-13, atol=1e-15, err_msg=name)
