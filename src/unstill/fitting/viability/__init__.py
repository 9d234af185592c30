"""A measured answer to when gradients through a simulation find its parameters."""

from .result import Viability
from .viability import viability

__all__ = ["Viability", "viability"]
