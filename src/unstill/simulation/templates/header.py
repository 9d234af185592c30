"""What every generated module begins with."""

import math

import numpy as np
from numba import njit

REAL = np.float64
ZERO = REAL(0.0)
ONE = REAL(1.0)
# Not fastmath=True, which would delete NaN checks.
FAST = {"contract", "nsz", "arcp"}

__all__ = ["FAST", "ONE", "REAL", "ZERO", "math", "njit", "np"]
