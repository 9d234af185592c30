"""Which dynamics of a library preserve points or pictures: test spaces, null spaces, sparse representatives."""

from .discover import discover
from .field_library import FieldEquations, FieldLibrary
from .from_pictures import discover_pictures
from .library import LIBRARIES, Library, Term, find_library
from .result import Discovery, Equations, Sparsity

__all__ = [
    "LIBRARIES", "Discovery", "Equations", "FieldEquations", "FieldLibrary", "Library", "Sparsity", "Term",
    "discover", "discover_pictures", "find_library",
]  # fmt: skip
