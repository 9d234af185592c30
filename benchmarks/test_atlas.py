"""`classify` and `survey`: the regime table of Gray–Scott at Pearson's diffusion, and what a map costs.

The table is of independent code: 256², 60,000 time units of transient, then 22,000 of a tangent vector, one seed. Here
the box and the times are shorter; a label is right that agrees with the table, whose `steady` covers `steady` and
`slow`: it does not tell a creep at 10⁻⁵ per unit time from rest.
"""

import time as clock

import numpy as np
import pytest

import unstill as us
from unstill.simulation import initial_state, native
from unstill.simulation.rollout import kernel_spec, operands, place

# F, k → λ₁, ⟨u⟩, ⟨v⟩, regime.
TABLE = {
    (0.010, 0.047): (0.0022, 0.700, 0.053, "chaotic"),
    (0.014, 0.039): (0.0016, 0.322, 0.176, "chaotic"),
    (0.014, 0.053): (0.0028, 0.725, 0.058, "chaotic"),
    (0.018, 0.051): (0.0031, 0.594, 0.107, "chaotic"),
    (0.018, 0.055): (0.0028, 0.667, 0.086, "chaotic"),
    (0.022, 0.059): (0.0022, 0.706, 0.082, "chaotic"),
    (0.026, 0.051): (0.0017, 0.387, 0.206, "chaotic"),
    (0.026, 0.059): (0.0018, 0.621, 0.115, "chaotic"),
    (0.030, 0.055): (None, 0.434, 0.200, "at rest"),
    (0.030, 0.057): (None, 0.504, 0.171, "at rest"),
    (0.034, 0.065): (None, 0.766, 0.080, "at rest"),
    (0.037, 0.060): (None, 0.538, 0.176, "at rest"),
    (0.046, 0.0594): (None, 0.419, 0.254, "at rest"),
    (0.0545, 0.062): (None, 0.561, 0.205, "at rest"),
    (0.022, 0.061): (None, 1.0, 0.0, "dead"),
    (0.098, 0.057): (None, 1.0, 0.0, "dead"),
}
LABELS = {"chaotic": {"chaotic"}, "at rest": {"steady", "slow"}, "dead": {"uniform-trivial"}}
SIZE, TIME = 128, 60_000.0


@pytest.mark.parametrize("point", TABLE, ids=lambda point: f"F={point[0]} k={point[1]}")
def test_the_regime_table(benchmark, figure, point):
    exponent, u, v, regime = TABLE[point]
    system = us.GrayScott.make("pearson", F=point[0], k=point[1])
    init = "discs" if point == (0.034, 0.065) else "square"  # a square of 20 × 20 cells dies there
    found = benchmark.pedantic(
        lambda: us.classify(system, grid=us.Grid((SIZE, SIZE)), time=TIME, init=init), rounds=1
    ).findings[0]
    right = str(found.regime) in LABELS[regime]
    off = np.abs(found.means - (u, v)) / np.maximum((u, v), 1e-12) if regime == "at rest" else np.zeros(2)
    told = f"⟨u⟩ {found.means[0]:.3f}, ⟨v⟩ {found.means[1]:.3f}"
    if exponent is not None and found.exponent is not None:
        error = abs(found.exponent.value - exponent)
        right &= error <= max(0.15 * exponent, found.exponent.interval95[1] - found.exponent.value)
        told += f", λ₁ {found.exponent.value:.1e} ± {found.exponent.std:.0e} for {exponent:.1e}"
    figure(
        f"regime at F = {point[0]}, k = {point[1]}", regime, str(found.regime), "", told, right and off.max() <= 0.03
    )


def test_a_map_of_patterns_against_the_bare_kernel(benchmark, figure):
    """32 cells that all creep to the end, so that nothing ends early, against the same steps of the kernel alone."""
    grid, steps, count = us.Grid((SIZE, SIZE)), 4000, 32
    over = {"F": np.linspace(0.035, 0.045, 8), "k": np.linspace(0.059, 0.061, 4)}
    us.survey("gray-scott", preset="pearson", over={"F": [0.04, 0.041]}, grid=grid, time=2000)  # compiles
    system = us.GrayScott.make("pearson")
    spec = kernel_spec(place(system, grid, (1, 2, SIZE, SIZE)), np.dtype("float64"), False)
    job = native.Job(spec, grid, 1.0)
    p, q = (np.repeat(np.asarray(each)[None], count, 0) for each in operands(system, spec, grid.shape))
    states = np.repeat(initial_state(system, grid, init="square", samples=1, seed=0).astype(float), count, 0)
    native.rollout(job, states[:2], p[:2], q[:2], frames=1, every=100)
    ratios = []
    for _ in range(3):
        begun = clock.perf_counter()
        native.rollout(job, states, p, q, frames=1, every=steps)
        bare = clock.perf_counter() - begun
        begun = clock.perf_counter()
        atlas = us.survey("gray-scott", preset="pearson", over=over, grid=grid, time=float(steps))
        ratios.append(bare / (clock.perf_counter() - begun))
    benchmark.pedantic(lambda: None, rounds=1)
    assert atlas.counts.keys() <= {"slow", "steady"}, atlas.counts
    share = float(np.median(ratios))
    figure(
        "survey: share of the bare kernel's throughput", "≥ 85%", f"{share:.0%}", "", f"{count} cells", share >= 0.85
    )
