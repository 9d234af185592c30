"""`calibrate`: how often the intervals of `recover` hold the truth, measured on simulated pictures."""

from __future__ import annotations

import functools
import time as clock
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from .._arguments import Count, NonNegative, NumberOrUnknown, PositiveOrUnknown, Values, checked
from .._errors import BadInput, nearest
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from .._result import plain
from .._types import Status
from ..observations.task import system_class
from ..simulation import Grid, simulate
from ..systems import AbstractSystem, ReactionDiffusion
from .calibration import Calibration, coverage_of
from .recover import recover
from .ties import known_of

PATTERNS = 5  # initial states at most: a pattern takes longer to grow than to be recovered
_FRAME = 16  # cells that a window is cut away from each border


@checked
def calibrate(
    system: str | type[AbstractSystem],
    *,
    preset: str | None = None,
    set: Values | None = None,
    observe: str | None = None,
    noise: NonNegative = 0.1,
    repeats: Count = 50,
    size: Count = 64,
    steps: Count = 60_000,
    window: bool = False,
    fix: Values | None = None,
    gain: PositiveOrUnknown | None = None,
    offset: NumberOrUnknown | None = None,
    gamma: PositiveOrUnknown | None = None,
    seed: int = 0,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Calibration:
    """Simulate patterns with known parameters, add noise, recover each, and count what the 95 % intervals hold.

    Up to five patterns grow from discs, and draws of noise go round them. `correction` is the factor by which standard
    deviations would have to grow for 95 % of the intervals to hold: the 95 % quantile of |z| over 1.96, z = (value −
    truth)/std, 1 where that is less. It holds for pictures like these, not for others. Coverage has Wilson's interval
    (E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927), doi:10.1080/01621459.1927.10502953), which takes repeats for
    independent; those of one pattern are not quite.

    Args:
        system: A system's name, file.py:NAME, or a class.
        preset: Parameters by a preset's name.
        set: Parameters by name, over those of the preset.
        observe: The field that is seen (default: v, or the system's last field).
        noise: White noise, as a share of the field's standard deviation.
        repeats: Pictures that are recovered.
        size: Cells a side of a picture; of a window too.
        steps: Euler steps that each pattern grows for.
        window: Cut the pictures from larger ones.
        fix: What `recover` is told: parameters that are known, by their true values, or products such as Du/Dv=2.
        gain: What `recover` is told of the camera, whose truth is 1; or unknown (default: 1).
        offset: Likewise, the truth is 0 (default: 0).
        gamma: Likewise, the truth is 1 (default: 1).
        seed: Of the patterns and of the noise.
        progress: Called after each picture.
        resume: Keeps the pictures that are done.

    Returns a `Calibration`; its `status` is `converged`, `not-converged` where fewer than five pictures gave an
    interval, or `interrupted`. Raises `BadInput`.
    """
    started, kept = clock.perf_counter(), Memory() if resume is None else resume
    cls = system_class(system)
    truth = cls.make(preset, **(set or {}))
    field = observe or ("v" if "v" in cls.fields else cls.fields[-1])
    if field not in cls.fields:
        raise BadInput("observe", f"must name a field of {cls.name}", repr(field), nearest(field, cls.fields))
    known_of(cls, fix or {})  # refuse before a pattern grows
    made = functools.partial(_picture, truth, field, size=size, steps=steps, window=window, noise=noise, seed=seed)
    asked = {"window": window, "fix": fix, "gain": gain, "offset": offset, "gamma": gamma, "observe": field}
    rows, status = kept.log(), None
    for i in range(len(rows), repeats):
        try:
            picture, grid = made(i)
            found = recover(cls, {field: picture}, grid=grid, noise=noise or None, **asked)
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
            break
        if found.interrupted:  # it answers Ctrl-C itself, with the values that it had reached
            status = Status.INTERRUPTED
            break
        rows.append(_row(i, found))
        kept.append_log(rows[-1])
        progress(i + 1, repeats, rows[-1])
    covered = coverage_of({**truth.values(), **_camera_truth(asked)}, rows)
    status = status or (Status.CONVERGED if covered else Status.NOT_CONVERGED)
    return Calibration(
        truth, field, noise, size, window, status, covered, tuple(rows), seconds=clock.perf_counter() - started,
    )  # fmt: skip


def _camera_truth(asked: Mapping[str, Any]) -> dict[str, float]:
    """The true values of what `recover` is to find of the camera."""
    return {name: t for name, t in {"gain": 1.0, "offset": 0.0, "gamma": 1.0}.items() if asked[name] == "unknown"}


@functools.lru_cache(maxsize=PATTERNS)
def _pattern(system: ReactionDiffusion, field: str, side: int, steps: int, seed: int) -> Float[np.ndarray, "H W"]:
    run = simulate(system, grid=Grid((side, side)), init="discs", steps=steps, seed=seed)
    return np.asarray(run[field][0])


def _picture(truth, field, i: int, *, size, steps, window, noise, seed) -> tuple[np.ndarray, Grid]:
    """The i-th picture, with noise of its own, and its grid."""
    side = size + 2 * _FRAME * window
    clean = _pattern(truth, field, side, steps, seed + i % PATTERNS)
    if window:
        clean = clean[_FRAME:-_FRAME, _FRAME:-_FRAME]
    draw = np.random.default_rng((seed, i)).standard_normal(clean.shape)
    return clean + noise * clean.std() * draw, Grid((size, size), 1.0, "no-flux" if window else "periodic")


def _row(i: int, found) -> dict[str, Any]:
    """What is kept of a recovery."""
    numbers = {**found.parameters, **found.camera}
    sought = {name: each for name, each in numbers.items() if each.std not in (None, 0)}
    values = {name: each.value for name, each in sought.items()}
    std = {name: each.std for name, each in sought.items()}
    return plain({"repeat": i, "status": found.status, "values": values, "std": std, "seconds": found.seconds})
