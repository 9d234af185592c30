"""Kinetics as polynomials: against the kinetics themselves, and the form they are written in."""

import itertools
import os
import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from registry import REACTION_DIFFUSION
from unstill.simulation.gpu import driver
from unstill.simulation.gpu.source import _folded, _traced
from unstill.simulation.kernel_source import KernelSpec
from unstill.simulation.polynomial import NotPolynomial, horner, polynomials
from unstill.systems import GrayScott


def value(polynomial, c) -> float:
    return sum(float(k) * np.prod([x**n for x, n in zip(c, powers, strict=True)]) for powers, k in polynomial.items())


@pytest.mark.parametrize("name", sorted(set(REACTION_DIFFUSION) - {"gierer-meinhardt"}))
def test_polynomials_have_the_kinetics_values(name, rng):
    system = REACTION_DIFFUSION[name]
    spec = KernelSpec(system, "periodic", "float64")
    kinetics, C, theta = _traced(spec)[1], len(system.fields), list(system().values().values())
    found = polynomials(kinetics, C, theta)
    for c in rng.uniform(-2, 2, (5, C)):
        np.testing.assert_allclose([value(p, c) for p in found], kinetics(*c, *theta), rtol=1e-12, atol=1e-12)


def test_gray_scott_takes_six_multiplications_and_additions():
    """u' = k₀ + u (k₁ − v²), v' = v (k₂ + u v): beside two for the neighbours, as by hand."""
    spec = KernelSpec(GrayScott, "periodic", "float32")
    folded = _folded(spec, _traced(spec)[1], True)
    assert folded is not None
    assert folded[1] == [
        "out[0] = k[0] + c[0]*(k[1] + c[1]*(c[1]*(REAL(-1.0))));",
        "out[1] = c[1]*(k[2] + c[0]*(c[1]*(REAL(1.0))));",
    ]


def test_what_is_no_polynomial_is_said():
    for function in (lambda u, a: [a / u], lambda u, a: [jnp.exp(a * u)], lambda u, a: [u**-2], lambda u, a: [abs(u)]):
        with pytest.raises(NotPolynomial):
            polynomials(function, 1, [2.0])
    assert polynomials(lambda u, a: [u * u / a + jnp.exp(a)], 1, [2.0]) == [
        {(2,): 0.5, (0,): pytest.approx(np.exp(2.0))}
    ]
    spec = KernelSpec(REACTION_DIFFUSION["gierer-meinhardt"], "periodic", "float64")
    assert _folded(spec, _traced(spec)[1], False) is None


def test_calls_powers_and_terms_that_cancel():
    found = polynomials(lambda u, v, a: [jax.jit(lambda x: x**3 - x)(u - v) + u, a * 0.0 * u + v - v], 2, [1.5])
    expanded = {(3, 0): 1.0, (2, 1): -3.0, (1, 2): 3.0, (0, 3): -1.0, (0, 1): 1.0}
    assert {powers: float(k) for powers, k in found[0].items()} == expanded
    assert found[1] == {} or value(found[1], (0.3, 0.7)) == 0


def test_horner_forms_have_the_same_value(rng):
    powers = [p for p in itertools.product(range(4), repeat=2) if sum(p) <= 4]
    for _ in range(20):
        chosen = [p for p in powers if rng.uniform() < 0.4]
        terms = {p: rng.normal() for p in chosen}
        text = horner({p: f"({k!r})" for p, k in terms.items()}, ["x", "y"])
        x, y = rng.normal(size=2)
        assert eval(text, {"x": x, "y": y, "ZERO": 0.0}) == pytest.approx(value(terms, (x, y)), rel=1e-9, abs=1e-12)
    assert horner({}, ["x"]) == "ZERO"


def test_ctrl_c_waits_for_the_launches():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with driver.uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            reached = True
        time.sleep(5)
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
