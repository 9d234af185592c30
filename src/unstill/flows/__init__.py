"""Scores of noised points, and vector fields that preserve their density."""

from .flow import Flow, Flows
from .priors import PRIORS
from .schedule import SCHEDULES
from .score import Score, learn_score
from .training import learn_flow

__all__ = ["PRIORS", "SCHEDULES", "Flow", "Flows", "Score", "learn_flow", "learn_score"]
