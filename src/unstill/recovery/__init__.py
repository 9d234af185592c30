"""From pictures to the parameters of a known equation."""

from .._result import Estimate
from .calibrate import calibrate
from .calibration import Calibration
from .recover import recover
from .result import Recovery

__all__ = ["Calibration", "Estimate", "Recovery", "calibrate", "recover"]
