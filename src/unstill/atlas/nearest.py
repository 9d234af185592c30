"""Which cells of an atlas look like a picture: neighbours by statistics that do not know where the pieces lie."""

from __future__ import annotations

import collections
import dataclasses
import time as clock
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._arguments import Count, checked
from .._errors import BadInput
from .._result import Result, plain
from .._types import Status
from ..analysis.patterns import pattern_statistics
from ..simulation import Grid
from .cells import REGIMES, SHAPES, thumbnail
from .similar import patterned

if TYPE_CHECKING:
    from .atlas import Atlas

# Standard deviations, per statistic: 95 % of the shipped atlas' patterns have another one within 0.51, and so have
# held-out parameters, seeds and boxes (0.1 to 0.4); smooth noise with a pattern's levels and wavelength is at 0.55.
FAR = 0.5
_AGREE = 0.8  # of the neighbours: then 93 % of the shipped atlas' patterns, each left out in turn, are told rightly


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Neighbours(Result):
    """The cells of an atlas that are nearest to a picture, the nearest first.

    `values` are their parameters, each (N,), with `samples` the number of the initial state; `regimes` and `distances`
    are theirs: the root mean square over the statistics of the difference, in standard deviations over the atlas'
    patterns. Status: `converged`; `unidentifiable` where fewer than four fifths of them are of one regime; `no-fit`
    where even the nearest is more than 0.5 away; `dead` for a picture without a pattern.
    """

    verb: ClassVar = "atlas"
    failures: ClassVar = (Status.NO_FIT, Status.DEAD, Status.UNIDENTIFIABLE)

    values: Mapping[str, Float[np.ndarray, " N"]]
    samples: np.ndarray
    regimes: tuple[str, ...]
    distances: Float[np.ndarray, " N"]
    field: str
    picture: Float[np.ndarray, "H W"]
    thumbnails: Float[np.ndarray, "N Y X"]
    status: Status
    message: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """`result.json`."""
        rows = [
            {"parameters": {name: v[i] for name, v in self.values.items()}, "sample": self.samples[i],
             "regime": self.regimes[i], "distance": self.distances[i]}
            for i in range(len(self.regimes))
        ]  # fmt: skip
        told = {"status": self.status, "message": self.message, "field": self.field, "nearest": rows}
        return plain({**told, "seconds": self.seconds})

    def table(self) -> list[tuple[str, ...]]:
        """A row a neighbour."""
        return [
            (
                "  ".join(f"{name}={v[i]:.4g}" for name, v in self.values.items()),
                regime,
                f"distance {self.distances[i]:.3g}",
            )
            for i, regime in enumerate(self.regimes)
        ]


@checked
def nearest_cells(
    atlas: Atlas, picture: Float[np.ndarray, "H W"], *, field: str | None = None, grid: Grid | None = None,
    count: Count = 5,
) -> Neighbours:  # fmt: skip
    """What `Atlas.nearest` returns; arguments as there."""
    started = clock.perf_counter()
    fields = list(atlas.setting.cls.fields)
    name = fields[-1] if field is None else field
    if name not in fields:
        raise BadInput("field", f"must be one of {', '.join(fields)}", repr(name))
    seen = np.asarray(picture, np.float64)
    if seen.ndim != 2 or not np.isfinite(seen).all():
        raise BadInput("picture", "must be one finite picture (H, W)", seen.shape)
    known = _features(atlas, fields.index(name))
    usable = np.flatnonzero(np.isfinite(known).all(1) & patterned(atlas))
    if len(usable) < 2:
        raise BadInput("atlas", "must hold two patterns or more", f"{len(usable)}")
    wanted = _of_picture(pattern_statistics(grid or Grid(seen.shape, atlas.setting.grid.dx), seen))
    spread = np.maximum(known[usable].std(0), 1e-12)
    if np.isfinite(wanted).all():
        distances = np.sqrt((((known[usable] - wanted) / spread) ** 2).mean(1))
    else:
        distances = np.zeros(0)
    order = np.argsort(distances, kind="stable")[:count]
    status, message, regimes = _judged(atlas, usable[order], distances[order])
    places = usable[order]
    values = {each: v[places // atlas.samples] for each, v in atlas.design.values.items()}
    shown = atlas.values["thumbnail"].reshape(-1, *atlas.values["thumbnail"].shape[-2:])[places]
    return Neighbours(
        values, places % atlas.samples, regimes, distances[order], name, thumbnail(seen), shown, status, message,
        clock.perf_counter() - started,
    )  # fmt: skip


def _features(atlas: Atlas, c: int) -> Float[np.ndarray, "N S"]:
    """The statistics of one field of every cell; NaN for those without a pattern."""
    lead = atlas.values["regime"].ndim
    columns = [atlas.values[name][..., c].reshape(-1, 1) for name in SHAPES]
    quantiles = np.moveaxis(atlas.values["quantiles"], lead, 0)[c]
    return np.concatenate([quantiles.reshape(-1, quantiles.shape[-1]), *columns], 1)


def _of_picture(look: Any) -> Float[np.ndarray, " S"]:
    shapes = [np.nan if (value := getattr(look, name)) is None else value for name in SHAPES]
    return np.concatenate([look.quantiles, shapes])


def _judged(atlas: Atlas, places: np.ndarray, distances: np.ndarray) -> tuple[Status, str, tuple[str, ...]]:
    """Status and message, and the regime of each neighbour."""
    if len(places) == 0:
        return Status.DEAD, "the picture is uniform", ()
    regimes = tuple(str(REGIMES[i]) for i in atlas.values["regime"].ravel()[places])
    if distances[0] > FAR:
        return Status.NO_FIT, f"the nearest cell is {distances[0]:.2g} standard deviations away", regimes
    votes = collections.Counter(regimes).most_common()
    if votes[0][1] < _AGREE * len(regimes):
        told = ", ".join(f"{name} × {count}" for name, count in votes)
        return Status.UNIDENTIFIABLE, f"the nearest cells are of several regimes: {told}", regimes
    return Status.CONVERGED, f"{votes[0][0]}, as {votes[0][1]} of the {len(regimes)} nearest cells", regimes
