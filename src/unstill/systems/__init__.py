"""The systems that Unstill knows by name, and how a user's own are found."""

from typing import Any

from .._errors import BadInput, nearest
from .._files import from_file
from .base import (
    AbstractSystem,
    Dynamics,
    Number,
    OrdinarySystem,
    ParameterInfo,
    ReactionDiffusion,
    parameter,
)
from .brusselator import Brusselator
from .completeness import check_complete
from .double_gyre import DoubleGyre
from .fitzhugh_nagumo import FitzHughNagumo
from .gierer_meinhardt import GiererMeinhardt
from .gray_scott import GrayScott
from .grid import BOUNDARIES, Grid, OnGrid
from .hopf import Hopf
from .lorenz import Lorenz
from .rossler import Rossler
from .schnakenberg import Schnakenberg
from .van_der_pol import VanDerPol

SYSTEMS: dict[str, type[AbstractSystem]] = {
    cls.name: cls
    for cls in (
        GrayScott, Schnakenberg, Brusselator, FitzHughNagumo, GiererMeinhardt,
        Lorenz, Rossler, VanDerPol, Hopf, DoubleGyre,
    )
}  # fmt: skip


def find_system(name: str) -> type[AbstractSystem]:
    """The class behind a name.

    Args:
        name: One of `SYSTEMS`, or `file.py:NAME`.

    Raises `BadInput` where there is none.
    """
    if ".py:" in name:
        cls = from_file("system", name, _is_system, "a system class")
        check_complete(cls, name)
        _ORIGINS[cls] = name
        return cls
    if name not in SYSTEMS:
        raise BadInput("system", "must be a known system or file.py:NAME", repr(name), nearest(name, SYSTEMS))
    return SYSTEMS[name]


def system_name(system: AbstractSystem | type[AbstractSystem]) -> str:
    """The word by which `find_system` finds a system: a built-in name, or `file.py:NAME` where it came from a file."""
    cls = system if isinstance(system, type) else type(system)
    return _ORIGINS.get(cls, cls.name)


def describe(cls: type[AbstractSystem]) -> dict[str, Any]:
    """The facts about a system, as JSON would hold them."""
    defaults = cls.defaults()
    return {
        "name": cls.name,
        "fields": list(cls.fields),
        "equations": list(cls.equations),
        "parameters": {
            name: {
                "default": defaults[name],
                "range": [info.low, info.high],
                "unit": info.unit,
                "meaning": info.meaning,
            }
            for name, info in cls.parameters().items()
        },
        "presets": {name: dict(values) for name, values in cls.presets.items()},
        "citation": cls.citation,
    }


_ORIGINS: dict[type[AbstractSystem], str] = {}  # of systems that came from files


def _is_system(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, AbstractSystem)


__all__ = [
    "BOUNDARIES", "SYSTEMS", "AbstractSystem", "Brusselator", "DoubleGyre", "Dynamics", "FitzHughNagumo",
    "GiererMeinhardt", "GrayScott", "Grid", "Hopf", "Lorenz", "Number", "OnGrid", "OrdinarySystem", "ParameterInfo",
    "ReactionDiffusion", "Rossler", "Schnakenberg", "VanDerPol", "describe", "find_system", "parameter",
    "system_name",
]  # fmt: skip
