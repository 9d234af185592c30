"""Where in parameter space an atlas looks: a grid, or points that fill the ranges evenly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import qmc

from .._errors import BadInput
from ..systems import ReactionDiffusion

# Names of an atlas' arrays and axes.
RESERVED = {
    "time", "dt", "drift", "straightness", "reach", "speeds", "depth", "period", "exponent", "exponent_std",
    "exponent_before", "wavelength", "orientation", "area", "perimeter", "euler", "spots", "regime", "mean", "contrast",
    "quantiles", "thumbnail", "state", "sample", "quantile", "point", "field", "row", "column", "y", "x",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Design:
    """N points in parameter space: `values` by name, each (N,). `axes` are the values along each axis of a grid, whose
    points come in C order of them; empty for points without order. `kind` is one of `DESIGNS`."""

    kind: str
    values: dict[str, Float[np.ndarray, " N"]]
    axes: dict[str, Float[np.ndarray, " n"]]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the axes that points stand on."""
        return tuple(map(len, self.axes.values())) or (len(next(iter(self.values.values()))),)


def lay_out(
    cls: type[ReactionDiffusion],
    over: Mapping[str, Sequence[float] | np.ndarray],
    kind: str,
    points: int | None,
    seed: int,
) -> Design:
    """The points of a design over ranges (low, high, count), or over values that are listed; raises `BadInput`."""
    if not over:
        raise BadInput("over", "must name parameters and their ranges", "none")
    unknown = [name for name in over if name not in cls.parameters()]
    if unknown:
        rule = f"must name parameters of {cls.name}, {', '.join(cls.parameters())}"
        raise BadInput("over", rule, unknown[0])
    taken = sorted(over.keys() & RESERVED)
    if taken:
        raise BadInput("over", "must not name what an atlas has of its own", taken[0], "Rename the parameter.")
    axes = {name: np.asarray(values, np.float64) for name, values in over.items()}
    for name, values in axes.items():
        if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or not (np.diff(values) > 0).all():
            shown = f"{name} = {', '.join(f'{v:g}' for v in values.ravel()[:4])}"
            raise BadInput("over", "must be LOW:HIGH:COUNT, or two values or more, rising", shown)
    if kind == "grid":
        if points is not None:
            raise BadInput("points", "must be left out: the ranges say how many", points)
        mesh = np.meshgrid(*axes.values(), indexing="ij")
        return Design(kind, {name: each.ravel() for name, each in zip(axes, mesh, strict=True)}, axes)
    if points is None:
        raise BadInput("points", f"must say how many points a {kind} design has", "none")
    low, high = (np.array([end(each) for each in axes.values()]) for end in (np.min, np.max))
    sampler = qmc.Sobol if kind == "sobol" else qmc.LatinHypercube
    unit = sampler(len(axes), rng=np.random.default_rng(seed)).random(points)
    values = low + (high - low) * unit
    return Design(kind, {name: values[:, i] for i, name in enumerate(axes)}, {})
