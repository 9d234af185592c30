"""Scores of pictures and the training-free flows that are built from them: Gray–Scott waves of 64², 256 pictures, as
`docs/field-flow.md` tells. Nothing is tuned to them; pictures of `agree` are of another run.
"""

import numpy as np
import pytest

import unstill as us

GRID = us.Grid((64, 64))
WAVES = us.GrayScott.make("waves")


@pytest.fixture(scope="module")
def waves() -> dict[str, np.ndarray]:
    """64 runs × 4 times; uniform pictures are dropped."""
    state = us.simulate(WAVES, grid=GRID, samples=64, steps=8000, init="discs", seed=1, dtype="float32").state
    kept = [state]
    for _ in range(3):
        state = us.simulate(WAVES, state, grid=GRID, steps=1500, dtype="float32").state
        kept.append(state)
    pictures = np.concatenate(kept)
    pictures = pictures[pictures.std((2, 3)).max(1) > 1e-3]
    return {"u": pictures[:, 0], "v": pictures[:, 1]}


SCORES: dict[bool, us.LearntFieldScore] = {}


@pytest.mark.parametrize(("conservative", "epochs"), [(False, 24), (True, 8)])
def test_score(benchmark, figure, waves, conservative, epochs):
    """Held-out denoising at founding system B's level; its U-Net was not run beside it."""
    options = {"epochs": epochs, "conservative": conservative}
    found = SCORES[conservative] = benchmark.pedantic(us.learn_field_score, (waves,), options, rounds=1)
    name = f"score of waves 64², {epochs * 25} steps{', a gradient' if conservative else ''}"
    loss, gaussian, off, floor = found.denoising[0.214], found.gaussian[0.214], found.spectra, found.spectra_floor
    told = f"{found.status}; Gaussian field {gaussian:.4f}"
    figure(f"{name}: loss at τ = .214", "< Gaussian field", f"{loss:.4f}", "", told, loss < gaussian)
    figure(f"{name}: spectra of what it draws", "≤ 2 × floor", f"{off:.2f}", "", f"floor {floor:.2f}", off <= 2 * floor)


@pytest.mark.parametrize("conservative", [False, True])
def test_flows(benchmark, figure, waves, conservative):
    held = us.simulate(WAVES, grid=GRID, samples=8, steps=9000, init="discs", seed=77).state
    score = SCORES.get(conservative) or us.learn_field_score(waves, epochs=8, conservative=conservative)
    flows = {}
    for radius in (0, 1):
        found = us.learn_field_flow(waves, score, radius=radius)
        flows[f"radius {radius}"] = found.flow
        name = f"convolution of radius {radius}{', score a gradient' if conservative else ''}"
        told = f"{found.residual:.3f} ± {found.residual_std:.3f}"
        figure(f"{name}: residual", "≤ .05", told, "", str(found.status), found.residual <= 0.05)
    told = benchmark.pedantic(us.agree, ({"u": held[:, 0], "v": held[:, 1]}, flows, WAVES), rounds=1)
    of = ", score a gradient" if conservative else ""
    for name, one in told.field.items():
        moved = f"{abs(told.displacement[name].value):.3f}"
        how = f"field {one.value:.3f}; chance of fields {told.chance:.2f}; sign free"
        figure(f"convolution of {name}{of}: |cosine| of displacements", "as it is", moved, ".589 (B)", how)
