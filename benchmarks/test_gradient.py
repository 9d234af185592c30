"""Gradients of a function of the final state with respect to the four parameters and the initial state."""

import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import SYSTEM, batched, ready, states
from timing import contestant, median, race, ratio

SIZE, BATCH, STEPS, XLA_STEPS, TANGENT_STEPS = 128, 8, 4000, 200, 500
MEMORY_STEPS = (1000, 4000, 16000, 40000)


def work(steps: int) -> float:
    return SIZE * SIZE * BATCH * steps


def gradient(weights, steps: int, engine: str):
    """(∂/∂parameters, ∂/∂initial states) of Σ weights·final state; compiled."""

    def loss(system, x):
        return jnp.vdot(weights, batched(system, x, steps, engine))

    return jax.jit(jax.grad(loss, (0, 1)))


def test_reverse(benchmark, figure):
    x = jnp.asarray(states(SIZE, BATCH, "float64"))
    weights = jnp.asarray(np.random.default_rng(201).standard_normal(x.shape))
    ours, theirs = (gradient(weights, XLA_STEPS, engine)(SYSTEM, x) for engine in ("native", "xla"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9 * np.abs(b).max()), ours, theirs)
    laps = race(
        benchmark,
        {
            "native": contestant(ready(gradient(weights, STEPS, "native"), SYSTEM, x), work(STEPS)),
            "forward": contestant(ready(batched, SYSTEM, x, STEPS, "native"), work(STEPS)),
            "JAX": contestant(ready(gradient(weights, XLA_STEPS, "xla"), SYSTEM, x), work(XLA_STEPS)),
        },
        rounds=3,
    )
    wall = {name: f"{median(runs).wall * 1e9:.2f} ns" for name, runs in laps.items()}
    cost, gain = ratio(laps, "native", "forward"), ratio(laps, "JAX", "native")
    how = f"128², batch 8, {STEPS} steps, float64, 2 threads, a cell and step; {cost.cpu:.2f}× in processor time"
    name = "native gradient of 4 parameters and the initial state"
    rival = f"forward {wall['forward']}"
    figure(name, "≤ 4.5× forward", f"{cost.wall:.2f}× ({wall['native']})", rival, how, cost.wall <= 4.5, ratio=cost)
    how = f"√-checkpointed scan over {XLA_STEPS} steps (linear in steps); {gain.cpu:.2f}× in processor time"
    rival = f"JAX reverse mode {wall['JAX']}"
    figure("native gradient against JAX", "≥ 8×", f"{gain.wall:.2f}×", rival, how, gain.wall >= 8, ratio=gain)


def test_forward_mode(benchmark, figure):
    x = jnp.asarray(states(SIZE, BATCH, "float64"))
    steps, P = TANGENT_STEPS, len(SYSTEM.parameters())
    tangents = jax.jit(jax.jacfwd(lambda system: batched(system, x, steps, "native")))
    laps = race(
        benchmark,
        {
            "tangents": contestant(ready(tangents, SYSTEM), work(steps)),
            "forward": contestant(ready(batched, SYSTEM, x, steps, "native"), work(steps)),
        },
        rounds=3,
    )
    cost = ratio(laps, "tangents", "forward")
    how = f"jacfwd, {P} parameters, 128², batch 8, {steps} steps; {cost.cpu:.2f}× in processor time"
    rival = f"forward {median(laps['forward']).wall * 1e9:.2f} ns"
    met = cost.wall <= 1.25 * (1 + P)  # a quarter over, for the copies of the tangents
    figure("native forward mode", f"about {1 + P}× forward", f"{cost.wall:.2f}×", rival, how, met, ratio=cost)


def _peak() -> float:
    """Largest resident memory of this process in MB. Not ru_maxrss, which a child takes over from its parent."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _print_memory(steps: int) -> None:
    jax.config.update("jax_enable_x64", True)
    x = jnp.asarray(states(SIZE, 1, "float64"))
    weights = jnp.ones_like(x)
    jax.block_until_ready(gradient(weights, 4, "native")(SYSTEM, x))
    before = _peak()
    jax.block_until_ready(gradient(weights, steps, "native")(SYSTEM, x))
    print(before, _peak())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory(benchmark, figure):
    def measure():
        runs = [
            subprocess.run([sys.executable, __file__, str(n)], capture_output=True, text=True) for n in MEMORY_STEPS
        ]
        return [tuple(map(float, run.stdout.split())) for run in runs]

    pairs = benchmark.pedantic(measure, rounds=1)
    grown = [peak - before for before, peak in pairs]
    power = math.log(grown[-1] / grown[0]) / math.log(MEMORY_STEPS[-1] / MEMORY_STEPS[0])
    told = ", ".join(f"{n:,}: {g:.0f} MB" for n, g in zip(MEMORY_STEPS, grown, strict=True))
    how = "128², one sample, growth of VmHWM over a gradient of 4 steps, each in a process of its own"
    figure("memory of a gradient", "∝ √steps", f"{told}; ∝ steps^{power:.2f}", "", how, power <= 0.6, megabytes=grown)
    whole = pairs[-1][1]
    figure("whole process, 40,000 steps", "< 2,000 MB", f"{whole:.0f} MB", "", "VmHWM", whole < 2000)


if __name__ == "__main__":
    _print_memory(int(sys.argv[1]))
