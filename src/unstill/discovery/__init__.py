"""Which dynamics of a library preserve a heap of points: test spaces, null spaces, sparse representatives."""

from .discover import discover
from .hints import Ordered
from .library import LIBRARIES, Library, Term, find_library
from .result import Discovery, Equations

__all__ = ["LIBRARIES", "Discovery", "Equations", "Library", "Ordered", "Term", "discover", "find_library"]
