"""Numbers of one film's tracks. Intervals come from several independent films, never from frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .linking import Tracks, shortest

FITTED = 10  # lags in frames over which the exponent is fitted


def pair_correlation(places: Sequence[np.ndarray], box: tuple[int, int], edges: np.ndarray) -> np.ndarray:
    """g(r) of each ring between `edges`, averaged over frames: 1 for an ideal gas.

    g = Σ pairs in the ring / Σ N(N−1)/2 · (HW / π(r₂² − r₁²)) (M. P. Allen, D. J. Tildesley, 2017, eq. 2.94), exact on
    the torus up to half of its shorter side. NaN where no frame has two particles.
    """
    found, pairs = np.zeros(len(edges) - 1), 0
    for each in places:
        i, j = np.triu_indices(len(each), 1)
        found += np.histogram(np.linalg.norm(shortest(each[i] - each[j], box), axis=1), edges)[0]
        pairs += len(i)
    if not pairs:
        return np.full(len(found), np.nan)
    return found * box[0] * box[1] / (pairs * np.pi * np.diff(edges**2))


def alignment(tracks: Tracks, radius: float) -> float:
    """⟨vᵢ·vⱼ / |vᵢ||vⱼ|⟩ over pairs nearer than `radius` cells in a frame; NaN where there is none.

    T. Vicsek, A. Zafeiris, Phys. Rep. 517, 71 (2012), sect. 2. Velocities are steps to the next frame: noise that
    is independent between particles brings it towards 0; tracks with a common drift bring it to 1.
    """
    follows = (np.diff(tracks.track) == 0) & (np.diff(tracks.frame) == 1)
    steps = np.diff(tracks.places, axis=0)
    length = np.linalg.norm(steps, axis=1)
    kept = follows & (length > 0)
    units, where, frame = steps[kept] / length[kept, None], tracks.places[:-1][kept], tracks.frame[:-1][kept]
    cosines = []
    for t in np.unique(frame):
        u, x = units[frame == t], where[frame == t]
        i, j = np.triu_indices(len(u), 1)
        near = np.linalg.norm(shortest(x[i] - x[j], tracks.box), axis=1) < radius
        cosines.append((u[i] * u[j]).sum(1)[near])
    together = np.concatenate(cosines) if cosines else np.zeros(0)
    return float(together.mean()) if len(together) else float("nan")


def squared_displacements(tracks: Tracks, lags: int) -> np.ndarray:
    """⟨|x(t + k) − x(t)|²⟩ for k = 1 … `lags` frames over all tracks and starts, in cells²; NaN where there is none."""
    total, many = np.zeros(lags + 1), np.zeros(lags + 1)
    for name in np.unique(tracks.track):
        own = tracks.track == name
        frame, x = tracks.frame[own], tracks.places[own]
        i, j = np.triu_indices(len(frame), 1)
        lag = frame[j] - frame[i]
        short = lag <= lags
        np.add.at(total, lag[short], ((x[j] - x[i]) ** 2).sum(1)[short])
        np.add.at(many, lag[short], 1)
    return np.where(many[1:] > 0, total[1:] / np.maximum(many[1:], 1), np.nan)


def displacement_exponent(tracks: Tracks, lags: int = FITTED) -> float:
    """α of MSD ∝ lag^α, by least squares in logarithms over lags 1 … `lags`; NaN with fewer than 3 of them.

    1 Brownian, 2 ballistic, 0 confined (R. Metzler et al., PCCP 16, 24128 (2014), eq. 1). Errors of the places
    lower it at short lags.
    """
    msd = squared_displacements(tracks, lags)
    known = np.isfinite(msd) & (msd > 0)
    if known.sum() < 3:
        return float("nan")
    return float(np.polyfit(np.log(1 + np.flatnonzero(known)), np.log(msd[known]), 1)[0])


def median_lifetime(tracks: Tracks) -> float | None:
    """Kaplan–Meier median life in frames; `None` where more than half outlive the film.

    S(t) = Π (1 − d/n) (E. L. Kaplan, P. Meier, JASA 53, 457 (1958), eq. 2b). Tracks still there in the last frame are
    censored on the right; those there in the first are left out, since their birth was not seen.
    """
    begun = [tracks.frame[tracks.track == name] for name in np.unique(tracks.track)]
    seen = [(each[-1] - each[0] + 1, each[-1] < tracks.frames - 1) for each in begun if each[0] > 0]
    survival = 1.0
    for t in sorted({life for life, died in seen if died}):
        survival *= 1 - sum(died and life == t for life, died in seen) / sum(life >= t for life, _ in seen)
        if survival <= 0.5:
            return float(t)
    return None
