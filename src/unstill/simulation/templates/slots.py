"""What the templates leave open. A call alone on its line becomes lines, `*call(…), ` arguments; those that are named
in the brackets are what these may use. For each field f: rows y{f} and r{f}n, r{f}m, r{f}s of the arrays."""

from typing import Any


def read_parameters(*_) -> None:
    """Uniform parameters, read once before the loops."""


def read_parameter_tangents(*_) -> None:
    """The same of their tangents."""


def take_rows(*_) -> None:
    """Views of row i, its neighbours, and of parameters that are given per cell."""


def cell(*_) -> None:
    """One cell j: its values and Laplacian, the system's formulas, and what is written."""


def add_slopes(*_) -> None:
    """A row's sums of ∂H/∂θ, added to those of the whole grid."""


def close_edges(*_) -> None:
    """The ghost columns of the rows that were written."""


def from_x(*_) -> Any:
    """Rows of the input, wrapped round the grid."""


def from_ring(*_) -> Any:
    """Rows of the level below."""


def to_y(*_) -> Any:
    """The row of the result."""


def to_ring(*_) -> Any:
    """The row of this level."""


def cellwise(*_) -> Any:
    """Rows of parameters that are given per cell."""
