"""`recover` of one field: pictures that are not of its system, and how often its intervals hold the truth.

Neither the pictures' seeds nor the second pair of parameter sets served to set a limit.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

import unstill as us

sys.path.append(str(Path(__file__).parents[1] / "tests" / "recovery"))
import nonsense

GRID = us.Grid((64, 64))
NAMES = ("Du", "Dv", "F", "k")
TRUTHS = {
    "fingerprints": us.GrayScott.make("fingerprints"),
    "maze": us.GrayScott.make("maze"),
    "between the presets": us.GrayScott(Du=0.14, Dv=0.06, F=0.034, k=0.06),
    "wide": us.GrayScott(Du=0.2, Dv=0.09, F=0.045, k=0.062),
}


def test_nonsense(benchmark, figure):
    def every() -> dict[str, us.Recovery]:
        pictures = {name: nonsense.picture_of(name, seed=3) for name in nonsense.EVERY}
        return {name: us.recover("gray-scott", {"v": picture[None]}) for name, picture in pictures.items()}

    found = benchmark.pedantic(every, rounds=1)
    wrong = [name for name, one in found.items() if one.status in (us.Status.CONVERGED, us.Status.UNIDENTIFIABLE)]
    slowest = max(one.seconds for one in found.values())
    figure(f"{len(found)} pictures that are not Gray–Scott, called converged", "0", str(len(wrong)), "",
           f"{', '.join(wrong) or 'none'}; slowest {slowest:.0f} s", not wrong)  # fmt: skip


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_intervals(benchmark, figure, noise):
    """Four patterns after 60,000 steps, still relaxing a little, with four draws of noise each."""

    def every() -> list[list[float]]:
        scores = []
        for seed, system in enumerate(TRUTHS.values(), 31):
            v = us.simulate(system, grid=GRID, init="discs", steps=60_000, seed=seed).state[0, 1]
            for draw in range(4):
                seen = v + noise * v.std() * np.random.default_rng(900 + draw).standard_normal(v.shape)
                found = us.recover("gray-scott", {"v": seen[None]})
                if found.status is us.Status.CONVERGED:
                    each = found.parameters
                    scores.append([(each[n].value - float(getattr(system, n))) / each[n].std for n in NAMES])
        return scores

    scores = np.abs(benchmark.pedantic(every, rounds=1))
    share = float((scores < 1.96).mean())
    figure(f"v with {noise:.0%} noise: 95 % intervals that hold the truth", "90–99 %", f"{share:.1%}", "",
           f"{len(scores)} of 16 converged; largest |z| {scores.max():.2f}", 0.9 <= share <= 0.99)  # fmt: skip
