"""Films of moving regimes as heaps of pictures: do the intervals of `recover` hold the truth, or is the film refused?

Twenty films of 64² cells, from frames 4 time units apart to runs apart; ten more, of other parameters and seeds, were
looked at once, after everything was set.
"""

from collections.abc import Mapping

import numpy as np
import pytest

import unstill as us
from unstill.observations.independence import effective_number
from unstill.recovery.weak import ENSEMBLE

GRID = us.Grid((64, 64))
NAMES = ("Du", "Dv", "F", "k")
REGIMES = {
    "waves": us.GrayScott.make("waves"),
    "chaos": us.GrayScott.make("chaos"),
    "chaos, slow": us.GrayScott(Du=0.16, Dv=0.08, F=0.014, k=0.039),
    "spots that divide": us.GrayScott(Du=0.16, Dv=0.08, F=0.018, k=0.055),
    "worms that move": us.GrayScott(Du=0.16, Dv=0.08, F=0.026, k=0.059),
}
HELD_OUT = {
    "waves, faster": us.GrayScott(Du=0.16, Dv=0.08, F=0.02, k=0.049),
    "chaos, other": us.GrayScott(Du=0.12, Dv=0.06, F=0.026, k=0.052),
}
LAYOUTS = ((32, 4, 1), (32, 20, 1), (48, 100, 1), (32, 500, 4))  # frames, time between them, runs
HELD_OUT_LAYOUTS = ((64, 5, 1), (40, 40, 1), (64, 60, 2), (24, 300, 1), (48, 1000, 6))


def film(system: us.GrayScott, frames: int, apart: int, runs: int, seed: int) -> np.ndarray:
    """(frames, C, H, W), run by run, after 6,000 time units."""
    start = us.simulate(system, grid=GRID, steps=6_000, init="discs", samples=runs, seed=seed).state
    run = us.simulate(system, start, grid=GRID, steps=apart * (frames // runs), save_every=apart)
    return np.moveaxis(np.asarray(run.frames)[-(frames // runs) :], 1, 0).reshape(-1, 2, *GRID.shape)


def scored(system: us.GrayScott, states: np.ndarray) -> Mapping[str, float] | None:
    """z of each parameter, or None where the film is refused (without a fit where its number says so already)."""
    if effective_number(states) < ENSEMBLE - 0.5:
        return None
    found = us.recover("gray-scott", {"u": states[:, 0], "v": states[:, 1]}, grid=GRID)
    if found.status is not us.Status.CONVERGED:
        return None
    each = found.parameters
    return {n: (each[n].value - float(getattr(system, n))) / each[n].std for n in NAMES}


@pytest.mark.parametrize("held_out", [False, True], ids=["films", "held out"])
def test_intervals_of_films(benchmark, figure, held_out):
    regimes, layouts = (HELD_OUT, HELD_OUT_LAYOUTS) if held_out else (REGIMES, LAYOUTS)

    def every():
        return {
            (name, *layout): scored(system, film(system, *layout, seed=70 + held_out))
            for name, system in regimes.items()
            for layout in layouts
        }

    found = benchmark.pedantic(every, rounds=1)
    kept = {film: z for film, z in found.items() if z is not None}
    scores = np.abs([list(z.values()) for z in kept.values()])
    share = float((scores < 1.96).mean())
    figure(f"{len(found)} {'held-out ' * held_out}films: 95 % intervals that hold the truth", "≥ 90 %", f"{share:.1%}",
           "", f"{len(found) - len(kept)} refused; largest |z| {scores.max():.2f}", share >= 0.9)  # fmt: skip
