"""Verbs in a process of their own, where nothing of `conftest.py` holds: JAX in 32 bits, ranks promoted, no types.

Verbs promise float64, so 64-bit JAX must change nothing: the other tests, which all run under it, then speak for users.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

import user_calls

TRAINED = ("learn a score", "learn a flow")
QUICK = (
    "simulate by native kernels",
    "simulate by XLA",
    "recover with all fields",
    "fit by tangents",
    "lyapunov",
    "stability",
    "classify",
    "survey",
    "continue",
)
SLOW = tuple(name for name in user_calls.CALLS if name not in QUICK)


@pytest.mark.parametrize("names", [QUICK, pytest.param(SLOW, marks=pytest.mark.slow)], ids=["quick", "slow"])
def test_64_bit_jax_changes_no_number_of_a_verb(names, tmp_path):
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    words = [sys.executable, "-W", "error", user_calls.__file__, str(tmp_path / "numbers.npz"), *names]
    done = subprocess.run(words, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    numbers = np.load(tmp_path / "numbers.npz")
    calls = {name.removeprefix("x64 ") for name in numbers if name.startswith("x64 ")}
    assert {call.partition(":")[0] for call in calls} == set(names)
    for call in calls:
        a, b = numbers[f"plain {call}"], numbers[f"x64 {call}"]
        assert a.dtype == b.dtype == ("float32" if call == "simulate in float32: state" else "float64"), call
        # Networks are trained in float32; the rest is the same program, up to the order of sums in threads.
        round_off = 1e-4 if call.startswith(TRAINED) else 1e-12
        np.testing.assert_allclose(a, b, rtol=round_off, atol=round_off * np.abs(b).max(initial=0), err_msg=call)
