"""`continue`: folds against bisections by simulation, and what a point costs.

The bisections know nothing of Newton's method: the pattern is moved at one value of the parameter after another until
it rests or is gone, each run from the last state that lived.
"""

import sys
import time as clock
from pathlib import Path

import numpy as np
import pytest

import unstill as us

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from lattice_stripes import FOLD, Stripes, stripes


def spot(side: int, k: float, steps=()) -> us.Trajectory:
    """A spot in the middle of a box, at rest, led through values of F."""
    y, x = np.mgrid[:side, :side]
    v = 0.3 * np.exp(-(((x - side // 2) ** 2 + (y - side // 2) ** 2) / 9))
    run = us.simulate(us.GrayScott.make("spots", k=k), np.stack([1 - 2 * v, v]), until_drift=1e-8, max_steps=50_000)
    for F in steps:
        run = us.simulate(us.GrayScott.make("spots", F=F, k=k), run.state, until_drift=1e-8, max_steps=100_000)
    return run


def lost(alive: float, gone: float, state, move, width: float) -> tuple[float, float]:
    """Where a pattern is lost, by bisection to a width: the last value at which it lived, the first at which not."""
    while abs(gone - alive) > width:
        value = (alive + gone) / 2
        run = move(value, state)
        if np.ptp(run.state[0, 0]) > 0.1:
            alive, state = value, run.state
        else:
            gone = value
    return alive, gone


def test_the_fold_of_a_spot(benchmark, figure):
    def move(F, state):
        return us.simulate(us.GrayScott.make("spots", F=F, k=0.066), state, until_drift=1e-9, max_steps=400_000)

    run = spot(16, 0.066, np.linspace(0.04, 0.08, 9))
    found = benchmark.pedantic(lambda: us.continue_branch(run, over={"F": (0.075, 0.09)}), rounds=1)
    alive, gone = lost(0.08, 0.09, run.state, move, 1e-6)
    fold = min((each.value for each in found.folds), key=lambda value: abs(value - alive))
    off = abs(fold - (alive + gone) / 2) / alive
    told = f"F = {fold:.9f}, simulation loses it between {alive:.8f} and {gone:.8f}"
    figure("continue: fold of a spot, 16²", "≤ 1e-3 off", f"{off:.1e}", "", told, off <= 1e-3)


def test_the_fold_of_stripes(benchmark, figure):
    grid = us.Grid((3, 8))

    def move(r, state):
        return us.simulate(Stripes(r=r), state, grid=grid, until_drift=1e-9, max_steps=2_000_000)

    start = stripes(0.0, grid)
    found = benchmark.pedantic(
        lambda: us.continue_branch(Stripes(r=0.0), start, over={"r": (-0.3, 0.1)}, grid=grid), rounds=1
    )
    alive, gone = lost(0.0, -0.3, start[None], move, 1e-6)
    (fold,) = found.folds
    off = abs(fold.value - (alive + gone) / 2)
    told = f"closed form {fold.value - FOLD:.0e} off, simulation loses them between {alive:.7f} and {gone:.7f}"
    figure("continue: fold of stripes, closed form", "≤ 1e-3 off", f"{off:.1e}", "", told, off <= 1e-3)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_what_a_point_costs(benchmark, figure, side):
    run = us.simulate(
        us.GrayScott.make("spots", F=0.04, k=0.064), grid=us.Grid((side, side)), until_drift=1e-7, max_steps=60_000
    ) if side > 16 else spot(16, 0.066)  # fmt: skip
    us.continue_branch(run, over={"F": (0.03, 0.045)}, points=1)  # compiles
    begun = clock.perf_counter()
    found = benchmark.pedantic(lambda: us.continue_branch(run, over={"F": (0.03, 0.045)}, points=4), rounds=1)
    each = (clock.perf_counter() - begun) / max(1, len(found.points))
    known = sum(point.modes.complete for point in found.points)
    told = f"{len(found.points)} points, all growing modes known at {known}; {found.status}"
    figure(f"continue: a point, {side}²", "", f"{each:.2f} s", "", told, None)
