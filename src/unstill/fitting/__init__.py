"""Fitting by gradient: losses, strategies, landscapes, and a measured answer to when gradients work."""

from .compare import compare
from .comparison import Comparison
from .fit import fit
from .landscape import landscape
from .landscape_result import Landscape
from .losses import LOSSES, find_loss
from .result import Fit
from .strategies import STRATEGIES
from .viability import Viability, viability

__all__ = [
    "LOSSES", "STRATEGIES", "Comparison", "Fit", "Landscape", "Viability", "compare", "find_loss", "fit", "landscape",
    "viability",
]  # fmt: skip
