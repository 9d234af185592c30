"""From pictures to the parameters of a known equation."""

from .recover import recover
from .result import Estimate, Recovery

__all__ = ["Estimate", "Recovery", "recover"]
