"""Cost a cell and step of one sample, by grid size, number of threads and number of steps."""

import pytest

from cases import native_rollout, states
from timing import contestant, median, race

SIZES = (64, 128, 256, 512, 1024)
CELL_STEPS = 1.3e8  # a lap of about a tenth of a second


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_size(benchmark, figure, monkeypatch, dtype, threads):
    monkeypatch.setenv("UNSTILL_THREADS", str(threads))
    contestants = {}
    for size in SIZES:
        steps = max(16, int(CELL_STEPS / size**2) // 16 * 16)
        contestants[size] = contestant(native_rollout(states(size, 1, dtype), steps), size**2 * steps)
    laps = race(benchmark, contestants, rounds=5)
    cost = {size: median(runs) for size, runs in laps.items()}
    fixed = cost[1024].wall / cost[64].wall
    told = ", ".join(f"{size}²: {cost[size].wall * 1e9:.2f}" for size in SIZES)
    worst = max(c.cpu for c in cost.values()) / min(c.cpu for c in cost.values())
    how = f"one sample, ns, {told}; worst over best in processor time {worst:.2f}×"
    name = f"1024² against 64², {dtype}, {threads} thread{'s' * (threads > 1)}"
    figure(
        name, "≤ 2×", f"{fixed:.2f}×", "", how, fixed <= 2, laps={str(size): cost[size].wall * 1e9 for size in SIZES}
    )


def test_steps(benchmark, figure):
    x, counts = states(128, 8, "float64"), (1000, 2000, 4000)
    runs = {n: contestant(native_rollout(x, n), 128 * 128 * 8 * n) for n in counts}
    cost = {n: median(laps) for n, laps in race(benchmark, runs, rounds=5).items()}
    spread = max(c.wall for c in cost.values()) / min(c.wall for c in cost.values())
    told = ", ".join(f"{n}: {cost[n].wall * 1e9:.2f} ns" for n in counts)
    figure("linear in steps", "the same a step", f"{spread:.2f}× apart", "", f"128², batch 8; {told}", spread <= 1.2)
