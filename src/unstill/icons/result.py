"""`DrawnIcons`: pictures of an icon, with the places and angles that methods are to find."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._result import Result
from .._types import Status
from .icon import CHANNELS, Icon


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DrawnIcons(Result):
    """M pictures of C fields, in no order, each of the `icon` N times, with values in [0, 1].

    `places` are the middles of the icons as (row, column) in pixels, in [0, size): whole numbers are the middles of
    pixels, and row 0 is at the top. `angles` are in radians, in [0, 2π), counter-clockwise as the picture is shown; at
    angle 0 an icon stands as it was drawn. `fields` are the pictures (M, H, W) by name, which `learn_rule` takes;
    `under` is the ground in each of them. `tries` is how many places were tried for each icon: 1 where there is all the
    room, the more the denser they lie.
    """

    verb: ClassVar = "alife"
    formats: ClassVar = True
    status: ClassVar = Status.CONVERGED  # pyright: ignore[reportIncompatibleVariableOverride]

    icon: Icon
    names: tuple[str, ...]
    pictures: Float[np.ndarray, "M C H W"]
    places: Float[np.ndarray, "M N 2"]
    angles: Float[np.ndarray, "M N"]
    under: Float[np.ndarray, " C"]
    ground: str
    tries: float
    seconds: float = 0.0

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """Pictures (M, H, W) by the name of the field, without copying them."""
        return {name: self.pictures[:, i] for i, name in enumerate(self.names)}

    @property
    def colour(self) -> str:
        """`rgb` or `grey`."""
        return next(colour for colour, names in CHANNELS.items() if names == self.names)

    @property
    def coverage(self) -> float:
        """The share of a picture that lies in the circles that keep icons apart."""
        return self.places.shape[1] * math.pi * self.icon.radius**2 / self.pictures[0, 0].size

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """How they lie."""
        return (
            f"places by random sequential addition on a torus, circles of radius {self.icon.radius:.2f} pixels cover "
            f"{100 * self.coverage:.0f} %; uniform angles"
        )

    def headline(self) -> str:
        samples, _, rows, columns = self.pictures.shape
        fields = ", ".join(self.names)
        each = f"{self.places.shape[1]} × {self.icon.name} of {self.icon.size} pixels"
        return f"{samples} pictures {rows} × {columns} of {fields}, each of {each}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        samples, _, size, _ = self.pictures.shape
        return {
            "icon": self.icon.name,
            "fields": list(self.names),
            "samples": samples,
            "count": self.places.shape[1],
            "size": size,
            "icon_size": self.icon.size,
            "radius": self.icon.radius,
            "coverage": self.coverage,
            "sampling": "random sequential addition",
            "tries": self.tries,
            "ground": self.ground,
            "dx": 1.0,
            "boundary": "periodic",
            "seconds": self.seconds,
        }

    def letters(self) -> dict[str, str]:
        return dict.fromkeys(self.fields, "MYX")

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        truth = {"places": self.places, "angles": self.angles, "radius": np.array(self.icon.radius)}
        return {"states.npz": self.fields, "places.npz": truth}
