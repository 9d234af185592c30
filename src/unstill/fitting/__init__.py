"""Fitting by gradient: losses, strategies, landscapes, and a measured answer to when gradients work."""

from .compare import compare
from .comparison import Comparison
from .fit import Resume, fit
from .losses import LOSSES, find_loss
from .plan import Plan
from .result import Fit
from .strategies import STRATEGIES
