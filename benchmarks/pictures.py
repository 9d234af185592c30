"""Simulated pictures for the recoveries, kept in a folder between runs. Seeds differ from those of the tests."""

from pathlib import Path

import numpy as np

import unstill as us
from unstill import Status

GRID = us.Grid((128, 128))
STEPS, SEEDS, DRAW_SEEDS = 20_000, range(100, 120), 1000


def system(preset: str) -> us.GrayScott:
    return us.GrayScott(**us.GrayScott.presets[preset])


def _kept(path: Path, make) -> dict[str, np.ndarray]:
    if not path.exists():
        np.savez(path, **make())
    with np.load(path) as file:
        return dict(file)


def late(folder: Path, preset: str) -> np.ndarray:
    """(2, 128, 128): 20,000 steps after five discs, at the first seed that lives."""

    def make():
        for seed in SEEDS:
            run = us.simulate(system(preset), init="discs", seed=seed, grid=GRID, steps=STEPS)
            if run.status[0] != Status.DEAD:
                return {"state": run.state[0], "seed": seed}
        raise RuntimeError(f"{preset}: every seed died")

    return _kept(folder / f"{preset}-late.npz", make)["state"]


def polished(folder: Path, preset: str) -> tuple[np.ndarray, float, str]:
    """(state, drift, status of polishing): `late` moved on to a drift of 1e-6 (a million steps at most), polished."""

    def make():
        options = {"grid": GRID, "until_drift": 1e-6, "max_steps": 1_000_000}
        run = us.simulate(system(preset), late(folder, preset)[None], **options)
        state, drift, status = us.polish(system(preset), GRID, run.state[0])
        return {"state": state, "drift": drift, "status": str(status.value)}

    kept = _kept(folder / f"{preset}-polished-1e6.npz", make)
    return kept["state"], float(kept["drift"]), str(kept["status"])


def ensemble(folder: Path, preset: str, draw: int, runs: int = 8, times: int = 8, apart: int = 1500) -> np.ndarray:
    """(runs·times, 2, 128, 128), unordered: `times` moments of each of `runs` living runs."""

    def make():
        seed, found = DRAW_SEEDS + 1000 * draw, []
        while len(found) < runs and seed < DRAW_SEEDS + 1000 * draw + 10 * runs:
            grown = us.simulate(
                system(preset), init="discs", samples=runs, seed=seed, grid=GRID, steps=STEPS + (times - 1) * apart,
                save_every=500,
            )  # fmt: skip
            at = [round(t) for t in grown.ts]
            chosen = [at.index(STEPS + n * apart) for n in range(times)]
            alive = [m for m, status in enumerate(grown.status) if status is Status.MOVING or status is Status.STEADY]
            found += [grown.frames[chosen, m] for m in alive]
            seed += 1
        shots = np.concatenate(found[:runs])
        return {"states": shots[np.random.default_rng(draw).permutation(len(shots))].astype(np.float32)}

    return _kept(folder / f"{preset}-ensemble{draw}.npz", make)["states"].astype(float)
