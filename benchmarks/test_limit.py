"""`recover` of v alone against the Cramér–Rao bound, computed without any code of ours.

Pictures at rest, 64² periodic cells; the seeds are the first of five and later whose pattern polishing brings to rest.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

import unstill as us

sys.path.append(str(Path(__file__).parents[1] / "tests" / "recovery"))
import cramer_rao

GRID, DRAWS = us.Grid((64, 64)), 6
AT_REST = {"spots": 5, "maze": 10, "holes": 5, "fingerprints": 9}
STEPS, DRIFT = 3_000_000, 1e-9


@pytest.fixture(scope="module")
def at_rest() -> dict[str, np.ndarray]:
    """(2, 64, 64) of each pattern."""
    states = {}
    for preset, seed in AT_REST.items():
        system = us.GrayScott.make(preset)
        late = us.simulate(system, grid=GRID, init="discs", steps=STEPS, seed=seed).state[0]
        state, drift, _ = us.polish(system, GRID, late)
        if drift < DRIFT:
            states[preset] = state
    return states


@pytest.mark.parametrize("preset", AT_REST)
@pytest.mark.parametrize(("noise", "wanted"), [(0.01, 1.3), (0.05, 1.3), (0.1, 1.3), (0.3, 2.0)])
def test_limit(benchmark, figure, at_rest, preset, noise, wanted):
    if preset not in at_rest:
        pytest.skip(f"polishing did not bring {preset} to rest on this machine")
    state, system = at_rest[preset], us.GrayScott.make(preset)
    truth = {name: float(getattr(system, name)) for name in cramer_rao.NAMES}
    sigma = noise * state[1].std()
    least = cramer_rao.bound(state, truth, sigma)

    def every() -> list[us.Recovery]:
        chance = (np.random.default_rng(4000 + draw).standard_normal(GRID.shape) for draw in range(DRAWS))
        return [us.recover("gray-scott", {"v": (state[1] + sigma * one)[None]}, grid=GRID) for one in chance]

    found = benchmark.pedantic(every, rounds=1)
    held = [one for one in found if one.status is us.Status.CONVERGED]
    errors = np.array([[one.parameters[n].value - truth[n] for n in truth] for one in held]).reshape(-1, len(truth))
    stds = np.array([[one.parameters[n].std for n in truth] for one in held]).reshape(-1, len(truth))
    rms = np.sqrt((errors**2).mean(0)) / list(least.values()) if held else np.full(len(truth), np.nan)
    told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in zip(truth, rms, strict=True))
    largest = np.abs(errors / stds).max() if held else np.nan
    what = f"v with {noise:.0%} noise, {preset}: rms error over the Cramér–Rao bound"
    figure(
        what, f"≤ {wanted}", f"{rms.max():.2f}", "",
        f"{told}; {len(held)} of {DRAWS} converged, largest abs z {largest:.1f}; "
        f"{np.median([one.seconds for one in found]):.0f} s", len(held) == DRAWS and bool(rms.max() <= wanted),
    )  # fmt: skip
