"""Synthetic likelihood: parameters from statistics of pictures that grew from fresh initial states."""

from .fit_statistics import fit_statistics

__all__ = ["fit_statistics"]
