"""The systems that Unstill knows by name, and how a user's own are found."""

import importlib.util
import sys
from pathlib import Path

from .._errors import BadInput, nearest
from ._base import (
    AbstractSystem,
    Dynamics,
    Number,
    OrdinarySystem,
    ParameterInfo,
    ReactionDiffusion,
    parameter,
)
from .brusselator import Brusselator
from .fitzhugh_nagumo import FitzHughNagumo
from .gierer_meinhardt import GiererMeinhardt
from .gray_scott import GrayScott
from .lorenz import Lorenz
from .schnakenberg import Schnakenberg

SYSTEMS: dict[str, type[AbstractSystem]] = {
    cls.name: cls for cls in (GrayScott, Schnakenberg, Brusselator, FitzHughNagumo, GiererMeinhardt, Lorenz)
}


def find_system(name: str) -> type[AbstractSystem]:
    """The class behind a built-in name or `file.py:NAME`; raises `BadInput` where there is none."""
    if ".py:" in name:
        path, _, attribute = name.rpartition(":")
        return _from_file(Path(path), attribute)
    if name not in SYSTEMS:
        raise BadInput("system", "must be a known system or file.py:NAME", repr(name), nearest(name, SYSTEMS))
    return SYSTEMS[name]


def _from_file(path: Path, attribute: str) -> type[AbstractSystem]:
    if not path.is_file():
        raise BadInput("system", "must name an existing file", str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadInput("system", f"cannot be imported: {type(error).__name__}: {error}", str(path)) from error
    cls = getattr(module, attribute, None)
    if not (isinstance(cls, type) and issubclass(cls, AbstractSystem)):
        found = [n for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, AbstractSystem)]
        raise BadInput("system", f"must name a system class in {path}", repr(attribute), nearest(attribute, found))
    return cls
