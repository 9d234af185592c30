"""Atlases and classifications by hand, for figures."""

import numpy as np

from unstill._types import Status
from unstill.atlas import Atlas, Classification, Finding, Neighbours
from unstill.atlas.cells import REGIMES, Setting, empty
from unstill.atlas.design import lay_out
from unstill.plotting.atlases import plot_atlas, plot_neighbours
from unstill.plotting.regimes import plot_classification
from unstill.simulation import Grid
from unstill.systems import GrayScott

GRID = Grid((12, 12))


def atlas_of(
    over: dict, *, samples: int = 1, seen: float = 1.0, design: str = "grid", points: int | None = None
) -> Atlas:
    """Random patterns in all regimes; a share of the cells was looked at."""
    rng = np.random.default_rng(2)
    fixed = {name: value for name, value in GrayScott.defaults().items() if name not in over}
    setting = Setting(GrayScott, fixed, GRID, 2000.0, 1.0, "square", 0, False)
    laid = lay_out(GrayScott, over, design, points, 0)
    count = samples * int(np.prod(laid.shape))
    arrays = empty(setting, 2, count)
    arrays["regime"] = np.where(rng.random(count) < seen, rng.integers(0, len(REGIMES), count), -1).astype(np.int8)
    arrays["thumbnail"] = rng.random(arrays["thumbnail"].shape).astype(np.float16)
    lead = (*laid.shape, samples)
    values = {name: each.reshape(*lead, *each.shape[1:]) for name, each in arrays.items()}
    curves = {"Turing": (np.linspace(0.02, 0.06, 9), np.linspace(0.02, 0.06, 9))} if len(laid.axes) == 2 else {}
    return Atlas(setting, laid, values, curves, Status.CONVERGED, f"{count} cells", 1.0)


def classification(*samples: bool) -> Classification:
    """A finding for each sample that was looked at."""
    ts = np.arange(1.0, 40.0)
    trace = np.stack([np.sin(ts / 3), np.cos(ts / 3)], 1)
    picture = np.random.default_rng(3).random((2, 12, 12))
    found = [
        Finding(REGIMES[m], "it creeps, net way 0.87 of the way, drift 1.5e-05 per unit time", 2000.0, 1.0, 1e-5,
                picture, ts, trace) if seen else None
        for m, seen in enumerate(samples)
    ]  # fmt: skip
    return Classification(GrayScott(), GRID, 1.0, 2000.0, tuple(found), Status.CONVERGED, "by hand", 1.0)


def neighbours(count: int) -> Neighbours:
    """So many of them."""
    tiles = np.random.default_rng(4).random((count, 32, 32))
    return Neighbours(
        {"F": np.linspace(0.02, 0.04, count), "k": np.linspace(0.05, 0.06, count)}, np.zeros(count, int),
        ("transient-chaos",) * count, np.linspace(0.1, 2.0, count), "v", np.random.default_rng(5).random((32, 32)),
        tiles, Status.CONVERGED, "by hand", 1.0,
    )  # fmt: skip


RANGE = np.linspace(0.02, 0.06, 9)
FIGURES_OF_ATLASES = {
    "plot_atlas": {
        "two parameters": lambda: plot_atlas(atlas_of({"F": [0.02, 0.03, 0.04], "k": [0.05, 0.06]}, samples=2)),
        "in part": lambda: plot_atlas(atlas_of({"F": RANGE, "k": RANGE}, seen=0.4)),
        "nothing yet": lambda: plot_atlas(atlas_of({"F": [0.02, 0.03], "k": [0.05, 0.06]}, seen=0.0)),
        "one parameter": lambda: plot_atlas(atlas_of({"F": RANGE}, samples=3)),
        "three": lambda: plot_atlas(
            atlas_of({"F": [0.02, 0.04], "k": [0.05, 0.06], "Dv": [0.05, 0.1]}, design="sobol", points=16)
        ),
    },
    "plot_classification": {
        "many": lambda: plot_classification(classification(*[True] * 10)),
        "two": lambda: plot_classification(classification(True, False, True)),
        "none": lambda: plot_classification(classification(False)),
    },
    "plot_neighbours": {
        "many": lambda: plot_neighbours(neighbours(9)),
        "none": lambda: plot_neighbours(neighbours(0)),
    },
}
