"""Long orbits of flows beside the true ones: where they are, and how they sound. For points of known dynamics only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..analysis.distances import spectral_distance, state_space_divergence
from ..systems import Dynamics
from .diagnosis import paced
from .integrate import move

_ORBITS, _DT = 16, 0.05


@dataclasses.dataclass(frozen=True)
class Likeness:
    """D_stsp and D_H of each of K flows against the truth, with what the truth scores against itself.

    `stsp` (K,) is the divergence from the points to the flow's orbits (`stsp_floor`: to other points, of the same
    number), `hellinger` (K,) the distance of power spectra from true orbits at the same pace (`hellinger_floor`: of
    true orbits from other ones). NaN where an orbit became infinite.
    """

    stsp: Float[np.ndarray, " K"]
    stsp_floor: float
    hellinger: Float[np.ndarray, " K"]
    hellinger_floor: float


def likeness(
    flows: Sequence[Dynamics],
    truth: Dynamics,
    clean: Float[np.ndarray, "N D"],
    noised: Float[np.ndarray, "N D"],
    *,
    time: float = 100.0,
    seed: int = 0,
) -> Likeness:
    """Compare 16 orbits of each standardised flow, at the pace of a `Flow`, with 16 of `truth` from clean points."""
    rng = np.random.default_rng(seed)
    steps = max(4, round(time / _DT))
    some = rng.permutation(len(clean))
    count = min(_ORBITS, len(clean) // 2)
    starts, others = some[:count], some[count : 2 * count]
    true, again = (move(paced(truth, clean), clean[s], dt=_DT, steps=steps) for s in (starts, others))
    part = min(len(noised) // 2, steps * count)
    reference, fresh = noised[some[:-part]], noised[some[-part:]]
    stsp, hellinger = [], []
    for flow in flows:
        path = move(flow, noised[starts], dt=_DT, steps=steps)
        sound = bool(np.isfinite(path).all())
        visited = rng.permutation(path.reshape(-1, path.shape[2]))[:part]
        stsp.append(state_space_divergence(reference, visited) if sound else np.nan)
        hellinger.append(spectral_distance(true, path) if sound else np.nan)
    floor = state_space_divergence(reference, fresh)
    return Likeness(np.array(stsp), floor, np.array(hellinger), spectral_distance(true, again))
