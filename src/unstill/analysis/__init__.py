"""Read-only questions about systems and states."""

from .linear import growth_rates, reaction_jacobian
