"""Read-only questions about systems and states."""

from . import bifurcations
from .linear import growth_rates, reaction_jacobian
from .lyapunov import Exponent, Spectrum, leading_exponent, lyapunov_spectrum
from .two_trajectories import ShearRotation, two_trajectory_exponent
