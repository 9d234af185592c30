"""`Atlas`: regimes and statistics over parameter space, and what can be asked of them."""

from __future__ import annotations

import collections
import dataclasses
import importlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._result import Result
from .._types import Status
from ..analysis.bifurcations import Curve
from ..simulation import Grid
from ..systems import system_name
from .cells import REGIMES, Setting
from .design import Design
from .nearest import Neighbours, nearest_cells

if TYPE_CHECKING:
    import xarray


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Atlas(Result):
    """What was found at each point of a design, for each of several initial states.

    `values` holds arrays by name, with the axes of `design.shape`, then `sample`, then their own: `regime` (its number
    in `us.Regime`'s order, −1 where nothing was looked at yet), what it rests on (`time`, `drift`, `exponent`, …: NaN
    where it was not needed), statistics of each field of the last state (`mean`, `contrast`, `quantiles`,
    `wavelength`, `orientation`, `area`, `perimeter`, `euler`, `spots`), a `thumbnail` of the last field, and the
    `state` itself where it was to be kept. `curves` are those of linear theory over two parameters: kind → values of
    the second and of the first parameter.
    """

    verb: ClassVar = "survey"
    failures: ClassVar = (Status.NOT_CONVERGED,)

    setting: Setting
    design: Design
    values: Mapping[str, np.ndarray]
    curves: Mapping[str, Curve]
    status: Status
    message: str
    seconds: float

    @property
    def samples(self) -> int:
        """Initial states a point."""
        return self.values["regime"].shape[-1]

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the leading axes of every array."""
        return (*(self.design.axes or ("point",)), "sample")

    @property
    def counts(self) -> dict[str, int]:
        """How many cells are in each regime."""
        numbers = collections.Counter(self.values["regime"].ravel().tolist())
        return {str(REGIMES[i]): n for i, n in numbers.most_common() if i >= 0}

    @classmethod
    def open(cls, path: str | os.PathLike) -> Atlas:
        """The atlas of a `survey` run folder, finished or not, or the one that is shipped, "gray-scott": 32 × 32 points
        over F and k at Pearson's diffusion, 128² cells, to 20,000 time units from a square. Raises `BadInput`."""
        return importlib.import_module("..files.atlases", __package__).read_atlas(path)

    def nearest(
        self, picture: Float[np.ndarray, "H W"], *, field: str | None = None, grid: Grid | None = None, count: int = 5
    ) -> Neighbours:
        """The cells whose last pictures are nearest to a picture by its statistics, and the regime that most are in.

        Args:
            picture: One field, in the units of the system.
            field: Which (default: the last).
            grid: Cell size and boundary (default: the atlas' dx).
            count: How many cells.

        The statistics are those of `us.pattern_statistics`, each in standard deviations over the atlas' patterns. A
        picture alone does not tell whether it moves: neighbours do. Raises `BadInput`.
        """
        return nearest_cells(self, picture, field=field, grid=grid, count=count)

    def to_xarray(self) -> xarray.Dataset:
        """The arrays with names on their axes and the values of the parameters along them; needs xarray."""
        return importlib.import_module("..files.atlases", __package__).labelled(self)

    def to_dict(self) -> dict[str, Any]:
        """`result.json`; the arrays are in `atlas.zarr`."""
        setting, along = self.setting, self.design.axes or self.design.values
        return {
            "status": str(self.status),
            "message": self.message,
            "system": system_name(setting.cls),
            "fixed": dict(setting.fixed),
            "over": {name: [float(v.min()), float(v.max()), len(v)] for name, v in along.items()},
            "design": self.design.kind,
            "samples": self.samples,
            "size": list(setting.grid.shape),
            "dx": setting.grid.dx,
            "boundary": setting.grid.boundary,
            "dt": setting.dt,
            "time": setting.time,
            "init": setting.init,
            "seed": setting.seed,
            "cells": int(self.values["regime"].size),
            "looked_at": int((self.values["regime"] >= 0).sum()),
            "regimes": self.counts,
            "seconds": self.seconds,
        }

    def table(self) -> list[tuple[str, ...]]:
        """A row a regime: cells, and the range of λ₁ in them."""
        rows = []
        for name, count in self.counts.items():
            inside = self.values["regime"] == REGIMES.index(name)
            exponents = self.values["exponent"][inside]
            grown = exponents[np.isfinite(exponents)]
            told = f"λ₁ {grown.min():.1e} to {grown.max():.1e}" if len(grown) else ""
            rows.append((name, f"{count}", told))
        return rows

    def notes(self) -> list[str]:
        """What the map does without."""
        plane = len(self.design.values) == 2 and not self.interrupted
        return ["linear theory draws no curve here; `stability` says why"] if plane and not self.curves else []

    def texts(self) -> dict[str, str]:
        """`atlas.html`: the map for a browser, in one file."""
        return {"atlas.html": importlib.import_module("..plotting.atlas_page", __package__).atlas_page(self)}

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """`atlas.zarr`."""
        return {"atlas.zarr": dict(self.values)}

    def write_arrays(self, folder: Any) -> None:
        """`atlas.zarr`, with names on its axes and the values along them."""
        importlib.import_module("..files.atlases", __package__).write_atlas(folder.path / "atlas.zarr", self)
