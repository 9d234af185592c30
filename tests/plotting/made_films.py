"""A film whose every turn, swap and moment is another: what figures and films are tried on."""

import numpy as np

from unstill._types import Status
from unstill.simulation import Grid, Trajectory
from unstill.systems import GrayScott

H, W, T = 12, 16, 5


def lopsided(samples=2, shape=(H, W)):
    """Frames (T, M, C, H, W) that differ under every flip, transposition, and swap of samples, fields or times."""
    rows, columns = np.meshgrid(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]), indexing="ij")
    frames = np.empty((T, samples, 2, *shape))
    for t in range(T):
        for m in range(samples):
            frames[t, m, 0] = 1 - rows**2
            frames[t, m, 1] = 0.2 * rows + 0.1 * columns**2 + 0.1 * m + 0.05 * t
    return frames


def film(samples=2, ts=None, frames=None, system=None):
    frames = lopsided(samples) if frames is None else frames
    ts = 100.0 * np.arange(1, T + 1) if ts is None else ts
    status = (Status.STEADY, Status.DEAD, Status.MOVING)[:samples] + (Status.MOVING,) * max(0, samples - 3)
    system = GrayScott.make().with_values(F=np.linspace(0.03, 0.04, samples)) if system is None else system
    steps, drift = np.full(samples, 500), np.zeros(samples)
    return Trajectory(system, Grid(frames.shape[-2:]), 1.0, frames[-1], frames, ts, status, steps, drift)
