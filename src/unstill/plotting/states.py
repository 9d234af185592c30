"""`plot_states`: the final states of a run at a glance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._errors import BadInput
from .colors import colormap_of, full_limits
from .figures import INK, draw_bar, draw_field, new_figure
from .labels import number, pick_field, sample_values, split_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..observations import Snapshots
    from ..simulation import Trajectory

_MOST_SAMPLES = 16


def plot_states(
    states: Trajectory | Snapshots | Mapping[str, np.ndarray],
    fields: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
) -> Figure:
    """A grid of panels: final states of a trajectory, snapshots, or arrays (M, H, W) by field name.

    Shows at most 16 samples of the given `fields`: by default every field of a single sample, else v (the first field
    where there is no v). `titles`, one a sample; by default parameters that differ and, of a trajectory, the status.
    Each field has one colour scale over all samples. Raises `BadInput`.
    """
    arrays = _by_field(states)
    count = len(next(iter(arrays.values())))
    if fields is None:
        fields = list(arrays) if count == 1 else [pick_field(list(arrays), None)]
    fields = [pick_field(list(arrays), field) for field in fields]
    titles, heading = _titles(states, count, titles)
    shown = min(count, _MOST_SAMPLES)
    if shown < count:
        heading = f"{heading} · first {shown} of {count} samples"
    columns = math.ceil(math.sqrt(shown))
    rows = math.ceil(shown / columns)
    side = 3.0 if shown <= 4 else 2.4
    height = side * min(2.0, max(0.3, arrays[fields[0]].shape[1] / arrays[fields[0]].shape[2]))
    figure = new_figure((side * columns + 0.7) * len(fields), (height + 0.35) * rows + 0.4)
    figure.set_layout_engine("constrained")
    figure.suptitle(heading.strip(" ·"), fontsize=11, color=INK, x=0.01, ha="left")
    for block, name in zip(np.atleast_1d(figure.subfigures(1, len(fields))), fields, strict=True):
        words = [" · ".join(w for w in (name, title) if w) for title in titles]
        _draw_block(block, arrays[name][:shown], words, (rows, columns), colormap_of(name, list(arrays)))
    return figure


def _draw_block(block, samples: np.ndarray, titles: Sequence[str], shape: tuple[int, int], colormap: str) -> None:
    """One field's panels and the colour bar that they share."""
    panels = np.atleast_1d(block.subplots(*shape)).ravel()
    limits = full_limits([samples])
    images = [
        draw_field(axes, sample, title, limits=limits, colormap=colormap, ruler=axes is panels[0])
        for axes, sample, title in zip(panels, samples, titles, strict=False)
    ]
    for axes in panels[len(samples) :]:
        axes.set_axis_off()
    draw_bar(block, images[0], ax=list(panels), fraction=0.03, pad=0.02, aspect=30)


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


def _titles(states, count: int, titles: Sequence[str] | None) -> tuple[list[str], str]:
    """A title a sample, and a heading of what all share."""
    if titles is not None and len(titles) != count:
        raise BadInput("titles", f"must be one a sample, {count} in all", f"{len(titles)} titles")
    if not hasattr(states, "status"):
        return list(titles or [f"sample {m + 1}" if count > 1 else "" for m in range(count)]), ""
    own, shared = split_labels(sample_values(states.dynamics, count))
    times = {float(n) * states.dt for n in states.steps}
    after = f"after {number(times.pop())} time units" if len(times) == 1 else ""
    heading = " · ".join(t for t in (getattr(states.dynamics, "name", ""), shared, after) if t)
    if titles is None:
        titles = [" · ".join(t for t in (text, str(s)) if t) for text, s in zip(own, states.status, strict=True)]
    return list(titles), heading
