"""Scores of pictures, and flows on them that preserve their distribution."""

from .convolution import ConvolutionFlow
from .field_score import FieldScore
from .langevin import langevin
from .learn_field_flow import LearntFieldFlow, learn_field_flow
from .learn_field_score import LearntFieldScore, learn_field_score
from .local_flow import LocalFlow

__all__ = [
    "ConvolutionFlow",
    "FieldScore",
    "LearntFieldFlow",
    "LearntFieldScore",
    "LocalFlow",
    "langevin",
    "learn_field_flow",
    "learn_field_score",
]
