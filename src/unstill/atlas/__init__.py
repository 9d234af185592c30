"""Regimes of motion, one at a time and over parameter space."""

from .atlas import Atlas
from .classify import Classification, classify
from .nearest import Neighbours
from .regimes import Finding, Regime, find_regime
from .survey import survey

__all__ = ["Atlas", "Classification", "Finding", "Neighbours", "Regime", "classify", "find_regime", "survey"]
