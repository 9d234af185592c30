"""From pictures to the parameters of a known equation."""

from .._result import Estimate
from .recover import recover
from .result import Recovery

__all__ = ["Estimate", "Recovery", "recover"]
