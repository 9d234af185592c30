"""`plot_states`: the final states of a run at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from .colors import colormap_of, full_limits
from .labels import number, pick_field, sample_values, split_labels
from .page import HEAD, MARGIN, Block, Page, panel_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..observations import Snapshots
    from ..simulation import Trajectory

_MOST_SAMPLES = 16
_NARROWEST = 4.0  # inches


def plot_states(
    states: Trajectory | Snapshots | Mapping[str, np.ndarray],
    fields: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
) -> Figure:
    """A grid of panels: final states of a trajectory, snapshots, or arrays (M, H, W) by field name.

    Shows at most 16 samples. Each field has one colour scale over all samples.

    Args:
        states: A trajectory, snapshots, or arrays (M, H, W) by field name.
        fields: Fields to show (default: every field of a single sample, else v, or the first where there is no v).
        titles: One text a sample (default: parameters that differ and, of a trajectory, the status).

    Raises `BadInput`.
    """
    arrays = _by_field(states)
    count = len(next(iter(arrays.values())))
    if fields is None:
        fields = list(arrays) if count == 1 else [pick_field(list(arrays), None)]
    fields = [pick_field(list(arrays), field) for field in fields]
    shown = min(count, _MOST_SAMPLES)
    titles, heading, note = _titles(states, count, titles)
    if shown < count:
        heading = f"{heading}, first {shown} of {count} samples".removeprefix(", ")
    block = Block(shown, panel_size(arrays[fields[0]].shape, 3.0 if shown <= 4 else 2.4))
    page = Page(max(_NARROWEST, MARGIN + len(fields) * block.width), HEAD + block.height)
    page.head(heading or "states", note)
    for i, name in enumerate(fields):
        words = [" · ".join(w for w in (name, title) if w) for title in titles]
        samples = arrays[name][:shown]
        block.draw(page, samples, words, MARGIN + i * block.width, HEAD, name=name, limits=full_limits([samples]),
                   colormap=colormap_of(name, list(arrays)))  # fmt: skip
    return page.figure


def _by_field(states) -> dict[str, np.ndarray]:
    if hasattr(states, "state"):
        if states.state.ndim != 4:
            raise BadInput("states", "must be fields on a grid", f"shape {states.state.shape}")
        return {name: states.state[:, i] for i, name in enumerate(states.fields)}
    fields = states if isinstance(states, Mapping) else getattr(states, "fields", None)
    if not isinstance(fields, Mapping) or not fields:
        raise BadInput("states", "must be a Trajectory, Snapshots or arrays by field name", type(states).__name__)
    arrays = {name: np.asarray(values) for name, values in fields.items()}
    if any(values.ndim != 3 for values in arrays.values()):
        raise BadInput("states", "must hold arrays (M, H, W)", {name: a.shape for name, a in arrays.items()})
    return arrays


def _titles(states, count: int, titles: Sequence[str] | None) -> tuple[list[str], str, str]:
    """A title a sample, and a heading and a note of what all share."""
    if titles is not None and len(titles) != count:
        raise BadInput("titles", f"must be one a sample, {count} in all", f"{len(titles)} titles")
    if not hasattr(states, "status"):
        return list(titles or [f"sample {m + 1}" if count > 1 else "" for m in range(count)]), "", ""
    own, shared = split_labels(sample_values(states.dynamics, count))
    times = [number(float(n) * states.dt) for n in (states.steps.min(), states.steps.max())]
    name = getattr(states.dynamics, "name", type(states.dynamics).__name__)
    heading = f"{name} after {' to '.join(dict.fromkeys(times))} time units"
    note = " · ".join(text for text in (shared, f"dx = {states.grid.dx:g}, {states.grid.boundary}") if text)
    if titles is None:
        titles = [" · ".join(t for t in (text, str(s)) if t) for text, s in zip(own, states.status, strict=True)]
    return list(titles), heading, note
