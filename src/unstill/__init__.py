"""Unstill: from still patterns to the dynamics that make them."""

__version__ = "0.1.0"
