"""Local rules from unordered pictures: any isotropic rule of a cell and its neighbours that preserves them."""

from .learn_rule import RULES, learn_rule
from .result import LearntRule
from .rule import Rule

__all__ = ["RULES", "LearntRule", "Rule", "learn_rule"]
