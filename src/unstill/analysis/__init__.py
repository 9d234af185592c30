"""Read-only questions about systems and states."""

from . import bifurcations
from .agreement import Agreement, agree
from .branch_result import PatternBranch
from .continue_branch import continue_branch
from .linear import growth_rates, reaction_jacobian
from .lyapunov import Exponent, Spectrum, leading_exponent, lyapunov_spectrum
from .patterns import PatternStatistics, pattern_statistics
from .stability import stability
from .stability_result import Stability
from .two_trajectories import ShearRotation, two_trajectory_exponent

__all__ = [
    "Agreement", "Exponent", "PatternBranch", "PatternStatistics", "ShearRotation", "Spectrum", "Stability", "agree",
    "bifurcations", "continue_branch", "growth_rates", "leading_exponent", "lyapunov_spectrum", "pattern_statistics",
    "reaction_jacobian", "stability", "two_trajectory_exponent",
]  # fmt: skip
