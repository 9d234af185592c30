"""Test functionals, weak-form matrices, noise-bias correction and generalised least squares: the shared core."""

from .functionals import TestSpace
from .moments import Model, drift_squares, field_moments, step_moments
from .regression import Regression, regress

__all__ = ["Model", "Regression", "TestSpace", "drift_squares", "field_moments", "regress", "step_moments"]
