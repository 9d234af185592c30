"""What a record of probes says of a motion: does it creep, does it come back, and after how many turns?

The measures compare a motion with itself, each field in units of its own, so they need no unit and no threshold in the
system's units.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

CREEPING = 0.2  # Gray–Scott's relaxing labyrinths, worms and spots 0.25 to 1, its waves, spirals and chaos 0.01
REACH = 1.5  # of the contrast, to another pattern altogether: what goes further in a record is not slow
RECURRING = 0.05  # Gray–Scott's chaotic spirals and waves 0.8, Lorenz 0.65, oscillating solitons 0.02, a cycle 0.01
TURNS = 4  # rhythms of more cannot be told from two frequencies in a record of this length
FADING = 0.5  # of the speed a quarter of a record and half of it later: it settles, and what it does will end
COARSE = 0.7  # of the standard deviation, from one time to the next: fewer than some nine times a turn
_SHORTEST = 8  # times


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """`straightness`: net way over length of the way, 1 for a straight creep. `reach`: net way over the contrast of
    the pattern; infinite where there is none. `speeds`: speed in the last quarter over that in the first. `depth`: the
    mean square distance to itself one `period` later, over twice the variance: 0 for a periodic motion, 1 for one that
    has forgotten; `None` where no lag is better than its neighbours. `turns`: periods of the strongest spectral line in
    that period. `step`: from one time to the next, in standard deviations."""

    straightness: float
    reach: float
    speeds: float
    depth: float | None
    period: float | None
    turns: float | None
    step: float

    @property
    def goes(self) -> bool:
        """Whether it goes somewhere, instead of to and fro."""
        return self.straightness > CREEPING

    @property
    def creeps(self) -> bool:
        """Whether it goes somewhere, not far and not ever faster: a pattern that changes slowly."""
        return self.goes and self.reach <= REACH and self.speeds <= 1 / FADING

    @property
    def fades(self) -> bool:
        """Whether it settles."""
        return self.speeds < FADING

    @property
    def lasts(self) -> bool:
        """Whether it neither settles nor grows."""
        return FADING <= self.speeds <= 1 / FADING

    @property
    def coarse(self) -> bool:
        """Whether it was looked at too seldom to tell a rhythm."""
        return self.step > COARSE

    @property
    def returns(self) -> bool:
        """Whether it comes back to where it was, and goes on so."""
        return self.lasts and self.depth is not None and self.depth < RECURRING

    @property
    def periodic(self) -> bool:
        """Whether it comes back after a few turns. One that returns after many has two frequencies or more: almost
        periodic motions come back as nearly as one likes, chaotic ones do not."""
        return self.returns and self.turns is not None and self.turns < TURNS + 0.5


def recurrence(ts: Float[np.ndarray, " N"], probes: Float[np.ndarray, "N C P"]) -> Recurrence | None:
    """The measures of a record at equal intervals; `None` where it does not move, or has fewer than 8 times.

    Blind to periods above half of the record; those below some nine intervals are told as `coarse`. Source of the idea:
    J.-P. Eckmann, S. Oliffson Kamphorst & D. Ruelle, Europhys. Lett. 4, 973 (1987).
    """
    centred = probes - probes.mean(0)
    moves = np.sqrt((centred**2).mean((0, 2)))
    moving = moves > 1e-9 * np.maximum(np.abs(probes).max((0, 2)), 1e-300)
    if len(ts) < _SHORTEST or not moving.any():
        return None
    contrast = np.sqrt((probes.std(2) ** 2).mean(0))[moving]
    net = np.sqrt(((probes[-1] - probes[0]) ** 2).mean(1))[moving]
    reach = float(np.max(np.divide(net, contrast, out=np.full(len(net), np.inf), where=contrast > 1e-6 * net)))
    flat = (centred[:, moving] / moves[moving][:, None]).reshape(len(ts), -1)
    steps = np.sqrt((np.diff(flat, axis=0) ** 2).sum(1))
    quarter = len(steps) // 4
    speeds = float(steps[-quarter:].sum() / max(steps[:quarter].sum(), 1e-300))
    straightness = float(np.linalg.norm(flat[-1] - flat[0]) / steps.sum())
    step = float(np.sqrt((steps**2).mean() / flat.shape[1]))
    depth, lag = _return(flat)
    if lag is None:
        return Recurrence(straightness, reach, speeds, None, None, None, step)
    turns = float(lag * _strongest(flat) / len(ts))
    return Recurrence(straightness, reach, speeds, depth, lag * float(ts[1] - ts[0]), turns, step)


def _return(centred: np.ndarray) -> tuple[float | None, float | None]:
    """The first lag at which the motion is back, or else nearly as near to itself as at any; between its neighbours by
    a parabola."""
    distance = _distances(centred)
    inner = np.flatnonzero((distance[1:-1] < distance[:-2]) & (distance[1:-1] <= distance[2:])) + 1
    if len(inner) == 0:
        return None, None
    left, middle, right = distance[inner - 1], distance[inner], distance[inner + 1]
    bend = np.maximum(left - 2 * middle + right, 1e-300)
    depths = np.maximum(middle - (left - right) ** 2 / (8 * bend), 0)
    first = int(np.flatnonzero(depths <= max(depths.min() + 0.01, RECURRING))[0])
    return float(depths[first]), float(inner[first] + 1 + (left - right)[first] / (2 * bend[first]))


def _distances(centred: np.ndarray) -> np.ndarray:
    """⟨|x(t + τ) − x(t)|²⟩/⟨|x(t + τ)|² + |x(t)|²⟩ at the lags τ = 1, 2, … up to half of the record."""
    n = len(centred)
    lags = np.arange(1, n // 2 + 1)
    spectrum = np.fft.rfft(centred, 2 * n, axis=0)
    products = np.fft.irfft(abs(spectrum) ** 2, 2 * n, axis=0).sum(1)[lags]
    squares = (centred**2).sum(1)
    sums = np.cumsum(squares)[n - 1 - lags] + np.cumsum(squares[::-1])[n - 1 - lags]
    return np.maximum(sums - 2 * products, 0) / np.maximum(sums, 1e-300)


def _strongest(centred: np.ndarray) -> float:
    """The frequency of the strongest line, in periods a record, of the motion without its trend."""
    n, t = len(centred), np.linspace(-1, 1, len(centred))
    level = centred - np.outer(t, t @ centred / (t @ t))
    power = (abs(np.fft.rfft(level * np.hanning(n)[:, None], axis=0)) ** 2).sum(1)
    at = int(np.argmax(power[1:-1])) + 1
    left, middle, right = np.log(power[at - 1 : at + 2] + 1e-300)
    bend = left - 2 * middle + right
    return at + ((left - right) / (2 * bend) if bend < 0 else 0.0)
