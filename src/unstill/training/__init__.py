"""The one optimisation loop, the optimisers that it drives, its log and its resume file."""

from .loop import Outcome, minimise
from .optimisers import OPTIMISERS, AbstractOptimiser, Objective, Step, Variables, make_optimiser
from .resume import as_arrays, from_arrays

__all__ = [
    "OPTIMISERS", "AbstractOptimiser", "Objective", "Outcome", "Step", "Variables", "as_arrays", "from_arrays",
    "make_optimiser", "minimise",
]  # fmt: skip
