"""Particles of consecutive frames, linked to tracks on a torus by laptrack."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from .._errors import BadInput


@dataclasses.dataclass(frozen=True)
class Tracks:
    """Rows sorted by track and frame; `places` are unwrapped, in cells; `frames` is how many the film has."""

    track: Int[np.ndarray, " R"]
    frame: Int[np.ndarray, " R"]
    places: Float[np.ndarray, "R 2"]
    box: tuple[int, int]
    frames: int

    def __len__(self) -> int:
        return len(np.unique(self.track))

    def csv(self) -> str:
        """Lines `track,frame,row,column`."""
        rows = zip(self.track, self.frame, self.places, strict=True)
        return "track,frame,row,column\n" + "".join(f"{t},{f},{p[0]:.4f},{p[1]:.4f}\n" for t, f, p in rows)


def shortest(difference: np.ndarray, box: tuple[int, int]) -> np.ndarray:
    """The minimum image of differences (…, 2) on the torus."""
    sides = np.asarray(box, np.float64)
    return difference - sides * np.rint(difference / sides)


def link(places: Sequence[np.ndarray], box: tuple[int, int], *, reach: float = 8.0, gap: int = 1) -> Tracks:
    """Link the places of each frame by the least sum of squared minimum-image distances.

    Linear assignment between frames, then gap closing: K. Jaqaman et al., Nature Methods 5, 695 (2008), eq. 1–3, by
    laptrack. It fails where particles move further between frames than about half of their spacing.

    Args:
        places: For each frame, places (N, 2) in cells.
        box: Sides (H, W) of the torus in cells.
        reach: The longest step between frames, in cells; below half of the shorter side.
        gap: Frames in which a particle may be missed.

    Raises `BadInput` where `reach` is out of range.
    """
    if not 0 < reach < min(box) / 2:
        raise BadInput("reach", f"must be above 0 and below {min(box) / 2:g}, half of the torus", reach)
    frame = np.concatenate([np.full(len(each), i) for i, each in enumerate(places)] or [[]]).astype(np.int64)
    where = np.concatenate([np.reshape(each, (-1, 2)) for each in places] or [np.zeros((0, 2))])
    track = _linked(frame, where, box, reach, gap) if len(np.unique(frame)) > 1 else np.arange(len(frame))
    order = np.lexsort((frame, track))
    track, frame, where = track[order], frame[order], where[order]
    unwrapped = where.copy()
    for i in range(1, len(track)):
        if track[i] == track[i - 1]:
            unwrapped[i] = unwrapped[i - 1] + shortest(where[i] - where[i - 1], box)
    return Tracks(track, frame, unwrapped, box, len(places))


def _linked(frame: np.ndarray, where: np.ndarray, box: tuple[int, int], reach: float, gap: int) -> np.ndarray:
    """The track of each particle; laptrack and pandas are imported here since they take a second."""
    import pandas as pd
    from laptrack import LapTrack

    def squared(a: np.ndarray, b: np.ndarray) -> float:
        return float((shortest(np.asarray(a)[-2:] - np.asarray(b)[-2:], box) ** 2).sum())

    table = pd.DataFrame({"frame": frame, "row": where[:, 0], "column": where[:, 1], "at": np.arange(len(frame))})
    linker = LapTrack(  # pyright: ignore[reportCallIssue]  # its defaults are hidden from type checkers
        metric=squared,
        cutoff=reach**2,
        gap_closing_metric=squared,
        gap_closing_cutoff=reach**2 if gap else False,
        gap_closing_max_frame_count=gap + 1,  # laptrack counts the difference of the frames
        splitting_cutoff=False,
        merging_cutoff=False,
    )
    found = linker.predict_dataframe(
        table, coordinate_cols=["row", "column"], frame_col="frame", only_coordinate_cols=False
    )[0]
    track = np.empty(len(frame), np.int64)
    track[found["at"].to_numpy()] = found["track_id"].to_numpy()
    return track
