"""Scores of noised points, and vector fields that preserve their density."""

from .exponents import Lyapunov, lyapunov
from .flow import Flow, Flows
from .learn_flow import LearntFlows, learn_flow
from .learn_score import LearntScore, learn_score
from .priors import PRIORS
from .schedule import SCHEDULES
from .score import Score
from .uniqueness import Uniqueness, uniqueness

__all__ = [
    "PRIORS", "SCHEDULES", "Flow", "Flows", "LearntFlows", "LearntScore", "Lyapunov", "Score", "Uniqueness",
    "learn_flow", "learn_score", "lyapunov", "uniqueness",
]  # fmt: skip
