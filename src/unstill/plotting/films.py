"""`animate`: trajectories → one film. Each panel shows exactly the computed states; captions sit beside them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from ..files.atomic import replacing
from .canvas import Canvases, Panel
from .colors import colormap_of
from .labels import pick_field, sample_values, split_labels
from .video import WRITERS

if TYPE_CHECKING:
    from ..simulation import Trajectory
    from ..tracking import Tracks


def animate(
    films: Trajectory | np.ndarray | Sequence[Trajectory | np.ndarray],
    path: str | os.PathLike,
    *,
    field: str | None = None,
    labels: Sequence[str] | None = None,
    fps: int = 30,
    size: int | None = None,
    colormap: str | None = None,
    limits: tuple[float, float] | None = None,
    trails: Tracks | None = None,
) -> None:
    """Write one film, `.mp4` (H.264, plays everywhere) or `.gif`, of one or several runs side by side.

    Args:
        films: Trajectories with frames (T, M, C, H, W), every sample its own panel, or arrays (T, H, W). All panels
            show one time; a film that ends early keeps its last frame.
        path: Where to; the suffix, `.mp4` or `.gif`, says which.
        field: The field to show (default: v, else the first).
        labels: One text a panel (default: the parameters that tell the panels apart).
        fps: Frames a second; fewer where the film would last less than two seconds.
        size: The longest side of a panel, in pixels (default: by the number of cells).
        colormap: A Matplotlib colour map (default: the field's own).
        limits: The values (low, high) at the ends of the colours (default: the least value and the 99.9th percentile
            over all panels and times).
        trails: Tracks of a film of one panel, such as those of `track`: each is drawn over its last 20 pictures.

    Raises `BadInput` for no frames, an unknown field, suffix or colour map, and a path that cannot be written.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in WRITERS:
        raise BadInput("path", f"must end in {' or '.join(WRITERS)}", path)
    if not 1 <= fps <= 120:
        raise BadInput("fps", "must lie in [1, 120]", fps)
    if size is not None and size < 1:
        raise BadInput("size", "must be positive", size)
    film = gather(films, field, labels)
    if trails is not None and (len(film.panels) > 1 or film.panels[0].frames.shape[1:] != tuple(trails.box)):
        told = f"tracks in a box of {tuple(trails.box)}, {len(film.panels)} panels of {film.panels[0].frames.shape[1:]}"
        raise BadInput("trails", "must belong to the only panel of the film", told)
    canvases = Canvases(
        film.panels,
        film.title,
        film.field,
        size=size,
        colormap=colormap or film.colormap,
        limits=limits,
        trails=trails,
    )
    with replacing(path) as part:
        WRITERS[path.suffix.lower()](part, canvases, fps)


@dataclasses.dataclass(frozen=True)
class Film:
    """Panels in order, what they share in words, the name of the field and the colour map that suits it."""

    panels: Sequence[Panel]
    title: str
    field: str
    colormap: str


def gather(films, field: str | None = None, labels: Sequence[str] | None = None) -> Film:
    """One panel a sample of each film; raises `BadInput`."""
    films = list(films) if isinstance(films, (list, tuple)) else [films]
    if not films:
        raise BadInput("films", "must hold at least one film")
    panels, values, names, colormaps = [], [], [], []
    for film in films:
        if isinstance(film, np.ndarray):
            panels += _array_panels(film)
            values.append({})
            names.append(("", field or ""))
            colormaps.append(colormap_of("v", ("v",)))
            continue
        shown = pick_field(film.fields, field) if hasattr(film, "fields") else ""
        panels += _trajectory_panels(film, shown)
        values += sample_values(film.dynamics, film.state.shape[0])
        names.append((getattr(film.dynamics, "name", ""), shown))
        colormaps.append(colormap_of(shown, film.fields))
    own, shared = split_labels(values)
    if labels is not None and len(labels) != len(panels):
        raise BadInput("labels", f"must be one a panel, {len(panels)} in all", f"{len(labels)} labels")
    panels = [dataclasses.replace(p, label=text) for p, text in zip(panels, labels or own, strict=True)]
    system, shown = (words[0] if len(set(words)) == 1 else "" for words in zip(*names, strict=True))
    title = " · ".join(word for word in (system, shown, shared) if word)
    return Film(panels, title, shown, colormaps[0])


def _array_panels(frames: np.ndarray) -> list[Panel]:
    if frames.ndim != 3 or frames.size == 0:
        raise BadInput("films", "must be trajectories or arrays (T, H, W)", f"shape {frames.shape}")
    return [Panel(frames, np.arange(len(frames), dtype=float), clock="frame")]


def _trajectory_panels(film: Trajectory, shown: str) -> list[Panel]:
    frames, ts = getattr(film, "frames", None), getattr(film, "ts", None)
    if frames is None or ts is None or len(frames) == 0:
        raise BadInput("films", "must hold frames", "a run that kept only its last state", "Pass save_every.")
    if frames.ndim != 5:
        raise BadInput("films", "must be fields on a grid", f"frames of shape {frames.shape}")
    from ..simulation.filming import to_its_end

    whole, channel = to_its_end(film), film.fields.index(shown)
    assert whole.frames is not None
    assert whole.ts is not None
    return [Panel(whole.frames[:, m, channel], whole.ts) for m in range(frames.shape[1])]
